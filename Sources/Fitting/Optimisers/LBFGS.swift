import Numerics

/// Limited-memory BFGS on a scaled problem, with a backtracking (Armijo) line search.
///
/// `scale` is the size of a natural step in each unknown; the method works on p / scale, so that
/// radians, millimetres and coefficients are alike to it.
final class LBFGS {
    private let n: Int
    private let memory: Int
    private var s: [Tensor<Float>] = []
    private var y: [Tensor<Float>] = []
    private var rho: [Float]
    private var stored = 0
    private let direction: Tensor<Float>
    private let previousPoint: Tensor<Float>
    private let previousGradient: Tensor<Float>
    private var alpha: [Float]

    init(count: Int, memory: Int = 8) {
        n = max(1, count)
        self.memory = memory
        for _ in 0..<memory {
            s.append(Tensor([n]))
            y.append(Tensor([n]))
        }
        rho = Array(repeating: 0, count: memory)
        alpha = Array(repeating: 0, count: memory)
        direction = Tensor([n])
        previousPoint = Tensor([n])
        previousGradient = Tensor([n])
    }

    func reset() { stored = 0 }

    /// One iteration from `p` with energy `energy` and gradient `g` there. `evaluate` must fill `g` for the
    /// current `p` and return the energy; `project` keeps bounds. Returns the new energy, or nil when no
    /// step along the direction lowers the energy.
    func iterate(
        _ p: UnsafeMutablePointer<Float>, gradient g: UnsafeMutablePointer<Float>, scale: UnsafePointer<Float>,
        energy: Float, evaluate: () throws -> Float, project: () -> Void
    ) rethrows -> Float? {
        let d = direction.pointer
        for i in 0..<n { d[i] = -g[i] * scale[i] }
        let used = min(stored, memory)
        for k in 0..<used {
            let j = (stored - 1 - k) % memory
            alpha[j] = rho[j] * dot(s[j].pointer, d)
            add(-alpha[j], y[j].pointer, to: d)
        }
        if used > 0 {
            let j = (stored - 1) % memory
            let gamma = 1 / (rho[j] * max(dot(y[j].pointer, y[j].pointer), 1e-30))
            for i in 0..<n { d[i] *= gamma }
        } else {
            let length = dot(d, d).squareRoot()
            if length > 0 { for i in 0..<n { d[i] /= length } }
        }
        for k in stride(from: used - 1, through: 0, by: -1) {
            let j = (stored - 1 - k) % memory
            let beta = rho[j] * dot(y[j].pointer, d)
            add(alpha[j] - beta, s[j].pointer, to: d)
        }
        var slope: Float = 0
        for i in 0..<n { slope += d[i] * g[i] * scale[i] }
        if !(slope < 0) {
            stored = 0
            return used > 0
                ? try iterate(p, gradient: g, scale: scale, energy: energy, evaluate: evaluate, project: project) : nil
        }
        previousPoint.pointer.update(from: p, count: n)
        previousGradient.pointer.update(from: g, count: n)
        var t: Float = 1
        for _ in 0..<12 {
            for i in 0..<n { p[i] = previousPoint.pointer[i] + t * d[i] * scale[i] }
            project()
            let e = try evaluate()
            if e.isFinite && e <= energy + 1e-4 * t * slope {
                remember(p, g, scale)
                return e
            }
            t *= 0.5
        }
        p.update(from: previousPoint.pointer, count: n)
        g.update(from: previousGradient.pointer, count: n)
        stored = 0
        // Pixels that change their triangle make the energy jump a little, and a remembered curvature may mislead:
        // only when the gradient itself leads nowhere is the end reached.
        return used > 0
            ? try iterate(p, gradient: g, scale: scale, energy: energy, evaluate: evaluate, project: project) : nil
    }

    private func remember(_ p: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ scale: UnsafePointer<Float>) {
        let j = stored % memory
        let sj = s[j].pointer, yj = y[j].pointer
        for i in 0..<n {
            // A fixed unknown has scale 0 and takes no part.
            sj[i] = scale[i] > 0 ? (p[i] - previousPoint.pointer[i]) / scale[i] : 0
            yj[i] = (g[i] - previousGradient.pointer[i]) * scale[i]
        }
        let sy = dot(sj, yj)
        if sy > 1e-12 {
            rho[j] = 1 / sy
            stored += 1
        }
    }

    private func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>) -> Float {
        var r = 0.0
        for i in 0..<n { r += Double(a[i]) * Double(b[i]) }
        return Float(r)
    }

    private func add(_ c: Float, _ a: UnsafePointer<Float>, to b: UnsafeMutablePointer<Float>) {
        for i in 0..<n { b[i] += c * a[i] }
    }
}
