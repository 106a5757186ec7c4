/// A real number the whole chain can be computed in: `Float` for work, `Double` for checking gradients.
///
/// Everything numerical is generic over `Scalar`; kernels carry `@_specialize(where T == Float)` and
/// `@_specialize(where T == Double)` so that callers in other modules get the concrete code.
public protocol Scalar: BinaryFloatingPoint, LosslessStringConvertible, Sendable {
    /// Row-major `C = alpha * op(A) op(B) + beta * C`, op(A) being m x k and op(B) k x n.
    static func gemm(
        _ transposeA: Bool, _ transposeB: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Self,
        _ a: UnsafePointer<Self>, _ lda: Int, _ b: UnsafePointer<Self>, _ ldb: Int, _ beta: Self,
        _ c: UnsafeMutablePointer<Self>, _ ldc: Int)
    /// Row-major `y = alpha * op(A) x + beta * y`, A being m x n as stored.
    static func gemv(
        _ transpose: Bool, _ m: Int, _ n: Int, _ alpha: Self, _ a: UnsafePointer<Self>, _ lda: Int,
        _ x: UnsafePointer<Self>, _ beta: Self, _ y: UnsafeMutablePointer<Self>)
    /// The sum of `x[i] * y[i]`.
    static func dot(_ n: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>) -> Self
    static func exponential(_ x: Self) -> Self
    static func logarithm(_ x: Self) -> Self
    static func sine(_ x: Self) -> Self
    static func cosine(_ x: Self) -> Self
}
