import FaceModel
import Numerics
import Rasterizer
import Testing

@Suite struct RasterTests {
    /// Two triangles one behind the other, seen from the front.
    static let triangle: [Float] = [-0.9, -0.9, 0, 0.9, -0.9, 0, 0, 0.9, 0]

    func raster<T: Scalar>(_ v: [T], _ triangles: [Int32], _ size: Int = 16) -> RasterBuffer<T> {
        let buffer = RasterBuffer<T>(width: size, height: size)
        rasterize(vertices: v, vertexCount: v.count / 3, triangles: triangles, into: buffer)
        return buffer
    }

    @Test func frontFacesShowAndBackFacesDoNot() {
        #expect(raster(Self.triangle, [0, 1, 2]).coveredCount > 60)
        #expect(raster(Self.triangle, [0, 2, 1]).coveredCount == 0)
    }

    @Test func nearerWinsWhateverTheOrder() {
        let back = Self.triangle, front = Self.triangle.enumerated().map { $0.offset % 3 == 2 ? Float(0.5) : $0.element / 2 }
        for order in [[Int32]([0, 1, 2, 3, 4, 5]), [3, 4, 5, 0, 1, 2]] {
            let buffer = raster(back + front, order)
            let centre = 8 * 16 + 8
            #expect(order[3 * Int(buffer.ids[centre])] == 3)
            #expect(abs(buffer.depth[centre] - 0.5) < 1e-6)
        }
    }

    @Test func edgesSharedByTwoTrianglesLeaveNoHole() {
        // A square cut along the diagonal, which passes through pixel centres.
        let v: [Double] = [-1, -1, 0, 1, -1, 0, 1, 1, 0, -1, 1, 0]
        let buffer = raster(v, [0, 1, 2, 0, 2, 3])
        #expect(buffer.coveredCount == 256)
        #expect((0..<256).allSatisfy { p in abs((0..<3).reduce(-1) { $0 + buffer.barycentrics[3 * p + $1] }) < 1e-12 })
    }

