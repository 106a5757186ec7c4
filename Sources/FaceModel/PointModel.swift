import Numerics

/// The head model seen at a few points only, for coefficients of one vector: identity first, then expression.
///
/// A landmark fit needs no other vertex, so its iterations cost a few thousand multiplications. For a linear head `basis` is
/// the same everywhere; for others it is the derivative at the coefficients given.
public final class PointModel<T: Scalar> {
    public let count, identityCount, expressionCount: Int
    private let linear: LinearPointModel<T>
    /// The vertices around the points as a head of their own, where the points are not linear in the coefficients.
    private let evaluator: HeadEvaluator<T>?
    private let embedding: LandmarkEmbedding
    private let vertices: Tensor<T>

    public init(_ model: HeadModel<T>, at places: LandmarkEmbedding) {
        count = places.count
        identityCount = model.identityCount
        expressionCount = model.expressionCount
        if model.geometry == .linear {
            linear = LinearPointModel(model, at: places)
            evaluator = nil
            embedding = places
            vertices = Tensor([0])
        } else {
            let used = Array(Set(places.indices)).sorted()
            let number = Dictionary(uniqueKeysWithValues: used.enumerated().map { ($1, Int32($0)) })
            embedding = places.renumbered { number[$0]! }
            let part = HeadModel(model, restrictedTo: used)
            linear = LinearPointModel(part, at: embedding)
            evaluator = HeadEvaluator(part)
            vertices = Tensor([used.count, 3])
        }
    }

    private var coefficientCount: Int { identityCount + expressionCount }

    /// The points `[count,3]`, mm.
    public func positions(at c: ArraySlice<Double>) -> [Double] {
        guard let evaluator else {
            let n = linear.mean.count
            var p = [Double](repeating: 0, count: n)
            c.withUnsafeBufferPointer { pointPositions(linear.mean, linear.basis, $0, &p) }
            return p
        }
        var points = [T](repeating: 0, count: 3 * count)
        let values = c.map { T($0) }
        forward(evaluator, values)
        embedding.positions(vertices.pointer, into: &points)
        return points.map { Double($0) }
    }

    /// The derivatives of the points by the coefficients: `[coefficients, count, 3]`.
    public func basis(at c: some Collection<Double>) -> [T] {
        guard let evaluator else { return linear.basis }
        forward(evaluator, c.map { T($0) })
        let width = 3 * count
        var result = [T](repeating: 0, count: coefficientCount * width)
        var one = [T](repeating: 0, count: width), gradient = [T](repeating: 0, count: coefficientCount)
        let dVertices = Tensor<T>(vertices.shape)
        for i in 0..<width {
            one[i] = 1
            dVertices.fill(0)
            embedding.backward(one, dVertices: dVertices.pointer)
            one[i] = 0
            gradient.withUnsafeMutableBufferPointer { g in
                g.update(repeating: 0)
                evaluator.backward(dVertices.pointer, dIdentity: g.baseAddress!, dExpression: g.baseAddress! + identityCount)
            }
            for k in 0..<coefficientCount { result[k * width + i] = gradient[k] }
        }
        return result
    }

    private func forward(_ evaluator: HeadEvaluator<T>, _ c: [T]) {
        c.withUnsafeBufferPointer {
            evaluator.forward(
                identity: $0.baseAddress!, expression: $0.baseAddress! + identityCount, into: vertices.pointer)
        }
    }
}

/// `p = mean + c . basis`
@_specialize(where T == Float)
@_specialize(where T == Double)
private func pointPositions<T: Scalar>(_ mean: [T], _ basis: [T], _ c: UnsafeBufferPointer<Double>, _ p: inout [Double]) {
    let n = p.count
    for i in 0..<n { p[i] = Double(mean[i]) }
    for k in 0..<c.count where c[k] != 0 {
        let a = c[k]
        for i in 0..<n { p[i] += a * Double(basis[k &* n &+ i]) }
    }
}
