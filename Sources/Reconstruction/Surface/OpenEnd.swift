import FaceModel
import Glibc
import Numerics
import Rasterizer

/// Where a head's surface ends below: a ring of edges with one triangle each, which in a model cut from a body is a row of teeth.
struct OpenEnd: Sendable {
    /// The ring's vertices, in rising order.
    let vertices: [Int]

    /// Of the head's width that the ring spans, and of its height, from below, that it lies in, at least and at most.
    private static let width: Float = 0.4, height: Float = 0.2

    /// How far a ring's vertices lie above or below the middle of their neighbours on it, of an edge's length on average: beyond
    /// this it is a row of teeth.
    private static let ragged: Float = 0.12

    /// Nil for heads that are closed, open elsewhere, or end evenly as they are.
    init?(_ head: HeadModel<Float>) {
        let rest = head.mean.array
        let across = TriangleNeighbours(triangles: head.triangles).across
        // Each edge of the boundary as a triangle without area, so that rings are what hangs together.
        let edges = across.indices.filter { across[$0] < 0 }.flatMap { corner in
            let a = head.triangles[corner], b = head.triangles[corner % 3 == 2 ? corner - 2 : corner + 1]
            return [a, b, b]
        }
        func span(_ members: some Collection<Int>, _ axis: Int) -> (low: Float, high: Float) {
            members.reduce((.infinity, -.infinity)) { (min($0.low, rest[3 * $1 + axis]), max($0.high, rest[3 * $1 + axis])) }
        }
        let all = 0..<head.vertexCount, wide = span(all, 0), tall = span(all, 1)
        var neighbours: [Int: [Int]] = [:]
        for t in stride(from: 0, to: edges.count, by: 3) {
            neighbours[Int(edges[t]), default: []].append(Int(edges[t + 1]))
            neighbours[Int(edges[t + 1]), default: []].append(Int(edges[t]))
        }
        func isRagged(_ ring: [Int]) -> Bool {
            var steps: Float = 0, lengths: Float = 0
            for v in ring {
                guard let beside = neighbours[v], beside.count == 2 else { continue }
                let a = vertex(beside[0], of: rest), b = vertex(beside[1], of: rest), p = vertex(v, of: rest)
                steps += abs(p.y - (a.y + b.y) / 2)
                lengths += ((a - p).length + (b - p).length) / 2
            }
            return steps > Self.ragged * lengths
        }
        func breadth(_ ring: [Int]) -> Float { span(ring, 0).high - span(ring, 0).low }
        let rings: [[Int]] = connectedParts(edges, vertexCount: head.vertexCount).map { ring in
            Set(ring.flatMap { [Int(edges[3 * $0]), Int(edges[3 * $0 + 1])] }).sorted()
        }
        let narrowest = Self.width * (wide.high - wide.low), highest = tall.low + Self.height * (tall.high - tall.low)
        let below = rings.filter { breadth($0) > narrowest && span($0, 1).high < highest }
        let end = below.max { breadth($0) < breadth($1) }
        guard let end, end.count > Self.terms, isRagged(end) else { return nil }
        vertices = end
    }

    private static let terms = 5

    /// [V] mm by which each vertex of a shape [V,3] lies above an even edge, as low as it can be above all of the ring: a height that
    /// changes with the direction from the ring's middle as slowly as two waves.
    func heights(_ shape: [Float]) -> [Float] {
        let middle = vertices.reduce(SIMD3<Float>()) { $0 + vertex($1, of: shape) } / Float(vertices.count)
        func waves(_ p: SIMD3<Float>) -> [Double] {
            let angle = Double(atan2f(p.x - middle.x, p.z - middle.z))
            return [1, cos(angle), sin(angle), cos(2 * angle), sin(2 * angle)]
        }
        var products = [Double](repeating: 0, count: Self.terms * Self.terms), sums = [Double](repeating: 0, count: Self.terms)
        let ring = vertices.map { vertex($0, of: shape) }
        for p in ring {
            let w = waves(p)
            for i in 0..<Self.terms {
                sums[i] += w[i] * Double(p.y - middle.y)
                for k in 0..<Self.terms { products[i * Self.terms + k] += w[i] * w[k] }
            }
        }
        // Rings that do not go round leave waves open: those stay small.
        for i in 1..<Self.terms { products[i * Self.terms + i] += 0.01 }
        let fitted = solvePositive(products, sums)
        func edge(_ p: SIMD3<Float>) -> Float { middle.y + Float(zip(waves(p), fitted).reduce(0) { $0 + $1.0 * $1.1 }) }
        let rise = ring.map { $0.y - edge($0) }.max() ?? 0
        return (0..<shape.count / 3).map { v in
            let p = vertex(v, of: shape)
            return p.y - edge(p) - rise
        }
    }
}
