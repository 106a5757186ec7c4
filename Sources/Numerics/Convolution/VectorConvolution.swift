/// Convolution by the library's own kernels, in single precision, on maps as they lie (NCHW).
///
/// 3x3 convolutions of stride 1 go by Winograd's algorithm where it pays, all others as products over shifted maps, which
/// need no columns of patches.
final class VectorConvolution: ConvolutionEngine<Float> {
    private let forwardPass, adjointPass: VectorPass

    /// Nil where this processor, or the shape, is not one for these kernels.
    init?(
        _ g: PlainConvolution, _ weights: Tensor<Float>, _ cache: PackedWeightCache, _ choice: VectorChoice = VectorChoice()
    ) {
        guard let kernels = choice.level.map({ VectorKernels($0) }) ?? .best else { return nil }
        let all = Array(0..<g.kernel * g.kernel)
        let numbers = max(g.inputChannels * g.inputArea, g.outputChannels * g.outputArea)
        if g.kernel == 1 {
            guard
                let forward = PointwisePass(
                    kernels, cache.taps(weights, swapped: false, all), inputs: g.inputChannels, outputs: g.outputChannels,
                    area: g.inputArea),
                let adjoint = PointwisePass(
                    kernels, cache.taps(weights, swapped: true, all), inputs: g.outputChannels, outputs: g.inputChannels,
                    area: g.inputArea)
            else { return nil }
            (forwardPass, adjointPass) = (forward, adjoint)
        } else if g.stride == 1 {
            func pass(swapped: Bool) -> VectorPass {
                let inputs = swapped ? g.outputChannels : g.inputChannels
                let outputs = swapped ? g.inputChannels : g.outputChannels
                let (height, width) = (g.inputHeight, g.inputWidth)
                if choice.winograd ?? Self.winogradPays(g) {
                    let transformed = cache.winograd(weights, swapped: swapped)
                    return SharedPass.make(numbers: numbers) {
                        WinogradPass(
                            kernels, transformed, inputs: inputs, outputs: outputs, height: height, width: width, share: $0)
                    }
                }
                let taps = cache.taps(weights, swapped: swapped, swapped ? all.reversed() : all)
                return SharedPass.make(numbers: numbers) {
                    DirectPass(kernels, taps, inputs: inputs, outputs: outputs, height: height, width: width, share: $0)
                }
            }
            (forwardPass, adjointPass) = (pass(swapped: false), pass(swapped: true))
        } else {
            let taps = cache.taps(weights, swapped: false, all)
            forwardPass = SharedPass.make(numbers: numbers) { StridedPass(kernels, taps, g, share: $0) }
            adjointPass = SharedPass.make(numbers: numbers) { share in
                TransposedPass(kernels, g, share: share) { cache.taps(weights, swapped: true, $0) }
            }
        }
        super.init(g)
    }

    /// Its 36 products must be clearly fewer vectors than the direct way's nine, counting what vectors hold beyond the map;
    /// few channels have little to spread the transforms over, which large maps make up for (measured). The choice depends on
    /// the shape alone, so that results do not change from run to run.
    static func winogradPays(_ g: PlainConvolution) -> Bool {
        let (h, w) = (g.inputHeight, g.inputWidth)
        let tiles = (h + 3) / 4 * ((w + 3) / 4)
        let (fewer, more) = (min(g.inputChannels, g.outputChannels), max(g.inputChannels, g.outputChannels))
        let channels = fewer >= 16 || (fewer >= 4 && more >= 8 && min(h, w) >= 32)
        return channels && 36 * ((tiles + 15) / 16) * 4 < 9 * ((h * w + 15) / 16) * 3
    }

    /// Where these kernels are quicker than oneDNN with its own layouts (measured): 3x3 convolutions of stride 1 but for the
    /// small maps of many channels, where the weights are the larger part. Depends on the shape alone.
    static func beatsOneDNN(_ g: PlainConvolution) -> Bool {
        g.kernel == 3 && g.stride == 1
            && (winogradPays(g) || (min(g.inputChannels, g.outputChannels) <= 8 && min(g.inputHeight, g.inputWidth) >= 4))
    }

    override func forward(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
        for n in 0..<plain.batch {
            forwardPass.run(x + n * plain.inputChannels * plain.inputArea, y + n * plain.outputChannels * plain.outputArea)
        }
    }

    override func adjoint(_ dy: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>) {
        for n in 0..<plain.batch {
            adjointPass.run(dy + n * plain.outputChannels * plain.outputArea, dx + n * plain.inputChannels * plain.inputArea)
        }
    }
}
