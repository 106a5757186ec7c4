import FaceModel

/// For every edge of every triangle the triangle on its other side, so that a line can be followed over the surface.
public struct TriangleNeighbours: Sendable {
    /// `[3*F]`: across the edge from corner k to k+1 of triangle t, at `3 t + k`; -1 at a boundary (or where more than two meet).
    public let across: [Int32]

    /// No index is negative.
    public init(triangles: [Int32]) {
        // An edge's other side begins where it ends: a dictionary of edges takes ten times as long as the corners at each vertex.
        let topology = MeshTopology(triangles: triangles, vertexCount: Int(triangles.max() ?? -1) + 1)
        func end(_ corner: Int) -> Int32 { triangles[corner % 3 == 2 ? corner - 2 : corner + 1] }
        var across = [Int32](repeating: -1, count: triangles.count)
        for corner in 0..<triangles.count {
            let from = triangles[corner], v = Int(end(corner))
            var found: Int32 = -1, count = 0
            for i in Int(topology.start[v])..<Int(topology.start[v + 1]) where end(Int(topology.corners[i])) == from {
                found = topology.corners[i] / 3
                count += 1
            }
            if count == 1 { across[corner] = found }
        }
        self.across = across
    }
}
