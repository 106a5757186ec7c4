/// A convolution's weights in the orders that the kernels read, made when first asked for and shared by all contexts.
final class PackedWeightCache: Sendable {
    private struct Key: Hashable {
        let swapped: Bool
        /// Positions in the kernel, row by row; empty for Winograd's transform.
        let taps: [Int]
    }

    private let packed = MadeOnceEach<Key, Tensor<Float>>()

    /// For products over shifted maps: blocks of eight outputs, `[ceil(outputs / 8), inputs * taps, 8]`.
    ///
    /// - Parameters:
    ///   - plain: `[out, in, k, k]`.
    ///   - swapped: the convolution's inputs are the product's outputs.
    ///   - taps: positions in the kernel, in the product's order.
    func taps(_ plain: Tensor<Float>, swapped: Bool, _ taps: [Int]) -> Tensor<Float> {
        packed.value(Key(swapped: swapped, taps: taps)) {
            let (o, i, k2) = Self.sizes(plain, swapped)
            let depth = i * taps.count
            let result = Tensor<Float>([(o + 7) / 8, depth, 8])
            for a in 0..<o {
                let block = result.pointer + (a / 8) * depth * 8 + a % 8
                for b in 0..<i {
                    let kernel = plain.pointer + (swapped ? b * o + a : a * i + b) * k2
                    for (t, tap) in taps.enumerated() { block[8 * (b * taps.count + t)] = kernel[tap] }
                }
            }
            return result
        }
    }

    /// Winograd's transform of 3x3 kernels, `[36, ceil(outputs / 8), inputs, 8]`; swapped ones turned by 180 degrees.
    func winograd(_ plain: Tensor<Float>, swapped: Bool) -> Tensor<Float> {
        packed.value(Key(swapped: swapped, taps: [])) {
            let (o, i, k2) = Self.sizes(plain, swapped)
            let blocks = (o + 7) / 8
            let result = Tensor<Float>([36, blocks, i, 8])
            var kernel = [Double](repeating: 0, count: 9)
            var transformed = [Double](repeating: 0, count: 36)
            for a in 0..<o {
                for b in 0..<i {
                    let from = plain.pointer + (swapped ? b * o + a : a * i + b) * k2
                    for t in 0..<9 { kernel[t] = Double(from[swapped ? 8 - t : t]) }
                    WinogradTransform.kernel(kernel, &transformed)
                    let to = result.pointer + ((a / 8) * i + b) * 8 + a % 8
                    for e in 0..<36 { to[e * blocks * i * 8] = Float(transformed[e]) }
                }
            }
            return result
        }
    }

    private static func sizes(_ plain: Tensor<Float>, _ swapped: Bool) -> (outputs: Int, inputs: Int, taps: Int) {
        let (o, i) = (plain.shape[0], plain.shape[1])
        return (swapped ? i : o, swapped ? o : i, plain.shape[2] * plain.shape[3])
    }
}

/// Winograd's F(4x4, 3x3): 36 products in place of 144. See `winograd_input` in the kernels for maps.
enum WinogradTransform {
    /// Rows (1, p, p^2) / product of the differences from the other points, for the points 0, +-sqrt(1/2), +-sqrt(2); then
    /// (0, 0, 1) for infinity.
    private static let matrix: [Double] = {
        let points = [0, 0.5.squareRoot(), -0.5.squareRoot(), 2.0.squareRoot(), -2.0.squareRoot()]
        var rows: [Double] = []
        for p in points {
            let n = points.reduce(1.0) { $1 == p ? $0 : $0 * (p - $1) }
            rows += [1 / n, p / n, p * p / n]
        }
        return rows + [0, 0, 1]
    }()

    /// A kernel [3, 3] to [6, 6].
    static func kernel(_ g: [Double], _ result: inout [Double]) {
        matrix.withUnsafeBufferPointer { m in
            g.withUnsafeBufferPointer { g in
                for u in 0..<6 {
                    // One row of the matrix times the kernel, then times the matrix' transpose.
                    let x = m[3 * u] * g[0] + m[3 * u + 1] * g[3] + m[3 * u + 2] * g[6]
                    let y = m[3 * u] * g[1] + m[3 * u + 1] * g[4] + m[3 * u + 2] * g[7]
                    let z = m[3 * u] * g[2] + m[3 * u + 1] * g[5] + m[3 * u + 2] * g[8]
                    for v in 0..<6 { result[6 * u + v] = x * m[3 * v] + y * m[3 * v + 1] + z * m[3 * v + 2] }
                }
            }
        }
    }
}
