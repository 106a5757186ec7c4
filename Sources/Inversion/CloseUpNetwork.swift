import Numerics

/// Reads a face again, larger, where the inverse network has found and placed it: identity, expression, pose and points once more, of a
/// crop that shows little more than the face.
///
/// It is a part of an inverse network's file: the description's `close_up`, tensors named `close_up.`...
public final class CloseUpNetwork<T: Scalar>: @unchecked Sendable {
    /// Side of the crop, pixels.
    public var inputSize: Int { reader.inputSize }
    /// The square that it is shown, in NDC of the aligned frame: half its side, and the height of its centre.
    public let half, centreY: Double
    let reader: CropReader<T>

    init(_ network: NetworkFile, identityCount: Int, expressionCount: Int, path: ConvolutionPath) throws {
        guard let half = network.description["field"]?["half"]?.double, let centreY = network.description["field"]?["centre_y"]?.double,
            (0.05...2).contains(half), (-2...2).contains(centreY)
        else {
            throw GarfaceError(.malformedFile, "\(network.name): field must give half (0.05 to 2) and centre_y (-2 to 2)")
        }
        self.half = half
        self.centreY = centreY
        let heads = InverseEstimate.headSizes(identity: identityCount, expression: expressionCount)
        reader = try CropReader(network, heads: heads, path: path)
    }

    /// What of a photo it is shown where the aligned frame lies at `frame`.
    public func field(of frame: Similarity) -> Similarity {
        let centre = frame.photo(x: 0, y: centreY)
        return Similarity(centreX: centre.u, centreY: centre.v, size: frame.size * half, roll: frame.roll)
    }

    /// Working memory for `run`.
    public func context() throws -> ConvolutionalContext<T> { try reader.context() }

    /// `crop` [1,3,inputSize,inputSize] in [-1,1]; `estimate` gives the look and the certainty that there is a face.
    public func run(_ crop: Tensor<T>, after estimate: InverseEstimate, context: ConvolutionalContext<T>) throws -> InverseEstimate {
        var again = estimate
        again.takeGeometry(try reader.run(crop, context: context))
        return again
    }
}
