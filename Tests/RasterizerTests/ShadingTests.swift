import FaceModel
import Numerics
import Rasterizer
import Testing

@Suite struct ShadingTests {
    let ambient: [Float] = (0..<27).map { $0 < 3 ? 1 / 0.28209479 : 0 }

    @Test func whiteAmbientLightShowsTheAlbedo() throws {
        let head = try PosedHead<Float>()
        head.set([0.2])
        let albedo = (0..<3 * head.vertexCount).map { [Float(0.8), 0.5, 0.25][$0 % 3] }
        let background = Tensor<Float>([1, 3, 32, 32])
        background.fill(0.125)
        for sampling in [NormalSampling.point, .area] {
            let shading = SphericalHarmonicsShading<Float>(
                size: 32, sampling: sampling, triangles: head.model.triangles, vertexCount: head.vertexCount)
            shading.forward(
                ndc: head.ndc.pointer, normals: head.normals.pointer, albedo: albedo, light: ambient, background: background)
            var full = 0
            for p in 0..<1024 {
                for (c, expected) in [Float(0.6), 0, -0.5].enumerated() {
                    let blend = shading.coverage[p] * expected + (1 - shading.coverage[p]) * 0.125
                    #expect(abs(shading.image[c * 1024 + p] - blend) < 1e-5)
                }
                if shading.coverage[p] == 1 { full += 1 }
            }
            #expect(full > 200 && full < 900)
        }
    }

    @Test func lightFromTheLeftBrightensTheLeft() throws {
        let head = try PosedHead<Float>()
        head.set([])
        let shading = SphericalHarmonicsShading<Float>(
            size: 32, sampling: .point, triangles: head.model.triangles, vertexCount: head.vertexCount)
        var light = ambient
        for c in 0..<3 { light[9 + c] = -1 }  // Y11 (x): light from negative x, image left
        let albedo = [Float](repeating: 0.5, count: 3 * head.vertexCount)
        shading.forward(ndc: head.ndc.pointer, normals: head.normals.pointer, albedo: albedo, light: light)
        let row = 16 * 32
        let covered = (0..<32).filter { shading.coverage[row + $0] == 1 }
        let left = try #require(covered.first), right = try #require(covered.last)
        #expect(shading.image[row + left + 4] > shading.image[row + right - 4] + 0.1)
        #expect(shading.image[0] == -1, "black background")
    }

    @Test(arguments: [NormalSampling.point, .area]) func estimateLightFindsTheLight(_ sampling: NormalSampling) throws {
        let head = try PosedHead<Double>()
        head.set([0.2, 0.1])
        let shading = SphericalHarmonicsShading<Double>(
            size: 64, sampling: sampling, triangles: head.model.triangles, vertexCount: head.vertexCount)
        let albedo = [Double](repeating: 0.6, count: 3 * head.vertexCount)
        var light = normals(27, seed: 70).map { $0 / 2 }
        for c in 0..<3 { light[c] = 3 }
        shading.forward(ndc: head.ndc.pointer, normals: head.normals.pointer, albedo: albedo, light: light)
        let photo = Tensor<Double>(shading.image.shape, shading.image.array)
        let mask = Tensor<Double>([1, 1, 64, 64], shading.coverage.array.map { $0 == 1 ? 1 : 0 })
        let found = shading.estimateLight(
            ndc: head.ndc.pointer, normals: head.normals.pointer, albedo: albedo, photo: photo, mask: mask)
        // Judged by the picture it makes: a head shows no backs of surfaces, which leaves some light hardly determined.
        shading.forward(ndc: head.ndc.pointer, normals: head.normals.pointer, albedo: albedo, light: found)
        var worst = 0.0
        for i in 0..<3 * 4096 where mask[i % 4096] > 0 { worst = max(worst, abs(shading.image[i] - photo[i])) }
        #expect(worst < (sampling == .point ? 0.05 : 0.3))
        #expect(!found.contains { !$0.isFinite })
        // Nothing to see: no light, no trouble.
        let none = shading.estimateLight(
            ndc: head.ndc.pointer, normals: head.normals.pointer, albedo: albedo, photo: photo, mask: Tensor([1, 1, 64, 64]))
        #expect(none.allSatisfy { $0 == 0 })
    }
}
