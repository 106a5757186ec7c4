import Numerics

/// A sequence of 3x3 convolutions (padding 1, stride 1 or 2), each with bias and leaky ReLU.
///
/// Weights are prepared once and shared by all contexts and threads.
public final class ConvolutionalNetwork<T: Scalar>: @unchecked Sendable {
    let layers: [NetworkFile.Layer]
    let slope: T
    let weights: [ConvolutionWeights<T>]
    let biases: [Tensor<T>]

    init(_ network: NetworkFile, path: ConvolutionPath) throws {
        layers = network.layers
        slope = T(network.slope)
        var weights: [ConvolutionWeights<T>] = []
        var biases: [Tensor<T>] = []
        for (i, layer) in layers.enumerated() {
            let tensor: Tensor<T> = try network.finite("layers.\(i).weight", [layer.outputChannels, layer.inputChannels, 3, 3])
            weights.append(try ConvolutionWeights(tensor, kind: layer.stride == 1 ? .same3x3 : .down3x3, path: path))
            biases.append(try network.finite("layers.\(i).bias", [layer.outputChannels]))
        }
        self.weights = weights
        self.biases = biases
    }

    /// How many layers are marked as feature levels.
    public var levelCount: Int { layers.count { $0.isLevel } }

    /// Working memory for pictures [1,3,height,width].
    /// - Parameter levels: stop at this many of the network's levels; nil: run all of it.
    public func context(height: Int, width: Int, levels: Int? = nil) throws -> ConvolutionalContext<T> {
        try ConvolutionalContext(self, height: height, width: width, levels: levels)
    }
}

/// One evaluation of a network: all its memory. One thread at a time.
public final class ConvolutionalContext<T: Scalar> {
    public let network: ConvolutionalNetwork<T>
    /// The output [1,C,h,w] of every layer that is run, after its activation.
    let outputs: [Tensor<T>]
    /// The outputs of the marked layers, [1,C,h,w] each.
    public let levels: [Tensor<T>]
    private let convolutions: [Convolution<T>]
    private var gradients: [Tensor<T>] = []

    init(_ network: ConvolutionalNetwork<T>, height: Int, width: Int, levels: Int?) throws {
        self.network = network
        var convolutions: [Convolution<T>] = []
        var outputs: [Tensor<T>] = []
        var size = (height, width)
        var left = levels ?? .max
        for (weights, layer) in zip(network.weights, network.layers) where left > 0 {
            if layer.isLevel { left -= 1 }
            let convolution = try weights.convolution(height: size.0, width: size.1)
            let output = Tensor<T>(convolution.outputShape)
            size = (output.shape[2], output.shape[3])
            convolutions.append(convolution)
            outputs.append(output)
        }
        self.convolutions = convolutions
        self.outputs = outputs
        self.levels = outputs.indices.filter { network.layers[$0].isLevel }.map { outputs[$0] }
    }

    public var last: Tensor<T> { outputs[outputs.count - 1] }

    /// Sets up the memory of `backward`, which would otherwise be allocated on its first call.
    public func prepareBackward() {
        if gradients.isEmpty { gradients = outputs.map { Tensor<T>($0.shape) } }
    }

    /// `input` [1,3,height,width] in [-1,1].
    public func forward(_ input: UnsafePointer<T>) {
        var x = input
        for i in convolutions.indices {
            let y = outputs[i]
            convolutions[i].forward(x, y.pointer)
            biasLeaky(y.pointer, network.biases[i].pointer, y.shape[1], y.shape[2] * y.shape[3], network.slope)
            x = UnsafePointer(y.pointer)
        }
    }

    /// The gradient to the input, overwritten, given the gradients to the levels (nil for none), after `forward`.
    public func backward(dLevels: [Tensor<T>?], dInput: UnsafeMutablePointer<T>) {
        precondition(dLevels.count == levels.count)
        prepareBackward()
        var level = dLevels.count
        var reached = false
        for i in convolutions.indices.reversed() {
            let gradient = gradients[i]
            if !reached { gradient.fill(0) }
            if network.layers[i].isLevel {
                level -= 1
                if let given = dLevels[level] {
                    addInto(gradient.pointer, given.pointer, gradient.count)
                    reached = true
                }
            }
            guard reached else { continue }
            leakyBackward(gradient.pointer, outputs[i].pointer, gradient.count, network.slope)
            convolutions[i].backward(gradient.pointer, i == 0 ? dInput : gradients[i - 1].pointer)
        }
        if !reached { dInput.update(repeating: 0, count: convolutions[0].inputShape.reduce(1, *)) }
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func biasLeaky<T: Scalar>(_ y: UnsafeMutablePointer<T>, _ bias: UnsafePointer<T>, _ channels: Int, _ area: Int, _ slope: T) {
    for c in 0..<channels {
        let b = bias[c], row = y + c &* area
        for i in 0..<area {
            let v = row[i] + b
            row[i] = v < 0 ? v * slope : v
        }
    }
}

/// The sign of the output is the sign of what went in.
@_specialize(where T == Float)
@_specialize(where T == Double)
func leakyBackward<T: Scalar>(_ gradient: UnsafeMutablePointer<T>, _ output: UnsafePointer<T>, _ count: Int, _ slope: T) {
    for i in 0..<count where output[i] < 0 { gradient[i] *= slope }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func addInto<T: Scalar>(_ sum: UnsafeMutablePointer<T>, _ values: UnsafePointer<T>, _ count: Int) {
    for i in 0..<count { sum[i] += values[i] }
}
