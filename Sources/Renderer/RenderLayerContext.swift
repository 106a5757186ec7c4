import Numerics

/// Memory that the layers of one context use in turn.
final class RenderScratch<T: Scalar> {
    /// Modulated input, or its gradient.
    let modulated: Tensor<T>
    /// The transposed convolution's output before its blur.
    let unblurred: Tensor<T>
    let shift: Tensor<T>
    let dShift: Tensor<T>
    let row: Tensor<T>
    let channels: Tensor<T>

    init(_ configuration: GARConfiguration, batch: Int, resolutions: [Int]) {
        var (map, large, widest) = (0, 0, 0)
        for r in resolutions {
            let c = configuration.channels[r]!
            map = max(map, batch * c * r * r)
            large = max(large, batch * c * (r + 1) * (r + 1))
            widest = max(widest, c)
        }
        let size = resolutions.max() ?? 4
        modulated = Tensor([map])
        unblurred = Tensor([large])
        shift = Tensor([size * size])
        dShift = Tensor([size * size])
        row = Tensor([2 * size + 16])
        channels = Tensor([2 * widest])
    }
}

/// One render layer at work on a batch: what its backward pass needs from the forward pass.
final class RenderLayerContext<T: Scalar> {
    let layer: RenderLayer<T>
    let output: Tensor<T>
    private let convolved: Tensor<T>
    private let styles: Tensor<T>
    private let demodulation: Tensor<T>
    private let convolution: Convolution<T>
    private let batch: Int
    private let resolution: Int
    private let inputArea: Int
    private var area: Int { resolution * resolution }

    init(_ layer: RenderLayer<T>, batch: Int, resolution: Int) throws {
        self.layer = layer
        self.batch = batch
        self.resolution = resolution
        let inputSize = layer.upsamples ? resolution / 2 : resolution
        inputArea = inputSize * inputSize
        convolution = try layer.convolution.convolution(batch: batch, height: inputSize, width: inputSize)
        output = Tensor([batch, layer.outputChannels, resolution, resolution])
        convolved = Tensor(output.shape)
        styles = Tensor([batch, layer.inputChannels])
        demodulation = Tensor([batch, layer.outputChannels])
    }

    /// - Parameters:
    ///   - input: [B, in, r', r'].
    ///   - w: the first sample's style row, the next `wStride` further.
    ///   - maps: the first sample's scale map; its shift map follows it, the next sample's `mapStride` further.
    ///   - noise: [B or 1, r, r], `noiseStride` 0 to share one among the batch; nil for none.
    func forward(
        _ input: UnsafePointer<T>, w: UnsafePointer<T>, wStride: Int, maps: UnsafePointer<T>, mapStride: Int,
        noise: UnsafePointer<T>?, noiseStride: Int, _ scratch: RenderScratch<T>
    ) {
        let (i, o) = (layer.inputChannels, layer.outputChannels)
        let squares = scratch.channels.pointer
        for n in 0..<batch {
            let s = styles.pointer + n * i
            layer.modulation.forward(w + n * wStride, s)
            for c in 0..<i { squares[c] = s[c] * s[c] }
            let d = demodulation.pointer + n * o
            for c in 0..<o { d[c] = T(1e-8) }
            T.gemv(false, o, i, 1, layer.squaredWeights.pointer, i, squares, 1, d)
            for c in 0..<o { d[c] = 1 / d[c].squareRoot() }
            scaleChannelsKernel(
                input + n * i * inputArea, s, scratch.modulated.pointer + n * i * inputArea, channels: i, area: inputArea)
        }
        if layer.upsamples {
            convolution.forward(scratch.modulated.pointer, scratch.unblurred.pointer)
            firBlur(
                scratch.unblurred.pointer, convolved.pointer, planes: batch * o, outputHeight: resolution,
                outputWidth: resolution, row: scratch.row.pointer)
        } else {
            convolution.forward(scratch.modulated.pointer, convolved.pointer)
        }
        for n in 0..<batch {
            let scale = maps + n * mapStride
            let shift = scratch.shift.pointer
            shift.update(from: scale + area, count: area)
            if let noise { combineKernel(layer.noiseWeight, noise + n * noiseStride, 1, shift, area) }
            renderForwardKernel(
                convolved.pointer + n * o * area, demodulation.pointer + n * o, scale, shift, layer.bias.pointer,
                output.pointer + n * o * area, channels: o, area: area)
        }
    }

