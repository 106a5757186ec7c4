import Numerics

/// Robust (Charbonnier) colour difference at several scales, weighted per pixel.
///
/// difference D = sum over scales of  sum(W (sqrt(r^2 + e^2) - e)) / (3 sum(W)),  r the difference averaged over
/// 2^k x 2^k pixels and W the weight averaged likewise;  energy = factor log(1 + D / floor).
///
/// How far a renderer can follow a photo differs from photo to photo and is not known beforehand. With the noise level
/// as one more unknown, eliminated, the energy is the logarithm of the difference: a picture that is reproduced well
/// decides the shape, one that is not leaves it to landmarks and priors.
final class PhotometricLoss<T: Scalar> {
    let size: Int
    let scales: Int
    private let epsilon: T = 0.05
    /// The difference below which a picture counts as reproduced.
    private let floor: T = 0.02
    private var difference: [Tensor<T>] = []
    private var weight: [Tensor<T>] = []

    init(size: Int, scales: Int = 3) {
        self.size = size
        self.scales = scales
        for k in 0..<scales {
            difference.append(Tensor([3, size >> k, size >> k]))
            weight.append(Tensor([size >> k, size >> k]))
        }
    }

    /// image and target (3, S, S) in [-1, 1], weights (S, S). Adds `factor` times the gradient to `gradient`.
    func evaluate(
        image: UnsafePointer<T>, target: UnsafePointer<T>, weights: UnsafePointer<T>,
        factor: T, gradient: UnsafeMutablePointer<T>
    ) -> T {
        let n = size * size
        subtract(image, target, difference[0].pointer, 3 * n)
        weight[0].pointer.update(from: weights, count: n)
        for k in 1..<max(1, scales) {
            halve(difference[k - 1].pointer, 3, size >> (k - 1), difference[k].pointer)
            halve(weight[k - 1].pointer, 1, size >> (k - 1), weight[k].pointer)
        }
        var energy: T = 0
        for k in stride(from: scales - 1, through: 0, by: -1) {
            let side = size >> k
            energy += charbonnier(difference[k].pointer, weight[k].pointer, side * side, epsilon)
            // From here on difference[k] holds the gradient; coarser levels pass theirs down.
            if k + 1 < scales { halveBackward(difference[k + 1].pointer, 3, side, difference[k].pointer) }
        }
        addScaled(factor / (floor + energy), difference[0].pointer, gradient, 3 * n)
        return factor * T.logarithm(1 + energy / floor)
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func subtract<T: Scalar>(_ a: UnsafePointer<T>, _ b: UnsafePointer<T>, _ c: UnsafeMutablePointer<T>, _ n: Int) {
    for i in 0..<n { c[i] = a[i] - b[i] }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func addScaled<T: Scalar>(_ s: T, _ a: UnsafePointer<T>, _ b: UnsafeMutablePointer<T>, _ n: Int) {
    for i in 0..<n { b[i] += s * a[i] }
}

/// Energy of one scale; replaces the differences by their gradient.
@_specialize(where T == Float)
@_specialize(where T == Double)
private func charbonnier<T: Scalar>(_ r: UnsafeMutablePointer<T>, _ w: UnsafePointer<T>, _ n: Int, _ e: T) -> T {
    var total: T = 0
    for i in 0..<n { total += w[i] }
    let norm = 1 / (3 * Swift.max(total, 1e-6))
    var energy: T = 0
    for c in 0..<3 {
        let q = r + c * n
        for i in 0..<n {
            let root = (q[i] * q[i] + e * e).squareRoot()
            energy += w[i] * (root - e)
            q[i] = w[i] * norm * q[i] / root
        }
    }
    return energy * norm
}
