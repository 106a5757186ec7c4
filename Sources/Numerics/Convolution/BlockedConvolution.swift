import CWideKernels

/// In what the products of a convolution are made. Sums, and maps, are in single precision.
public enum ProductPrecision: String, Sendable, CaseIterable {
    case single
    /// Both factors rounded to 8 bits of mantissa: about half the time, an error of about one in 200.
    case bfloat16

    public var isAvailable: Bool { self == .single || garface_bfloat_available() }
}

/// A 3x3 convolution of single-precision maps whose channels lie in blocks of 16, `[channels / 16][height][width][16]` for
/// each sample: what the renderer works with where the processor has AVX2, so that nothing is reordered between layers.
///
/// By Winograd code of its own, or directly where maps are so small that reading the transformed weights takes longer than they
/// save: by code of its own too, or, what doubles the size, by oneDNN's. One thread at a time.
public final class BlockedConvolution {
    /// What computes it.
    public enum Engine: Sendable {
        case winograd
        /// oneDNN's.
        case direct
        /// Our own of 3x3 kernels on maps of 4 x 4 pixels.
        case small
    }

    public let engine: Engine
    /// `.bfloat16` where that was asked for, the processor has it and the engine is `.winograd`.
    public let precision: ProductPrecision
    public let inputShape: [Int]
    public let outputShape: [Int]
    /// Numbers of working memory that `forward` and `backward` need.
    public let scratchCount: Int

    private let kind: ConvolutionKind
    private let batch, parts: Int
    private let kernel: BlockedKernel
    private let shape, adjointShape: BlockedKernel.Shape
    private let forwardWeights, adjointWeights: Tensor<Float>?
    private let scratchPerPart: Int
    #if GARFACE_ONEDNN
        private let direct: BlockedOneDNN?
    #endif

    /// Whether convolutions of this kind and these channels can be computed here.
    public static func supports(_ kind: ConvolutionKind, inputs: Int, outputs: Int) -> Bool {
        garface_kernels_available() && (kind == .same3x3 || kind == .up3x3) && inputs % 16 == 0 && outputs % 16 == 0
    }

    private static func isSmall(_ kind: ConvolutionKind, _ height: Int, _ width: Int) -> Bool {
        kind == .same3x3 && height == 4 && width == 4
    }

    /// The quickest (measured). oneDNN's only where very many weights meet a handful of pixels, and the processor has the vectors
    /// that it has code for, of these blocks.
    private static func quickest(_ kind: ConvolutionKind, _ weights: Int, _ height: Int, _ width: Int) -> Engine {
        if isSmall(kind, height, width) { return .small }
        return weights > 32_768 && height * width <= 16 && garface_kernel_width() == 16 ? .direct : .winograd
    }

    /// - Parameters:
    ///   - engine: nil takes the quickest one.
    ///   - precision: of the products, where this processor can make them so.
    public init(
        _ weights: ConvolutionWeights<Float>, batch: Int = 1, height: Int, width: Int, engine wanted: Engine? = nil,
        precision: ProductPrecision = .single
    ) throws {
        let (i, o, kind) = (weights.inputChannels, weights.outputChannels, weights.kind)
        guard Self.supports(kind, inputs: i, outputs: o) else {
            throw GarfaceError(.invalidArgument, "blocked convolution: needs AVX2, 3x3 kernels and multiples of 16 channels")
        }
        (self.kind, self.batch) = (kind, batch)
        inputShape = [batch, i, height, width]
        outputShape = [batch, o, kind.outputLength(height), kind.outputLength(width)]
        parts = partCount()
        let (h, w) = (Int32(height), Int32(width))
        shape = BlockedKernel.Shape(inputs: Int32(i), outputs: Int32(o), height: h, width: w)
        adjointShape = BlockedKernel.Shape(inputs: Int32(o), outputs: Int32(i), height: h, width: w)
        var engine = wanted ?? Self.quickest(kind, i * o, height, width)
        if engine == .small && !Self.isSmall(kind, height, width) { engine = .winograd }
        #if GARFACE_ONEDNN
            let plain = PlainConvolution(
                kind, batch: batch, inputChannels: i, outputChannels: o, height: height, width: width)
            direct = engine == .direct ? try? BlockedOneDNN(plain, weights.blocked, plain: weights.plainWeights) : nil
            if direct == nil && engine == .direct { engine = .winograd }
        #else
            if engine == .direct { engine = .winograd }
        #endif
        self.engine = engine
        kernel = engine == .small ? .small : kind == .up3x3 ? .up : .winograd
        let half = engine == .winograd && precision == .bfloat16 && precision.isAvailable
        self.precision = half ? .bfloat16 : .single
        if engine == .direct {
            (forwardWeights, adjointWeights, scratchPerPart, scratchCount) = (nil, nil, 0, 0)
            return
        }
        forwardWeights = weights.kernelWeights.weights(kernel, adjoint: false, half: half, of: weights.unswapped)
        adjointWeights = weights.kernelWeights.weights(kernel, adjoint: true, half: half, of: weights.unswapped)
        scratchPerPart = (max(kernel.scratchCount(shape), kernel.scratchCount(adjointShape)) + 15) / 16 * 16
        scratchCount = parts * scratchPerPart
    }

