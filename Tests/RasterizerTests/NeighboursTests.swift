import Rasterizer
import Testing

@Suite struct NeighboursTests {
    /// Across an edge lies the one triangle that runs along it the other way.
    private func plain(_ triangles: [Int32]) -> [Int32] {
        func edge(_ corner: Int) -> [Int32] { [triangles[corner], triangles[corner / 3 * 3 + (corner % 3 + 1) % 3]] }
        return triangles.indices.map { corner in
            let others = triangles.indices.filter { edge($0) == edge(corner).reversed() }
            return others.count == 1 ? Int32(others[0] / 3) : -1
        }
    }

    @Test(arguments: [
        [],
        [0, 1, 2],
        [0, 1, 2, 2, 1, 3],                                  // two that share an edge
        [0, 1, 2, 1, 2, 3],                                  // the second turned over: the edge runs the same way in both
        [0, 1, 2, 2, 1, 3, 2, 1, 4],                         // three at an edge
        [0, 1, 2, 0, 1, 2, 2, 1, 3],                         // one twice
        [0, 1, 1, 1, 1, 0, 2, 2, 2],                         // without area
        [0, 2, 1, 0, 1, 3, 1, 2, 3, 2, 0, 3],                // closed
        [7, 5, 900, 900, 5, 6],
    ] as [[Int32]])
    func neighbours(triangles: [Int32]) {
        #expect(TriangleNeighbours(triangles: triangles).across == plain(triangles))
    }

    @Test func ofARandomSoup() {
        var state: UInt32 = 12345
        func next() -> Int32 {
            state = state &* 1_664_525 &+ 1_013_904_223
            return Int32(state >> 8) % 9
        }
        let triangles = (0..<3 * 60).map { _ in next() }
        #expect(TriangleNeighbours(triangles: triangles).across == plain(triangles))
    }
}
