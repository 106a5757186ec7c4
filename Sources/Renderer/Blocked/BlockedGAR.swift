import CWideKernels
import Numerics

/// A renderer at work in single precision where the processor has AVX2 and all numbers of channels are multiples of 16:
/// maps stay in blocks of 16 channels from the first layer to the last, and everything between two convolutions is one pass.
/// The planar way of `GARContext` is its reference. One sample goes through all layers before the next: its maps stay in the caches.
final class BlockedGAR {
    private let layers: [BlockedLayer]
    private let pictures: [BlockedPicture]
    private let injections: [BlockedInjection]
    private let constant: Tensor<Float>
    private let dPictures: [Tensor<Float>]
    private let batch, latent, rows, parts, widest: Int
    private let resolutions: [Int]
    /// Used by one layer after the other, and by one sample.
    private let scratch, unblurred, gradient, above, sums, own, work, row: Tensor<Float>

    /// `.bfloat16` where convolutions multiply in it.
    var precision: ProductPrecision { layers.contains { $0.convolution.precision == .bfloat16 } ? .bfloat16 : .single }
    var image: Tensor<Float> { pictures[pictures.count - 1].output }

    static func supports(_ model: GAR<Float>) -> Bool {
        model.convolution == .best && model.layers.allSatisfy {
            BlockedConvolution.supports($0.convolution.kind, inputs: $0.inputChannels, outputs: $0.outputChannels)
        } && model.injections.allSatisfy(BlockedInjection.supports)
    }

    init(_ model: GAR<Float>, batch: Int, resolutions: [Int], precision: ProductPrecision) throws {
        let c = model.configuration
        self.batch = batch
        self.resolutions = resolutions
        latent = c.latentSize
        rows = c.styleCount
        parts = partCount()
        let sides = c.noiseSizes.filter { $0 <= resolutions.last! }
        layers = try zip(model.layers, sides).map { try BlockedLayer($0, batch: batch, resolution: $1, precision: precision) }
        pictures = zip(model.toRGBs, resolutions).map { BlockedPicture($0, batch: batch, resolution: $1) }
        injections = try zip(model.injections, resolutions).map { try BlockedInjection($0, batch: batch, resolution: $1) }
        constant = Tensor([1, c.channels[4]!, 4, 4])
        BlockedMaps.pack(model.constant.pointer, constant.pointer, batch: 1, channels: c.channels[4]!, area: 16)
        dPictures = resolutions.map { Tensor([batch, 3, $0, $0]) }
        let largest = layers.map(\.outputCount).max()!
        widest = layers.map { max($0.layer.inputChannels, $0.layer.outputChannels) }.max()!
        let side = resolutions.last!
        scratch = Tensor([max(layers.map(\.convolution.scratchCount).max()!, parts * Self.rowScratch(side))])
        unblurred = Tensor([max(16, layers.map(\.unblurredCount).max()!)])
        gradient = Tensor([largest])
        above = Tensor([largest])
        sums = Tensor([Self.summands, 5, widest])
        own = Tensor([widest])
        work = Tensor([2 * widest])
        row = Tensor([2 * side + 16])
    }

    private static func rowScratch(_ side: Int) -> Int { (Int(garface_render_scratch(Int32(side))) + 15) / 16 * 16 }

    /// Render layers of a level: one at 4x4, two above.
    private func layerIndices(_ level: Int) -> ClosedRange<Int> { level == 0 ? 0...0 : (2 * level - 1)...(2 * level) }

    /// Parts in which a layer's sums are made, whatever the threads, so that they are the same.
    private static let summands = 4

    /// Small maps are no work for several threads.
    private func partsFor(_ side: Int) -> Int { side < 32 ? 1 : parts }

