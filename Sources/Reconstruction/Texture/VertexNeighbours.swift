import FaceModel

/// Which vertices are joined by an edge, and what follows for numbers given at the vertices.
struct VertexNeighbours {
    let start: [Int]
    let neighbour: [Int32]

    init(triangles: [Int32], vertexCount: Int) {
        let edges = MeshTopology(triangles: triangles, vertexCount: vertexCount).edges
        var counts = [Int](repeating: 0, count: vertexCount + 1)
        for v in edges { counts[Int(v) + 1] += 1 }
        for v in 0..<vertexCount { counts[v + 1] += counts[v] }
        var next = counts
        var neighbour = [Int32](repeating: 0, count: edges.count)
        for e in 0..<edges.count / 2 {
            let a = edges[2 * e], b = edges[2 * e + 1]
            neighbour[next[Int(a)]] = b
            neighbour[next[Int(b)]] = a
            next[Int(a)] += 1
            next[Int(b)] += 1
        }
        start = counts
        self.neighbour = neighbour
    }

    var vertexCount: Int { start.count - 1 }

    /// The least of each vertex and those around it.
    func least(_ values: [Float]) -> [Float] {
        var result = values
        for v in 0..<vertexCount {
            for k in start[v]..<start[v + 1] { result[v] = min(result[v], values[Int(neighbour[k])]) }
        }
        return result
    }

    /// The greatest of each vertex and those around it.
    func greatest(_ values: [Float]) -> [Float] { least(values.map { -$0 }).map { -$0 } }

    /// The mean of each vertex and those around it.
    func mean(_ values: [Float]) -> [Float] {
        var result = values
        for v in 0..<vertexCount {
            for k in start[v]..<start[v + 1] { result[v] += values[Int(neighbour[k])] }
            result[v] /= Float(start[v + 1] - start[v] + 1)
        }
        return result
    }

    /// Carries values from where they are known to everywhere, smoothly: the least sum of `confidence * (x - value)^2` at the
    /// vertices and of squared differences along the edges. Parts of the mesh without any known value keep `initial`.
    ///
    /// - Parameter stiffness: how much an edge counts against a vertex of confidence 1.
    func spread(
        _ values: [SIMD3<Float>], confidence: [Float], stiffness: Float, initial: SIMD3<Float>, sweeps: Int = 600
    ) -> [SIMD3<Float>] {
        var x = [SIMD3<Float>](repeating: initial, count: vertexCount)
        for v in 0..<vertexCount where confidence[v] > 0 { x[v] = values[v] }
        for _ in 0..<sweeps {
            var largest = SIMD3<Float>()
            for v in 0..<vertexCount where start[v + 1] > start[v] {
                var sum = confidence[v] * values[v], weight = confidence[v]
                for k in start[v]..<start[v + 1] { sum += stiffness * x[Int(neighbour[k])] }
                weight += stiffness * Float(start[v + 1] - start[v])
                // Over-relaxed: the system is symmetric, so this converges.
                let move = sum / weight - x[v]
                x[v] += 1.9 * move
                largest = pointwiseMax(largest, pointwiseMax(move, -move))
            }
            // A quarter of an 8-bit step.
            if largest.max() < 0.001 { break }
        }
        return x
    }
}
