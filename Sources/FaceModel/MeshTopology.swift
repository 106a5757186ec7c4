/// Which triangles meet at each vertex, in a fixed order, so that sums over them come out the same on every run.
public struct MeshTopology: Sendable {
    public let vertexCount: Int
    /// Vertex indices, three per triangle.
    public let triangles: [Int32]
    /// `corners[start[v]..<start[v+1]]` are the corners at vertex v, a corner being `3 * triangle + (0, 1 or 2)`.
    public let start: [Int32]
    public let corners: [Int32]

    /// The caller has checked that every index lies in 0..<vertexCount.
    public init(triangles: [Int32], vertexCount: Int) {
        self.vertexCount = vertexCount
        self.triangles = triangles
        var start = [Int32](repeating: 0, count: vertexCount + 1)
        for v in triangles { start[Int(v) + 1] += 1 }
        for v in 0..<vertexCount { start[v + 1] += start[v] }
        var next = start
        var corners = [Int32](repeating: 0, count: triangles.count)
        for (corner, v) in triangles.enumerated() {
            corners[Int(next[Int(v)])] = Int32(corner)
            next[Int(v)] += 1
        }
        self.start = start
        self.corners = corners
    }

    /// Each undirected edge once, as pairs of vertices (smaller first), in the order of the triangles.
    public var edges: [Int32] {
        var seen = Set<UInt64>()
        var edges: [Int32] = []
        for t in 0..<triangles.count / 3 {
            for k in 0..<3 {
                let a = triangles[3 * t + k], b = triangles[3 * t + (k + 1) % 3]
                let low = min(a, b), high = max(a, b)
                if seen.insert(UInt64(UInt32(bitPattern: low)) << 32 | UInt64(UInt32(bitPattern: high))).inserted {
                    edges += [low, high]
                }
            }
        }
        return edges
    }
}
