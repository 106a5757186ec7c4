/// For every edge of every triangle the triangle on its other side, so that a line can be followed over the surface.
public struct TriangleNeighbours: Sendable {
    /// `[3*F]`: across the edge from corner k to k+1 of triangle t, at `3 t + k`; -1 at a boundary (or where more than two meet).
    public let across: [Int32]

    /// No index is negative.
    public init(triangles: [Int32]) {
        let vertexCount = Int(triangles.max() ?? -1) + 1
        // Edges by the vertex that they begin at, each kept as its corner: a dictionary of them takes ten times as long.
        var start = [Int32](repeating: 0, count: vertexCount + 1)
        for v in triangles { start[Int(v) + 1] += 1 }
        for v in 0..<vertexCount { start[v + 1] += start[v] }
        var next = start
        var corners = [Int32](repeating: 0, count: triangles.count)
        for corner in 0..<triangles.count {
            let v = Int(triangles[corner])
            corners[Int(next[v])] = Int32(corner)
            next[v] += 1
        }
        func end(_ corner: Int) -> Int32 { triangles[corner % 3 == 2 ? corner - 2 : corner + 1] }
        var across = [Int32](repeating: -1, count: triangles.count)
        for corner in 0..<triangles.count {
            let from = triangles[corner], v = Int(end(corner))
            var found: Int32 = -1, count = 0
            for i in Int(start[v])..<Int(start[v + 1]) where end(Int(corners[i])) == from {
                found = corners[i] / 3
                count += 1
            }
            if count == 1 { across[corner] = found }
        }
        self.across = across
    }
}
