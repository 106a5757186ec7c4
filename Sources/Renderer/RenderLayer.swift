import Numerics

/// The weights of one render convolution: modulated and demodulated 3x3 convolution (up-sampling or not), normal
/// injection, noise, bias and activation.
///
/// Modulation goes onto the input and demodulation onto the output, `conv(x * s, W) * d`, which equals convolving with
/// modulated weights; so the weights are the same in every call.
struct RenderLayer<T: Scalar>: Sendable {
    let inputChannels: Int
    let outputChannels: Int
    let upsamples: Bool
    let modulation: StyleModulation<T>
    let convolution: ConvolutionWeights<T>
    /// Sums over the kernel of the squared weights: [out, in].
    let squaredWeights: Tensor<T>
    let noiseWeight: T
    let bias: Tensor<T>

    init(
        _ reader: WeightReader<T>, _ name: String, inputChannels i: Int, outputChannels o: Int, latentSize: Int, upsamples: Bool
    ) throws {
        inputChannels = i
        outputChannels = o
        self.upsamples = upsamples
        modulation = try StyleModulation(reader, "\(name).conv", channels: i, latentSize: latentSize)
        let shape = [1, o, i, 3, 3]
        convolution = try reader.convolution("\(name).conv.weight", shape, upsamples ? .up3x3 : .same3x3)
        let scaled = try reader.tensor("\(name).conv.weight", shape, scale: 1 / Double(9 * i).squareRoot())
        squaredWeights = Tensor([o, i])
        for k in 0..<(o * i) { squaredWeights.pointer[k] = T.dot(9, scaled.pointer + 9 * k, scaled.pointer + 9 * k) }
        noiseWeight = try reader.tensor("\(name).noise.weight", [1])[0]
        bias = try reader.tensor("\(name).activate.bias", [o])
        if upsamples { try reader.checkKernel("\(name).conv.blur.kernel") }
    }
}

/// `out = act((y * d[c]) * S + shift + bias[c])` over one sample; S and shift are maps.
@_specialize(where T == Float)
@_specialize(where T == Double)
func renderForwardKernel<T: Scalar>(
    _ y: UnsafePointer<T>, _ d: UnsafePointer<T>, _ scale: UnsafePointer<T>, _ shift: UnsafePointer<T>, _ bias: UnsafePointer<T>,
    _ out: UnsafeMutablePointer<T>, channels: Int, area: Int
) {
    let high = T(2).squareRoot()
    let low = high * T(0.2)
    for c in 0..<channels {
        let k = d[c]
        let b = bias[c]
        let source = y + c * area
        let target = out + c * area
        for i in 0..<area {
            let v = source[i] * k * scale[i] + (shift[i] + b)
            target[i] = v > 0 ? v * high : v * low
        }
    }
}

/// The backward pass of `renderForwardKernel` over one sample: `gradient` is to `out` on entry and to `y` on return;
/// adds the gradients to the maps unless they are nil.
@_specialize(where T == Float)
@_specialize(where T == Double)
func renderBackwardKernel<T: Scalar>(
    _ gradient: UnsafeMutablePointer<T>, _ out: UnsafePointer<T>, _ y: UnsafePointer<T>, _ d: UnsafePointer<T>,
    _ scale: UnsafePointer<T>, _ dScale: UnsafeMutablePointer<T>?, _ dShift: UnsafeMutablePointer<T>?, channels: Int, area: Int
) {
    let high = T(2).squareRoot()
    let low = high * T(0.2)
    for c in 0..<channels {
        let k = d[c]
        let g = gradient + c * area
        let o = out + c * area
        if let dScale, let dShift {
            let source = y + c * area
            for i in 0..<area {
                let v = g[i] * (o[i] > 0 ? high : low)
                dShift[i] += v
                dScale[i] += v * k * source[i]
                g[i] = v * k * scale[i]
            }
        } else if let dShift {
            for i in 0..<area {
                let v = g[i] * (o[i] > 0 ? high : low)
                dShift[i] += v
                g[i] = v * k * scale[i]
            }
        } else {
            for i in 0..<area { g[i] = g[i] * (o[i] > 0 ? high : low) * k * scale[i] }
        }
    }
}
