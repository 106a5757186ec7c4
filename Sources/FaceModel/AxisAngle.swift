import Glibc

/// Turns as a joint has them: an axis times an angle in radians, with the rotation matrix and its derivatives.
///
/// With t = |w|, K the matrix of the cross product with w: `R = 1 + A K + B K^2`, `A = sin t / t`, `B = (1 - cos t) / t^2`.
/// Near zero the quotients are series, so that everything is smooth there, where joints are at rest.
enum AxisAngle {
    /// R, row-major.
    static func matrix(_ w: SIMD3<Double>) -> [Double] {
        let f = factors(w)
        let k = cross(w), k2 = product(k, k)
        return (0..<9).map { ($0 % 4 == 0 ? 1 : 0) + f.a * k[$0] + f.b * k2[$0] }
    }

    /// The derivatives of R by w.x, w.y and w.z.
    static func derivatives(_ w: SIMD3<Double>) -> [[Double]] {
        let f = factors(w)
        let k = cross(w), k2 = product(k, k)
        return (0..<3).map { i in
            var unit = SIMD3<Double>()
            unit[i] = 1
            let e = cross(unit), ek = product(e, k), ke = product(k, e)
            return (0..<9).map { f.a * e[$0] + f.b * (ek[$0] + ke[$0]) + w[i] * (f.da * k[$0] + f.db * k2[$0]) }
        }
    }

    /// A, B, and their derivatives by t divided by t.
    private static func factors(_ w: SIMD3<Double>) -> (a: Double, b: Double, da: Double, db: Double) {
        let s = (w * w).sum(), t = s.squareRoot()
        if s < 0.04 {
            // The first terms left out are below 1e-13.
            return (
                1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72 * (1 - s / 110)))),
                0.5 - s / 24 * (1 - s / 30 * (1 - s / 56 * (1 - s / 90 * (1 - s / 132)))),
                -1.0 / 3 + s / 30 - s * s / 840 + s * s * s / 45_360 - s * s * s * s / 3_991_680,
                -1.0 / 12 + s / 180 - s * s / 6_720 + s * s * s / 453_600 - s * s * s * s / 47_900_160
            )
        }
        let sine = sin(t), cosine = cos(t)
        return (
            sine / t, (1 - cosine) / s, (t * cosine - sine) / (s * t), (t * sine - 2 * (1 - cosine)) / (s * s)
        )
    }

    /// v -> w x v.
    private static func cross(_ w: SIMD3<Double>) -> [Double] { [0, -w.z, w.y, w.z, 0, -w.x, -w.y, w.x, 0] }

    static func product(_ a: [Double], _ b: [Double]) -> [Double] {
        var c = [Double](repeating: 0, count: 9)
        for row in 0..<3 {
            for column in 0..<3 {
                for i in 0..<3 { c[3 * row + column] += a[3 * row + i] * b[3 * i + column] }
            }
        }
        return c
    }
}
