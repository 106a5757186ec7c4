import Numerics

/// The weights of the small network that turns one level's normal map into scale and shift maps: a residual block,
/// with a widening 3x3 layer before it unless it is the narrow published variant.
struct NormalInjection<T: Scalar>: Sendable {
    /// Convolution bias and activation bias act one after the other, so they are one.
    struct Layer: Sendable {
        let convolution: ConvolutionWeights<T>
        let bias: Tensor<T>

        init(_ reader: WeightReader<T>, _ name: String, _ i: Int, _ o: Int) throws {
            convolution = try reader.convolution("\(name).0.weight", [o, i, 3, 3], .same3x3)
            bias = try reader.tensor("\(name).0.bias", [o])
            let activation = try reader.tensor("\(name).1.bias", [o])
            for c in 0..<o { bias[c] += activation[c] }
        }
    }
    let widening: Layer?
    let first: Layer
    let second: Layer
    let skip: ConvolutionWeights<T>
    let width: Int
    let outputs: Int

    /// - Parameters:
    ///   - names: of the widening layer (used when `width` is not 3) and of the residual block.
    ///   - outputs: 2 at the first level, 4 (two pairs of scale and shift) at the others.
    init(_ reader: WeightReader<T>, widening wideningName: String, block: String, width k: Int, outputs m: Int) throws {
        width = k
        outputs = m
        widening = k == 3 ? nil : try Layer(reader, wideningName, 3, k)
        first = try Layer(reader, "\(block).conv1", k, k)
        second = try Layer(reader, "\(block).conv2", k, m)
        skip = try reader.convolution("\(block).skip.0.weight", [m, k, 1, 1], .pointwise)
    }
}

/// One injection network at work on a batch of normal maps.
final class NormalInjectionContext<T: Scalar> {
    /// Scale and shift maps [B, 2 or 4, r, r].
    let output: Tensor<T>
    /// The gradient to `output`, for the render layers to add into.
    let dOutput: Tensor<T>
    private let layer: NormalInjection<T>
    private let batch: Int
    private let area: Int
    private let wideningConvolution: Convolution<T>?
    private let firstConvolution: Convolution<T>
    private let secondConvolution: Convolution<T>
    private let skipConvolution: Convolution<T>
    private let widened: Tensor<T>
    private let inner: Tensor<T>
    private let activated: Tensor<T>
    private let gradient: Tensor<T>
    private let carry: Tensor<T>
    private let dWidened: Tensor<T>
    private let dNormals: Tensor<T>

    init(_ layer: NormalInjection<T>, batch: Int, resolution r: Int) throws {
        self.layer = layer
        self.batch = batch
        area = r * r
        wideningConvolution = try layer.widening?.convolution.convolution(batch: batch, height: r, width: r)
        firstConvolution = try layer.first.convolution.convolution(batch: batch, height: r, width: r)
        secondConvolution = try layer.second.convolution.convolution(batch: batch, height: r, width: r)
        skipConvolution = try layer.skip.convolution(batch: batch, height: r, width: r)
        output = Tensor([batch, layer.outputs, r, r])
        dOutput = Tensor(output.shape)
        activated = Tensor(output.shape)
        widened = Tensor([batch, layer.width, r, r])
        inner = Tensor(widened.shape)
        gradient = Tensor(widened.shape)
        carry = Tensor(widened.shape)
        dWidened = Tensor(widened.shape)
        dNormals = Tensor([batch, 3, r, r])
    }

    private func activate(_ x: Tensor<T>, _ bias: Tensor<T>) {
        for n in 0..<batch {
            biasLeakyKernel(x.pointer + n * bias.count * area, bias.pointer, channels: bias.count, area: area)
        }
    }

    /// `normals` is [B, 3, r, r].
    func forward(_ normals: Tensor<T>) {
        if let wideningConvolution {
            wideningConvolution.forward(normals.pointer, widened.pointer)
            activate(widened, layer.widening!.bias)
        } else {
            widened.copy(from: normals)
        }
        firstConvolution.forward(widened.pointer, inner.pointer)
        activate(inner, layer.first.bias)
        secondConvolution.forward(inner.pointer, activated.pointer)
        activate(activated, layer.second.bias)
        skipConvolution.forward(widened.pointer, output.pointer)
        let half = T(0.5).squareRoot()
        combineKernel(half, activated.pointer, half, output.pointer, output.count)
    }

    /// Adds the gradient of `dOutput` (destroyed) to `target`, [B, 3, r, r].
    func backward(addingTo target: Tensor<T>) {
        let half = T(0.5).squareRoot()
        combineKernel(half, dOutput.pointer, 0, dOutput.pointer, dOutput.count)
        skipConvolution.backward(dOutput.pointer, dWidened.pointer)
        leakyBackwardKernel(dOutput.pointer, activated.pointer, dOutput.count)
        secondConvolution.backward(dOutput.pointer, gradient.pointer)
        leakyBackwardKernel(gradient.pointer, inner.pointer, gradient.count)
        firstConvolution.backward(gradient.pointer, carry.pointer)
        combineKernel(1, carry.pointer, 1, dWidened.pointer, dWidened.count)
        guard let wideningConvolution else {
            combineKernel(1, dWidened.pointer, 1, target.pointer, target.count)
            return
        }
        leakyBackwardKernel(dWidened.pointer, widened.pointer, dWidened.count)
        wideningConvolution.backward(dWidened.pointer, dNormals.pointer)
        combineKernel(1, dNormals.pointer, 1, target.pointer, target.count)
    }
}
