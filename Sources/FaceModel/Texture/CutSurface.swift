/// A connected part of a mesh, cut open along edges: corners of triangles that still touch share one vertex.
///
/// Vertices at which a surface touches itself only in a point come apart by themselves, so that what remains has simple
/// borders.
struct CutSurface {
    struct Edge: Hashable {
        let low, high: Int32
        init(_ a: Int32, _ b: Int32) { (low, high) = (min(a, b), max(a, b)) }
    }

    /// [3 * triangles] vertices of this surface.
    private(set) var corners: [Int32]
    /// [n] the mesh vertex of each.
    private(set) var vertex: [Int32]
    /// Borders as closed runs of vertices, the surface to their left.
    private(set) var loops: [[Int32]]
    /// Whether every edge has at most two triangles, consistently oriented, and there is no handle.
    private(set) var isSimple: Bool

    /// - Parameters:
    ///   - mesh: vertices, three per triangle of the part.
    ///   - cut: edges of the mesh along which triangles part.
    init(mesh: [Int32], cut: Set<Edge> = []) {
        var sets = DisjointSets(count: mesh.count)
        var halves: [UInt64: Int32] = [:]
        halves.reserveCapacity(mesh.count)
        func key(_ a: Int32, _ b: Int32) -> UInt64 { UInt64(UInt32(bitPattern: a)) << 32 | UInt64(UInt32(bitPattern: b)) }
        func next(_ corner: Int) -> Int { corner % 3 == 2 ? corner - 2 : corner + 1 }
        var manifold = true
        for c in mesh.indices where halves.updateValue(Int32(c), forKey: key(mesh[c], mesh[next(c)])) != nil { manifold = false }
        var border: [Int] = []
        var edges = 0
        for c in mesh.indices {
            let a = mesh[c], b = mesh[next(c)]
            guard let other = halves[key(b, a)], !cut.contains(Edge(a, b)) else {
                border.append(c)
                edges += 2
                continue
            }
            edges += 1
            sets.join(c, next(Int(other)))
            sets.join(next(c), Int(other))
        }
        var number = [Int32](repeating: -1, count: mesh.count)
        var vertex: [Int32] = []
        var corners = [Int32](repeating: 0, count: mesh.count)
        for c in mesh.indices {
            let root = sets.root(c)
            if number[root] < 0 {
                number[root] = Int32(vertex.count)
                vertex.append(mesh[c])
            }
            corners[c] = number[root]
        }
        var following = [Int32](repeating: -1, count: vertex.count)
        for c in border {
            let a = Int(corners[c])
            if following[a] >= 0 { manifold = false }
            following[a] = corners[next(c)]
        }
        var loops: [[Int32]] = []
        for first in vertex.indices where following[first] >= 0 {
            var loop: [Int32] = []
            var at = Int32(first)
            while following[Int(at)] >= 0 {
                loop.append(at)
                let step = following[Int(at)]
                following[Int(at)] = -1
                at = step
            }
            if at != Int32(first) { manifold = false }
            loops.append(loop)
        }
        self.corners = corners
        self.vertex = vertex
        self.loops = loops
        // Euler: a sphere without one disk per border.
        isSimple = manifold && vertex.count - edges / 2 + mesh.count / 3 + loops.count == 2
    }
}
