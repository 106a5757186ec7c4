import Numerics

/// A network that reads quantities off a crop: convolutions whose every level gives channel means and deviations, then, with the last
/// map, a small multilayer perceptron with one linear head per quantity.
final class CropReader<T: Scalar>: @unchecked Sendable {
    /// Side of the crop, pixels.
    let inputSize: Int
    /// The convolutional part.
    let features: ConvolutionalNetwork<T>

    private let trunk: [LinearLayer<T>]
    private let heads: [String: LinearLayer<T>]
    private let epsilon: T
    /// For sentences.
    private let name: String

    /// - Parameter heads: the outputs that each head has to have.
    init(_ network: NetworkFile, heads sizes: [String: Int], path: ConvolutionPath) throws {
        name = network.name
        inputSize = try network.integer("input_size", 8...1024)
        epsilon = T(try network.number("feature_epsilon", 1e-12...1) ?? 1e-4)
        features = try ConvolutionalNetwork(network, path: path)
        var side = inputSize
        for layer in network.layers where layer.stride == 2 { side = (side + 1) / 2 }
        var width = network.layers.reduce(0) { $0 + ($1.isLevel ? 2 * $1.outputChannels : 0) }
        width += (network.layers.last?.outputChannels ?? 0) * side * side
        guard let hidden = network.description["trunk"]?.array, hidden.count <= 16 else {
            throw GarfaceError(.malformedFile, "\(network.name): trunk must list at most 16 layer sizes")
        }
        var trunk: [LinearLayer<T>] = []
        for (i, entry) in hidden.enumerated() {
            guard let size = entry.int, (1...16384).contains(size) else {
                throw GarfaceError(.malformedFile, "\(network.name): trunk layer \(i): its size must be 1 to 16384")
            }
            trunk.append(try LinearLayer(network, "trunk.\(i)", inputs: width, outputs: size))
            width = size
        }
        self.trunk = trunk
        var heads: [String: LinearLayer<T>] = [:]
        for (name, outputs) in sizes {
            guard try network.headSize(name) == outputs else {
                throw GarfaceError(.malformedFile, "\(network.name): head \"\(name)\": expected \(outputs) outputs")
            }
            heads[name] = try LinearLayer(network, "heads.\(name).0", inputs: width, outputs: outputs)
        }
        self.heads = heads
    }

    /// Working memory for `run`.
    func context() throws -> ConvolutionalContext<T> { try features.context(height: inputSize, width: inputSize) }

    /// Every head's outputs for a crop [1,3,inputSize,inputSize] in [-1,1], as `warp` makes it.
    func run(_ crop: Tensor<T>, context: ConvolutionalContext<T>) throws -> [String: [Double]] {
        guard crop.count == 3 * inputSize * inputSize, context.network === features else {
            throw GarfaceError(.invalidArgument, "\(name): expected a crop [1, 3, \(inputSize), \(inputSize)]")
        }
        context.forward(crop.pointer)
        var y: [T] = []
        for level in context.levels { appendStatistics(level, to: &y) }
        y += context.last.buffer
        for layer in trunk { y = layer(y).map { $0 < 0 ? $0 * features.slope : $0 } }
        return try Dictionary(uniqueKeysWithValues: heads.map { name, head in
            let values = head(y).map { Double($0) }
            guard values.allSatisfy({ $0.isFinite }) else {
                throw GarfaceError(.numericalFailure, "\(name): its output \"\(name)\" is not finite")
            }
            return (name, values)
        })
    }

    /// Channel means, then channel deviations `sqrt(variance + epsilon)`.
    private func appendStatistics(_ level: Tensor<T>, to y: inout [T]) {
        let channels = level.shape[1], area = level.shape[2] * level.shape[3]
        var deviations: [T] = []
        for c in 0..<channels {
            let (mean, variance) = meanAndVariance(level.pointer + c * area, area)
            y.append(mean)
            deviations.append((variance + epsilon).squareRoot())
        }
        y += deviations
    }
}

/// `weight x + bias`.
struct LinearLayer<T: Scalar> {
    let inputs, outputs: Int
    let weight: Tensor<T>
    let bias: Tensor<T>

    init(_ network: NetworkFile, _ name: String, inputs: Int, outputs: Int) throws {
        self.inputs = inputs
        self.outputs = outputs
        weight = try network.finite(name + ".weight", [outputs, inputs])
        bias = try network.finite(name + ".bias", [outputs])
    }

    func callAsFunction(_ x: [T]) -> [T] {
        var y = bias.array
        T.gemv(false, outputs, inputs, 1, weight.pointer, inputs, x, 1, &y)
        return y
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func meanAndVariance<T: Scalar>(_ x: UnsafePointer<T>, _ count: Int) -> (T, T) {
    var sum: T = 0
    for i in 0..<count { sum += x[i] }
    let mean = sum / T(count)
    var squares: T = 0
    for i in 0..<count { squares += (x[i] - mean) * (x[i] - mean) }
    return (mean, squares / T(count))
}
