import Numerics

/// One injection network at work on a batch of normal maps, its activations, residual and their gradients within the
/// convolutions' own passes. The same as `NormalInjectionContext`, which is its reference.
final class BlockedInjection {
    /// Scale and shift maps [B, 2 or 4, r, r].
    let output: Tensor<Float>
    /// The gradient to `output`, for the render layers to add into.
    let dOutput: Tensor<Float>
    private let layer: NormalInjection<Float>
    private let widening: NarrowConvolution?
    private let first, second: NarrowConvolution
    /// [out, in] and [in, out], times 1 / sqrt 2.
    private let skip, skipBack: Tensor<Float>
    private let batch, side, parts: Int
    private let widened, inner, activated: Tensor<Float>
    private let dInner, dWidened: Tensor<Float>
    private let scratch: Tensor<Float>

    static func supports(_ layer: NormalInjection<Float>) -> Bool { NarrowConvolution(layer.first.convolution) != nil }

    init(_ layer: NormalInjection<Float>, batch: Int, resolution r: Int) throws {
        guard let first = NarrowConvolution(layer.first.convolution), let second = NarrowConvolution(layer.second.convolution)
        else { throw GarfaceError(.internalFailure, "renderer: no kernels for the injection network") }
        self.layer = layer
        self.batch = batch
        side = r
        self.first = first
        self.second = second
        let widening = layer.widening.flatMap { NarrowConvolution($0.convolution) }
        self.widening = widening
        let half = Float(0.5).squareRoot(), (k, m) = (layer.width, layer.outputs)
        skip = Tensor([m, k])
        skipBack = Tensor([k, m])
        let plain = layer.skip.plain
        for o in 0..<m {
            for i in 0..<k {
                skip[o * k + i] = half * plain[o * k + i]
                skipBack[i * m + o] = half * plain[o * k + i]
            }
        }
        output = Tensor([batch, m, r, r])
        dOutput = Tensor(output.shape)
        activated = Tensor(output.shape)
        widened = Tensor([batch, k, r, r])
        inner = Tensor(widened.shape)
        dInner = Tensor(widened.shape)
        dWidened = Tensor(widened.shape)
        let parts = r < 32 ? 1 : partCount()
        self.parts = parts
        let each = [widening, first, second].compactMap { $0?.scratchCount(width: r, parts: parts) }
        scratch = Tensor([each.max()!])
    }

    /// `normals` is [B, 3, r, r].
    func forward(_ normals: UnsafePointer<Float>) {
        let area = side * side, (k, m) = (layer.width, layer.outputs)
        for n in 0..<batch {
            let wide = widened.pointer + n * k * area, within = inner.pointer + n * k * area
            if let widening {
                var pass = NarrowConvolution.Pass()
                pass.bias = UnsafePointer(layer.widening!.bias.pointer)
                pass.result = wide
                run(widening, normals + n * 3 * area, pass)
            } else {
                wide.update(from: normals + n * 3 * area, count: 3 * area)
            }
            var pass = NarrowConvolution.Pass()
            pass.bias = UnsafePointer(layer.first.bias.pointer)
            pass.result = within
            run(first, wide, pass)
            pass.bias = UnsafePointer(layer.second.bias.pointer)
            pass.result = activated.pointer + n * m * area
            pass.sum = output.pointer + n * m * area
            pass.sumGain = Float(0.5).squareRoot()
            pass.skip = UnsafePointer(wide)
            pass.skipInputs = k
            pass.skipWeights = UnsafePointer(skip.pointer)
            run(second, within, pass)
        }
    }

    /// Adds the gradient of `dOutput` to `target`, [B, 3, r, r].
    func backward(addingTo target: UnsafeMutablePointer<Float>) {
        let area = side * side, (k, m) = (layer.width, layer.outputs)
        for n in 0..<batch {
            let g = dOutput.pointer + n * m * area, wide = widened.pointer + n * k * area
            let dWide = dWidened.pointer + n * k * area, dWithin = dInner.pointer + n * k * area
            let to = target + n * 3 * area
            var pass = NarrowConvolution.Pass()
            pass.gate = UnsafePointer(activated.pointer + n * m * area)
            pass.gateGain = Float(0.5).squareRoot()
            pass.result = dWithin
            run(second, g, pass, adjoint: true)
            pass = NarrowConvolution.Pass()
            pass.gate = UnsafePointer(inner.pointer + n * k * area)
            pass.sum = dWide
            pass.skip = UnsafePointer(g)
            pass.skipInputs = m
            pass.skipWeights = UnsafePointer(skipBack.pointer)
            run(first, dWithin, pass, adjoint: true)
            guard let widening else {
                for i in 0..<3 * area { to[i] += dWide[i] }
                continue
            }
            pass = NarrowConvolution.Pass()
            pass.gate = UnsafePointer(wide)
            pass.result = to
            pass.adds = true
            run(widening, dWide, pass, adjoint: true)
        }
    }

    private func run(
        _ convolution: NarrowConvolution, _ x: UnsafePointer<Float>, _ pass: NarrowConvolution.Pass, adjoint: Bool = false
    ) {
        convolution.run(x, height: side, width: side, adjoint: adjoint, pass, parts: parts, scratch: scratch.pointer)
    }
}
