import CWideKernels

/// The processor's instructions that the library's own kernels use: AVX-512, AVX2, or none.
public var kernelInstructions: String {
    switch garface_kernel_width() {
    case 16: return "AVX-512"
    case 8: return "AVX2"
    default: return "none"
    }
}

/// A 3x3 convolution between few channels of ordinary maps with its activation, by code of its own (AVX2): general
/// libraries are built for many channels and reach half of what the processor can do here.
public final class NarrowConvolution: Sendable {
    public let inputs, outputs: Int
    private let forwardWeights, adjointWeights: Tensor<Float>

    /// - Parameter weights: of kind `.same3x3`.
    /// - Returns: nil where the processor lacks the instructions or the kind is another.
    public init?(_ weights: ConvolutionWeights<Float>) {
        guard garface_kernels_available(), weights.kind == .same3x3 else { return nil }
        (inputs, outputs) = (weights.inputChannels, weights.outputChannels)
        let w = weights.unswapped(), mirrored = Tensor<Float>([inputs, outputs, 3, 3])
        for o in 0..<outputs {
            for i in 0..<inputs {
                for k in 0..<9 { mirrored[(i * outputs + o) * 9 + k] = w[(o * inputs + i) * 9 + 8 - k] }
            }
        }
        (forwardWeights, adjointWeights) = (w, mirrored)
    }

    /// What one call does besides convolving; see `garface_narrow`.
    public struct Pass {
        /// Multiplies the input by the slope of the leaky ReLU whose output this is, times `gateGain`.
        public var gate: UnsafePointer<Float>?
        public var gateGain: Float = 1
        /// Adds a bias and applies the leaky ReLU.
        public var bias: UnsafePointer<Float>?
        /// The result, or with `adds` what it is added to.
        public var result: UnsafeMutablePointer<Float>?
        public var adds = false
        /// `sumGain * result + skipWeights * skip`, skip being [skipInputs, area].
        public var sum: UnsafeMutablePointer<Float>?
        public var sumGain: Float = 1
        public var skip: UnsafePointer<Float>?
        public var skipInputs = 0
        public var skipWeights: UnsafePointer<Float>?
        public init() {}
    }

    /// Numbers of working memory for a call in `parts` parts.
    public func scratchCount(width: Int, parts: Int) -> Int {
        parts * Int(garface_narrow_scratch(Int32(max(inputs, outputs)), Int32(width)))
    }

    /// The convolution of one sample x [inputs, height, width] or, `adjoint`, its gradient's way back.
    public func run(
        _ x: UnsafePointer<Float>, height: Int, width: Int, adjoint: Bool = false, _ pass: Pass, parts: Int,
        scratch: UnsafeMutablePointer<Float>
    ) {
        let call = garface_narrow(
            inputs: Int32(adjoint ? outputs : inputs), outputs: Int32(adjoint ? inputs : outputs), height: Int32(height),
            width: Int32(width), x: x, gate: pass.gate, gate_gain: pass.gateGain,
            weights: adjoint ? adjointWeights.pointer : forwardWeights.pointer, bias: pass.bias,
            skip_inputs: Int32(pass.skipInputs), skip: pass.skip, skip_weights: pass.skipWeights, y: pass.result,
            adds: pass.adds, sum: pass.sum, sum_gain: pass.sumGain)
        let each = Int(garface_narrow_scratch(Int32(max(inputs, outputs)), Int32(width)))
        if parts == 1 {
            withUnsafePointer(to: call) { garface_narrow($0, scratch, 0, 1) }
        } else {
            inParts(parts) { part in
                withUnsafePointer(to: call) { garface_narrow($0, scratch + part * each, Int32(part), Int32(parts)) }
            }
        }
    }

    /// The same behind the interface that all convolutions share.
    final class Engine: ConvolutionEngine<Float> {
        private let narrow: NarrowConvolution
        private let scratch: Tensor<Float>
        private let parts: Int

        /// More channels than this are a matter for the general ways.
        private static var mostChannels: Int { 16 }

        init?<T: Scalar>(_ weights: ConvolutionWeights<T>, batch: Int, height: Int, width: Int) {
            guard let weights = weights as AnyObject as? ConvolutionWeights<Float>,
                max(weights.inputChannels, weights.outputChannels) <= Self.mostChannels,
                let narrow = NarrowConvolution(weights)
            else { return nil }
            self.narrow = narrow
            // A few rows for each thread at least.
            parts = height * width < 1024 ? 1 : partCount()
            scratch = Tensor([narrow.scratchCount(width: width, parts: parts)])
            super.init(
                PlainConvolution(
                    weights.kind, batch: batch, inputChannels: narrow.inputs, outputChannels: narrow.outputs, height: height,
                    width: width))
        }

        override func forward(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
            run(x, y, plain.inputCount / plain.batch, plain.outputCount / plain.batch, adjoint: false)
        }

        override func adjoint(_ dy: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>) {
            run(dy, dx, plain.outputCount / plain.batch, plain.inputCount / plain.batch, adjoint: true)
        }

        private func run(
            _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ from: Int, _ to: Int, adjoint: Bool
        ) {
            for n in 0..<plain.batch {
                var pass = Pass()
                pass.result = y + n * to
                narrow.run(
                    x + n * from, height: plain.inputHeight, width: plain.inputWidth, adjoint: adjoint, pass, parts: parts,
                    scratch: scratch.pointer)
            }
        }
    }
}
