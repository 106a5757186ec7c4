import Numerics

/// The weights of one 1x1 modulated convolution (not demodulated) from features to the picture, and its up-sampled skip.
struct ToRGB<T: Scalar>: Sendable {
    let channels: Int
    let modulation: StyleModulation<T>
    /// [3, channels]
    let weight: Tensor<T>
    let bias: Tensor<T>

    init(_ reader: WeightReader<T>, _ name: String, channels c: Int, latentSize: Int, upsamplesSkip: Bool) throws {
        channels = c
        modulation = try StyleModulation(reader, "\(name).conv", channels: c, latentSize: latentSize)
        weight = try reader.tensor("\(name).conv.weight", [1, 3, c, 1, 1], scale: 1 / Double(c).squareRoot())
        bias = try reader.tensor("\(name).bias", [1, 3, 1, 1])
        if upsamplesSkip { try reader.checkKernel("\(name).upsample.kernel") }
    }
}

/// One ToRGB at work on a batch.
final class ToRGBContext<T: Scalar> {
    let layer: ToRGB<T>
    /// [B, 3, r, r]
    let output: Tensor<T>
    private let styles: Tensor<T>
    /// Weights times style: [B, 3, channels].
    private let modulated: Tensor<T>
    private let work: Tensor<T>
    private let batch: Int
    private let resolution: Int
    private var area: Int { resolution * resolution }

    init(_ layer: ToRGB<T>, batch: Int, resolution: Int) {
        self.layer = layer
        self.batch = batch
        self.resolution = resolution
        output = Tensor([batch, 3, resolution, resolution])
        styles = Tensor([batch, layer.channels])
        modulated = Tensor([batch, 3, layer.channels])
        work = Tensor([layer.channels])
    }

    /// `skip` is the picture of half the size to add, [B, 3, r/2, r/2].
    func forward(_ input: UnsafePointer<T>, w: UnsafePointer<T>, wStride: Int, skip: Tensor<T>?, _ scratch: RenderScratch<T>) {
        let c = layer.channels
        for n in 0..<batch {
            let s = styles.pointer + n * c
            layer.modulation.forward(w + n * wStride, s)
            let m = modulated.pointer + n * 3 * c
            for k in 0..<3 {
                for i in 0..<c { m[k * c + i] = layer.weight.pointer[k * c + i] * s[i] }
            }
            toRGBKernel(
                input + n * c * area, m, layer.bias.pointer, output.pointer + n * 3 * area, channels: c, area: area)
        }
        if let skip {
            addFIRUpsampled(
                skip.pointer, output.pointer, planes: 3 * batch, height: resolution / 2, width: resolution / 2,
                row: scratch.row.pointer)
        }
    }

    /// - Parameters:
    ///   - dOutput: [B, 3, r, r].
    ///   - dInput: written, or added to when `adds`; nil to skip.
    ///   - dW: added; nil to skip.
    ///   - dSkip: overwritten; nil at the first level.
    func backward(
        _ dOutput: UnsafePointer<T>, input: UnsafePointer<T>, dInput: UnsafeMutablePointer<T>?, adds: Bool,
        dW: UnsafeMutablePointer<T>?, wStride: Int, dSkip: Tensor<T>?, _ scratch: RenderScratch<T>
    ) {
        let c = layer.channels
        for n in 0..<batch {
            let g = dOutput + n * 3 * area
            if let dInput {
                toRGBBackwardKernel(
                    g, modulated.pointer + n * 3 * c, dInput + n * c * area, channels: c, area: area, adds: adds)
            }
            if let dW {
                let ds = work.pointer
                for i in 0..<c {
                    let x = input + (n * c + i) * area
                    var sum: T = 0
                    for k in 0..<3 { sum += layer.weight.pointer[k * c + i] * T.dot(area, x, g + k * area) }
                    ds[i] = sum
                }
                layer.modulation.backward(ds, dW + n * wStride)
            }
        }
        if let dSkip {
            firUpsampledAdjoint(
                dOutput, dSkip.pointer, planes: 3 * batch, height: resolution / 2, width: resolution / 2,
                row: scratch.row.pointer)
        }
    }
}

/// `rgb[k] = bias[k] + sum_c m[k, c] x[c]` over one sample.
@_specialize(where T == Float)
@_specialize(where T == Double)
func toRGBKernel<T: Scalar>(
    _ x: UnsafePointer<T>, _ m: UnsafePointer<T>, _ bias: UnsafePointer<T>, _ rgb: UnsafeMutablePointer<T>, channels: Int,
    area: Int
) {
    for k in 0..<3 { (rgb + k * area).update(repeating: bias[k], count: area) }
    let red = rgb
    let green = rgb + area
    let blue = rgb + 2 * area
    for c in 0..<channels {
        let (a, b, d) = (m[c], m[channels + c], m[2 * channels + c])
        let p = x + c * area
        for i in 0..<area {
            let v = p[i]
            red[i] += a * v
            green[i] += b * v
            blue[i] += d * v
        }
    }
}

/// `dx[c] (+)= sum_k m[k, c] drgb[k]` over one sample.
@_specialize(where T == Float)
@_specialize(where T == Double)
func toRGBBackwardKernel<T: Scalar>(
    _ drgb: UnsafePointer<T>, _ m: UnsafePointer<T>, _ dx: UnsafeMutablePointer<T>, channels: Int, area: Int, adds: Bool
) {
    let red = drgb
    let green = drgb + area
    let blue = drgb + 2 * area
    for c in 0..<channels {
        let (a, b, d) = (m[c], m[channels + c], m[2 * channels + c])
        let p = dx + c * area
        if adds {
            for i in 0..<area { p[i] += a * red[i] + b * green[i] + d * blue[i] }
        } else {
            for i in 0..<area { p[i] = a * red[i] + b * green[i] + d * blue[i] }
        }
    }
}