    /// - Parameters:
    ///   - gradient: to the output on entry; destroyed.
    ///   - dInput: overwritten, unless nil. With `dW` nil too, nothing is convolved.
    ///   - dMaps: gradients to the scale and shift maps, added, laid out like `maps`.
    ///   - dNoise, dW: added.
    func backward(
        _ gradient: UnsafeMutablePointer<T>, input: UnsafePointer<T>, dInput: UnsafeMutablePointer<T>?,
        dW: UnsafeMutablePointer<T>?, wStride: Int, maps: UnsafePointer<T>, dMaps: UnsafeMutablePointer<T>?, mapStride: Int,
        dNoise: UnsafeMutablePointer<T>?, noiseStride: Int, _ scratch: RenderScratch<T>
    ) {
        let (i, o) = (layer.inputChannels, layer.outputChannels)
        for n in 0..<batch {
            let dScale = dMaps.map { $0 + n * mapStride }
            var dShift: UnsafeMutablePointer<T>?
            if dMaps != nil || dNoise != nil {
                dShift = scratch.dShift.pointer
                dShift!.update(repeating: 0, count: area)
            }
            renderBackwardKernel(
                gradient + n * o * area, output.pointer + n * o * area, convolved.pointer + n * o * area,
                demodulation.pointer + n * o, maps + n * mapStride, dScale, dShift, channels: o, area: area)
            if let dShift {
                if let dScale { combineKernel(1, dShift, 1, dScale + area, area) }
                if let dNoise { combineKernel(layer.noiseWeight, dShift, 1, dNoise + n * noiseStride, area) }
            }
        }
        if dInput == nil && dW == nil { return }

        let target = dInput ?? scratch.modulated.pointer
        if layer.upsamples {
            firBlurAdjoint(
                gradient, scratch.unblurred.pointer, planes: batch * o, outputHeight: resolution, outputWidth: resolution,
                row: scratch.row.pointer)
            convolution.backward(scratch.unblurred.pointer, target)
        } else {
            convolution.backward(gradient, target)
        }
        if let dW {
            for n in 0..<batch { backwardStyle(n, gradient, input, target, dW + n * wStride, scratch.channels.pointer) }
        }
        if let dInput {
            for n in 0..<batch {
                let p = dInput + n * i * inputArea
                scaleChannelsKernel(p, styles.pointer + n * i, p, channels: i, area: inputArea)
            }
        }
    }

    /// `dModulated` is the gradient to `input * s`, `dConvolved` the one to the convolution's output.
    private func backwardStyle(
        _ n: Int, _ dConvolved: UnsafePointer<T>, _ input: UnsafePointer<T>, _ dModulated: UnsafePointer<T>,
        _ dW: UnsafeMutablePointer<T>, _ work: UnsafeMutablePointer<T>
    ) {
        let (i, o) = (layer.inputChannels, layer.outputChannels)
        let s = styles.pointer + n * i
        let d = demodulation.pointer + n * o
        let ds = work
        let r = work + i
        // Through d = (sum W^2 s^2 + eps)^(-1/2): the gradient to d, times d^3, is <dConvolved, convolved> d^2.
        for c in 0..<o {
            let at = (n * o + c) * area
            r[c] = T.dot(area, dConvolved + at, convolved.pointer + at) * d[c] * d[c]
        }
        T.gemv(true, o, i, -1, layer.squaredWeights.pointer, i, r, 0, ds)
        for c in 0..<i {
            let at = (n * i + c) * inputArea
            ds[c] = ds[c] * s[c] + T.dot(inputArea, dModulated + at, input + at)
        }
        layer.modulation.backward(ds, dW)
    }
}
