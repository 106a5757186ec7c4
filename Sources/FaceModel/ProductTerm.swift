import Numerics

/// What a bilinear head adds to a linear one: `sum over i, k of a[i] b[k] basis[i, k]`, an expression as each identity makes it.
struct ProductTerm<T: Scalar>: Sendable {
    let identityCount, expressionCount: Int
    /// Displacements `[identityCount, expressionCount, V, 3]`, mm.
    let basis: Tensor<T>

    /// Numbers per displacement.
    private var width: Int { basis.shape[2] * 3 }

    /// Adds to `vertices` `[V,3]`.
    func add(identity: UnsafePointer<T>, expression: UnsafePointer<T>, to vertices: UnsafeMutablePointer<T>) {
        for i in 0..<identityCount where identity[i] != 0 {
            T.gemv(
                true, expressionCount, width, identity[i], basis.pointer + i * expressionCount * width, width, expression, 1,
                vertices)
        }
    }

    /// Adds the gradients at these coefficients, given that by the vertices.
    func backward(
        identity: UnsafePointer<T>, expression: UnsafePointer<T>, dVertices: UnsafePointer<T>,
        dIdentity: UnsafeMutablePointer<T>?, dExpression: UnsafeMutablePointer<T>?
    ) {
        let row = Tensor<T>([expressionCount])
        for i in 0..<identityCount {
            T.gemv(false, expressionCount, width, 1, basis.pointer + i * expressionCount * width, width, dVertices, 0, row.pointer)
            if let dIdentity { dIdentity[i] += T.dot(expressionCount, row.pointer, expression) }
            guard let dExpression else { continue }
            for k in 0..<expressionCount { dExpression[k] += identity[i] * row.pointer[k] }
        }
    }

    /// The same for fewer vertices.
    func restricted(to vertices: [Int32]) -> ProductTerm<T> {
        ProductTerm(
            identityCount: identityCount, expressionCount: expressionCount,
            basis: gathered(basis, vertices, leading: [identityCount, expressionCount]))
    }
}

/// Rows `[..., V, 3]` of some vertices only.
func gathered<T: Scalar>(_ field: Tensor<T>, _ vertices: [Int32], leading: [Int]) -> Tensor<T> {
    let modes = leading.reduce(1, *)
    let count = field.shape[leading.count], width = field.shape.dropFirst(leading.count + 1).reduce(1, *)
    let result = Tensor<T>(leading + [vertices.count] + field.shape.dropFirst(leading.count + 1))
    for m in 0..<modes {
        for (i, v) in vertices.enumerated() {
            (result.pointer + (m * vertices.count + i) * width).update(
                from: field.pointer + (m * count + Int(v)) * width, count: width)
        }
    }
    return result
}
