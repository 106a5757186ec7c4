import Numerics

/// Sees where something covers a face: hands, masks, sunglasses, whatever is held before it.
///
/// A U-Net over a close-up of the face: the last map of its convolutions is enlarged (each pixel to 2 x 2), joined with the level of that
/// size and convolved, down to the first level, whose pixels are its answer's. It is a part of an inverse network's file: the description's
/// `covering`, tensors named `covering.`...
public final class CoveringNetwork<T: Scalar>: @unchecked Sendable {
    /// Side of the crop, pixels.
    public let inputSize: Int
    /// Side of the answer.
    public let side: Int
    public let field: CloseUpField
    private let features: ConvolutionalNetwork<T>
    private let joins: [(weights: ConvolutionWeights<T>, bias: Tensor<T>)]
    private let last: (weights: ConvolutionWeights<T>, bias: Tensor<T>)

    /// Numbers in a map: far above any real network's.
    private static var largestMap: Int { 1 << 24 }

    init(_ network: NetworkFile, path: ConvolutionPath) throws {
        inputSize = try network.integer("input_size", 8...1024)
        field = try CloseUpField(network)
        var size = inputSize, sides: [Int] = [], widths: [Int] = []
        for layer in network.layers {
            size = layer.stride == 2 ? (size + 1) / 2 : size
            guard layer.outputChannels * size * size <= Self.largestMap else {
                throw GarfaceError(.malformedFile, "\(network.name): maps of \(layer.outputChannels) x \(size) x \(size) are too large")
            }
            if layer.isLevel {
                sides.append(size)
                widths.append(layer.outputChannels)
            }
        }
        guard let first = sides.first, zip(sides, sides.dropFirst() + [size]).allSatisfy({ $0 == 2 * $1 }) else {
            throw GarfaceError(.malformedFile, "\(network.name): each level must have twice the side of the next, and the last of the last map")
        }
        side = first
        features = try ConvolutionalNetwork(network, path: path)
        func convolution(_ name: String, _ inputs: Int, _ outputs: Int) throws -> (ConvolutionWeights<T>, Tensor<T>) {
            let weight: Tensor<T> = try network.finite(name + ".weight", [outputs, inputs, 3, 3])
            return (try ConvolutionWeights(weight, kind: .same3x3, path: path), try network.finite(name + ".bias", [outputs]))
        }
        var below = network.layers.last?.outputChannels ?? 0
        joins = try widths.reversed().enumerated().map { i, width in
            defer { below = width }
            return try convolution("joins.\(i)", below + width, width)
        }
        last = try convolution("last", below, 1)
    }

    /// Log-odds that something covers the face, row-major [side, side], of `crop` [1,3,inputSize,inputSize] in [-1,1].
    public func run(_ crop: Tensor<T>) throws -> [T] {
        guard crop.count == 3 * inputSize * inputSize else {
            throw GarfaceError(.invalidArgument, "covering: expected a crop [1, 3, \(inputSize), \(inputSize)]")
        }
        let context = try features.context(height: inputSize, width: inputSize)
        context.forward(crop.pointer)
        var y = context.last
        for (level, join) in zip(context.levels.reversed(), joins) {
            y = try convolved(Self.joined(y, level), join.weights)
            biasLeaky(y.pointer, join.bias.pointer, y.shape[1], y.shape[2] * y.shape[3], features.slope)
        }
        y = try convolved(y, last.weights)
        let logits = y.array.map { $0 + last.bias.pointer[0] }
        guard logits.allSatisfy(\.isFinite) else {
            throw GarfaceError(.numericalFailure, "covering: the network's output is not finite")
        }
        return logits
    }

    private func convolved(_ x: Tensor<T>, _ weights: ConvolutionWeights<T>) throws -> Tensor<T> {
        let convolution = try weights.convolution(height: x.shape[2], width: x.shape[3])
        let y = Tensor<T>(convolution.outputShape)
        convolution.forward(x.pointer, y.pointer)
        return y
    }

    /// The channels of `small`, each pixel to 2 x 2, then those of `level`.
    private static func joined(_ small: Tensor<T>, _ level: Tensor<T>) -> Tensor<T> {
        let channels = small.shape[1], side = level.shape[3], area = side * side
        let joined = Tensor<T>([1, channels + level.shape[1], side, side])
        enlarge(small.pointer, joined.pointer, channels, side)
        (joined.pointer + channels * area).update(from: level.pointer, count: level.count)
        return joined
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
private func enlarge<T: Scalar>(_ small: UnsafePointer<T>, _ large: UnsafeMutablePointer<T>, _ channels: Int, _ side: Int) {
    let half = side / 2
    for c in 0..<channels {
        for y in 0..<side {
            let row = small + (c * half + y / 2) * half, to = large + (c * side + y) * side
            for x in 0..<side { to[x] = row[x / 2] }
        }
    }
}
