import Glibc

/// Lays a disk of triangles (with holes) flat so that no two overlap.
///
/// The outline goes onto a convex rounded square; every inner vertex is a weighted mean of its neighbours, with positive
/// weights, which cannot fold (Tutte 1963; mean value weights of Floater 2003). Weights are then divided by how much the
/// surface is squeezed at the neighbour, which evens the scale out (Yoshizawa, Belyaev, Seidel 2004) and cannot fold either.
/// Holes are closed by one more vertex each while this is done.
struct DiskEmbedding {
    private let surface: CutSurface
    private let points: [SIMD3<Double>]
    /// How many times finer than elsewhere the texture is at the focus.
    private static let focusScale = 1.7
    private static let focusRadius = 60.0, fadedRadius = 140.0
    private static let rounds = 8
    /// When sweeps may stop, in units of half the square; the fine one where triangles came out too small for the other.
    private static let coarse = 1e-6, fine = 1e-10

    private let focus: SIMD3<Double>?

    init(surface: CutSurface, points: [SIMD3<Double>], focus: SIMD3<Double>?) {
        self.surface = surface
        self.points = points
        self.focus = focus
    }

    /// Places in the unit square; `bottom` and `top` are mesh vertices of the outline. Nil where they are not on it, or where
    /// triangles without area leave no way to lay it flat.
    func coordinates(bottom: Int32, top: Int32) -> [SIMD2<Double>]? {
        guard let outer = surface.loops.indices.max(by: { length(surface.loops[$0]) < length(surface.loops[$1]) }),
            let outline = placed(surface.loops[outer], bottom, top)
        else { return nil }
        let count = surface.vertex.count
        let holes = surface.loops.indices.filter { $0 != outer }
        var system = WeightedMeans(count: count + holes.count)
        for (v, place) in zip(surface.loops[outer], outline) { system.fix(Int(v), at: place) }
        addMeanValueWeights(to: &system)
        for (k, hole) in holes.enumerated() {
            for v in surface.loops[hole] {
                system.add(from: count + k, to: Int(v), 1)
                system.add(from: Int(v), to: count + k, system.meanWeight(of: Int(v)))
            }
        }
        system.finish()
        system.solve(tolerance: Self.coarse)
        var best = system, least = stretch(system.places).energy
        for _ in 0..<Self.rounds {
            // Hole vertices have no surface: they keep the mean.
            system.divideWeights(by: stretch(system.places).vertex + [Double](repeating: 1, count: holes.count))
            system.solve(tolerance: Self.coarse)
            let energy = stretch(system.places).energy
            if energy < least { best = system }
            if energy > 0.99 * least { break }
            least = energy
        }
        if isFolded(best.places) { best.solve(tolerance: Self.fine) }
        return best.places.allSatisfy { abs($0.x) <= 1.001 && abs($0.y) <= 1.001 } ? best.places.prefix(count).map { ($0 + 1) / 2 } : nil
    }

