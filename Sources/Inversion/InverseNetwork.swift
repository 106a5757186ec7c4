import CDefaultModels
import Glibc
import Numerics

/// What the inverse network reads off an aligned crop.
public struct InverseEstimate: Sendable {
    /// Coefficients of unit variance.
    public var identity: [Double]
    /// Within [0,1].
    public var expression: [Double]
    /// Radians.
    public var yaw, pitch, roll: Double
    /// Where the head is inside the crop: natural log of its scale, and shift in mm. See `Similarity.composed`.
    public var logScale, tx, ty: Double
    /// Offset to the renderer's mean w, [wRows, latentSize]; one row stands for all.
    public var wOffset: [Double]
    public var wRows: Int
    /// 68 points (x, y) in NDC of the crop, y up; the model's static landmarks.
    public var landmarks: [Double]
    /// Expected error of each point, NDC.
    public var landmarkSigma: [Double]
    /// Log-odds that the crop shows a face.
    public var faceLogit: Double

    /// Latents for a renderer of `styleCount` rows: mean w plus the offset, row-major [styleCount, latentSize].
    public func wPlus(meanW: [Double], styleCount: Int) -> [Double] {
        var rows: [Double] = []
        for i in 0..<styleCount {
            let from = min(i, wRows - 1) * meanW.count
            for k in 0..<meanW.count { rows.append(meanW[k] + (from + k < wOffset.count ? wOffset[from + k] : 0)) }
        }
        return rows
    }
}

/// Aligned crop in, start of a fit out: convolutions whose every level gives channel means and deviations, then a
/// small multilayer perceptron with one linear head per quantity. Its convolution levels serve as a perceptual loss.
public final class InverseNetwork<T: Scalar>: @unchecked Sendable {
    /// Side of the crop, pixels.
    public let inputSize: Int
    /// The file it was read from, for sentences.
    public let source: String
    public let latentSize: Int
    public let wRows: Int
    public let identityCount: Int
    public let expressionCount: Int
    /// Root mean square errors of the coefficients on pictures whose truth is known; nil where the file does not say.
    public let identityDeviation, expressionDeviation: [Double]?
    /// The convolutional part.
    public let features: ConvolutionalNetwork<T>

    private let trunk: [LinearLayer<T>]
    private let heads: [String: LinearLayer<T>]
    private let epsilon: T

    /// The network that the library carries.
    public static func embedded(path: ConvolutionPath = .best) throws -> InverseNetwork<T> {
        var size = 0
        let start = garface_default_inverse_network(&size)
        let memory = UnsafeRawBufferPointer(start: start, count: size)
        return try InverseNetwork(file: SafetensorsFile(memory: memory, name: "the embedded inverse network"), path: path)
    }

    /// Reads a file of kind "inverse-network".
    public init(file: SafetensorsFile, path: ConvolutionPath = .best) throws {
        let network = try NetworkFile(file, kind: "inverse-network")
        source = file.name
        inputSize = try network.integer("input_size", 8...1024)
        latentSize = try network.integer("latent_size", 1...4096)
        wRows = try network.integer("w_rows", 1...64)
        epsilon = T(try network.number("feature_epsilon", 1e-12...1) ?? 1e-4)
        features = try ConvolutionalNetwork(network, path: path)

        var side = inputSize
        for layer in network.layers where layer.stride == 2 { side = (side + 1) / 2 }
        var width = network.layers.reduce(0) { $0 + ($1.isLevel ? 2 * $1.outputChannels : 0) }
        width += (network.layers.last?.outputChannels ?? 0) * side * side
        guard let hidden = network.description["trunk"]?.array, hidden.count <= 16 else {
            throw GarfaceError(.malformedFile, "\(file.name): trunk must list at most 16 layer sizes")
        }
        var trunk: [LinearLayer<T>] = []
        for (i, entry) in hidden.enumerated() {
            guard let size = entry.int, (1...16384).contains(size) else {
                throw GarfaceError(.malformedFile, "\(file.name): trunk layer \(i): its size must be 1 to 16384")
            }
            trunk.append(try LinearLayer(network, "trunk.\(i)", inputs: width, outputs: size))
            width = size
        }
        self.trunk = trunk

        func size(_ head: String) throws -> Int {
            guard let size = network.description["heads"]?[head]?.array?.first?.int, (1...(1 << 20)).contains(size) else {
                throw GarfaceError(.malformedFile, "\(file.name): heads must name the size of \"\(head)\"")
            }
            return size
        }
        identityCount = try size("identity")
        expressionCount = try size("expression")
        identityDeviation = try network.numbers("identity_deviation", count: identityCount, 1e-3...1e3)
        expressionDeviation = try network.numbers("expression_deviation", count: expressionCount, 1e-3...1e3)
        let sizes = [
            "identity": identityCount, "expression": expressionCount, "pose": 6, "landmarks": 136, "landmark_log_sigma": 68,
            "face": 1, "w": wRows * latentSize,
        ]
        var heads: [String: LinearLayer<T>] = [:]
        for (name, outputs) in sizes {
            guard try size(name) == outputs else {
                throw GarfaceError(.malformedFile, "\(file.name): head \"\(name)\": expected \(outputs) outputs")
            }
            heads[name] = try LinearLayer(network, "heads.\(name).0", inputs: width, outputs: outputs)
        }
        self.heads = heads
    }

    /// Working memory for `run`.
    public func context() throws -> ConvolutionalContext<T> { try features.context(height: inputSize, width: inputSize) }

    /// `crop` [1,3,inputSize,inputSize] in [-1,1], as `warp` makes it.
    public func run(_ crop: Tensor<T>, context: ConvolutionalContext<T>) throws -> InverseEstimate {
        guard crop.count == 3 * inputSize * inputSize, context.network === features else {
            throw GarfaceError(.invalidArgument, "inverse network: expected a crop [1, 3, \(inputSize), \(inputSize)]")
        }
        context.forward(crop.pointer)
        var y: [T] = []
        for level in context.levels { appendStatistics(level, to: &y) }
        y += context.last.buffer
        for layer in trunk { y = layer(y).map { $0 < 0 ? $0 * features.slope : $0 } }

        func head(_ name: String) throws -> [Double] {
            let values = heads[name]?(y).map { Double($0) } ?? []
            guard values.allSatisfy({ $0.isFinite }) else {
                throw GarfaceError(.numericalFailure, "inverse network: its output \"\(name)\" is not finite")
            }
            return values
        }
        let pose = try head("pose")
        return InverseEstimate(
            identity: try head("identity"), expression: try head("expression").map { max(0, min(1, $0)) },
            yaw: pose[0], pitch: pose[1], roll: pose[2], logScale: max(-1.5, min(1.5, pose[3])), tx: pose[4], ty: pose[5],
            wOffset: try head("w"), wRows: wRows, landmarks: try head("landmarks"),
            landmarkSigma: try head("landmark_log_sigma").map { exp(max(-12, min(3, $0))) }, faceLogit: try head("face")[0])
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
