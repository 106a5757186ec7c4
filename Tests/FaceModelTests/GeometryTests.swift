import FaceModel
import Glibc
import Numerics
import Testing

/// Bilinear and skinned heads: values against plain formulas, gradients against differences, points against the whole head.
@Suite struct GeometryTests {
    private func models() throws -> [HeadModel<Double>] {
        [try HeadModel(file: TinyGeometry().bilinear()), try HeadModel(file: TinyGeometry().skinned())]
    }

    /// Turns of all sizes: none, tiny (where the series counts) and large.
    private func coefficients(_ m: HeadModel<Double>, turn: Double) -> [Double] {
        var c = normals(m.identityCount + m.expressionCount, seed: 31)
        for k in m.identityCount + TinyGeometry.expressions..<c.count { c[k] *= turn }
        return c
    }

    private func evaluate(_ e: HeadEvaluator<Double>, _ c: [Double]) -> [Double] {
        var v = [Double](repeating: 0, count: 3 * e.model.vertexCount)
        e.forward(identity: Array(c[..<e.model.identityCount]), expression: Array(c[e.model.identityCount...]), into: &v)
        return v
    }

    @Test func gradientsMatchDifferences() throws {
        for m in try models() {
            let e = HeadEvaluator(m)
            let cotangent = normals(3 * m.vertexCount, seed: 32)
            for turn in [0.0, 1e-4, 0.05, 0.15, 0.7, 2.5] {
                let c = coefficients(m, turn: turn)
                _ = evaluate(e, c)
                // Gradients are added.
                var da = [Double](repeating: 1, count: m.identityCount), db = [Double](repeating: 1, count: m.expressionCount)
                e.backward(cotangent, dIdentity: &da, dExpression: &db)
                let error = worstGradientError(c, (da + db).map { $0 - 1 }, at: 0..<c.count, step: 1e-5) {
                    dot(cotangent, evaluate(e, $0))
                }
                #expect(error < 1e-7, "\(m.geometry) at \(turn): \(error)")
            }
        }
    }

    @Test func eachGradientCanBeLeftOut() throws {
        for m in try models() {
            let e = HeadEvaluator(m), cotangent = normals(3 * m.vertexCount, seed: 33)
            _ = evaluate(e, coefficients(m, turn: 0.3))
            var da = [Double](repeating: 0, count: m.identityCount), db = [Double](repeating: 0, count: m.expressionCount)
            var a = da, b = db
            e.backward(cotangent, dIdentity: &da, dExpression: &db)
            e.backward(cotangent, dIdentity: &a, dExpression: nil)
            e.backward(cotangent, dIdentity: nil, dExpression: &b)
            #expect(a == da && b == db)
        }
    }

    @Test func bilinearHeadIsItsFormula() throws {
        let file = try TinyGeometry().bilinear()
        let m = try HeadModel<Double>(file: file)
        let cross: Tensor<Double> = try file.tensor("cross")
        let c = coefficients(m, turn: 1), a = Array(c[..<3]), b = Array(c[3...])
        #expect(m.geometry == .bilinear && m.expressionCount == 2)
        let v = evaluate(HeadEvaluator(m), c)
        for n in 0..<3 * m.vertexCount {
            var expected = m.mean[n]
            for i in 0..<3 { expected += a[i] * m.identityBasis[i * 36 + n] }
            for k in 0..<2 { expected += b[k] * m.expressionBasis[k * 36 + n] }
            for i in 0..<3 { for k in 0..<2 { expected += a[i] * b[k] * cross[(2 * i + k) * 36 + n] } }
            #expect(abs(v[n] - expected) < 1e-10)
        }
    }

