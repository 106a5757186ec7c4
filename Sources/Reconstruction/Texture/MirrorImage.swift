import FaceModel

/// Where on the head each vertex's mirror image lies, on the same part: heads are modelled with two sides that are nearly equal.
struct MirrorImage {
    /// [V] vertices of a triangle, and their weights, which are zero where the image lies off the surface.
    private let corners: [SIMD3<Int32>]
    private let weights: [SIMD3<Float>]

    /// The image must be this close to the surface, mm, for so many of the vertices of parts that have two sides.
    private static let tolerance: Float = 2
    private static let least = 0.7
    /// Triangles whose middle lies within half of this of the image, mm, are looked at.
    private static let cell: Float = 10

    private struct Cell: Hashable {
        var x, y, z: Int32
        var part: UInt8
    }

    /// Nil for a head whose sides differ too much.
    init?(_ head: HeadModel<Float>) {
        let mean = head.mean.pointer, triangles = head.triangles, count = head.vertexCount
        func part(_ v: Int) -> UInt8 { v < head.part.count ? head.part[v] : 0 }
        func place(_ v: Int) -> SIMD3<Float> { SIMD3(mean[3 * v], mean[3 * v + 1], mean[3 * v + 2]) }
        func cell(_ p: SIMD3<Float>, _ part: UInt8, _ shift: Float = 0) -> Cell? {
            let q = (p / Self.cell - shift).rounded(.down)
            guard max(q.max(), -q.min()) < 1e6 else { return nil }
            return Cell(x: Int32(q.x), y: Int32(q.y), z: Int32(q.z), part: part)
        }
        var members: [Cell: [Int]] = [:]
        for t in 0..<triangles.count / 3 {
            let v = (0..<3).map { Int(triangles[3 * t + $0]) }
            guard let at = cell((place(v[0]) + place(v[1]) + place(v[2])) / 3, part(v[0])) else { continue }
            members[at, default: []].append(t)
        }
        var corners = [SIMD3<Int32>](repeating: .zero, count: count)
        var weights = [SIMD3<Float>](repeating: .zero, count: count)
        var found = 0
        for v in 0..<count {
            let image = place(v) * SIMD3(-1, 1, 1)
            guard let at = cell(image, part(v), 0.5) else { continue }
            var nearest = Self.tolerance * Self.tolerance
            for x in at.x...at.x + 1 {
                for y in at.y...at.y + 1 {
                    for z in at.z...at.z + 1 {
                        for t in members[Cell(x: x, y: y, z: z, part: at.part)] ?? [] {
                            let c = SIMD3(triangles[3 * t], triangles[3 * t + 1], triangles[3 * t + 2])
                            let (w, distance) = Self.nearest(image, place(Int(c[0])), place(Int(c[1])), place(Int(c[2])))
                            if distance < nearest { (nearest, corners[v], weights[v]) = (distance, c, w) }
                        }
                    }
                }
            }
            if weights[v].sum() > 0 { found += 1 }
        }
        guard found > 0, Double(found) >= Self.least * Double(count) else { return nil }
        (self.corners, self.weights) = (corners, weights)
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
