import Numerics

/// Quadratic and one-sided terms on coefficient vectors, each adding its gradient.
enum Priors {
    /// factor * sum(k_i (x_i - centre_i)^2)
    @_specialize(where T == Float)
    @_specialize(where T == Double)
    static func quadratic<T: Scalar>(
        _ x: UnsafePointer<T>, centre: UnsafePointer<T>?, precision: UnsafePointer<T>?, count: Int, factor: T,
        gradient g: UnsafeMutablePointer<T>
    ) -> T {
        if factor == 0 { return 0 }
        var e: T = 0
        for i in 0..<count {
            let d = x[i] - (centre?[i] ?? 0), k = precision?[i] ?? 1
            e += k * d * d
            g[i] += 2 * factor * k * d
        }
        return e * factor
    }

    /// factor * sum(x_i): pulls one-sided coefficients (kept at or above zero by projection) to zero.
    @_specialize(where T == Float)
    @_specialize(where T == Double)
    static func oneSided<T: Scalar>(
        _ x: UnsafePointer<T>, count: Int, factor: T, gradient g: UnsafeMutablePointer<T>
    ) -> T {
        if factor == 0 { return 0 }
        var e: T = 0
        for i in 0..<count {
            e += x[i]
            g[i] += factor
        }
        return e * factor
    }

    /// Distance of the rows of w+ (rows, latent) from the mean w and from their own average, per element.
    @_specialize(where T == Float)
    @_specialize(where T == Double)
    static func styles<T: Scalar>(
        _ w: UnsafePointer<T>, mean: UnsafePointer<T>, rows: Int, latent: Int, toMean: T, spread: T,
        gradient g: UnsafeMutablePointer<T>
    ) -> T {
        let a = toMean / T(rows * latent), b = spread / T(rows * latent)
        var e: T = 0
        for j in 0..<latent {
            var average: T = 0
            for r in 0..<rows { average += w[r * latent + j] }
            average /= T(rows)
            for r in 0..<rows {
                let d = w[r * latent + j] - mean[j], s = w[r * latent + j] - average
                e += a * d * d + b * s * s
                // The average's own gradient cancels, since the deviations from it sum to zero.
                g[r * latent + j] += 2 * (a * d + b * s)
            }
        }
        return e
    }
}
