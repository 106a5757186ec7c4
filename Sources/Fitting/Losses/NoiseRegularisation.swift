import Numerics

/// Keeps the noise maps small and free of structure: mean square, plus StyleGAN2's autocorrelation penalty
/// (squared correlation with the map shifted by one pixel, at the map's size and every half of it down to 8).
final class NoiseRegularisation<T: Scalar> {
    let sides: [Int]
    private let levels: [[Tensor<T>]]
    private let gradients: [[Tensor<T>]]

    init(sides: [Int]) {
        self.sides = sides
        func pyramid(_ side: Int) -> [Tensor<T>] {
            var r: [Tensor<T>] = []
            var s = side
            repeat {
                r.append(Tensor([s, s]))
                s /= 2
            } while s >= 8
            return r
        }
        levels = sides.map(pyramid)
        gradients = sides.map(pyramid)
    }

    /// `noise` holds all maps one after the other. Adds the gradient; returns the energy.
    func evaluate(
        noise: UnsafePointer<T>, size: T, correlation: T, gradient: UnsafeMutablePointer<T>
    ) -> T {
        var energy: T = 0
        var offset = 0
        for (k, side) in sides.enumerated() {
            let n = side * side
            energy += magnitude(noise + offset, n, size / T(sides.count * n), gradient + offset)
            if correlation != 0 {
                let level = levels[k], grad = gradients[k]
                level[0].pointer.update(from: noise + offset, count: n)
                for j in 1..<max(1, level.count) { halve(level[j - 1].pointer, 1, side >> (j - 1), level[j].pointer) }
                for j in stride(from: level.count - 1, through: 0, by: -1) {
                    grad[j].fill(0)
                    energy += autocorrelation(level[j].pointer, side >> j, correlation, grad[j].pointer)
                    if j + 1 < level.count { halveBackward(grad[j + 1].pointer, 1, side >> j, grad[j].pointer) }
                }
                addScaled(1, grad[0].pointer, gradient + offset, n)
            }
            offset += n
        }
        return energy
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
private func magnitude<T: Scalar>(_ a: UnsafePointer<T>, _ n: Int, _ f: T, _ g: UnsafeMutablePointer<T>) -> T {
    var e: T = 0
    for i in 0..<n {
        e += a[i] * a[i]
        g[i] += 2 * f * a[i]
    }
    return e * f
}

/// f (mean(a * shift_x a)^2 + mean(a * shift_y a)^2), shifts wrapping round.
@_specialize(where T == Float)
@_specialize(where T == Double)
private func autocorrelation<T: Scalar>(_ a: UnsafePointer<T>, _ s: Int, _ f: T, _ g: UnsafeMutablePointer<T>) -> T {
    var cx: T = 0, cy: T = 0
    for y in 0..<s {
        let up = ((y + 1) % s) * s
        for x in 0..<s {
            cx += a[y * s + x] * a[y * s + (x + 1) % s]
            cy += a[y * s + x] * a[up + x]
        }
    }
    let n = T(s * s)
    cx /= n
    cy /= n
    let gx = 2 * f * cx / n, gy = 2 * f * cy / n
    for y in 0..<s {
        let up = ((y + 1) % s) * s, down = ((y + s - 1) % s) * s
        for x in 0..<s {
            g[y * s + x] += gx * (a[y * s + (x + 1) % s] + a[y * s + (x + s - 1) % s]) + gy * (a[up + x] + a[down + x])
        }
    }
    return f * (cx * cx + cy * cy)
}
