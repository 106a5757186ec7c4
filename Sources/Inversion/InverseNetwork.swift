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

    /// Shortens rows of the offset that are longer than this.
    mutating func limitOffset(_ limit: Double) {
        let latent = wOffset.count / max(1, wRows)
        for row in 0..<wRows {
            let range = row * latent..<(row + 1) * latent
            let length = range.reduce(0) { $0 + wOffset[$1] * wOffset[$1] }.squareRoot()
            if length > limit { for k in range { wOffset[k] *= limit / length } }
        }
    }

    /// The mean of two readings of one face: this one, of a crop in `frame`, and another, of a crop in `itsFrame`, which puts the head
    /// upright and centred into `frame` where the two frames differ. Look and certainty that there is a face are the other one's.
    func averaged(in frame: Similarity, with other: InverseEstimate, in itsFrame: Similarity) -> InverseEstimate {
        var mean = other
        func half(_ a: Double, _ b: Double) -> Double { (a + b) / 2 }
        mean.identity = zip(identity, other.identity).map(half)
        mean.expression = zip(expression, other.expression).map(half)
        (mean.yaw, mean.pitch) = (half(yaw, other.yaw), half(pitch, other.pitch))
        let left = frame == itsFrame ? 1.0 : 0
        (mean.roll, mean.logScale) = (half(roll, left * other.roll), half(logScale, left * other.logScale))
        (mean.tx, mean.ty) = (half(tx, left * other.tx), half(ty, left * other.ty))
        for k in 0..<68 {
            let p = itsFrame.photo(x: other.landmarks[2 * k], y: other.landmarks[2 * k + 1]), q = frame.ndc(u: p.u, v: p.v)
            mean.landmarks[2 * k] = half(landmarks[2 * k], q.x)
            mean.landmarks[2 * k + 1] = half(landmarks[2 * k + 1], q.y)
            mean.landmarkSigma[k] = half(landmarkSigma[k], other.landmarkSigma[k] * itsFrame.size / frame.size)
        }
        return mean
    }

    /// The heads that tell of a face's geometry, and how many outputs each has.
    static func headSizes(identity: Int, expression: Int) -> [String: Int] {
        ["identity": identity, "expression": expression, "pose": 6, "landmarks": 136, "landmark_log_sigma": 68]
    }

    /// Takes over what those heads say; all of them are there.
    mutating func takeGeometry(_ outputs: [String: [Double]]) {
        identity = outputs["identity", default: []]
        expression = outputs["expression", default: []].map { max(0, min(1, $0)) }
        let pose = outputs["pose", default: []]
        (yaw, pitch, roll) = (pose[0], pose[1], pose[2])
        (logScale, tx, ty) = (max(-1.5, min(1.5, pose[3])), pose[4], pose[5])
        landmarks = outputs["landmarks", default: []]
        landmarkSigma = outputs["landmark_log_sigma", default: []].map { exp(max(-12, min(3, $0))) }
    }
}

/// Aligned crop in, start of a fit out. Its convolution levels serve as a perceptual loss.
public final class InverseNetwork<T: Scalar>: @unchecked Sendable {
    /// Side of the crop, pixels.
    public var inputSize: Int { reader.inputSize }
    /// The file it was read from, for sentences.
    public let source: String
    public let latentSize: Int
    public let wRows: Int
    public let identityCount: Int
    public let expressionCount: Int
    /// Root mean square errors of the coefficients on pictures whose truth is known, read by both networks if there are two; nil where
    /// the file does not say.
    public let identityDeviation, expressionDeviation: [Double]?
    /// What reads the face once more, larger; nil where the file has none.
    public let closeUp: CloseUpNetwork<T>?
    /// What sees what covers a face; nil where the file has none.
    public let covering: CoveringNetwork<T>?
    /// The convolutional part.
    public var features: ConvolutionalNetwork<T> { reader.features }

    /// Length of the longest offset of w that a face has; nil where the file does not say. What hardly shows a face is read as anything.
    public let wLimit: Double?

    private let reader: CropReader<T>

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
        latentSize = try network.integer("latent_size", 1...4096)
        wRows = try network.integer("w_rows", 1...64)
        identityCount = try network.headSize("identity")
        expressionCount = try network.headSize("expression")
        identityDeviation = try network.numbers("identity_deviation", count: identityCount, 1e-3...1e3)
        expressionDeviation = try network.numbers("expression_deviation", count: expressionCount, 1e-3...1e3)
        wLimit = try network.number("w_limit", 1e-3...1e6)
        var heads = InverseEstimate.headSizes(identity: identityCount, expression: expressionCount)
        heads["face"] = 1
        heads["w"] = wRows * latentSize
        reader = try CropReader(network, heads: heads, path: path)
        let counts = (identityCount, expressionCount)
        closeUp = try NetworkFile(file, kind: "close-up-network", part: "close_up").map {
            try CloseUpNetwork($0, identityCount: counts.0, expressionCount: counts.1, path: path)
        }
        covering = try NetworkFile(file, kind: "covering-network", part: "covering").map { try CoveringNetwork($0, path: path) }
    }

    /// Working memory for `run`.
    public func context() throws -> ConvolutionalContext<T> { try reader.context() }

    /// `crop` [1,3,inputSize,inputSize] in [-1,1], as `warp` makes it.
    public func run(_ crop: Tensor<T>, context: ConvolutionalContext<T>) throws -> InverseEstimate {
        let outputs = try reader.run(crop, context: context)
        var estimate = InverseEstimate(
            identity: [], expression: [], yaw: 0, pitch: 0, roll: 0, logScale: 0, tx: 0, ty: 0, wOffset: outputs["w", default: []],
            wRows: wRows, landmarks: [], landmarkSigma: [], faceLogit: outputs["face", default: [0]][0])
        if let wLimit { estimate.limitOffset(wLimit) }
        estimate.takeGeometry(outputs)
        return estimate
    }
}
