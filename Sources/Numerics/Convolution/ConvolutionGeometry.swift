/// The convolutions the networks here are made of.
public enum ConvolutionKind: Sendable, Hashable {
    /// 3x3, stride 1, padding 1: H x W to H x W.
    case same3x3
    /// 1x1: H x W to H x W.
    case pointwise
    /// 3x3, stride 2, padding 1: H x W to ceil(H/2) x ceil(W/2).
    case down3x3
    /// Transposed 3x3, stride 2, no padding: H x W to (2H+1) x (2W+1), StyleGAN2's up-convolution before its blur.
    case up3x3

    public var kernelSize: Int { self == .pointwise ? 1 : 3 }

    /// Length of one spatial dimension after the convolution.
    public func outputLength(_ n: Int) -> Int {
        switch self {
        case .same3x3, .pointwise: n
        case .down3x3: (n + 1) / 2
        case .up3x3: 2 * n + 1
        }
    }
}

/// How a convolution is computed.
public enum ConvolutionPath: String, Sendable, CaseIterable {
    /// Plain loops, to test the others against.
    case reference
    /// Patches to columns, then BLAS.
    case gemm
    /// The library's own kernels, single precision only, on processors with AVX2; elsewhere `.gemm` takes its place.
    case vector
    /// oneDNN, single precision only; elsewhere `.vector` takes its place.
    case onednn

    /// The paths this build has.
    public static var available: [ConvolutionPath] {
        #if GARFACE_ONEDNN
            [.reference, .gemm, .vector, .onednn]
        #else
            [.reference, .gemm, .vector]
        #endif
    }
    /// The fastest this build has.
    public static var best: ConvolutionPath { available.last! }
}

/// An ordinary ("correlation") convolution with zero padding from a larger or equal map to a smaller or equal one.
/// Each `ConvolutionKind` is one of these, applied forward or, for the transposed one, as its adjoint.
struct PlainConvolution: Sendable, Hashable {
    let batch: Int
    let inputChannels: Int
    let outputChannels: Int
    let kernel: Int
    let stride: Int
    let padding: Int
    let inputHeight: Int
    let inputWidth: Int
    let outputHeight: Int
    let outputWidth: Int

    /// `channels` are those of the kind's own input and output; the transposed kind swaps them here.
    init(_ kind: ConvolutionKind, batch: Int, inputChannels: Int, outputChannels: Int, height: Int, width: Int) {
        self.batch = batch
        kernel = kind.kernelSize
        let h = kind.outputLength(height)
        let w = kind.outputLength(width)
        let transposed = kind == .up3x3
        self.inputChannels = transposed ? outputChannels : inputChannels
        self.outputChannels = transposed ? inputChannels : outputChannels
        (inputHeight, inputWidth) = transposed ? (h, w) : (height, width)
        (outputHeight, outputWidth) = transposed ? (height, width) : (h, w)
        stride = kind == .down3x3 || transposed ? 2 : 1
        padding = kind == .same3x3 || kind == .down3x3 ? 1 : 0
    }

    /// The convolution that is this one's adjoint when its kernel is turned by 180 degrees and its channels swapped;
    /// nil where the adjoint is no plain convolution (strides).
    var mirrored: PlainConvolution? {
        guard stride == 1, 2 * padding == kernel - 1 else { return nil }
        let kind: ConvolutionKind = kernel == 1 ? .pointwise : .same3x3
        return PlainConvolution(
            kind, batch: batch, inputChannels: outputChannels, outputChannels: inputChannels, height: outputHeight,
            width: outputWidth)
    }

    var inputArea: Int { inputHeight * inputWidth }
    var outputArea: Int { outputHeight * outputWidth }
    var inputCount: Int { batch * inputChannels * inputArea }
    var outputCount: Int { batch * outputChannels * outputArea }
    var columnRows: Int { inputChannels * kernel * kernel }
}

/// One way of computing a plain convolution and its adjoint. An instance owns its scratch memory: one thread at a time.
class ConvolutionEngine<T: Scalar> {
    let plain: PlainConvolution
    init(_ plain: PlainConvolution) { self.plain = plain }
    /// `y = conv(x)`; x [N,Cin,Hin,Win], y [N,Cout,Hout,Wout], overwritten.
    func forward(_ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>) {}
    /// `dx = conv^T(dy)`; overwritten.
    func adjoint(_ dy: UnsafePointer<T>, _ dx: UnsafeMutablePointer<T>) {}
}
