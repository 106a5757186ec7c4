/// Weights of one convolution, prepared once and shared by every context and thread.
public final class ConvolutionWeights<T: Scalar>: @unchecked Sendable {
    public let kind: ConvolutionKind
    public let path: ConvolutionPath
    public let inputChannels: Int
    public let outputChannels: Int
    /// As the plain convolution wants them: [out,in,k,k], or [in,out,k,k] for the transposed kind.
    let plainWeights: Tensor<T>
    /// As the kernels of blocked maps want them.
    let kernelWeights = BlockedWeightCache()
    let packed = PackedWeightCache()
    #if GARFACE_ONEDNN
        let blocked = OneDNNWeightCache()
    #endif

    /// - Parameter weights: [out, in, k, k], already scaled. Kept, so it must not change afterwards.
    public init(_ weights: Tensor<T>, kind: ConvolutionKind, path: ConvolutionPath = .best) throws {
        let k = kind.kernelSize
        guard weights.shape.count == 4, weights.shape[2] == k, weights.shape[3] == k, weights.count > 0 else {
            throw GarfaceError(
                .invalidArgument, "convolution weights: expected [out, in, \(k), \(k)], found \(weights.shape)")
        }
        self.kind = kind
        self.path = path
        outputChannels = weights.shape[0]
        inputChannels = weights.shape[1]
        plainWeights = kind == .up3x3 ? Self.swapChannels(weights) : weights
    }

    static func swapChannels(_ w: Tensor<T>) -> Tensor<T> {
        let (o, i, k2) = (w.shape[0], w.shape[1], w.shape[2] * w.shape[3])
        let result = Tensor<T>([i, o, w.shape[2], w.shape[3]])
        for a in 0..<o {
            for b in 0..<i { (result.pointer + (b * o + a) * k2).update(from: w.pointer + (a * i + b) * k2, count: k2) }
        }
        return result
    }

    /// [out, in, k, k]; not for the transposed kind.
    public var plain: Tensor<T> {
        precondition(kind != .up3x3)
        return plainWeights
    }

    /// A convolution of maps [batch, in, height, width] with these weights, with its own scratch memory.
    ///
    /// - Parameter choice: for the tests of `ConvolutionPath.vector`.
    public func convolution(batch: Int = 1, height: Int, width: Int, choice: VectorChoice = VectorChoice()) throws -> Convolution<T> {
        guard batch > 0, height > 0, width > 0, batch <= 1 << 16, height <= 1 << 15, width <= 1 << 15 else {
            throw GarfaceError(.invalidArgument, "convolution of maps [\(batch), \(inputChannels), \(height), \(width)]")
        }
        return try Convolution(self, batch: batch, height: height, width: width, choice)
    }
}

/// A convolution of maps of one size. One thread at a time; calls allocate nothing.
public final class Convolution<T: Scalar>: @unchecked Sendable {
    public let weights: ConvolutionWeights<T>
    public let inputShape: [Int]
    public let outputShape: [Int]
    /// What really computes it: `.onednn` falls back to `.vector` when oneDNN declines, and both to `.gemm` in double
    /// precision or on a processor without such vectors.
    public let path: ConvolutionPath
    private let engine: ConvolutionEngine<T>
    private let transposed: Bool

    fileprivate init(_ weights: ConvolutionWeights<T>, batch: Int, height: Int, width: Int, _ choice: VectorChoice) throws {
        let kind = weights.kind
        self.weights = weights
        inputShape = [batch, weights.inputChannels, height, width]
        outputShape = [batch, weights.outputChannels, kind.outputLength(height), kind.outputLength(width)]
        transposed = kind == .up3x3
        if weights.path == .best, let narrow = NarrowConvolution.Engine(weights, batch: batch, height: height, width: width),
            let erased = narrow as AnyObject as? ConvolutionEngine<T>
        {
            path = weights.path
            engine = erased
            return
        }
        let plain = PlainConvolution(
            kind, batch: batch, inputChannels: weights.inputChannels, outputChannels: weights.outputChannels, height: height,
            width: width)
        func vectorOrGemm() -> (ConvolutionPath, ConvolutionEngine<T>) {
            if let plainWeights = weights.plainWeights as AnyObject as? Tensor<Float>,
                let own = VectorConvolution(plain, plainWeights, weights.packed, choice) as AnyObject as? ConvolutionEngine<T>
            {
                return (.vector, own)
            }
            return (.gemm, GemmConvolution(plain, weights.plainWeights))
        }
        switch weights.path {
        case .reference:
            path = .reference
            engine = ReferenceConvolution(plain, weights.plainWeights)
        case .gemm:
            path = .gemm
            engine = GemmConvolution(plain, weights.plainWeights)
        case .vector:
            (path, engine) = vectorOrGemm()
        case .onednn:
            if VectorConvolution.beatsOneDNN(plain) {
                let own = vectorOrGemm()
                if own.0 == .vector {
                    (path, engine) = own
                    return
                }
            }
            #if GARFACE_ONEDNN
                if T.self == Float.self,
                    let fast = try? OneDNNConvolution(
                        plain, weights.blocked, plain: weights.plainWeights as AnyObject as? Tensor<Float>),
                    let erased = fast as AnyObject as? ConvolutionEngine<T>
                {
                    path = .onednn
                    engine = erased
                    return
                }
            #endif
            (path, engine) = vectorOrGemm()
        }
    }

    /// `y = conv(x)`; y is overwritten. x and y must not overlap.
    public func forward(_ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>) {
        transposed ? engine.adjoint(x, y) : engine.forward(x, y)
    }

    /// The gradient to the input: `dx = conv^T(dy)`; dx is overwritten.
    public func backward(_ dy: UnsafePointer<T>, _ dx: UnsafeMutablePointer<T>) {
        transposed ? engine.forward(dy, dx) : engine.adjoint(dy, dx)
    }
}