    @Test func pictureRowsRunDownwards() {
        let upper: [Float] = [-1, 0, 0, 1, 0, 0, 0, 1, 0]
        let buffer = raster(upper, [0, 1, 2])
        #expect((0..<256).contains { buffer.ids[$0] >= 0 && $0 < 128 } && (128..<256).allSatisfy { buffer.ids[$0] < 0 })
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity, 1e30, -1e30, 3e38, .leastNonzeroMagnitude])
    func damagedVerticesDoNoHarm(_ bad: Float) {
        for place in 0..<9 {
            var v = Self.triangle + Self.triangle
            v[place] = bad
            let buffer = raster(v, [0, 1, 2, 3, 4, 5])
            // The undamaged triangle shows wherever the damaged one does not cover it.
            #expect(buffer.coveredCount > 60)
            #expect(buffer.visibility(v, count: 6).count == 6)
            let map = Tensor<Float>([16, 16, 3])
            buffer.interpolate(Self.triangle + Self.triangle, channels: 3, triangles: [0, 1, 2, 3, 4, 5], into: map.pointer)
            if !bad.isFinite || abs(bad) > 1e6 && place % 3 != 2 { #expect(!map.array.contains { !$0.isFinite }) }
            for p in 0..<256 where buffer.ids[p] < 0 { #expect((0..<3).allSatisfy { buffer.barycentrics[3 * p + $0] == 0 }) }
        }
    }

    @Test func hugeTrianglesAreClipped() {
        let v: [Float] = [-9e5, -9e5, 0, 9e5, -9e5, 0, 0, 9e5, 0]
        #expect(raster(v, [0, 1, 2]).coveredCount == 256)
        let outside = v.enumerated().map { $0.offset % 3 == 0 ? $0.element / 1e6 + 50 : $0.element }
        #expect(raster(outside, [0, 1, 2]).coveredCount == 0)
    }

    @Test func fastPathEqualsReferenceOnHeads() throws {
        let head = try PosedHead<Float>()
        for (k, pose) in [[0.7, 0.2, -0.3, 0.2, 10, 20], [-0.5, -0.4, 0.8, -0.5, -30, 5]].enumerated() {
            head.set(pose.map { Float($0) } + normals(80, seed: 60 + UInt64(k)).map { Float($0) })
            let fast = RasterBuffer<Float>(width: 40, height: 24), slow = RasterBuffer<Float>(width: 40, height: 24)
            rasterize(vertices: head.ndc.pointer, vertexCount: head.vertexCount, triangles: head.model.triangles, into: fast)
            rasterizeReference(
                vertices: head.ndc.pointer, vertexCount: head.vertexCount, triangles: head.model.triangles, into: slow)
            #expect((0..<960).allSatisfy { fast.ids[$0] == slow.ids[$0] } && fast.coveredCount > 200)
        }
    }

    /// The pyramid looks only at triangles that may cover a pixel's centre: it shows what looking at all of them shows.
    @Test(arguments: [NormalSampling.point, .area]) func pyramidMissesNoTriangle(_ sampling: NormalSampling) throws {
        let head = try PosedHead<Float>()
        let pyramid = NormalPyramid<Float>(
            size: 128, sampling: sampling, triangles: head.model.triangles, vertexCount: head.vertexCount)
        // The last two: a head that fills far more than the picture, and one of a few pixels.
        let poses = [[0, 0, 0, 0, 0, 0], [0.7, 0.2, -0.3, 0.2, 10, 20], [-0.9, 0.4, 1, 2.5, 0, 0], [0.1, 0, 0, -3, 30, 0]]
        for (k, pose) in poses.enumerated() {
            head.set(pose.map { Float($0) } + normals(80, seed: 80 + UInt64(k)).map { Float($0) })
            pyramid.forward(ndc: head.ndc.pointer, normals: head.normals.pointer)
            for buffer in pyramid.buffers {
                let all = RasterBuffer<Float>(width: buffer.width, height: buffer.height)
                rasterize(vertices: head.ndc.pointer, vertexCount: head.vertexCount, triangles: head.model.triangles, into: all)
                #expect((0..<all.pixelCount).allSatisfy { all.ids[$0] == buffer.ids[$0] }, "\(pose) at \(buffer.width) px")
            }
        }
        #expect(pyramid.buffers.last!.coveredCount > 0)
    }

    /// Damaged and huge coordinates, whose boxes mean nothing.
    @Test(arguments: [Float.nan, .infinity, -.infinity, 1e30, -3e38, 9e5]) func pyramidWithDamagedVertices(_ bad: Float) {
        for place in 0..<9 {
            var v = Self.triangle + Self.triangle
            v[place] = bad
            let triangles: [Int32] = [0, 1, 2, 3, 4, 5]
            let pyramid = NormalPyramid<Float>(size: 16, sampling: .point, triangles: triangles, vertexCount: 6)
            pyramid.forward(ndc: v, normals: v.map { $0.isFinite && abs($0) < 2 ? $0 : 0 })
            let all = raster(v, triangles), found = pyramid.buffers.last!
            #expect((0..<256).allSatisfy { all.ids[$0] == found.ids[$0] }, "\(bad) at \(place)")
        }
    }

    /// In single precision several pixels at a time, in double by the plain loops, coverage by the definition; sides that no
    /// vector divides.
    @Test(arguments: [(1, 1), (5, 3), (17, 9), (31, 16), (40, 33)]) func kernelsDoAsThePlainLoops(_ width: Int, _ height: Int) {
        var rng = RandomGenerator(seed: UInt64(width))
        // Counter-clockwise ones all over the picture, and beyond its edges.
        var v: [Float] = []
        for _ in 0..<24 {
            let x = rng.uniform() * 2.2 - 1.1, y = rng.uniform() * 2.2 - 1.1, z = rng.uniform(), size = 0.1 + 0.5 * rng.uniform()
            v += [x, y, z, x + size, y, z - 0.1, x, y + size, z + 0.2].map { Float($0) }
        }
        let triangles = (0..<Int32(v.count / 3)).map { $0 }, attributes = v.indices.map { _ in Float(rng.uniform()) }
        func compare(_ single: RasterBuffer<Float>, _ double: RasterBuffer<Double>) {
            let n = width * height, a = Tensor<Float>([3, height, width]), b = Tensor<Double>([3, height, width])
            a.fill(7)  // what was there must be overwritten
            single.interpolate(attributes, channels: 3, triangles: triangles, into: a.pointer, layout: .planar(pixels: n))
            double.interpolate(attributes.map { Double($0) }, channels: 3, triangles: triangles, into: b.pointer, layout: .planar(pixels: n))
            for p in 0..<n {
                #expect(single.ids[p] == double.ids[p])
                #expect((0..<3).allSatisfy { abs(Double(single.barycentrics[3 * p + $0]) - double.barycentrics[3 * p + $0]) < 1e-4 })
                #expect((0..<3).allSatisfy { abs(Double(a[$0 * n + p]) - b[$0 * n + p]) < 1e-4 })
                #expect(single.depth[p] == -.infinity ? double.depth[p] == -.infinity : abs(Double(single.depth[p]) - double.depth[p]) < 1e-4)
            }
            let gradient = (0..<3 * n).map { _ in Float(rng.normal()) }
            func backward<T: Scalar>(_ buffer: RasterBuffer<T>) -> [Double] {
                let toAttributes = Tensor<T>([v.count]), toVertices = Tensor<T>([v.count])
                buffer.interpolateBackward(
                    gradient.map { T($0) }, attributes: attributes.map { T($0) }, channels: 3, vertices: v.map { T($0) },
                    triangles: triangles, dAttributes: toAttributes.pointer, dVertices: toVertices.pointer, layout: .planar(pixels: n))
                return (toAttributes.array + toVertices.array).map { Double($0) }
            }
            let (s, d) = (backward(single), backward(double))
            let scale = d.map { abs($0) }.max()!
            #expect(zip(s, d).allSatisfy { abs($0 - $1) <= 1e-4 * max(1, scale) })
        }
        let single = RasterBuffer<Float>(width: width, height: height), double = RasterBuffer<Double>(width: width, height: height)
        rasterize(vertices: v, vertexCount: v.count / 3, triangles: triangles, into: single)
        rasterizeReference(vertices: v.map { Double($0) }, vertexCount: v.count / 3, triangles: triangles, into: double)
        compare(single, double)
        // Coverage stays while the first half of the triangles collapse.
        for k in 0..<v.count / 2 { v[k] = 0.25 }
        updateBarycentrics(vertices: v, triangles: triangles, in: single)
        updateBarycentrics(vertices: v.map { Double($0) }, triangles: triangles, in: double)
        compare(single, double)
    }

    @Test func areaPyramidIsTheMeanOfFinerPixels() throws {
        let head = try PosedHead<Double>()
        head.set([0.2])
        let pyramid = NormalPyramid<Double>(
            size: 16, sampling: .area, triangles: head.model.triangles, vertexCount: head.vertexCount)
        pyramid.forward(ndc: head.ndc.pointer, normals: head.normals.pointer)
        let buffer = RasterBuffer<Double>(width: 32, height: 32), fine = Tensor<Double>([3, 32, 32])
        rasterize(
            vertices: head.ndc.pointer, vertexCount: head.vertexCount, triangles: head.model.triangles, into: buffer)
        buffer.interpolate(
            head.normals.pointer, channels: 3, triangles: head.model.triangles, into: fine.pointer,
            layout: .planar(pixels: 1024))
        for (map, factor) in zip(pyramid.maps, [8, 4, 2]) {
            let n = 32 / factor
            for i in 0..<map.count {
                let c = i / (n * n), y = i / n % n, x = i % n
                var sum = 0.0
                for v in 0..<factor {
                    for u in 0..<factor { sum += fine[(c * 32 + y * factor + v) * 32 + x * factor + u] }
                }
                #expect(abs(sum / Double(factor * factor) - map[i]) < 1e-12)
            }
        }
    }

    @Test func visibilityOnATurnedHead() throws {
        let head = try PosedHead<Float>()
        head.set([Float(40 * degree)])
        let buffer = RasterBuffer<Float>(width: 256, height: 256)
        rasterize(vertices: head.ndc.pointer, vertexCount: head.vertexCount, triangles: head.model.triangles, into: buffer)
        let seen = buffer.visibility(head.ndc.pointer, count: head.vertexCount)
        func share(_ keep: (Int) -> Bool) -> Double {
            let chosen = (0..<head.vertexCount).filter(keep)
            return Double(chosen.filter { seen[$0] }.count) / Double(chosen.count)
        }
        let n = head.normals, part = head.model.part, mean = head.model.mean
        #expect(share { part[$0] == 0 && n[3 * $0 + 2] > 0.5 && mean[3 * $0 + 1] > -40 } > 0.85, "skin facing the viewer")
        #expect(share { part[$0] == 0 && n[3 * $0 + 2] < -0.5 } < 0.1, "skin facing away")
        #expect(share { head.model.partNames[Int(part[$0])] == "gums_tongue" } < 0.1, "the closed mouth")
    }

    @Test func signsInThePicture() throws {
        // The nose tip's pixel, found as the landmark on the rendered head.
        let head = try PosedHead<Double>()
        func nose(_ pose: [Double]) -> (x: Double, y: Double) {
            head.set(pose)
            var points = [Double](repeating: 0, count: 204)
            head.model.landmarks.positions(head.ndc.pointer, into: &points)
            return (points[90], points[91])
        }
        let rest = nose([0])
        #expect(nose([0.3]).x > rest.x + 0.1, "yaw: to their left is image right")
        #expect(nose([0, 0.3]).y > rest.y + 0.1, "pitch: up")
        // Rolled counter-clockwise the top of the skull goes to image left: its covered pixels' centre of mass moves there.
        func skullCentre(_ roll: Double) -> Double {
            head.set([0, 0, roll])
            let buffer = RasterBuffer<Double>(width: 64, height: 64)
            rasterize(
                vertices: head.ndc.pointer, vertexCount: head.vertexCount, triangles: head.model.triangles, into: buffer)
            let top = (0..<64 * 16).filter { buffer.ids[$0] >= 0 }
            return Double(top.reduce(0) { $0 + $1 % 64 }) / Double(top.count)
        }
        #expect(skullCentre(0.3) < skullCentre(0) - 4)
    }
}
