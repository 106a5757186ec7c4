import Numerics

/// Coefficients to the vertices of a head of any geometry, and gradients back. Owns its working memory; one per thread.
public final class HeadEvaluator<T: Scalar> {
    public let model: HeadModel<T>
    private let pass: SkinPass<T>?
    /// The coefficients of the last `forward`, and the gradient by the head before skinning.
    private let identity, expression: Tensor<T>
    private let dLinear: Tensor<T>?
    private let backwardMemory: Tensor<Float>?

    public init(_ model: HeadModel<T>) {
        self.model = model
        pass = model.skin.map { SkinPass($0, vertexCount: model.vertexCount) }
        identity = Tensor([model.identityCount])
        expression = Tensor([model.expressionCount])
        dLinear = model.skin.map { _ in Tensor([model.vertexCount, 3]) }
        backwardMemory = model.backwardMemory()
    }

    /// The head for `identity` [identityCount] and `expression` [expressionCount]: writes `[V,3]` mm in model space.
    public func forward(
        identity a: UnsafePointer<T>, expression b: UnsafePointer<T>, into vertices: UnsafeMutablePointer<T>
    ) {
        identity.pointer.update(from: a, count: identity.count)
        expression.pointer.update(from: b, count: expression.count)
        model.linearVertices(identity: a, expression: b, into: vertices)
        model.products?.add(identity: a, expression: b, to: vertices)
        pass?.forward(
            identity: a, model.identityCount, expression: b, model.expressionBasis.shape[0], vertices: vertices)
    }

    /// Adds the gradients of a loss at the last `forward` (nil leaves one out), given `dVertices` `[V,3]`.
    public func backward(
        _ dVertices: UnsafePointer<T>, dIdentity: UnsafeMutablePointer<T>?, dExpression: UnsafeMutablePointer<T>?
    ) {
        var d = dVertices
        if let pass, let dLinear {
            pass.backward(
                dVertices, dLinear: dLinear.pointer, dIdentity: dIdentity, model.identityCount, dExpression: dExpression,
                model.expressionBasis.shape[0])
            d = UnsafePointer(dLinear.pointer)
        }
        model.linearBackward(d, dIdentity: dIdentity, dExpression: dExpression, with: backwardMemory)
        model.products?.backward(
            identity: identity.pointer, expression: expression.pointer, dVertices: d, dIdentity: dIdentity,
            dExpression: dExpression)
    }
}
