import Numerics

/// Adam with one step size per element, ramped up over the first 5 % of the steps and down (half a
/// cosine) over the last 25 %, as GAN projection is usually run.
final class Adam {
    private let m: Tensor<Float>
    private let v: Tensor<Float>
    private let beta1: Float = 0.9
    private let beta2: Float = 0.99
    private var step = 0

    init(count: Int) {
        m = Tensor([max(1, count)])
        v = Tensor([max(1, count)])
    }

    func reset() {
        m.fill(0)
        v.fill(0)
        step = 0
    }

    static func ramp(step: Int, of total: Int) -> Float {
        let t = Float(step) / Float(max(1, total))
        let up = min(1, (t + 1 / Float(max(1, total))) / 0.05)
        let down = min(1, (1 - t) / 0.25)
        return up * (0.5 - 0.5 * Float.cosine(down * .pi))
    }

    /// One step on the ranges given; `rate` is that range's step size before the ramp.
    func update(
        _ p: UnsafeMutablePointer<Float>, gradient g: UnsafePointer<Float>,
        ranges: [(range: Range<Int>, rate: Float)], ramp: Float
    ) {
        step += 1
        let c1 = 1 - Float(pow(beta1, step)), c2 = 1 - Float(pow(beta2, step))
        for (range, rate) in ranges {
            let size = rate * ramp / c1
            for i in range {
                m.pointer[i] = beta1 * m.pointer[i] + (1 - beta1) * g[i]
                v.pointer[i] = beta2 * v.pointer[i] + (1 - beta2) * g[i] * g[i]
                p[i] -= size * m.pointer[i] / ((v.pointer[i] / c2).squareRoot() + 1e-8)
            }
        }
    }
}

private func pow(_ x: Float, _ n: Int) -> Double {
    var r = 1.0
    for _ in 0..<n { r *= Double(x) }
    return r
}
