import FaceModel
import Numerics
import Rasterizer

/// The classical baseline as the fit's renderer: unknowns are a colour per vertex and the light. The photo itself
/// is the background, so pixels the head does not cover say nothing.
final class SphericalHarmonicsPicture<T: Scalar>: PictureMaker {
    let size: Int
    private let shading: SphericalHarmonicsShading<T>
    private let smoothness: AlbedoSmoothness<T>
    private let background: Tensor<T>
    private let inside: Tensor<T>
    private let albedo: Tensor<T>
    private let light: Tensor<T>
    private let meanAlbedo: Tensor<T>
    private var head: PosedHead<T>?
    private var frozen = false

    /// A skin tone to begin with, in the picture's own values (0 to 1); light takes up the rest.
    private static var skin: [T] { [0.62, 0.49, 0.42] }

    init(head: HeadModel<T>, target: Tensor<T>, inside: Tensor<T>) {
        size = inside.shape[1]
        shading = SphericalHarmonicsShading(
            size: size, sampling: .area, triangles: head.triangles, vertexCount: head.vertexCount)
        smoothness = AlbedoSmoothness(
            topology: MeshTopology(triangles: head.triangles, vertexCount: head.vertexCount))
        background = Tensor([1, 3, size, size])
        background.copy(from: target)
        self.inside = inside
        albedo = Tensor([head.vertexCount, 3])
        meanAlbedo = Tensor([head.vertexCount, 3])
        light = Tensor([9, 3])
        for i in 0..<meanAlbedo.count { meanAlbedo.pointer[i] = Self.skin[i % 3] }
    }

    var image: Tensor<T> { shading.image }
    var raster: RasterBuffer<T> { shading.buffer }
    var noiseSides: [Int] { [] }

    func count(of block: ParameterBlock) -> Int {
        switch block {
        case .albedo: albedo.count
        case .light: light.count
        default: 0
        }
    }

    /// Skin of one colour, and the light that explains the photo best under it.
    func initialise(_ p: UnsafeMutablePointer<T>, layout: ParameterLayout, head: PosedHead<T>) {
        (p + layout.range(.albedo).lowerBound).update(from: meanAlbedo.pointer, count: meanAlbedo.count)
        let estimate = shading.estimateLight(
            ndc: head.ndc.pointer, normals: head.normals.pointer, albedo: meanAlbedo.pointer, photo: background, mask: inside)
        for (i, v) in estimate.enumerated() { p[layout.range(.light).lowerBound + i] = v }
    }

    func geometryChanged(_ head: PosedHead<T>, freezeCoverage: Bool) {
        // Rasterised together with the shading, and once here so that the mask sees this pose.
        self.head = head
        frozen = freezeCoverage
        shade()
    }

    private func shade() {
        guard let head else { return }
        shading.forward(
            ndc: head.ndc.pointer, normals: head.normals.pointer, albedo: albedo.pointer, light: light.pointer,
            background: background, freezeCoverage: frozen)
    }

    func render(_ p: UnsafePointer<T>, layout: ParameterLayout) {
        albedo.pointer.update(from: p + layout.range(.albedo).lowerBound, count: albedo.count)
        light.pointer.update(from: p + layout.range(.light).lowerBound, count: light.count)
        frozen = true
        shade()
    }

    func backward(
        _ dImage: Tensor<T>, _ p: UnsafePointer<T>, layout: ParameterLayout, active: Set<ParameterBlock>,
        head: PosedHead<T>?, silhouettes: Bool, gradient: UnsafeMutablePointer<T>
    ) {
        shading.backward(
            dImage: dImage, dAlbedo: active.contains(.albedo) ? gradient + layout.range(.albedo).lowerBound : nil,
            dLight: active.contains(.light) ? gradient + layout.range(.light).lowerBound : nil,
            dNdc: head?.dNdc.pointer, dNormals: head?.dNormals.pointer, silhouettes: silhouettes)
    }

    func stylePrior(
        _ p: UnsafePointer<T>, layout: ParameterLayout, weights: FitWeights, active: Set<ParameterBlock>,
        gradient: UnsafeMutablePointer<T>
    ) -> T { 0 }

    /// Colours near the skin tone and smooth over the mesh; means over vertices and edges.
    func albedoPrior(
        _ p: UnsafePointer<T>, layout: ParameterLayout, weights: FitWeights, active: Set<ParameterBlock>,
        gradient: UnsafeMutablePointer<T>
    ) -> T {
        if !active.contains(.albedo) { return 0 }
        let i = layout.range(.albedo).lowerBound
        var energy = Priors.quadratic(
            p + i, centre: meanAlbedo.pointer, precision: nil, count: albedo.count, factor: T(weights.albedo) / T(albedo.count),
            gradient: gradient + i)
        if weights.albedoSmoothness > 0 {
            energy += smoothness.energy(p + i, weight: T(weights.albedoSmoothness), dAlbedo: gradient + i)
        }
        return energy
    }
}
