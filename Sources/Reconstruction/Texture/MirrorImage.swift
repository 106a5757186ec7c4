import FaceModel

/// Where on the head each vertex's mirror image lies, on the same part: heads are modelled with two sides that are nearly equal.
struct MirrorImage {
    /// [V] vertices of a triangle, and their weights, which are zero where the image lies off the surface.
    private let corners: [SIMD3<Int32>]
    private let weights: [SIMD3<Float>]

    /// The image must be this close to the surface, mm, for so many of the vertices. (Eyeballs are parts of one side.)
    private static let tolerance: Float = 2
    private static let least = 0.7
    /// A cell is so many edges wide; of the triangles in one no more are looked at, and of a triangle across more cells none.
    private static let edges: Float = 2, mostInCell = 256, mostCells: Float = 64

    private struct Cell: Hashable {
        var x, y, z: Int32
        var part: UInt8
    }

    /// Nil for a head whose sides differ too much.
    init?(_ head: HeadModel<Float>) {
        let mean = head.mean.pointer, triangles = head.triangles, count = head.vertexCount
        func part(_ v: Int) -> UInt8 { v < head.part.count ? head.part[v] : 0 }
        func place(_ v: Int) -> SIMD3<Float> { SIMD3(mean[3 * v], mean[3 * v + 1], mean[3 * v + 2]) }
        func corner(_ t: Int, _ k: Int) -> Int { Int(triangles[3 * t + k]) }
        let faces = triangles.count / 3
        let total = (0..<faces).reduce(Float(0)) { $0 + (place(corner($1, 1)) - place(corner($1, 0))).length }
        guard faces > 0, total.isFinite, total > 0 else { return nil }
        let size = max(Self.tolerance, Self.edges * total / Float(faces))
        func cell(_ p: SIMD3<Float>) -> SIMD3<Int32>? {
            let q = (p / size).rounded(.down)
            return max(q.max(), -q.min()) < 1e6 ? SIMD3<Int32>(q) : nil
        }
        // A triangle lies in every cell from which it can be within the tolerance.
        var members: [Cell: [Int32]] = [:]
        for t in 0..<faces {
            let (a, b, c) = (place(corner(t, 0)), place(corner(t, 1)), place(corner(t, 2)))
            guard let low = cell(pointwiseMin(a, pointwiseMin(b, c)) - Self.tolerance),
                let high = cell(pointwiseMax(a, pointwiseMax(b, c)) + Self.tolerance)
            else { continue }
            let sides = SIMD3<Float>(high &- low) + 1
            guard sides.x * sides.y * sides.z <= Self.mostCells else { continue }
            for x in low.x...high.x {
                for y in low.y...high.y {
                    for z in low.z...high.z {
                        members[Cell(x: x, y: y, z: z, part: part(corner(t, 0))), default: []].append(Int32(t))
                    }
                }
            }
        }
        var corners = [SIMD3<Int32>](repeating: .zero, count: count)
        var weights = [SIMD3<Float>](repeating: .zero, count: count)
        var found = 0
        for v in 0..<count {
            let image = place(v) * SIMD3(-1, 1, 1)
            guard let at = cell(image) else { continue }
            var nearest = Self.tolerance * Self.tolerance
            for t in (members[Cell(x: at.x, y: at.y, z: at.z, part: part(v))] ?? []).prefix(Self.mostInCell) {
                let (a, b, c) = (corner(Int(t), 0), corner(Int(t), 1), corner(Int(t), 2))
                let (w, distance) = Self.nearest(image, place(a), place(b), place(c))
                if distance < nearest { (nearest, corners[v], weights[v]) = (distance, SIMD3(Int32(a), Int32(b), Int32(c)), w) }
            }
            if weights[v].sum() > 0 { found += 1 }
        }
        guard found > 0, Double(found) >= Self.least * Double(count) else { return nil }
        (self.corners, self.weights) = (corners, weights)
    }

    /// [V] 1 at vertices that have an image, as all around them have; falling to 0 towards others.
    func coverage(_ neighbours: VertexNeighbours) -> [Float] {
        let inner = neighbours.least(weights.map { $0.sum() > 0 ? 1 : 0 })
        return zip(inner, neighbours.mean(inner)).map { min($0, $1) }
    }

    /// The values at the vertices' images; zero where there is none.
    func values(_ values: [Float]) -> [Float] {
        corners.indices.map { v in
            let (c, w) = (corners[v], weights[v])
            return w[0] * values[Int(c[0])] + w[1] * values[Int(c[1])] + w[2] * values[Int(c[2])]
        }
    }

    func values(_ values: [SIMD2<Float>]) -> [SIMD2<Float>] {
        corners.indices.map { v in
            let (c, w) = (corners[v], weights[v])
            return w[0] * values[Int(c[0])] + w[1] * values[Int(c[1])] + w[2] * values[Int(c[2])]
        }
    }

    /// The weights of a triangle's corners at its place next to p, and the squared distance there.
    private static func nearest(_ p: SIMD3<Float>, _ a: SIMD3<Float>, _ b: SIMD3<Float>, _ c: SIMD3<Float>) -> (SIMD3<Float>, Float) {
        let u = b - a, v = c - a, d = p - a
        let uu = (u * u).sum(), uv = (u * v).sum(), vv = (v * v).sum(), du = (d * u).sum(), dv = (d * v).sum()
        let det = uu * vv - uv * uv
        guard det > 0 else { return (SIMD3(1, 0, 0), (d * d).sum()) }
        var w = SIMD3<Float>(0, (vv * du - uv * dv) / det, (uu * dv - uv * du) / det)
        w[0] = 1 - w[1] - w[2]
        // Beyond an edge the place next to p is nearly that of the clamped weights.
        w = pointwiseMax(w, .zero)
        w /= w.sum()
        let gap = w[0] * a + w[1] * b + w[2] * c - p
        return (w, (gap * gap).sum())
    }
}