    /// Whether the sweeps stopped too early for some triangle.
    private func isFolded(_ places: [SIMD2<Double>]) -> Bool {
        let corners = surface.corners
        return (0..<corners.count / 3).contains { t in
            let a = places[Int(corners[3 * t])], b = places[Int(corners[3 * t + 1])], c = places[Int(corners[3 * t + 2])]
            return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x) <= 0
        }
    }

    private func point(_ v: Int32) -> SIMD3<Double> { points[Int(surface.vertex[Int(v)])] }

    private func length(_ loop: [Int32]) -> Double {
        loop.indices.reduce(0) { $0 + distance(point(loop[$1]), point(loop[($1 + 1) % loop.count])) }
    }

    /// The outline on a rounded square, by length: one half from bottom to top on the right, the other down on the left.
    private func placed(_ loop: [Int32], _ bottom: Int32, _ top: Int32) -> [SIMD2<Double>]? {
        guard let first = loop.firstIndex(where: { surface.vertex[Int($0)] == bottom }) else { return nil }
        let turned = loop.indices.map { loop[($0 + first) % loop.count] }
        guard let half = turned.firstIndex(where: { surface.vertex[Int($0)] == top }), half > 0 else { return nil }
        var along = [0.0]
        for i in turned.indices {
            along.append(along[i] + max(1e-9, distance(point(turned[i]), point(turned[(i + 1) % turned.count]))))
        }
        var places = [SIMD2<Double>](repeating: .zero, count: loop.count)
        for i in turned.indices {
            let angle =
                i < half
                ? -.pi / 2 + .pi * along[i] / along[half]
                : .pi / 2 + .pi * (along[i] - along[half]) / (along[turned.count] - along[half])
            let c = cos(angle), s = sin(angle)
            places[(i + first) % loop.count] = SIMD2(c, s) / pow(c * c * c * c + s * s * s * s, 0.25)
        }
        return places
    }

    private func addMeanValueWeights(to system: inout WeightedMeans) {
        let corners = surface.corners
        for t in 0..<corners.count / 3 {
            for k in 0..<3 {
                let v = corners[3 * t + k], a = corners[3 * t + (k + 1) % 3], b = corners[3 * t + (k + 2) % 3]
                let p = point(v), da = point(a) - p, db = point(b) - p
                let la = max(1e-6, (da * da).sum().squareRoot()), lb = max(1e-6, (db * db).sum().squareRoot())
                let cosine = max(-1, min(1, (da * db).sum() / (la * lb)))
                // tan of half the angle; bounded, for slivers.
                let tangent = max(1e-3, min(1e3, ((1 - cosine) / (1 + cosine + 1e-12)).squareRoot()))
                system.add(from: Int(v), to: Int(a), tangent / la)
                system.add(from: Int(v), to: Int(b), tangent / lb)
            }
        }
    }

    /// How much of the surface a unit of the picture holds, per vertex, with the focus counted as larger; and its mean square.
    private func stretch(_ places: [SIMD2<Double>]) -> (vertex: [Double], energy: Double) {
        var squares = [Double](repeating: 0, count: surface.vertex.count), areas = squares
        var energy = 0.0
        for t in 0..<surface.corners.count / 3 {
            let v = (0..<3).map { surface.corners[3 * t + $0] }
            let u = v.map { places[Int($0)] }
            let p = v.map(point)
            let flat = (u[1].x - u[0].x) * (u[2].y - u[0].y) - (u[1].y - u[0].y) * (u[2].x - u[0].x)
            let n = cross(p[1] - p[0], p[2] - p[0])
            let scale = focusFactor((p[0] + p[1] + p[2]) / 3)
            let area = (n * n).sum().squareRoot() * scale * scale
            // Folds and ears shrink to next to nothing before the first round.
            let share = scale / max(flat, 1e-10)
            let ds = ((u[1].y - u[2].y) * p[0] + (u[2].y - u[0].y) * p[1] + (u[0].y - u[1].y) * p[2]) * share
            let dt = ((u[2].x - u[1].x) * p[0] + (u[0].x - u[2].x) * p[1] + (u[1].x - u[0].x) * p[2]) * share
            let square = ((ds * ds).sum() + (dt * dt).sum()) / 2
            energy += area * square
            for k in v {
                squares[Int(k)] += area * square
                areas[Int(k)] += area
            }
        }
        let mean = (energy / max(1e-12, areas.reduce(0, +) / 3)).squareRoot()
        return (zip(squares, areas).map { $1 > 0 ? ($0 / $1).squareRoot() / mean : 1 }, energy)
    }

    private func focusFactor(_ p: SIMD3<Double>) -> Double {
        guard let focus else { return 1 }
        let t = max(0, min(1, (Self.fadedRadius - distance(p, focus)) / (Self.fadedRadius - Self.focusRadius)))
        return 1 + (Self.focusScale - 1) * t * t * (3 - 2 * t)
    }
}

private func distance(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> Double { ((a - b) * (a - b)).sum().squareRoot() }
