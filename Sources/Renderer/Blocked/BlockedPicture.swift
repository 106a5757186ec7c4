import Numerics

/// One ToRGB at work on a batch: its styles and picture; what it does to every pixel is part of the layer's pass before it.
final class BlockedPicture {
    let layer: ToRGB<Float>
    /// [B, 3, r, r]
    let output: Tensor<Float>
    /// Weights times style: [B, 3, channels].
    let modulated: Tensor<Float>
    private let styles: Tensor<Float>
    private let batch, resolution: Int

    init(_ layer: ToRGB<Float>, batch: Int, resolution: Int) {
        self.layer = layer
        self.batch = batch
        self.resolution = resolution
        output = Tensor([batch, 3, resolution, resolution])
        modulated = Tensor([batch, 3, layer.channels])
        styles = Tensor([layer.channels])
    }

    func style(_ w: UnsafePointer<Float>, wStride: Int) {
        let c = layer.channels
        for n in 0..<batch {
            layer.modulation.forward(w + n * wStride, styles.pointer)
            let m = modulated.pointer + n * 3 * c
            for k in 0..<3 {
                for i in 0..<c { m[k * c + i] = layer.weight.pointer[k * c + i] * styles.pointer[i] }
            }
        }
    }

    /// Adds the gradient to a row of w+ from the sums over pixels of picture gradient times input, [3, channels].
    func styleBackward(_ sums: UnsafePointer<Float>, _ dW: UnsafeMutablePointer<Float>, work: UnsafeMutablePointer<Float>) {
        let c = layer.channels, w = layer.weight.pointer
        for i in 0..<c { work[i] = w[i] * sums[i] + w[c + i] * sums[c + i] + w[2 * c + i] * sums[2 * c + i] }
        layer.modulation.backward(work, dW)
    }
}
