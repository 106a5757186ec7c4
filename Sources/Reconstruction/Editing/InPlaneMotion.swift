/// The turn in the picture, scaling and shift that points have in common: `to = (a + bi) from + c`, in complex numbers.
struct InPlaneMotion {
    private var a = 1.0, b = 0.0, x = 0.0, y = 0.0

    /// Points that go another way, as those of an opened mouth do, hardly count.
    /// - Parameter width: residuals beyond this, in the points' unit, are another way.
    init(from: [SIMD2<Float>], to: [SIMD2<Float>], weights: [Float], width: Float) {
        for round in 0..<Self.rounds {
            var sum = 0.0, p = SIMD2<Double>(), q = p
            var w = [Double](repeating: 0, count: from.count)
            for v in from.indices where weights[v] > 0 {
                let r = round == 0 ? 0 : residual(from[v], to[v]) / width
                w[v] = Double(weights[v] / (1 + r * r))
                sum += w[v]
                p += w[v] * SIMD2<Double>(from[v])
                q += w[v] * SIMD2<Double>(to[v])
            }
            guard sum > 0 else { return }
            p /= sum
            q /= sum
            var dot = 0.0, cross = 0.0, square = 0.0
            for v in from.indices where w[v] > 0 {
                let d = SIMD2<Double>(from[v]) - p, e = SIMD2<Double>(to[v]) - q
                dot += w[v] * (d.x * e.x + d.y * e.y)
                cross += w[v] * (d.x * e.y - d.y * e.x)
                square += w[v] * (d.x * d.x + d.y * d.y)
            }
            guard square > 0 else { return }
            (a, b) = (dot / square, cross / square)
            (x, y) = (q.x - a * p.x + b * p.y, q.y - b * p.x - a * p.y)
        }
    }

    private static let rounds = 6

    /// How far a point is from where the common motion takes it.
    func residual(_ from: SIMD2<Float>, _ to: SIMD2<Float>) -> Float {
        let p = SIMD2<Double>(from)
        let d = SIMD2(a * p.x - b * p.y + x, b * p.x + a * p.y + y) - SIMD2<Double>(to)
        return Float((d * d).sum().squareRoot())
    }
}
