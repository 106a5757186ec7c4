import Numerics

/// Reads a face again, larger, where the inverse network has found and placed it: identity, expression, pose and points once more, of a
/// crop that shows little more than the face.
///
/// It is a part of an inverse network's file: the description's `close_up`, tensors named `close_up.`...
public final class CloseUpNetwork<T: Scalar>: @unchecked Sendable {
    /// Side of the crop, pixels.
    public var inputSize: Int { reader.inputSize }
    public let field: CloseUpField
    let reader: CropReader<T>

    init(_ network: NetworkFile, identityCount: Int, expressionCount: Int, path: ConvolutionPath) throws {
        field = try CloseUpField(network)
        let heads = InverseEstimate.headSizes(identity: identityCount, expression: expressionCount)
        reader = try CropReader(network, heads: heads, path: path)
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