    /// Whether `forward` multiplies by a scale for each channel; otherwise it wants its input multiplied already.
    public var takesScale: Bool { engine != .direct }

    /// `y = conv(x * scale)`; y is overwritten.
    /// - Parameter scale: [batch, inputs], or nil.
    public func forward(
        _ x: UnsafePointer<Float>, scale: UnsafePointer<Float>? = nil, _ y: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        #if GARFACE_ONEDNN
            if let direct {
                kind == .up3x3 ? direct.adjoint(x, y) : direct.forward(x, y)
                return
            }
        #endif
        let (from, to, inputs) = (inputShape[1...].reduce(1, *), outputShape[1...].reduce(1, *), inputShape[1])
        let u = UnsafePointer(forwardWeights!.pointer), half = precision == .bfloat16
        for n in 0..<batch {
            let (xn, yn, sn) = (x + n * from, y + n * to, scale.map { $0 + n * inputs })
            inParts(parts) { kernel.forward(xn, scale: sn, u, half: half, yn, shape, part($0, scratch)) }
        }
    }

    /// The gradient to the (scaled) input: `dx = conv^T(dy)`; dx is overwritten.
    public func backward(
        _ dy: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        #if GARFACE_ONEDNN
            if let direct {
                kind == .up3x3 ? direct.forward(dy, dx) : direct.adjoint(dy, dx)
                return
            }
        #endif
        let (to, from) = (inputShape[1...].reduce(1, *), outputShape[1...].reduce(1, *))
        let u = UnsafePointer(adjointWeights!.pointer), half = precision == .bfloat16
        for n in 0..<batch {
            let (gn, xn) = (dy + n * from, dx + n * to)
            inParts(parts) { kernel.backward(gn, u, half: half, xn, adjointShape, part($0, scratch)) }
        }
    }

    private func part(_ number: Int, _ scratch: UnsafeMutablePointer<Float>) -> BlockedKernel.Part {
        BlockedKernel.Part(scratch: scratch + number * scratchPerPart, number: Int32(number), count: Int32(parts))
    }
}

extension ConvolutionWeights {
    /// As [out, in, k, k], whatever the kind.
    func unswapped() -> Tensor<Float> {
        let plain = plainWeights as AnyObject as! Tensor<Float>
        return kind == .up3x3 ? ConvolutionWeights<Float>.swapChannels(plain) : plain
    }
}

/// Ordinary maps to blocked ones and back, for tests and set-up.
public enum BlockedMaps {
    /// [batch, channels, area] to blocked; `channels` is a multiple of 16.
    public static func pack(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, batch: Int, channels: Int, area: Int) {
        for n in 0..<batch {
            for c in 0..<channels {
                let from = x + (n * channels + c) * area, to = y + (n * channels + c / 16 * 16) * area + c % 16
                for p in 0..<area { to[16 * p] = from[p] }
            }
        }
    }

    public static func unpack(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, batch: Int, channels: Int, area: Int) {
        for n in 0..<batch {
            for c in 0..<channels {
                let to = y + (n * channels + c) * area, from = x + (n * channels + c / 16 * 16) * area + c % 16
                for p in 0..<area { to[p] = from[16 * p] }
            }
        }
    }
}
