import Numerics

/// Points fixed to a triangle mesh: each is a weighted sum of a few vertices (weights sum to 1).
///
/// For the 68 landmarks of a head, `positions` are linear in the vertices and `backward` is exact.
public struct LandmarkEmbedding: Sendable {
    /// Vertices of all points, one point's after the other's.
    public let indices: [Int32]
    /// Their weights.
    public let weights: [Double]
    /// `[count + 1]`: point i has the entries from `starts[i]` to `starts[i + 1]`.
    let starts: [Int]
    public var count: Int { starts.count - 1 }

    /// The caller has checked the indices against the mesh.
    init(_ places: [MeshPlace]) {
        indices = places.flatMap(\.indices)
        weights = places.flatMap(\.weights)
        starts = places.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.indices.count) }
    }

    private init(indices: [Int32], weights: [Double], starts: [Int]) {
        (self.indices, self.weights, self.starts) = (indices, weights, starts)
    }

    func place(_ point: Int) -> MeshPlace {
        let range = starts[point]..<starts[point + 1]
        return MeshPlace(indices: Array(indices[range]), weights: Array(weights[range]))
    }

    /// The same places by other numbers of the vertices.
    func renumbered(_ number: (Int32) -> Int32) -> LandmarkEmbedding {
        LandmarkEmbedding(indices: indices.map(number), weights: weights, starts: starts)
    }

    /// With other places for the first points.
    func replacing(firstBy places: [MeshPlace]) -> LandmarkEmbedding {
        let first = LandmarkEmbedding(places), kept = starts[places.count]
        return LandmarkEmbedding(
            indices: first.indices + indices[kept...], weights: first.weights + weights[kept...],
            starts: first.starts + starts[(places.count + 1)...].map { $0 - kept + first.indices.count })
    }

    /// Where the points lie: from `vertices` `[V,3]` writes `[count,3]`, in the same space and unit.
    public func positions<T: Scalar>(_ vertices: UnsafePointer<T>, into points: UnsafeMutablePointer<T>) {
        embeddingForward(starts, indices, weights, vertices, points)
    }

    /// Adds to `dVertices` `[V,3]` what `dPoints` `[count,3]` says.
    public func backward<T: Scalar>(_ dPoints: UnsafePointer<T>, dVertices: UnsafeMutablePointer<T>) {
        embeddingBackward(starts, indices, weights, dPoints, dVertices)
    }

    /// A field given at the vertices (`stride` values each, e.g. rows of a basis) sampled at the points.
    public func sample<T: Scalar>(_ field: UnsafePointer<T>, stride: Int, into values: UnsafeMutablePointer<T>) {
        for i in 0..<count {
            for c in 0..<stride {
                var sum: T = 0
                for k in starts[i]..<starts[i + 1] { sum += T(weights[k]) * field[Int(indices[k]) * stride + c] }
                values[i * stride + c] = sum
            }
        }
    }
}

/// A place on a mesh or near it: some vertices and their weights, which sum to 1.
struct MeshPlace: Sendable {
    var indices: [Int32]
    var weights: [Double]

    /// Part of the way to another place.
    func towards(_ other: MeshPlace, _ share: Double) -> MeshPlace {
        if share == 0 { return self }
        return MeshPlace(
            indices: indices + other.indices, weights: weights.map { $0 * (1 - share) } + other.weights.map { $0 * share })
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func embeddingForward<T: Scalar>(
    _ starts: [Int], _ indices: [Int32], _ weights: [Double], _ vertices: UnsafePointer<T>, _ points: UnsafeMutablePointer<T>
) {
    for i in 0..<starts.count - 1 {
        for c in 0..<3 {
            var sum: T = 0
            for k in starts[i]..<starts[i + 1] { sum += T(weights[k]) * vertices[3 * Int(indices[k]) + c] }
            points[3 * i + c] = sum
        }
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func embeddingBackward<T: Scalar>(
    _ starts: [Int], _ indices: [Int32], _ weights: [Double], _ dPoints: UnsafePointer<T>, _ dVertices: UnsafeMutablePointer<T>
) {
    for i in 0..<starts.count - 1 {
        for k in starts[i]..<starts[i + 1] {
            let w = T(weights[k])
            let v = 3 * Int(indices[k])
            for c in 0..<3 { dVertices[v + c] += w * dPoints[3 * i + c] }
        }
    }
}

/// The head model seen at a few points only: `points = mean + basis^T coefficients`.
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
