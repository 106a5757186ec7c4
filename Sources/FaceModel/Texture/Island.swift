/// One connected part of a mesh, laid flat into the unit square.
struct Island {
    /// Triangles of the mesh.
    let part: [Int]
    /// [3 * part.count] into `coordinates` and `vertex`.
    let corners: [Int32]
    /// The mesh vertex of each texture vertex.
    let vertex: [Int32]
    /// 0 to 1.
    var coordinates: [SIMD2<Double>]
    /// How much room it wants: the square root of its area.
    let size: Double

    /// A border whose length, squared, is at least this share of that of a flat disk of the same area needs no seam.
    private static let openness = 0.2

    init(part: [Int], triangles: [Int32], points: [SIMD3<Double>], focus: SIMD3<Double>?) {
        self.part = part
        let mesh = part.flatMap { t in (0..<3).map { triangles[3 * t + $0] } }
        let area = (0..<part.count).reduce(0.0) { sum, k in
            let n = cross(points[Int(mesh[3 * k + 1])] - points[Int(mesh[3 * k])], points[Int(mesh[3 * k + 2])] - points[Int(mesh[3 * k])])
            return sum + (n * n).sum().squareRoot() / 2
        }
        size = area.squareRoot()
        if let flat = Self.opened(mesh, points, area, focus) {
            (corners, vertex, coordinates) = flat
        } else {
            (corners, vertex, coordinates) = Self.projected(mesh, points)
        }
    }

    private typealias Flat = (corners: [Int32], vertex: [Int32], coordinates: [SIMD2<Double>])

    /// Cuts the part where it has to be cut and spreads it over a rounded square; nil for surfaces with handles and the like.
    private static func opened(_ mesh: [Int32], _ points: [SIMD3<Double>], _ area: Double, _ focus: SIMD3<Double>?) -> Flat? {
        var surface = CutSurface(mesh: mesh)
        guard surface.isSimple else { return nil }
        func length(_ loop: [Int32]) -> Double {
            loop.indices.reduce(0) { sum, i in
                let d = points[Int(surface.vertex[Int(loop[(i + 1) % loop.count])])] - points[Int(surface.vertex[Int(loop[i])])]
                return sum + (d * d).sum().squareRoot()
            }
        }
        let border = surface.loops.max { length($0) < length($1) } ?? []
        let perimeter = length(border)
        // Where the outline begins (at the bottom of the island) and what lies opposite, as mesh vertices.
        var bottom: Int32, top: Int32
        if perimeter * perimeter >= openness * 4 * .pi * area {
            let outline = border.map { surface.vertex[Int($0)] }
            guard let low = outline.min(by: { points[Int($0)].y < points[Int($1)].y }),
                let high = outline.max(by: { points[Int($0)].y < points[Int($1)].y }), low != high
            else { return nil }
            (bottom, top) = (low, high)
        } else {
            let outline = border.map { surface.vertex[Int($0)] }
            let seam = Seam(mesh: mesh, border: outline, points: points)
            guard seam.path.count > (border.isEmpty ? 2 : 1), let first = seam.path.first, let last = seam.path.last else { return nil }
            surface = CutSurface(mesh: mesh, cut: seam.edges)
            guard surface.isSimple else { return nil }
            bottom = outline.max(by: { points[Int($0)].z < points[Int($1)].z }) ?? first
            top = last
        }
        let embedding = DiskEmbedding(surface: surface, points: points, focus: focus)
        guard let coordinates = embedding.coordinates(bottom: bottom, top: top) else { return nil }
        return (surface.corners, surface.vertex, coordinates)
    }

    /// The last resort: the half that looks to the front beside the half that looks back, each seen straight on.
    private static func projected(_ mesh: [Int32], _ points: [SIMD3<Double>]) -> Flat {
        var low = SIMD3(repeating: Double.infinity), high = -low
        for v in mesh {
            low = pointwiseMin(low, points[Int(v)])
            high = pointwiseMax(high, points[Int(v)])
        }
        let extent = max(high.x - low.x, high.y - low.y, 1e-9)
        var known: [Int64: Int32] = [:]
        var corners: [Int32] = [], vertex: [Int32] = [], coordinates: [SIMD2<Double>] = []
        for k in 0..<mesh.count / 3 {
            let p = (0..<3).map { points[Int(mesh[3 * k + $0])] }
            let front = cross(p[1] - p[0], p[2] - p[0]).z >= 0
            for c in 0..<3 {
                let key = Int64(mesh[3 * k + c]) << 1 | (front ? 1 : 0)
                if let index = known[key] {
                    corners.append(index)
                    continue
                }
                known[key] = Int32(vertex.count)
                corners.append(Int32(vertex.count))
                vertex.append(mesh[3 * k + c])
                let x = (p[c].x - low.x) / extent, y = (p[c].y - low.y) / extent
                coordinates.append(front ? SIMD2(0.48 * x, y) : SIMD2(1 - 0.48 * x, y))
            }
        }
        return (corners, vertex, coordinates)
    }
}

func cross(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> SIMD3<Double> {
    SIMD3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
}
