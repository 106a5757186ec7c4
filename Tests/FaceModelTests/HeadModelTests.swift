import FaceModel
import Numerics
import Testing

/// Loaded once for all tests.
let head: HeadModel<Double>? = try? HeadModel<Double>.embedded()

@Suite struct HeadModelTests {
    @Test func embeddedModelIsTheShippedHead() throws {
        let m = try #require(head)
        #expect(m.vertexCount == 15622 && m.triangles.count == 3 * 30730)
        #expect(m.identityCount == 80 && m.expressionCount == 55)
        #expect(m.expressionNames.contains("jawOpen") && m.partNames.contains("skin"))
        #expect(m.part.filter { $0 == 0 }.count == 7441)
        // Nose tip in front, chin below, subject's left (x > 0) on the side of landmark 16.
        var points = [Double](repeating: 0, count: 204)
        m.landmarks.positions(m.mean.pointer, into: &points)
        #expect(points[3 * 30 + 2] > 65 && points[3 * 8 + 1] < -80 && points[3 * 16] > 70 && points[0] < -70)
    }

    /// People mark the ends of the jaw and the brows lower, and keep to the corners of the eyes.
    @Test func annotatedPlacesOfTheShippedHead() throws {
        let m = try #require(head)
        var own = [Double](repeating: 0, count: 204), marked = own
        m.landmarks.positions(m.mean.pointer, into: &own)
        m.annotatedLandmarks.positions(m.mean.pointer, into: &marked)
        func fall(_ i: Int) -> Double { own[3 * i + 1] - marked[3 * i + 1] }
        #expect([0, 16].allSatisfy { (6...13).contains(fall($0)) })
        #expect((17...26).allSatisfy { (1...6).contains(fall($0)) })
        #expect([36, 39, 42, 45].allSatisfy { abs(fall($0)) < 1.5 })
        // Closed lips meet (places are drawn off the surface to a tenth of a millimetre), and every point on its half of the face.
        #expect(zip([61, 62, 63], [67, 66, 65]).allSatisfy { marked[3 * $0 + 1] >= marked[3 * $1 + 1] - 0.1 })
        #expect((0..<68).allSatisfy { abs(own[3 * $0]) < 1 || own[3 * $0] * marked[3 * $0] > 0 })
    }

    /// A file that does not say where people mark the points means its own.
    @Test func withoutAnnotatedPlaces() throws {
        let m = try HeadModel<Double>(file: TinyHead().file())
        #expect(m.annotatedLandmarks.indices == m.landmarks.indices && m.annotatedLandmarks.weights == m.landmarks.weights)
    }

    /// A fourth vertex draws a place off the surface, by a weight that may be negative; derivatives go back the same way.
    @Test(arguments: [Float(0.25), -0.25, 1]) func annotatedPlacesOffTheSurface(_ share: Float) throws {
        var tiny = TinyHead()
        tiny.mean.1[11] = 4      // the fourth vertex: (0, 0, 4)
        let one: ([Int32], [Float]) = ([0, 1, 2, 3], [(1 - share) / 2, (1 - share) / 4, (1 - share) / 4, share])
        tiny.annotated = (Array(repeating: one.0, count: 68).flatMap { $0 }, Array(repeating: one.1, count: 68).flatMap { $0 })
        let m = try HeadModel<Double>(file: tiny.file())
        var points = [Double](repeating: 0, count: 204), gradient = [Double](repeating: 0, count: 12)
        m.annotatedLandmarks.positions(m.mean.pointer, into: &points)
        let s = Double(share)
        #expect(Array(points[9..<12]) == [(1 - s) / 4, (1 - s) / 4, 4 * s])
        m.annotatedLandmarks.backward((0..<204).map { $0 == 11 ? 1 : 0 }, dVertices: &gradient)
        #expect((0..<4).map { gradient[3 * $0 + 2] } == [(1 - s) / 2, (1 - s) / 4, (1 - s) / 4, s])
        // Seventeen jaw points in one place are no line to divide.
        let turned = ContourLines(m).embedding(m.mean.pointer, rotation: Rotation.matrix(yaw: 0.5, pitch: 0.1, roll: 0))
        turned.positions(m.mean.pointer, into: &points)
        #expect(turned.count == 68 && points.allSatisfy(\.isFinite))
    }

    @Test func floatAndDoubleAgree() throws {
        let d = try #require(head), f = try HeadModel<Float>.embedded()
        let a = normals(80, seed: 1)
        let b = normals(55, seed: 2).map { abs($0) / 3 }
        var vd = [Double](repeating: 0, count: 3 * d.vertexCount), vf = [Float](repeating: 0, count: 3 * d.vertexCount)
        d.vertices(identity: a, expression: b, into: &vd)
        f.vertices(identity: a.map { Float($0) }, expression: b.map { Float($0) }, into: &vf)
        #expect(zip(vd, vf).allSatisfy { abs($0 - Double($1)) < 1e-3 })
    }

