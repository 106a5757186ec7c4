import Numerics

/// z to w: pixel normalisation, then equalised linear layers with learning-rate multiplier 0.01 and leaky ReLU times sqrt 2.
struct MappingNetwork<T: Scalar>: Sendable {
    let latentSize: Int
    private let weights: [Tensor<T>]
    private let biases: [Tensor<T>]

    init(_ reader: WeightReader<T>, latentSize n: Int, depth: Int) throws {
        latentSize = n
        let multiplier = 0.01
        weights = try (1...max(1, depth)).prefix(depth).map {
            try reader.tensor("style.\($0).weight", [n, n], scale: multiplier / Double(n).squareRoot())
        }
        biases = try (1...max(1, depth)).prefix(depth).map { try reader.tensor("style.\($0).bias", [n], scale: multiplier) }
    }

    /// Every layer's output, the normalised z first; the last is w. z is [B, latent].
    func activations(_ z: Tensor<T>) -> [Tensor<T>] {
        let n = latentSize
        let batch = z.count / n
        var result = [Tensor<T>([batch, n])]
        pixelNormKernel(z.pointer, result[0].pointer, batch, n)
        for (w, b) in zip(weights, biases) {
            let x = result.last!
            let y = Tensor<T>([batch, n])
            T.gemm(false, true, batch, n, n, 1, x.pointer, n, w.pointer, n, 0, y.pointer, n)
            for s in 0..<batch { biasLeakyKernel(y.pointer + s * n, b.pointer, channels: n, area: 1) }
            result.append(y)
        }
        return result
    }

    /// The gradient to z, given the gradient to w.
    func backward(_ z: Tensor<T>, _ dW: Tensor<T>) -> Tensor<T> {
        let n = latentSize
        let batch = z.count / n
        let outputs = activations(z)
        var gradient = Tensor<T>([batch, n])
        gradient.copy(from: dW)
        for (i, w) in weights.enumerated().reversed() {
            leakyBackwardKernel(gradient.pointer, outputs[i + 1].pointer, gradient.count)
            let next = Tensor<T>([batch, n])
            T.gemm(false, false, batch, n, n, 1, gradient.pointer, n, w.pointer, n, 0, next.pointer, n)
            gradient = next
        }
        let result = Tensor<T>(z.shape)
        pixelNormBackwardKernel(z.pointer, gradient.pointer, result.pointer, batch, n)
        return result
    }
}

/// y = x / sqrt(mean(x^2) + 1e-8), row by row.
@_specialize(where T == Float)
@_specialize(where T == Double)
private func pixelNormKernel<T: Scalar>(_ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>, _ rows: Int, _ n: Int) {
    for r in 0..<rows {
        let a = x + r * n
        let k = 1 / (T.dot(n, a, a) / T(n) + T(1e-8)).squareRoot()
        for i in 0..<n { y[r * n + i] = a[i] * k }
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
private func pixelNormBackwardKernel<T: Scalar>(
    _ x: UnsafePointer<T>, _ dy: UnsafePointer<T>, _ dx: UnsafeMutablePointer<T>, _ rows: Int, _ n: Int
) {
    for r in 0..<rows {
        let a = x + r * n
        let g = dy + r * n
        let k = 1 / (T.dot(n, a, a) / T(n) + T(1e-8)).squareRoot()
        let c = T.dot(n, a, g) * k * k * k / T(n)
        for i in 0..<n { dx[r * n + i] = g[i] * k - a[i] * c }
    }
}
