/// Plain loops over everything, written to be read.
final class ReferenceConvolution<T: Scalar>: ConvolutionEngine<T> {
    private let weights: Tensor<T>

    init(_ plain: PlainConvolution, _ weights: Tensor<T>) {
        self.weights = weights
        super.init(plain)
    }

    override func forward(_ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>) {
        referenceForward(plain, weights.pointer, x, y)
    }

    override func adjoint(_ dy: UnsafePointer<T>, _ dx: UnsafeMutablePointer<T>) {
        dx.update(repeating: 0, count: plain.inputCount)
        referenceAdjoint(plain, weights.pointer, dy, dx)
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func referenceForward<T: Scalar>(
    _ g: PlainConvolution, _ w: UnsafePointer<T>, _ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>
) {
    var out = 0
    for n in 0..<g.batch {
        for o in 0..<g.outputChannels {
            for i in 0..<g.outputHeight {
                for j in 0..<g.outputWidth {
                    var sum: T = 0
                    for c in 0..<g.inputChannels {
                        for a in 0..<g.kernel {
                            let row = i * g.stride + a - g.padding
                            if row < 0 || row >= g.inputHeight { continue }
                            for b in 0..<g.kernel {
                                let column = j * g.stride + b - g.padding
                                if column < 0 || column >= g.inputWidth { continue }
                                sum += w[((o * g.inputChannels + c) * g.kernel + a) * g.kernel + b]
                                    * x[((n * g.inputChannels + c) * g.inputHeight + row) * g.inputWidth + column]
                            }
                        }
                    }
                    y[out] = sum
                    out += 1
                }
            }
        }
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func referenceAdjoint<T: Scalar>(
    _ g: PlainConvolution, _ w: UnsafePointer<T>, _ dy: UnsafePointer<T>, _ dx: UnsafeMutablePointer<T>
) {
    var out = 0
    for n in 0..<g.batch {
        for o in 0..<g.outputChannels {
            for i in 0..<g.outputHeight {
                for j in 0..<g.outputWidth {
                    let d = dy[out]
                    out += 1
                    for c in 0..<g.inputChannels {
                        for a in 0..<g.kernel {
                            let row = i * g.stride + a - g.padding
                            if row < 0 || row >= g.inputHeight { continue }
                            for b in 0..<g.kernel {
                                let column = j * g.stride + b - g.padding
                                if column < 0 || column >= g.inputWidth { continue }
                                dx[((n * g.inputChannels + c) * g.inputHeight + row) * g.inputWidth + column] +=
                                    d * w[((o * g.inputChannels + c) * g.kernel + a) * g.kernel + b]
                            }
                        }
                    }
                }
            }
        }
    }
}
