import Numerics

// Latents: from z to w, and from w to the rows of w+.
extension GAR {
    /// w [B, latent] of z [B, latent].
    public func map(_ z: Tensor<T>) -> Tensor<T> {
        precondition(z.count % configuration.latentSize == 0, "z: rows of the latent size")
        return mapping.activations(z).last!
    }

    /// The gradient to z [B, latent], given the one to w.
    public func mapBackward(_ z: Tensor<T>, dW: Tensor<T>) -> Tensor<T> {
        precondition(z.count % configuration.latentSize == 0 && z.count == dW.count, "z and w: rows of the latent size")
        return mapping.backward(z, dW)
    }

    /// `mean + psi * (w - mean)` for every row of w or w+; towards the mean w when `mean` is nil.
    public func truncate(_ w: Tensor<T>, psi: T, towards mean: Tensor<T>? = nil) -> Tensor<T> {
        let m = mean ?? meanW
        let n = configuration.latentSize
        precondition(w.count % n == 0 && m.count == n, "w: rows of the latent size")
        let result = Tensor<T>(w.shape)
        for i in 0..<w.count { result.pointer[i] = m.pointer[i % n] + psi * (w.pointer[i] - m.pointer[i % n]) }
        return result
    }

    /// w+ [B, rows, latent] with the same w [B, latent] in every row.
    public func wPlus(_ w: Tensor<T>) -> Tensor<T> { wPlus(mixing: [w], crossovers: []) }

    /// Style mixing: rows before the first crossover come from the first w, those up to the second from the second, and
    /// so on. There is one crossover less than there are w, in rising order.
    public func wPlus(mixing ws: [Tensor<T>], crossovers: [Int]) -> Tensor<T> {
        let n = configuration.latentSize
        precondition(ws.count == crossovers.count + 1 && ws.allSatisfy { $0.count == ws[0].count && $0.count % n == 0 })
        let batch = ws[0].count / n
        let result = Tensor<T>([batch, styleCount, n])
        for b in 0..<batch {
            for row in 0..<styleCount {
                let source = ws[crossovers.count { $0 <= row }]
                (result.pointer + (b * styleCount + row) * n).update(from: source.pointer + b * n, count: n)
            }
        }
        return result
    }

    /// Style mixing of whole w+ [B, rows, latent]: rows before `row` come from the first, those from it on from the second.
    public func wPlus(joining first: Tensor<T>, _ second: Tensor<T>, at row: Int) -> Tensor<T> {
        let n = configuration.latentSize, size = styleCount * n
        precondition(first.count == second.count && first.count % size == 0, "w+: [batch, rows, latent]")
        precondition((0...styleCount).contains(row), "row: 0 to the number of rows")
        let result = Tensor<T>(first.shape)
        for start in stride(from: 0, to: first.count, by: size) {
            (result.pointer + start).update(from: first.pointer + start, count: row * n)
            (result.pointer + start + row * n).update(from: second.pointer + start + row * n, count: size - row * n)
        }
        return result
    }

    /// The gradients to the w that `wPlus(mixing:crossovers:)` mixed.
    public func wPlusBackward(_ dWPlus: Tensor<T>, crossovers: [Int] = []) -> [Tensor<T>] {
        let n = configuration.latentSize
        let batch = dWPlus.count / (n * styleCount)
        precondition(dWPlus.count == batch * n * styleCount, "w+: [batch, rows, latent]")
        let result = (0...crossovers.count).map { _ in Tensor<T>([batch, n]) }
        for b in 0..<batch {
            for row in 0..<styleCount {
                let target = result[crossovers.count { $0 <= row }].pointer + b * n
                combineKernel(1, dWPlus.pointer + (b * styleCount + row) * n, 1, target, n)
            }
        }
        return result
    }
}

// Noise maps: one [B, 1, r, r] per layer. The model's own are `fixedNoise`.
extension GAR {
    /// Gaussian noise from a seed.
    public func noise(seed: UInt64, batch: Int = 1) -> [Tensor<T>] { Self.seededNoise(configuration, seed: seed, batch: batch) }

    public func zeroNoise(batch: Int = 1) -> [Tensor<T>] { noiseShapes.map { Tensor([batch, 1, $0, $0]) } }

    static func seededNoise(_ configuration: GARConfiguration, seed: UInt64, batch: Int) -> [Tensor<T>] {
        var rng = RandomGenerator(seed: seed)
        return configuration.noiseSizes.map {
            let map = Tensor<T>([batch, 1, $0, $0])
            rng.fillNormal(map)
            return map
        }
    }
}