    /// The head of the library lies in half precision without loss, so what its packed products differ by is rounding.
    @Test func packedBasisAgreesWithThePlainOne() throws {
        let d = try #require(head), f = try HeadModel<Float>.embedded()
        #expect(f.basisByteCount <= 2 * (f.identityBasis.count + f.expressionBasis.count) || VectorLevel.available.isEmpty)
        let n = 3 * d.vertexCount
        let a = normals(80, seed: 21)
        var b = normals(55, seed: 22).map { max(0, $0) }
        b[7] = 0
        var exact = [Double](repeating: 0, count: n), v = [Float](repeating: 0, count: n)
        d.vertices(identity: a, expression: b, into: &exact)
        f.vertices(identity: a.map { Float($0) }, expression: b.map { Float($0) }, into: &v)
        let error = zip(exact, v).reduce(0) { max($0, abs($1.0 - Double($1.1))) }
        #expect(error < 3e-4, "\(error) mm")  // coordinates of up to 250 mm, each a sum of 136 terms: 1e-6 of their size
        let cotangent = normals(n, seed: 23)
        var (da, db) = ([Double](repeating: 1, count: 80), [Double](repeating: 1, count: 55))
        d.verticesBackward(cotangent, dIdentity: &da, dExpression: &db)
        var (fa, fb) = ([Float](repeating: 1, count: 80), [Float](repeating: 1, count: 55))
        f.verticesBackward(cotangent.map { Float($0) }, dIdentity: &fa, dExpression: &fb)
        for (x, y) in zip(da + db, fa + fb) { #expect(abs(x - Double(y)) < 1e-5 * abs(x) + 1e-3) }
        // One gradient alone is the same number.
        var alone = [Float](repeating: 1, count: 55)
        f.verticesBackward(cotangent.map { Float($0) }, dIdentity: nil, dExpression: &alone)
        #expect(alone == fb)
    }

    @Test func verticesAreLinearAndBackwardIsTheTranspose() throws {
        let m = try #require(head)
        let n = 3 * m.vertexCount
        let a = normals(80, seed: 3), b = normals(55, seed: 4), cotangent = normals(n, seed: 5)
        var v = [Double](repeating: 0, count: n)
        m.vertices(identity: a, expression: b, into: &v)
        var da = [Double](repeating: 1, count: 80), db = [Double](repeating: 1, count: 55)
        m.verticesBackward(cotangent, dIdentity: &da, dExpression: &db)
        let change = zip(v, m.mean.array).map { $0 - $1 }
        let expected = dot(a, da.map { $0 - 1 }) + dot(b, db.map { $0 - 1 })
        #expect(abs(dot(change, cotangent) - expected) < 1e-9 * abs(expected) + 1e-6)
        // One coefficient moves the head by exactly its basis.
        var one = [Double](repeating: 0, count: 80)
        one[7] = 2
        m.vertices(identity: one, expression: [Double](repeating: 0, count: 55), into: &v)
        let row = m.identityBasis.pointer + 7 * n
        #expect((0..<n).allSatisfy { abs(v[$0] - m.mean[$0] - 2 * row[$0]) < 1e-9 })
    }

    @Test func linearPointModelEqualsTheWholeHeadAtItsPoints() throws {
        let m = try #require(head)
        let a = normals(80, seed: 6), b = normals(55, seed: 7)
        var v = [Double](repeating: 0, count: 3 * m.vertexCount), points = [Double](repeating: 0, count: 204)
        m.vertices(identity: a, expression: b, into: &v)
        m.landmarks.positions(v, into: &points)
        let small = LinearPointModel(m, at: m.landmarks)
        for i in 0..<204 {
            var sum = small.mean[i]
            for (k, c) in (a + b).enumerated() { sum += c * small.basis[k * 204 + i] }
            #expect(abs(sum - points[i]) < 1e-9)
        }
        let cotangent = normals(204, seed: 8)
        var dv = [Double](repeating: 0, count: v.count)
        m.landmarks.backward(cotangent, dVertices: &dv)
        #expect(abs(dot(dv, v) - dot(cotangent, points)) < 1e-6)
    }

    @Test func normalsAndFrameBackwardMatchDifferences() throws {
        let m = try #require(head)
        let n = 3 * m.vertexCount
        let frame = AlignedFrame(half: 115, centreY: 5)
        let vertexNormals = VertexNormals<Double>(topology: MeshTopology(triangles: m.triangles, vertexCount: m.vertexCount))
        let onNormals = normals(n, seed: 9), onNdc = normals(n, seed: 10)
        let b = normals(55, seed: 12).map { abs($0) / 4 }
        var v = [Double](repeating: 0, count: n), ndc = v, nn = v
        func loss(_ x: [Double]) -> Double {
            m.vertices(identity: Array(x[6...]), expression: b, into: &v)
            frame.forward(v, count: m.vertexCount, pose: HeadPose(Array(x[..<6])), into: &ndc)
            vertexNormals.forward(ndc, into: &nn)
            return dot(onNormals, nn) + dot(onNdc, ndc)
        }
        let x = [0.4, -0.2, 0.3, 0.1, 3, -4] + normals(80, seed: 11)
        _ = loss(x)
        var dNdc = onNdc, dv = [Double](repeating: 0, count: n), gradient = [Double](repeating: 0, count: 86)
        vertexNormals.backward(ndc, normals: nn, dNormals: onNormals, dVertices: &dNdc)
        var dPose = [Double](repeating: 0, count: 6), dIdentity = [Double](repeating: 0, count: 80)
        frame.backward(
            v, count: m.vertexCount, pose: HeadPose(Array(x[..<6])), dNdc: dNdc, dVertices: &dv, dPose: &dPose)
        m.verticesBackward(dv, dIdentity: &dIdentity, dExpression: nil)
        gradient = dPose + dIdentity
        // Pose and shape differ in scale, so each kind is judged by itself.
        #expect(worstGradientError(x, gradient, at: 0..<4, step: 1e-5, loss: loss) < 1e-6)
        #expect(worstGradientError(x, gradient, at: 4..<6, step: 1e-3, loss: loss) < 1e-6)
        #expect(worstGradientError(x, gradient, at: stride(from: 6, to: 86, by: 7), step: 1e-4, loss: loss) < 1e-6)
    }

    @Test func normalsOfDegenerateAndDamagedMeshesAreZero() {
        let nan = Double.nan
        // A triangle of no area, one with a damaged vertex, one good.
        let v: [Double] = [0, 0, 0, 1, 0, 0, 2, 0, 0, nan, 0, 0, 0, 1, 0, 1, 1, 0, 5, 5, 5]
        let vertexNormals = VertexNormals<Double>(
            topology: MeshTopology(triangles: [0, 1, 2, 3, 4, 5, 0, 1, 4], vertexCount: 7))
        var n = [Double](repeating: 7, count: 21), dv = [Double](repeating: 0, count: 21)
        vertexNormals.forward(v, into: &n)
        #expect(Array(n[0..<3]) == [0, 0, 1])
        #expect(Array(n[6..<9]) == [0, 0, 0] && Array(n[9..<12]) == [0, 0, 0] && Array(n[18..<21]) == [0, 0, 0])
        vertexNormals.backward(v, normals: n, dNormals: [Double](repeating: 1, count: 21), dVertices: &dv)
        #expect(dv[18] == 0 && dv[0].isFinite)
    }

    /// Two triangles back to back, as of a lash: their sum is nothing but rounding.
    @Test func normalsOfOppositeTrianglesAreZero() {
        let v: [Float] = [12.3, -7.1, 40.2, 13.9, -6.3, 40.9, 12.7, -5.8, 41.7, 14.4, -4.9, 42.3]
        let vertexNormals = VertexNormals<Float>(topology: MeshTopology(triangles: [0, 1, 2, 2, 1, 0, 1, 3, 2, 2, 3, 1], vertexCount: 4))
        var n = [Float](repeating: 7, count: 12)
        vertexNormals.forward(v, into: &n)
        #expect(n.allSatisfy { $0 == 0 })
    }

    @Test func priorEnergyMatchesItsGradientAndRests() throws {
        let m = try #require(head)
        let x = normals(135, seed: 13)
        func loss(_ x: [Double]) -> Double {
            m.priorEnergy(identity: Array(x[..<80]), expression: Array(x[80...]), dIdentity: nil, dExpression: nil)
        }
        var da = [Double](repeating: 0, count: 80), db = [Double](repeating: 0, count: 55)
        m.priorEnergy(identity: Array(x[..<80]), expression: Array(x[80...]), dIdentity: &da, dExpression: &db)
        #expect(worstGradientError(x, da + db, at: 0..<135, step: 1e-5, loss: loss) < 1e-6)
        // One-sided: pushing below zero costs far more than the same push above.
        var low = [Double](repeating: 0, count: 135), high = low
        (low[90], high[90]) = (-0.5, 0.5)
        #expect(loss(low) > 50 * loss(high))
        var clamped = [-0.5, 2] + [Double](repeating: 0.25, count: 53)
        m.clampExpression(&clamped)
        #expect(clamped[0] == 0 && clamped[1] == 1 && clamped[2] == 0.25)
    }

    @Test func samplesFollowTheirDistributions() throws {
        let m = try #require(head)
        var random = RandomGenerator(seed: 14)
        let close = try #require(m.expressionNames.firstIndex(of: "mouthClose"))
        let open = try #require(m.expressionNames.firstIndex(of: "jawOpen"))
        var square = 0.0, active = 0, widest = 0.0
        for _ in 0..<400 {
            let identity = m.sampleIdentity(&random)
            square += dot(identity, identity) / 80 / 400
            let e = m.sampleExpression(&random)
            #expect(e.count == 55 && e.allSatisfy { $0 >= 0 && $0 <= 1 } && e[close] <= e[open])
            active += e.filter { $0 > 0.02 }.count
            widest = max(widest, e[open])
        }
        #expect(abs(square - 1) < 0.05)
        #expect(active > 400 * 3, "expressions are not all at rest")
        #expect(widest > 0.3)
        var again = RandomGenerator(seed: 14), first = RandomGenerator(seed: 14)
        #expect(m.sampleExpression(&again) == m.sampleExpression(&first))
    }
}
