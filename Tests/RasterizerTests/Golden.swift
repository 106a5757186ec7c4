import Foundation
import Numerics
import Rasterizer
import Testing

/// Results of the published rasteriser on a head reaching beyond the picture: computed in double, stored in float.
@Suite struct Golden {
    static let file: SafetensorsFile? = try? SafetensorsFile(
        path: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Resources/rasterize.cases.safetensors").path)

    struct Case<T: Scalar> {
        let size: Int
        let vertices, normals, map, barycentric, cotangent, gradNormals, gradVertices: Tensor<T>
        let triangles, ids: [Int32]
        init(_ size: Int) throws {
            let file = try #require(Golden.file)
            self.size = size
            let prefix = "\(size)x\(size)."
            vertices = try file.tensor("vertices")
            normals = try file.tensor("normals")
            triangles = try file.integers("triangles")
            map = try file.tensor(prefix + "normal_map")
            barycentric = try file.tensor(prefix + "barycentric")
            cotangent = try file.tensor(prefix + "cotangent")
            gradNormals = try file.tensor(prefix + "grad.normals")
            gradVertices = try file.tensor(prefix + "grad.vertices")
            ids = try file.integers(prefix + "vertex_ids")
        }
        var vertexCount: Int { vertices.shape[0] }
    }

    func check<T: Scalar>(_ type: T.Type, _ size: Int) throws {
        let g = try Case<T>(size)
        let buffer = RasterBuffer<T>(width: size, height: size)
        rasterize(vertices: g.vertices.pointer, vertexCount: g.vertexCount, triangles: g.triangles, into: buffer)
        var wrong = 0
        var worst = 0.0
        for p in 0..<size * size {
            let t = Int(buffer.ids[p])
            for k in 0..<3 {
                if (t < 0 ? -1 : g.triangles[3 * t + k]) != g.ids[3 * p + k] { wrong += 1 }
                worst = max(worst, abs(Double(buffer.barycentrics[3 * p + k] - g.barycentric[3 * p + k])))
            }
        }
        #expect(wrong == 0, "vertex ids differ")
        #expect(worst < 1e-3, "barycentrics differ by \(worst)")
        #expect(buffer.coveredCount > size * size / 5)

        let map = Tensor<T>([size, size, 3])
        buffer.interpolate(g.normals.pointer, channels: 3, triangles: g.triangles, into: map.pointer)
        #expect(difference(map, g.map).absolute < 1e-3)

        let dNormals = Tensor<T>([g.vertexCount, 3]), dVertices = Tensor<T>([g.vertexCount, 3])
        buffer.interpolateBackward(
            g.cotangent.pointer, attributes: g.normals.pointer, channels: 3, vertices: g.vertices.pointer,
            triangles: g.triangles, dAttributes: dNormals.pointer, dVertices: dVertices.pointer)
        #expect(difference(dNormals, g.gradNormals).relative < 1e-4)
        #expect(difference(dVertices, g.gradVertices).relative < 1e-3)
        #expect((0..<g.vertexCount).allSatisfy { dVertices[3 * $0 + 2] == 0 })
    }

    /// Largest absolute difference, and the norm of the difference over the norm of the expected.
    func difference<T: Scalar>(_ a: Tensor<T>, _ b: Tensor<T>) -> (absolute: Double, relative: Double) {
        var worst = 0.0, square = 0.0, norm = 0.0
        for i in 0..<b.count {
            let d = Double(a[i] - b[i])
            worst = max(worst, abs(d))
            square += d * d
            norm += Double(b[i] * b[i])
        }
        return (worst, (square / norm).squareRoot())
    }

    @Test(arguments: [64, 128]) func float(_ size: Int) throws { try check(Float.self, size) }
    @Test(arguments: [64, 128]) func double(_ size: Int) throws { try check(Double.self, size) }

    @Test func referenceAgrees() throws {
        let g = try Case<Float>(64)
        let fast = RasterBuffer<Float>(width: 64, height: 64), slow = RasterBuffer<Float>(width: 64, height: 64)
        rasterize(vertices: g.vertices.pointer, vertexCount: g.vertexCount, triangles: g.triangles, into: fast)
        rasterizeReference(vertices: g.vertices.pointer, vertexCount: g.vertexCount, triangles: g.triangles, into: slow)
        #expect((0..<64 * 64).allSatisfy { fast.ids[$0] == slow.ids[$0] })
    }

    @Test func pointPyramidIsRasterisedAnewAtEveryLevel() throws {
        let g = try Case<Float>(64)
        let pyramid = NormalPyramid<Float>(size: 64, sampling: .point, triangles: g.triangles, vertexCount: g.vertexCount)
        pyramid.forward(ndc: g.vertices.pointer, normals: g.normals.pointer)
        #expect(pyramid.maps.map(\.shape) == [4, 8, 16, 32, 64].map { [1, 3, $0, $0] })
        var worst: Float = 0
        for p in 0..<64 * 64 {
            for c in 0..<3 { worst = max(worst, abs(pyramid.maps[4][c * 4096 + p] - g.map[3 * p + c])) }
        }
        #expect(worst < 1e-3)
        let small = RasterBuffer<Float>(width: 4, height: 4)
        rasterize(vertices: g.vertices.pointer, vertexCount: g.vertexCount, triangles: g.triangles, into: small)
        let map = Tensor<Float>([4, 4, 3])
        small.interpolate(g.normals.pointer, channels: 3, triangles: g.triangles, into: map.pointer)
        #expect((0..<48).allSatisfy { pyramid.maps[0][$0] == map[3 * ($0 % 16) + $0 / 16] })
    }
}