    @Test func skinnedHeadTurnsAboutItsJoints() throws {
        let m = try HeadModel<Double>(file: TinyGeometry().skinned())
        #expect(m.expressionNames == ["smile", "frown", "neck_x", "neck_y", "neck_z", "jaw_x", "jaw_y", "jaw_z"])
        let e = HeadEvaluator(m)
        // Nothing turned: the linear head.
        let still = evaluate(e, [1, 0, 0, 0, 1] + [Double](repeating: 0, count: 6))
        for n in 0..<36 { #expect(abs(still[n] - m.mean[n] - m.identityBasis[n] - m.expressionBasis[36 + n]) < 1e-10) }
        // A skin that follows the neck alone, without correctives, turns rigidly about the neck: distances to it stay.
        var tiny = TinyGeometry()
        tiny.weights = (0..<TinyGeometry.vertices).flatMap { _ in [Float(0), 1, 0] }
        let rigid = HeadEvaluator(try HeadModel<Double>(file: tiny.skinned()))
        let neck = tiny.rest[3..<6].map { Double($0) }
        let angle = 0.6, axis = [2.0 / 3, -1.0 / 3, 2.0 / 3]
        let turned = evaluate(rigid, [0, 0, 0, 0, 0] + axis.map { $0 * angle } + [0, 0, 0])
        let correctives: Tensor<Double> = try tiny.skinned().tensor("pose_correctives")
        // The rotation by Rodrigues' formula for vectors.
        func rotated(_ x: [Double], by angle: Double) -> [Double] {
            let along = zip(axis, x).reduce(0) { $0 + $1.0 * $1.1 }
            let across = [axis[1] * x[2] - axis[2] * x[1], axis[2] * x[0] - axis[0] * x[2], axis[0] * x[1] - axis[1] * x[0]]
            return (0..<3).map { x[$0] * cos(angle) + across[$0] * sin(angle) + axis[$0] * along * (1 - cos(angle)) }
        }
        let columns = (0..<3).map { i in rotated((0..<3).map { $0 == i ? 1 : 0 }, by: angle) }
        for v in 0..<TinyGeometry.vertices {
            var rest = (0..<3).map { m.mean[3 * v + $0] }
            for r in 0..<3 {
                for c in 0..<3 {
                    let feature = columns[c][r] - (r == c ? 1 : 0)
                    for k in 0..<3 { rest[k] += feature * correctives[(3 * r + c) * 36 + 3 * v + k] }
                }
            }
            let expected = zip(rotated(zip(rest, neck).map { $0 - $1 }, by: angle), neck).map { $0 + $1 }
            for k in 0..<3 { #expect(abs(turned[3 * v + k] - expected[k]) < 1e-9) }
        }
    }

    @Test func pointsAndTheirDerivativesAreTheWholeHeads() throws {
        for m in try models() {
            let c = coefficients(m, turn: 0.4)
            let points = PointModel(m, at: m.landmarks)
            func whole(_ c: [Double]) -> [Double] {
                var p = [Double](repeating: 0, count: 204)
                m.landmarks.positions(evaluate(HeadEvaluator(m), c), into: &p)
                return p
            }
            #expect(zip(points.positions(at: c[...]), whole(c)).allSatisfy { abs($0 - $1) < 1e-9 })
            let basis = points.basis(at: c)
            for k in c.indices {
                var up = c, down = c
                up[k] += 1e-5
                down[k] -= 1e-5
                let difference = zip(whole(up), whole(down)).map { ($0 - $1) / 2e-5 }
                #expect((0..<204).allSatisfy { abs(basis[k * 204 + $0] - difference[$0]) < 1e-6 }, "\(m.geometry), coefficient \(k)")
            }
        }
        // A linear head's points are what they were.
        let m = try #require(head)
        let points = PointModel(m, at: m.landmarks), c = normals(135, seed: 35)
        var v = [Double](repeating: 0, count: 3 * m.vertexCount), p = [Double](repeating: 0, count: 204)
        m.vertices(identity: Array(c[..<80]), expression: Array(c[80...]), into: &v)
        m.landmarks.positions(v, into: &p)
        #expect(zip(points.positions(at: c[...]), p).allSatisfy { abs($0 - $1) < 1e-9 })
    }

    @Test func contourTableIsReadByYaw() throws {
        let m = try HeadModel<Double>(file: TinyGeometry().skinned())
        let lines = ContourLines(m)
        let v = evaluate(HeadEvaluator(m), coefficients(m, turn: 0))
        for (yaw, first) in [(-0.6, 0), (0.0, 0), (0.2, 0), (0.3, 3), (1.4, 3)] as [(Double, Int32)] {
            let embedding = lines.embedding(v, rotation: Rotation.matrix(yaw: yaw, pitch: 0.1, roll: 0.3))
            #expect(embedding.indices[0] == first && embedding.indices[48] == first && embedding.count == 68, "yaw \(yaw)")
            #expect(embedding.indices[51] == m.landmarks.indices[51], "points beside the jaw stay")
        }
    }

    @Test func samplesFollowThePrecision() throws {
        var tiny = TinyGeometry()
        tiny.precision = [1, 1, 4, 4, 4, 100, 100, 100]
        let m = try HeadModel<Double>(file: tiny.skinned())
        var random = RandomGenerator(seed: 5)
        var squares = [Double](repeating: 0, count: 8)
        for _ in 0..<2000 { for (k, b) in m.sampleExpression(&random).enumerated() { squares[k] += b * b / 2000 } }
        for k in 0..<8 { #expect(abs(squares[k] * Double(tiny.precision![k]) - 1) < 0.15, "coefficient \(k)") }
    }
}
