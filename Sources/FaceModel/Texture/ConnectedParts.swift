/// Which of its elements belong together, found by joining pairs.
struct DisjointSets {
    private var parent: [Int32]

    init(count: Int) { parent = (0..<Int32(count)).map { $0 } }

    mutating func root(_ i: Int) -> Int {
        var i = Int32(i)
        while parent[Int(i)] != i {
            parent[Int(i)] = parent[Int(parent[Int(i)])]
            i = parent[Int(i)]
        }
        return Int(i)
    }

    /// The smaller root stays one, so that the outcome does not depend on the order of joining.
    mutating func join(_ a: Int, _ b: Int) {
        let (a, b) = (root(a), root(b))
        if a != b { parent[max(a, b)] = Int32(min(a, b)) }
    }
}

/// Triangles that hang together by vertices, as lists of triangle indices; in the order of their first triangles.
package func connectedParts(_ triangles: [Int32], vertexCount: Int) -> [[Int]] {
    var sets = DisjointSets(count: vertexCount)
    for t in 0..<triangles.count / 3 {
        sets.join(Int(triangles[3 * t]), Int(triangles[3 * t + 1]))
        sets.join(Int(triangles[3 * t]), Int(triangles[3 * t + 2]))
    }
    var number: [Int: Int] = [:]
    var parts: [[Int]] = []
    for t in 0..<triangles.count / 3 {
        let root = sets.root(Int(triangles[3 * t]))
        if let known = number[root] {
            parts[known].append(t)
        } else {
            number[root] = parts.count
            parts.append([t])
        }
    }
    return parts
}
