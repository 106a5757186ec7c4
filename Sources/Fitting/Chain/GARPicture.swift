import FaceModel
import Numerics
import Rasterizer
import Renderer

/// GAR as the fit's renderer: normal pyramid in, picture out; unknowns are w+ and the noise maps.
final class GARPicture<T: Scalar>: PictureMaker {
    let model: GAR<T>
    let pyramid: NormalPyramid<T>
    private let context: GARContext<T>
    private let wPlus: Tensor<T>
    private let dWPlus: Tensor<T>
    private let noise: [Tensor<T>]
    private let dNoise: [Tensor<T>]
    private let dMaps: [Tensor<T>]
    private let latent: Int
    let size: Int
    /// Noise maps of the levels that take part; the unknowns hold those of all levels.
    private let activeNoise, dActiveNoise: [Tensor<T>]

    /// - Parameter size: side of the picture; less than the model's own stops at that level.
    init(model: GAR<T>, head: HeadModel<T>, size: Int, precision: ProductPrecision) throws {
        self.model = model
        self.size = size
        let c = model.configuration
        latent = c.latentSize
        let noiseCount = c.noiseSizes.count { $0 <= size }
        pyramid = NormalPyramid(
            size: size, sampling: c.normalSampling, triangles: head.triangles, vertexCount: head.vertexCount)
        context = try GARContext(model, size: size, precision: precision)
        wPlus = Tensor([1, model.styleCount, c.latentSize])
        dWPlus = Tensor([1, model.styleCount, c.latentSize])
        noise = model.noiseShapes.map { Tensor([1, 1, $0, $0]) }
        dNoise = model.noiseShapes.map { Tensor([1, 1, $0, $0]) }
        activeNoise = Array(noise.prefix(noiseCount))
        dActiveNoise = Array(dNoise.prefix(noiseCount))
        dMaps = pyramid.maps.map { Tensor($0.shape) }
    }

    var image: Tensor<T> { context.image }
    var raster: RasterBuffer<T> { pyramid.buffers[pyramid.buffers.count - 1] }
    var noiseSides: [Int] { model.noiseShapes }

    func count(of block: ParameterBlock) -> Int {
        switch block {
        case .wPlus: wPlus.count
        case .noise: noise.reduce(0) { $0 + $1.count }
        default: 0
        }
    }

    /// Every row the mean w, no noise.
    func initialise(_ p: UnsafeMutablePointer<T>, layout: ParameterLayout, head: PosedHead<T>) {
        let rows = p + layout.range(.wPlus).lowerBound
        for r in 0..<model.styleCount { (rows + r * latent).update(from: model.meanW.pointer, count: latent) }
    }

    func geometryChanged(_ head: PosedHead<T>, freezeCoverage: Bool) {
        pyramid.forward(ndc: head.ndc.pointer, normals: head.normals.pointer, freezeCoverage: freezeCoverage)
    }

    func render(_ p: UnsafePointer<T>, layout: ParameterLayout) {
        wPlus.pointer.update(from: p + layout.range(.wPlus).lowerBound, count: wPlus.count)
        var at = p + layout.range(.noise).lowerBound
        for map in noise {
            map.pointer.update(from: at, count: map.count)
            at += map.count
        }
        context.forward(wPlus: wPlus, normals: pyramid.maps, noise: activeNoise)
    }

    func backward(
        _ dImage: Tensor<T>, _ p: UnsafePointer<T>, layout: ParameterLayout, active: Set<ParameterBlock>,
        head: PosedHead<T>?, silhouettes: Bool, gradient: UnsafeMutablePointer<T>
    ) {
        let styles = active.contains(.wPlus), noisy = active.contains(.noise)
        if styles { dWPlus.fill(0) }
        if noisy { for d in dNoise { d.fill(0) } }
        if head != nil { for d in dMaps { d.fill(0) } }
        context.backward(
            dImage: dImage, dWPlus: styles ? dWPlus : nil, dNormals: head != nil ? dMaps : nil,
            dNoise: noisy ? dActiveNoise : nil)
        if styles { addScaled(1, dWPlus.pointer, gradient + layout.range(.wPlus).lowerBound, dWPlus.count) }
        if noisy {
            var at = gradient + layout.range(.noise).lowerBound
            for d in dNoise {
                addScaled(1, d.pointer, at, d.count)
                at += d.count
            }
        }
        if let head {
            pyramid.backward(
                dMaps: dMaps, dNdc: head.dNdc.pointer, dNormals: head.dNormals.pointer, silhouettes: silhouettes)
        }
    }

    func stylePrior(
        _ p: UnsafePointer<T>, layout: ParameterLayout, weights: FitWeights, active: Set<ParameterBlock>,
        gradient: UnsafeMutablePointer<T>
    ) -> T {
        if !active.contains(.wPlus) || (weights.wMean == 0 && weights.wSpread == 0) { return 0 }
        let i = layout.range(.wPlus).lowerBound
        return Priors.styles(
            p + i, mean: model.meanW.pointer, rows: model.styleCount, latent: latent, toMean: T(weights.wMean),
            spread: T(weights.wSpread), gradient: gradient + i)
    }

    func albedoPrior(
        _ p: UnsafePointer<T>, layout: ParameterLayout, weights: FitWeights, active: Set<ParameterBlock>,
        gradient: UnsafeMutablePointer<T>
    ) -> T { 0 }
}
