import Numerics

/// Central differences of `loss` at `x` along each listed coordinate, against `gradient`; the largest error relative to the
/// largest gradient among them.
func worstGradientError(
    _ x: [Double], _ gradient: [Double], at coordinates: some Sequence<Int>, step h: Double, loss: ([Double]) -> Double
) -> Double {
    var worst = 0.0, scale = 1e-12
    for k in coordinates {
        var up = x, down = x
        up[k] += h
        down[k] -= h
        worst = max(worst, abs((loss(up) - loss(down)) / (2 * h) - gradient[k]))
        scale = max(scale, abs(gradient[k]))
    }
    return worst / scale
}

func normals(_ count: Int, seed: UInt64) -> [Double] {
    var random = RandomGenerator(seed: seed)
    return (0..<count).map { _ in random.normal() }
}

func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
