import CWideKernels
import Numerics

/// One render layer at work on a batch, its maps in blocks of 16 channels: what its backward pass needs from the forward pass.
final class BlockedLayer {
    let layer: RenderLayer<Float>
    /// Of one sample.
    let convolution: BlockedConvolution
    let resolution: Int
    /// After the activation, and before everything that follows the convolution: [B, C/16, r, r, 16].
    let output, convolved: Tensor<Float>
    /// Scales of the input channels and of the output channels: [B, in], [B, out].
    let styles, demodulation: Tensor<Float>
    private let squares: Tensor<Float>
    private let batch: Int

    init(_ layer: RenderLayer<Float>, batch: Int, resolution: Int, precision: ProductPrecision) throws {
        self.layer = layer
        self.batch = batch
        self.resolution = resolution
        let side = layer.upsamples ? resolution / 2 : resolution
        convolution = try BlockedConvolution(layer.convolution, height: side, width: side, precision: precision)
        output = Tensor([batch, layer.outputChannels, resolution, resolution])
        convolved = Tensor(output.shape)
        styles = Tensor([batch, layer.inputChannels])
        demodulation = Tensor([batch, layer.outputChannels])
        squares = Tensor([layer.inputChannels])
    }

    /// Numbers of `output` for one sample, and of the up-convolution's result before its blur.
    var outputCount: Int { layer.outputChannels * resolution * resolution }
    var unblurredCount: Int { layer.upsamples ? layer.outputChannels * (resolution + 1) * (resolution + 1) : 0 }

    /// Styles and demodulation from the rows of w+, `wStride` apart.
    func style(_ w: UnsafePointer<Float>, wStride: Int) {
        let (i, o) = (layer.inputChannels, layer.outputChannels)
        for n in 0..<batch {
            let s = styles.pointer + n * i, d = demodulation.pointer + n * o
            layer.modulation.forward(w + n * wStride, s)
            for c in 0..<i { squares.pointer[c] = s[c] * s[c] }
            for c in 0..<o { d[c] = 1e-8 }
            Float.gemv(false, o, i, 1, layer.squaredWeights.pointer, i, squares.pointer, 1, d)
            for c in 0..<o { d[c] = 1 / d[c].squareRoot() }
        }
    }

    /// Adds the gradient to a row of w+, given the sums of gradient times input and of gradient times output of the
    /// convolution, for each channel of one sample; `work` holds both numbers of channels.
    func styleBackward(
        _ n: Int, input: UnsafePointer<Float>, own: UnsafePointer<Float>, _ dW: UnsafeMutablePointer<Float>,
        work: UnsafeMutablePointer<Float>
    ) {
        let (i, o) = (layer.inputChannels, layer.outputChannels)
        let s = styles.pointer + n * i, d = demodulation.pointer + n * o
        let ds = work, r = work + i
        // Through d = (sum W^2 s^2 + eps)^(-1/2): the gradient to d, times d^3, is own d^2.
        for c in 0..<o { r[c] = own[c] * d[c] * d[c] }
        Float.gemv(true, o, i, -1, layer.squaredWeights.pointer, i, r, 0, ds)
        for c in 0..<i { ds[c] = ds[c] * s[c] + input[c] }
        layer.modulation.backward(ds, dW)
    }
}
