/// For every edge of every triangle the triangle on its other side, so that a line can be followed over the surface.
public struct TriangleNeighbours: Sendable {
    /// `[3*F]`: across the edge from corner k to k+1 of triangle t, at `3 t + k`; -1 at a boundary (or where more than two meet).
    public let across: [Int32]

    public init(triangles: [Int32]) {
        func key(_ a: Int32, _ b: Int32) -> UInt64 { UInt64(UInt32(bitPattern: a)) << 32 | UInt64(UInt32(bitPattern: b)) }
        var owner: [UInt64: Int32] = [:]
        owner.reserveCapacity(triangles.count)
        for t in 0..<triangles.count / 3 {
            for k in 0..<3 {
                let edge = key(triangles[3 * t + k], triangles[3 * t + (k + 1) % 3])
                owner[edge] = owner[edge] == nil ? Int32(t) : -1
            }
        }
        across = (0..<triangles.count).map { corner in
            let t = corner / 3, k = corner % 3
            return owner[key(triangles[3 * t + (k + 1) % 3], triangles[3 * t + k])] ?? -1
        }
    }
}
