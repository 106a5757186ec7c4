/// Finds where to cut a closed or nearly closed surface so that it lies flat: along the back, up from its border.
struct Seam {
    /// Mesh vertices from the border (or the hindmost point) to the end of the cut.
    let path: [Int32]

    var edges: Set<CutSurface.Edge> {
        Set(zip(path, path.dropFirst()).map { CutSurface.Edge($0, $1) })
    }

    /// - Parameters:
    ///   - border: the mesh vertices of the longest border; empty for a closed surface.
    ///   - points: of the whole mesh, z to the front.
    init(mesh: [Int32], border: [Int32], points: [SIMD3<Double>]) {
        let members = Array(Set(mesh)).sorted()
        let centre = members.reduce(SIMD3<Double>()) { $0 + points[Int($1)] } / Double(max(1, members.count))
        let width = members.reduce(0.0) { max($0, abs(points[Int($1)].x - centre.x)) }
        func offset(_ v: Int32) -> Double { abs(points[Int(v)].x - centre.x) }
        let graph = EdgeGraph(mesh: mesh, points: points) { a, b, length in
            // The middle plane is the shorter way.
            let aside = max(offset(a), offset(b)) / max(width / 10, 1e-9)
            return length * (1 + aside * aside)
        }
        let back = border.isEmpty ? members : border
        guard let start = back.min(by: { points[Int($0)].z + offset($0) < points[Int($1)].z + offset($1) }) else {
            path = []
            return
        }
        let plain = EdgeGraph(mesh: mesh, points: points) { _, _, length in length }
        let distance = plain.distances(from: border.isEmpty ? [start] : border).distance
        // The far end lies behind the middle: a cut must not cross the face.
        let borderSet = Set(border)
        let end = members.filter { points[Int($0)].z <= centre.z && !borderSet.contains($0) && $0 != start }
            .max { (distance[$0] ?? 0) - offset($0) < (distance[$1] ?? 0) - offset($1) }
        guard let end else {
            path = []
            return
        }
        let previous = graph.distances(from: [start]).previous
        var path = [end]
        while let before = previous[path[path.count - 1]] { path.append(before) }
        // The way may run along the border first; the cut begins where it leaves it.
        path.reverse()
        if let last = path.lastIndex(where: borderSet.contains) { path.removeFirst(last) }
        self.path = path
    }
}

/// The edges of a mesh with their costs.
private struct EdgeGraph {
    private var neighbours: [Int32: [(vertex: Int32, cost: Double)]] = [:]

    init(mesh: [Int32], points: [SIMD3<Double>], cost: (Int32, Int32, Double) -> Double) {
        var seen = Set<CutSurface.Edge>()
        for c in mesh.indices {
            let a = mesh[c], b = mesh[c % 3 == 2 ? c - 2 : c + 1]
            guard seen.insert(CutSurface.Edge(a, b)).inserted else { continue }
            let d = points[Int(a)] - points[Int(b)]
            let value = cost(a, b, (d * d).sum().squareRoot())
            neighbours[a, default: []].append((b, value))
            neighbours[b, default: []].append((a, value))
        }
    }

    /// Costs from the nearest start, and the step before each vertex: Bellman and Ford's way with a queue.
    func distances(from starts: [Int32]) -> (distance: [Int32: Double], previous: [Int32: Int32]) {
        var distance: [Int32: Double] = [:], previous: [Int32: Int32] = [:]
        for s in starts { distance[s] = 0 }
        var queue = starts, waiting = Set(starts), at = 0
        while at < queue.count {
            let v = queue[at]
            at += 1
            waiting.remove(v)
            guard let here = distance[v] else { continue }
            for edge in neighbours[v] ?? [] where here + edge.cost < distance[edge.vertex] ?? .infinity {
                distance[edge.vertex] = here + edge.cost
                previous[edge.vertex] = v
                if waiting.insert(edge.vertex).inserted { queue.append(edge.vertex) }
            }
        }
        return (distance, previous)
    }
}
