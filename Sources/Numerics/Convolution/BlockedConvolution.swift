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
/// By Winograd's algorithm, or directly where maps are so small that reading the transformed weights takes longer than they save.
/// One thread at a time.
public final class BlockedConvolution {
    /// What computes it.
    public enum Engine: Sendable {
        case winograd
        /// Directly, of maps of 4 x 4 pixels.
        case small
    }

    public let engine: Engine
    /// `.bfloat16` where that was asked for, the processor has it and the engine is `.winograd`.
    public let precision: ProductPrecision
    public let inputShape: [Int]
    public let outputShape: [Int]
    /// Numbers of working memory that `forward` and `backward` need.
    public let scratchCount: Int

    private let batch, parts: Int
    private let kernel: BlockedKernel
    private let shape, adjointShape: BlockedKernel.Shape
    private let forwardWeights, adjointWeights: Tensor<Float>
    private let scratchPerPart: Int

    /// Whether convolutions of this kind and these channels can be computed here.
    public static func supports(_ kind: ConvolutionKind, inputs: Int, outputs: Int) -> Bool {
        garface_kernels_available() && (kind == .same3x3 || kind == .up3x3) && inputs % 16 == 0 && outputs % 16 == 0
    }

    /// - Parameters:
    ///   - engine: nil takes the quicker one that can compute it.
    ///   - precision: of the products, where this processor can make them so.
    public init(
        _ weights: ConvolutionWeights<Float>, batch: Int = 1, height: Int, width: Int, engine wanted: Engine? = nil,
        precision: ProductPrecision = .single
    ) throws {
        let (i, o, kind) = (weights.inputChannels, weights.outputChannels, weights.kind)
        guard Self.supports(kind, inputs: i, outputs: o) else {
            throw GarfaceError(.invalidArgument, "blocked convolution: needs AVX2, 3x3 kernels and multiples of 16 channels")
        }
        self.batch = batch
        inputShape = [batch, i, height, width]
        outputShape = [batch, o, kind.outputLength(height), kind.outputLength(width)]
        parts = partCount()
        let (h, w) = (Int32(height), Int32(width))
        shape = BlockedKernel.Shape(inputs: Int32(i), outputs: Int32(o), height: h, width: w)
        adjointShape = BlockedKernel.Shape(inputs: Int32(o), outputs: Int32(i), height: h, width: w)
        engine = height == 4 && width == 4 && wanted != .winograd ? .small : .winograd
        kernel =
            switch (engine, kind) {
            case (.winograd, .up3x3): .up
            case (.winograd, _): .winograd
            case (.small, .up3x3): .smallUp
            case (.small, _): .small
            }
        let half = engine == .winograd && precision == .bfloat16 && precision.isAvailable
        self.precision = half ? .bfloat16 : .single
        forwardWeights = weights.kernelWeights.weights(kernel, adjoint: false, half: half, of: weights.unswapped)
        adjointWeights = weights.kernelWeights.weights(kernel, adjoint: true, half: half, of: weights.unswapped)
        scratchPerPart = (max(kernel.scratchCount(shape), kernel.scratchCount(adjointShape)) + 15) / 16 * 16
        scratchCount = parts * scratchPerPart
    }

    /// `y = conv(x * scale)`; y is overwritten.
    /// - Parameter scale: [batch, inputs], or nil.
    public func forward(
        _ x: UnsafePointer<Float>, scale: UnsafePointer<Float>? = nil, _ y: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        let (from, to, inputs) = (inputShape[1...].reduce(1, *), outputShape[1...].reduce(1, *), inputShape[1])
        let u = UnsafePointer(forwardWeights.pointer), half = precision == .bfloat16
        for n in 0..<batch {
            let (xn, yn, sn) = (x + n * from, y + n * to, scale.map { $0 + n * inputs })
            inParts(parts) { kernel.forward(xn, scale: sn, u, half: half, yn, shape, part($0, scratch)) }
        }
    }

    /// The gradient to the (scaled) input: `dx = conv^T(dy)`; dx is overwritten.
    public func backward(
        _ dy: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        let (to, from) = (inputShape[1...].reduce(1, *), outputShape[1...].reduce(1, *))
        let u = UnsafePointer(adjointWeights.pointer), half = precision == .bfloat16
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
    func unswapped() -> Tensor<T> { kind == .up3x3 ? Self.swapChannels(plainWeights) : plainWeights }
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
