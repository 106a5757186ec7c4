import FaceModel
import Numerics
import Rasterizer
import Testing

/// Every backward pass against central differences in double, triangle ids held.
@Suite struct GradientTests {
    /// Pose, some identity, some expression: nothing at rest, nothing symmetric.
    static let start: [Double] =
        [0.3, -0.1, 0.05, 0.03, 2, -3] + normals(80, seed: 21) + normals(55, seed: 22).map { abs($0) / 4 }

    @Test(arguments: [NormalSampling.point, .area]) func pyramid(_ sampling: NormalSampling) throws {
        let head = try PosedHead<Double>()
        let pyramid = NormalPyramid<Double>(
            size: 32, sampling: sampling, triangles: head.model.triangles, vertexCount: head.vertexCount)
        let cotangents = pyramid.maps.enumerated().map { Tensor($1.shape, normals($1.count, seed: 30 + UInt64($0))) }
        func loss(_ x: [Double]) -> Double {
            head.set(x)
            pyramid.forward(ndc: head.ndc.pointer, normals: head.normals.pointer, freezeCoverage: true)
            return zip(pyramid.maps, cotangents).reduce(0) { $0 + dot($1.0.array, $1.1.array) }
        }
        head.set(Self.start)
        pyramid.forward(ndc: head.ndc.pointer, normals: head.normals.pointer)
        let dNdc = Tensor<Double>([head.vertexCount, 3]), dNormals = Tensor<Double>([head.vertexCount, 3])
        pyramid.backward(dMaps: cotangents, dNdc: dNdc.pointer, dNormals: dNormals.pointer)
        #expect((0..<head.vertexCount).allSatisfy { dNdc[3 * $0 + 2] == 0 })
        let gradient = head.backward(dNdc: dNdc, dNormals: dNormals)
        #expect(worstGradientError(Self.start, gradient, at: 0..<4, step: 1e-6, loss: loss) < 1e-6)
        #expect(worstGradientError(Self.start, gradient, at: 4..<6, step: 1e-4, loss: loss) < 1e-6)
        #expect(worstGradientError(Self.start, gradient, at: [6, 20, 50, 85], step: 1e-5, loss: loss) < 1e-6)
        #expect(worstGradientError(Self.start, gradient, at: [86, 100, 116, 140], step: 1e-5, loss: loss) < 1e-6)
    }

    @Test(arguments: [NormalSampling.point, .area]) func shading(_ sampling: NormalSampling) throws {
        let head = try PosedHead<Double>()
        let n = 3 * head.vertexCount
        let shading = SphericalHarmonicsShading<Double>(
            size: 32, sampling: sampling, triangles: head.model.triangles, vertexCount: head.vertexCount)
        let background = Tensor<Double>([1, 3, 32, 32], normals(3072, seed: 40))
        let cotangent = Tensor<Double>([1, 3, 32, 32], normals(3072, seed: 41))
        let albedo = normals(n, seed: 42).map { 0.5 + 0.1 * $0 }, light = normals(27, seed: 43)
        func loss(_ x: [Double], _ albedo: [Double], _ light: [Double]) -> Double {
            head.set(x)
            shading.forward(
                ndc: head.ndc.pointer, normals: head.normals.pointer, albedo: albedo, light: light, background: background,
                freezeCoverage: true)
            return dot(shading.image.array, cotangent.array)
        }
        head.set(Self.start)
        shading.forward(
            ndc: head.ndc.pointer, normals: head.normals.pointer, albedo: albedo, light: light, background: background)
        var dAlbedo = [Double](repeating: 0, count: n), dLight = [Double](repeating: 0, count: 27)
        let dNdc = Tensor<Double>([head.vertexCount, 3]), dNormals = Tensor<Double>([head.vertexCount, 3])
        shading.backward(
            dImage: cotangent, dAlbedo: &dAlbedo, dLight: &dLight, dNdc: dNdc.pointer, dNormals: dNormals.pointer)
        let gradient = head.backward(dNdc: dNdc, dNormals: dNormals)
        #expect(worstGradientError(Self.start, gradient, at: 0..<4, step: 1e-6) { loss($0, albedo, light) } < 1e-6)
        #expect(worstGradientError(Self.start, gradient, at: [6, 30, 86, 116], step: 1e-5) { loss($0, albedo, light) } < 1e-6)
        #expect(worstGradientError(light, dLight, at: 0..<27, step: 1e-4) { loss(Self.start, albedo, $0) } < 1e-6)
        let lit = dAlbedo.indices.filter { dAlbedo[$0] != 0 }
        try #require(lit.count > 500)
        let some = [lit[0], lit[lit.count / 3], lit[lit.count / 2], lit[lit.count - 1]]
        #expect(worstGradientError(albedo, dAlbedo, at: some, step: 1e-4) { loss(Self.start, $0, light) } < 1e-6)
    }

