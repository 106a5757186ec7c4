import Numerics

/// Points fixed to a triangle mesh: each is a weighted sum of three vertices (weights sum to 1).
///
/// For the 68 landmarks of a head, `positions` are linear in the vertices and `backward` is exact.
public struct LandmarkEmbedding: Sendable {
    /// Three vertex indices per point.
    public private(set) var indices: [Int32]
    /// Three weights per point.
    public private(set) var weights: [Double]
    public var count: Int { indices.count / 3 }

    /// The caller has checked the indices against the mesh.
    init(indices: [Int32], weights: [Double]) {
        self.indices = indices
        self.weights = weights
    }

    /// Moves one point to another place of the surface.
    mutating func replace(_ point: Int, with place: SurfacePoint) {
        for k in 0..<3 {
            indices[3 * point + k] = place.indices[k]
            weights[3 * point + k] = place.weights[k]
        }
    }

    /// Where the points lie: from `vertices` `[V,3]` writes `[count,3]`, in the same space and unit.
    public func positions<T: Scalar>(_ vertices: UnsafePointer<T>, into points: UnsafeMutablePointer<T>) {
        embeddingForward(indices, weights, vertices, points)
    }

    /// Adds to `dVertices` `[V,3]` what `dPoints` `[count,3]` says.
    public func backward<T: Scalar>(_ dPoints: UnsafePointer<T>, dVertices: UnsafeMutablePointer<T>) {
        embeddingBackward(indices, weights, dPoints, dVertices)
    }

    /// A field given at the vertices (`stride` values each, e.g. rows of a basis) sampled at the points.
    public func sample<T: Scalar>(_ field: UnsafePointer<T>, stride: Int, into values: UnsafeMutablePointer<T>) {
        for i in 0..<count {
            for c in 0..<stride {
                var sum: T = 0
                for k in 0..<3 { sum += T(weights[3 * i + k]) * field[Int(indices[3 * i + k]) * stride + c] }
                values[i * stride + c] = sum
            }
        }
    }
}

/// A place on the surface: three vertices and their weights.
struct SurfacePoint: Sendable {
    var indices: [Int32]
    var weights: [Double]
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func embeddingForward<T: Scalar>(
    _ indices: [Int32], _ weights: [Double], _ vertices: UnsafePointer<T>, _ points: UnsafeMutablePointer<T>
) {
    for i in 0..<indices.count / 3 {
        for c in 0..<3 {
            var sum: T = 0
            for k in 0..<3 { sum += T(weights[3 * i + k]) * vertices[3 * Int(indices[3 * i + k]) + c] }
            points[3 * i + c] = sum
        }
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func embeddingBackward<T: Scalar>(
    _ indices: [Int32], _ weights: [Double], _ dPoints: UnsafePointer<T>, _ dVertices: UnsafeMutablePointer<T>
) {
    for i in 0..<indices.count / 3 {
        for k in 0..<3 {
            let w = T(weights[3 * i + k])
            let v = 3 * Int(indices[3 * i + k])
            for c in 0..<3 { dVertices[v + c] += w * dPoints[3 * i + c] }
        }
    }
}

/// The head model seen at a few surface points only: `points = mean + basis^T coefficients`.
///
/// A landmark fit needs no other vertex, so its iterations cost a few thousand multiplications.
public struct LinearPointModel<T: Scalar>: Sendable {
    public let count, identityCount, expressionCount: Int
    /// `[count,3]` mm.
    public let mean: [T]
    /// `[identityCount + expressionCount, count, 3]`, identity first.
    public let basis: [T]

    public init(_ model: HeadModel<T>, at embedding: LandmarkEmbedding) {
        count = embedding.count
        identityCount = model.identityCount
        expressionCount = model.expressionCount
        let width = 3 * count
        var row = [T](repeating: 0, count: width)
        embedding.positions(model.mean.pointer, into: &row)
        mean = row
        var rows: [T] = []
        rows.reserveCapacity(width * (identityCount + expressionCount))
        for basis in [model.identityBasis, model.expressionBasis] {
            for k in 0..<basis.shape[0] {
                embedding.positions(basis.pointer + k * 3 * model.vertexCount, into: &row)
                rows += row
            }
        }
        basis = rows
    }
}