    func forward(wPlus: UnsafePointer<Float>, normals: [Tensor<Float>], noise: [Tensor<Float>]?) {
        let wStride = rows * latent
        for (injection, map) in zip(injections, normals) { injection.forward(map.pointer) }
        for (index, layer) in layers.enumerated() { layer.style(wPlus + index * latent, wStride: wStride) }
        for (level, picture) in pictures.enumerated() { picture.style(wPlus + (2 * level + 1) * latent, wStride: wStride) }

        for n in 0..<batch {
            for (level, picture) in pictures.enumerated() {
                for index in layerIndices(level) {
                    let layer = layers[index], inputs = layer.layer.inputChannels
                    let input = index == 0 ? constant.pointer : layers[index - 1].output.pointer + n * layers[index - 1].outputCount
                    layer.convolution.forward(
                        input, scale: layer.styles.pointer + n * inputs,
                        layer.layer.upsamples ? unblurred.pointer : layer.convolved.pointer + n * layer.outputCount,
                        scratch: scratch.pointer)
                    renderPass(n, index, level, noise?[index], index == layerIndices(level).last! ? picture : nil)
                }
                if level > 0 {
                    let side = resolutions[level]
                    addFIRUpsampled(
                        pictures[level - 1].output.pointer + n * 3 * side * side / 4, picture.output.pointer + n * 3 * side * side,
                        planes: 3, height: side / 2, width: side / 2, row: row.pointer)
                }
            }
        }
    }

    /// A layer's scale map of sample n in its level's injection; the shift map follows it.
    private func maps(_ index: Int, _ n: Int, _ t: Tensor<Float>) -> UnsafeMutablePointer<Float> {
        let area = t.shape[2] * t.shape[3]
        return t.pointer + n * t.shape[1] * area + (index > 0 && index % 2 == 0 ? 2 * area : 0)
    }

    private func noiseOf(_ map: Tensor<Float>, _ n: Int, _ area: Int) -> UnsafeMutablePointer<Float> {
        map.pointer + (map.count == area ? 0 : n * area)
    }

    /// What follows a layer's convolution, for one sample.
    private func renderPass(
        _ n: Int, _ index: Int, _ level: Int, _ noise: Tensor<Float>?, _ picture: BlockedPicture?
    ) {
        let layer = layers[index], side = layer.resolution, area = side * side, channels = layer.layer.outputChannels
        let scale = maps(index, n, injections[level].output), at = n * layer.outputCount
        let call = garface_render(
            channels: Int32(channels), height: Int32(side), width: Int32(side),
            unblurred: layer.layer.upsamples ? UnsafePointer(unblurred.pointer) : nil,
            y: layer.convolved.pointer + at, d: layer.demodulation.pointer + n * channels, scale: scale, shift: scale + area,
            noise: noise.map { UnsafePointer(noiseOf($0, n, area)) }, bias: layer.layer.bias.pointer,
            noise_weight: layer.layer.noiseWeight, out: layer.output.pointer + at,
            rgb_weights: picture.map { UnsafePointer($0.modulated.pointer + n * 3 * channels) },
            rgb_bias: picture.map { UnsafePointer($0.layer.bias.pointer) },
            rgb: picture.map { $0.output.pointer + n * 3 * area })
        let count = partsFor(side), each = Self.rowScratch(resolutions.last!), memory = scratch.pointer
        inParts(count) { part in
            withUnsafePointer(to: call) { garface_render($0, memory + part * each, Int32(part), Int32(count)) }
        }
    }

    func backward(dImage: Tensor<Float>, dWPlus: Tensor<Float>?, dNormals: [Tensor<Float>]?, dNoise: [Tensor<Float>]?) {
        dPictures.last!.copy(from: dImage)
        if dNormals != nil { for injection in injections { injection.dOutput.fill(0) } }
        for n in 0..<batch {
            for level in pictures.indices.reversed() {
                for index in layerIndices(level).reversed() {
                    let layer = layers[index], showing = index == layerIndices(level).last!
                    backwardPass(n, index, level, showing, dNormals != nil, dNoise?[index], dWPlus != nil)
                    if let dWPlus { stylesBackward(n, index, level, showing, dWPlus.pointer + n * rows * latent) }
                    if index == 0 && dWPlus == nil { break }
                    if layer.layer.upsamples { blurBackward(layer) }
                    layer.convolution.backward(
                        layer.layer.upsamples ? unblurred.pointer : gradient.pointer, above.pointer, scratch: scratch.pointer)
                }
                if level > 0 {
                    let side = resolutions[level] / 2
                    firUpsampledAdjoint(
                        dPictures[level].pointer + n * 12 * side * side, dPictures[level - 1].pointer + n * 3 * side * side, planes: 3,
                        height: side, width: side, row: row.pointer)
                }
            }
            if let dWPlus { firstStyleBackward(n, dWPlus.pointer + n * rows * latent) }
        }
        if let dNormals {
            for (injection, target) in zip(injections, dNormals) { injection.backward(addingTo: target.pointer) }
        }
    }