    @Test func smoothness() throws {
        let head = try PosedHead<Double>()
        let n = 3 * head.vertexCount
        let prior = AlbedoSmoothness<Double>(
            topology: MeshTopology(triangles: head.model.triangles, vertexCount: head.vertexCount))
        let albedo = normals(n, seed: 50)
        var gradient = [Double](repeating: 0, count: n)
        #expect(prior.energy(albedo, weight: 2, dAlbedo: &gradient) > 0)
        let error = worstGradientError(albedo, gradient, at: stride(from: 0, to: n, by: n / 5), step: 1e-4) {
            prior.energy($0, weight: 2, dAlbedo: nil)
        }
        #expect(error < 1e-6)
        #expect(prior.energy([Double](repeating: 0.4, count: n), weight: 2, dAlbedo: nil) == 0)
    }

    /// What moving coverage adds. The truth is a difference over whole pixels of a finer picture; the gradient with ids held
    /// misses the outline's motion, and the silhouette term brings it back.
    @Test func silhouetteTermAccountsForMovingCoverage() throws {
        let head = try PosedHead<Double>()
        let x: [Double] = [0.3, 0.05, 0, 0, 0, 0]
        // A smooth loss: a weight per place and channel, times the map, summed over the picture's area.
        func weight(_ size: Int, _ p: Int, _ c: Int) -> Double {
            let u = Double(2 * (p % size) + 1) / Double(size) - 1, v = 1 - Double(2 * (p / size) + 1) / Double(size)
            return (Double.sine(3 * u + Double(c)) + Double.cosine(2 * v - Double(c))) / Double(size * size)
        }
        func loss(_ x: [Double]) -> Double {
            head.set(x)
            let buffer = RasterBuffer<Double>(width: 512, height: 512), map = Tensor<Double>([3, 512, 512])
            let triangles = head.model.triangles
            rasterize(vertices: head.ndc.pointer, vertexCount: head.vertexCount, triangles: triangles, into: buffer)
            buffer.interpolate(
                head.normals.pointer, channels: 3, triangles: triangles, into: map.pointer, layout: .planar(pixels: 512 * 512))
            return (0..<map.count).reduce(0) { $0 + map[$1] * weight(512, $1 % (512 * 512), $1 / (512 * 512)) }
        }
        let steps = [0.02, 0.02, 0.02, 0.01, 1, 1]
        let truth = (0..<6).map { k -> Double in
            var up = x, down = x
            up[k] += steps[k]
            down[k] -= steps[k]
            return (loss(up) - loss(down)) / (2 * steps[k])
        }
        let pyramid = NormalPyramid<Double>(
            size: 64, sampling: .area, triangles: head.model.triangles, vertexCount: head.vertexCount)
        head.set(x)
        pyramid.forward(ndc: head.ndc.pointer, normals: head.normals.pointer)
        let dMaps = pyramid.maps.map { Tensor<Double>($0.shape) }
        for i in 0..<dMaps[4].count { dMaps[4][i] = weight(64, i % 4096, i / 4096) }
        func gradient(_ silhouettes: Bool) -> [Double] {
            let dNdc = Tensor<Double>([head.vertexCount, 3]), dNormals = Tensor<Double>([head.vertexCount, 3])
            pyramid.backward(dMaps: dMaps, dNdc: dNdc.pointer, dNormals: dNormals.pointer, silhouettes: silhouettes)
            return head.backward(dNdc: dNdc, dNormals: dNormals)
        }
        // In units of the step a fit would take: each parameter's change weighted alike.
        func error(_ g: [Double]) -> Double {
            let scale = [1, 1, 1, 1, 1.0 / 60, 1.0 / 60]
            let d = (0..<6).map { (g[$0] - truth[$0]) / scale[$0] }, t = (0..<6).map { truth[$0] / scale[$0] }
            return (dot(d, d) / dot(t, t)).squareRoot()
        }
        let held = error(gradient(false)), moving = error(gradient(true))
        #expect(held > 1, "held ids miss the outline: \(held)")
        #expect(moving < 0.3, "with the silhouette term: \(moving)")
    }
}
