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
    /// `.bfloat16` where that was asked for, the processor has it and the engine is Winograd's.
    public let precision: ProductPrecision
    public let inputShape: [Int]
    public let outputShape: [Int]
    /// Numbers of working memory that `forward` and `backward` need.
    public let scratchCount: Int

    private let kind: ConvolutionKind
    private let batch, inputs, outputs, height, width, parts: Int
    private let forwardWeights, adjointWeights: Tensor<Float>?
    private let scratchPerPart: Int
    #if GARFACE_ONEDNN
        private let direct: BlockedOneDNN?
    #endif

    /// Whether convolutions of this kind and these channels can be computed here.
    public static func supports(_ kind: ConvolutionKind, inputs: Int, outputs: Int) -> Bool {
        garface_kernels_available() && (kind == .same3x3 || kind == .up3x3) && inputs % 16 == 0 && outputs % 16 == 0
    }

    /// Whether oneDNN's direct way is the quicker one (measured): only where very many weights meet a handful of pixels, and the
    /// processor has the vectors that it has code for, of these blocks.
    private static func prefersDirect(_ weights: Int, _ height: Int, _ width: Int) -> Bool {
        weights > 32_768 && height * width <= 16 && garface_kernel_width() == 16
    }

    private static func isSmall(_ kind: ConvolutionKind, _ height: Int, _ width: Int) -> Bool {
        kind == .same3x3 && height == 4 && width == 4
    }

    /// - Parameters:
    ///   - engine: nil takes the quicker one.
    ///   - precision: of the products, where this processor can make them so.
    public init(
        _ weights: ConvolutionWeights<Float>, batch: Int = 1, height: Int, width: Int, engine wanted: Engine? = nil,
        precision: ProductPrecision = .single
    ) throws {
        let (i, o, kind) = (weights.inputChannels, weights.outputChannels, weights.kind)
        guard Self.supports(kind, inputs: i, outputs: o) else {
            throw GarfaceError(.invalidArgument, "blocked convolution: needs AVX2, 3x3 kernels and multiples of 16 channels")
        }
        (self.kind, self.batch, inputs, outputs, self.height, self.width) = (kind, batch, i, o, height, width)
        inputShape = [batch, i, height, width]
        outputShape = [batch, o, kind.outputLength(height), kind.outputLength(width)]
        parts = partCount()
        let small = Self.isSmall(kind, height, width)
        var engine = wanted ?? (small ? .small : Self.prefersDirect(i * o, height, width) ? .direct : .winograd)
        if engine == .small && !small { engine = .winograd }
        #if GARFACE_ONEDNN
            let plain = PlainConvolution(
                kind, batch: batch, inputChannels: i, outputChannels: o, height: height, width: width)
            direct = engine == .direct ? try? BlockedOneDNN(plain, weights.blocked, plain: weights.plainWeights) : nil
            if direct == nil && engine == .direct { engine = .winograd }
        #else
            if engine == .direct { engine = .winograd }
        #endif
        self.engine = engine
        let half = engine == .winograd && precision == .bfloat16 && precision.isAvailable
        self.precision = half ? .bfloat16 : .single
        if engine == .direct {
            (forwardWeights, adjointWeights, scratchPerPart, scratchCount) = (nil, nil, 0, 0)
            return
        }
        let up = kind == .up3x3, isSmall = engine == .small
        let weightCount = isSmall ? garface_small_weight_count : up ? garface_up_weight_count : garface_winograd_weight_count
        let make = isSmall ? garface_small_weights : up ? garface_up_weights : garface_winograd_weights
        let shared = isSmall ? weights.small : weights.transformed
        func transformed(adjoint: Bool) -> Tensor<Float> {
            let plain = weights.unswapped(), u = Tensor<Float>([weightCount(Int32(i), Int32(o))])
            withExtendedLifetime(plain) { make(plain.pointer, Int32(i), Int32(o), adjoint, u.pointer) }
            return u
        }
        let forward = shared.forward.value { transformed(adjoint: false) }
        let adjoint = shared.adjoint.value { transformed(adjoint: true) }
        func halved(_ u: Tensor<Float>, depth: Int, columns: Int) -> Tensor<Float> {
            let numbers = Tensor<Float>([(u.count + 1) / 2])
            let bits = UnsafeMutableRawPointer(numbers.pointer).assumingMemoryBound(to: UInt16.self)
            withExtendedLifetime(u) { garface_half_weights(u.pointer, Int32(depth), Int32(columns), bits) }
            return numbers
        }
        forwardWeights = half ? weights.halved.forward.value { halved(forward, depth: i, columns: o) } : forward
        adjointWeights = half ? weights.halved.adjoint.value { halved(adjoint, depth: o, columns: i) } : adjoint
        let size = isSmall ? garface_small_scratch : up ? garface_up_scratch : garface_winograd_scratch
        let (h, w) = (Int32(height), Int32(width))
        let numbers = max(size(Int32(i), Int32(o), h, w), size(Int32(o), Int32(i), h, w))
        scratchPerPart = (numbers + 15) / 16 * 16
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
        let (i, o, h, w) = (Int32(inputs), Int32(outputs), Int32(height), Int32(width))
        let (from, to) = (inputShape[1...].reduce(1, *), outputShape[1...].reduce(1, *))
        let run = kind == .up3x3 ? garface_up : garface_winograd
        let u = forwardWeights!.pointer, count = parts, each = scratchPerPart, half = precision == .bfloat16
        let small = engine == .small
        for n in 0..<batch {
            let (xn, yn, sn) = (x + n * from, y + n * to, scale.map { $0 + n * inputs })
            inParts(count) { part in
                if small {
                    return garface_small(xn, sn, u, yn, i, o, scratch + part * each, Int32(part), Int32(count))
                }
                run(xn, sn, u, half, yn, i, o, h, w, scratch + part * each, Int32(part), Int32(count))
            }
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
        let (i, o, h, w) = (Int32(inputs), Int32(outputs), Int32(height), Int32(width))
        let (to, from) = (inputShape[1...].reduce(1, *), outputShape[1...].reduce(1, *))
        let u = adjointWeights!.pointer, count = parts, each = scratchPerPart, up = kind == .up3x3
        let half = precision == .bfloat16, small = engine == .small
        for n in 0..<batch {
            let (gn, xn) = (dy + n * from, dx + n * to)
            inParts(count) { part in
                let memory = scratch + part * each
                if small {
                    garface_small(gn, nil, u, xn, o, i, memory, Int32(part), Int32(count))
                } else if up {
                    garface_up_adjoint(gn, u, half, xn, o, i, h, w, memory, Int32(part), Int32(count))
                } else {
                    garface_winograd(gn, nil, u, half, xn, o, i, h, w, memory, Int32(part), Int32(count))
                }
            }
        }
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
