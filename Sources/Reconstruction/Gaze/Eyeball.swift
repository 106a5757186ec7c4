import FaceModel

/// One eyeball of a head model: a piece of the mesh that is called an eye and is about as round as one.
struct Eyeball: Sendable {
    /// Vertices in rising order, and the triangles between them.
    let vertices: [Int]
    let triangles: [SIMD3<Int>]

    /// Of how many vertices an eyeball is made at least, and how far their distances from its middle may vary.
    private static let fewest = 12, roundness: Float = 0.15

    /// The eyeballs of a head, in the order of their first triangles.
    static func all(of head: HeadModel<Float>) -> [Eyeball] {
        let rest = head.mean.array
        let isEye = Mesh(vertices: rest, normals: [], triangles: [], part: head.part, partNames: head.partNames).isEye
        let triangles = stride(from: 0, to: head.triangles.count, by: 3).map { head.triangles[$0..<$0 + 3] }
            .filter { $0.allSatisfy { isEye[Int($0)] } }.flatMap { $0 }
        return connectedParts(triangles, vertexCount: head.vertexCount).compactMap { part in
            let corners = part.map { t in SIMD3(Int(triangles[3 * t]), Int(triangles[3 * t + 1]), Int(triangles[3 * t + 2])) }
            let ball = Eyeball(vertices: Set(corners.flatMap { [$0[0], $0[1], $0[2]] }).sorted(), triangles: corners)
            guard ball.vertices.count >= fewest else { return nil }
            let sphere = ball.sphere(rest)
            let spread = ball.vertices.reduce(Float(0)) { sum, v in
                let d = (vertex(v, of: rest) - sphere.centre).length - sphere.radius
                return sum + d * d
            }
            guard sphere.radius > 0, (spread / Float(ball.vertices.count)).squareRoot() < roundness * sphere.radius else { return nil }
            return ball
        }
    }

    /// The middle of the box around it, and its mean distance from there, in a shape [V,3].
    func sphere(_ shape: [Float]) -> (centre: SIMD3<Float>, radius: Float) {
        guard let first = vertices.first else { return (.zero, 0) }
        var low = vertex(first, of: shape), high = low
        for v in vertices {
            low = pointwiseMin(low, vertex(v, of: shape))
            high = pointwiseMax(high, vertex(v, of: shape))
        }
        let centre = (low + high) / 2
        return (centre, vertices.reduce(0) { $0 + (vertex($1, of: shape) - centre).length } / Float(vertices.count))
    }
}

/// The place of a vertex in a shape [V,3].
func vertex(_ v: Int, of shape: [Float]) -> SIMD3<Float> { SIMD3(shape[3 * v], shape[3 * v + 1], shape[3 * v + 2]) }

extension SIMD3<Float> {
    var length: Float { (self * self).sum().squareRoot() }

    /// Zero stays zero.
    var unit: SIMD3<Float> { length > 0 ? self / length : self }
}