    /// The gradient to what a layer's convolution gave, for one sample, with the sums over pixels that styles need.
    private func backwardPass(
        _ n: Int, _ index: Int, _ level: Int, _ showing: Bool, _ toMaps: Bool, _ dNoise: Tensor<Float>?, _ toStyles: Bool
    ) {
        let layer = layers[index], side = layer.resolution, area = side * side, channels = layer.layer.outputChannels
        let at = n * layer.outputCount, next = index + 1 < layers.count ? layers[index + 1] : nil
        let dMaps = toMaps ? maps(index, n, injections[level].dOutput) : nil
        let call = garface_render_backward(
            channels: Int32(channels), height: Int32(side), width: Int32(side),
            above: next == nil ? nil : UnsafePointer(above.pointer),
            above_style: next.map { UnsafePointer($0.styles.pointer + n * channels) },
            rgb_gradient: showing ? UnsafePointer(dPictures[level].pointer + n * 3 * area) : nil,
            rgb_weights: showing ? UnsafePointer(pictures[level].modulated.pointer + n * 3 * channels) : nil,
            out: layer.output.pointer + at, y: layer.convolved.pointer + at, d: layer.demodulation.pointer + n * channels,
            scale: maps(index, n, injections[level].output), dy: gradient.pointer, d_scale: dMaps,
            d_shift: dMaps.map { $0 + area }, d_noise: dNoise.map { noiseOf($0, n, area) },
            noise_weight: layer.layer.noiseWeight, sums: toStyles ? sums.pointer : nil)
        let count = side < 32 ? 1 : Self.summands
        inParts(count) { part in
            withUnsafePointer(to: call) { garface_render_backward($0, Int32(part), Int32(count)) }
        }
        for part in 1..<max(1, count) where toStyles {
            let from = sums.pointer + part * 5 * channels
            for i in 0..<5 * channels { sums.pointer[i] += from[i] }
        }
    }

    /// After `backwardPass` of a layer: its sums complete the styles of the layer after it and of its picture.
    private func stylesBackward(_ n: Int, _ index: Int, _ level: Int, _ showing: Bool, _ dW: UnsafeMutablePointer<Float>) {
        let channels = layers[index].layer.outputChannels, waiting = own.pointer
        if index + 1 < layers.count {
            layers[index + 1].styleBackward(
                n, input: sums.pointer, own: waiting, dW + (index + 1) * latent, work: work.pointer)
        }
        waiting.update(from: sums.pointer + channels, count: channels)
        if showing {
            pictures[level].styleBackward(sums.pointer + 2 * channels, dW + (2 * level + 1) * latent, work: work.pointer)
        }
    }

    private func firstStyleBackward(_ n: Int, _ dW: UnsafeMutablePointer<Float>) {
        let layer = layers[0], channels = layer.layer.inputChannels
        for c in 0..<channels {
            var sum: Float = 0
            for p in 0..<16 {
                let at = (c / 16 * 16 + p) * 16 + c % 16
                sum += above.pointer[at] * constant.pointer[at]
            }
            sums.pointer[c] = sum
        }
        layer.styleBackward(n, input: sums.pointer, own: own.pointer, dW, work: work.pointer)
    }

    /// From the gradient behind the blur of an up-sampling layer to the one before it.
    private func blurBackward(_ layer: BlockedLayer) {
        let side = Int32(layer.resolution), channels = Int32(layer.layer.outputChannels), count = partsFor(layer.resolution)
        let each = Self.rowScratch(resolutions.last!), memory = scratch.pointer
        let from = gradient.pointer, to = unblurred.pointer
        inParts(count) { part in
            garface_blur_adjoint(from, to, channels, side, side, memory + part * each, Int32(part), Int32(count))
        }
    }
}
