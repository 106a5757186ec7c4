/// Convolution as matrix products over columns of patches, a band of output rows at a time so that the columns stay
/// in the cache and large pictures need little memory.
final class GemmConvolution<T: Scalar>: ConvolutionEngine<T> {
    private let weights: Tensor<T>
    private let columns: Tensor<T>
    private let bandHeight: Int

    /// About a megabyte of single-precision columns.
    private static var columnBudget: Int { 1 << 18 }

    init(_ plain: PlainConvolution, _ weights: Tensor<T>) {
        self.weights = weights
        let perRow = plain.columnRows * plain.outputWidth
        bandHeight = min(plain.outputHeight, max(1, Self.columnBudget / perRow))
        columns = Tensor([plain.kernel == 1 ? 1 : perRow * bandHeight])
        super.init(plain)
    }

    override func forward(_ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>) {
        let g = plain
        let area = g.outputArea
        for n in 0..<g.batch {
            let xn = x + n * g.inputChannels * g.inputArea
            let yn = y + n * g.outputChannels * area
            if g.kernel == 1 {
                T.gemm(
                    false, false, g.outputChannels, area, g.inputChannels, 1, weights.pointer, g.inputChannels, xn, area, 0, yn,
                    area)
                continue
            }
            var row = 0
            while row < g.outputHeight {
                let rows = min(bandHeight, g.outputHeight - row)
                let width = rows * g.outputWidth
                patchesToColumns(g, row, rows, xn, columns.pointer)
                T.gemm(
                    false, false, g.outputChannels, width, g.columnRows, 1, weights.pointer, g.columnRows, columns.pointer,
                    width, 0, yn + row * g.outputWidth, area)
                row += rows
            }
        }
    }

    override func adjoint(_ dy: UnsafePointer<T>, _ dx: UnsafeMutablePointer<T>) {
        let g = plain
        let area = g.outputArea
        if g.kernel != 1 { dx.update(repeating: 0, count: g.inputCount) }
        for n in 0..<g.batch {
            let dxn = dx + n * g.inputChannels * g.inputArea
            let dyn = dy + n * g.outputChannels * area
            if g.kernel == 1 {
                T.gemm(
                    true, false, g.inputChannels, area, g.outputChannels, 1, weights.pointer, g.inputChannels, dyn, area, 0, dxn,
                    area)
                continue
            }
            var row = 0
            while row < g.outputHeight {
                let rows = min(bandHeight, g.outputHeight - row)
                let width = rows * g.outputWidth
                T.gemm(
                    true, false, g.columnRows, width, g.outputChannels, 1, weights.pointer, g.columnRows,
                    dyn + row * g.outputWidth, area, 0, columns.pointer, width)
                addColumnsToPatches(g, row, rows, columns.pointer, dxn)
                row += rows
            }
        }
    }
}

/// The output columns `first..<last` whose tap at offset `b` falls inside the input row.
@inline(__always)
private func insideRange(_ g: PlainConvolution, _ b: Int) -> (Int, Int) {
    // j * stride + b - padding in 0..<width
    let low = max(0, (g.padding - b + g.stride - 1) / g.stride)
    let reach = g.inputWidth - 1 + g.padding - b
    let high = reach < 0 ? 0 : reach / g.stride + 1
    return (min(low, g.outputWidth), max(0, min(g.outputWidth, high)))
}

/// Output rows `row..<row + rows` of one sample's patches: columns [Cin*k*k, rows*Wout].
@_specialize(where T == Float)
@_specialize(where T == Double)
func patchesToColumns<T: Scalar>(
    _ g: PlainConvolution, _ row: Int, _ rows: Int, _ x: UnsafePointer<T>, _ columns: UnsafeMutablePointer<T>
) {
    let width = g.outputWidth
    var out = columns
    for c in 0..<g.inputChannels {
        let plane = x + c * g.inputArea
        for a in 0..<g.kernel {
            for b in 0..<g.kernel {
                let (first, last) = insideRange(g, b)
                for i in row..<(row + rows) {
                    let y = i * g.stride + a - g.padding
                    if y < 0 || y >= g.inputHeight || first >= last {
                        out.update(repeating: 0, count: width)
                    } else {
                        for j in 0..<first { out[j] = 0 }
                        let source = plane + (y * g.inputWidth + first * g.stride + b - g.padding)
                        let target = out + first
                        let n = last - first
                        if g.stride == 1 {
                            target.update(from: source, count: n)
                        } else {
                            for j in 0..<n { target[j] = source[2 &* j] }
                        }
                        for j in last..<width { out[j] = 0 }
                    }
                    out += width
                }
            }
        }
    }
}

/// The adjoint of `patchesToColumns`, added into one sample's `dx`.
@_specialize(where T == Float)
@_specialize(where T == Double)
func addColumnsToPatches<T: Scalar>(
    _ g: PlainConvolution, _ row: Int, _ rows: Int, _ columns: UnsafePointer<T>, _ dx: UnsafeMutablePointer<T>
) {
    let width = g.outputWidth
    var source = columns
    for c in 0..<g.inputChannels {
        let plane = dx + c * g.inputArea
        for a in 0..<g.kernel {
            for b in 0..<g.kernel {
                let (first, last) = insideRange(g, b)
                for i in row..<(row + rows) {
                    let y = i * g.stride + a - g.padding
                    if y >= 0 && y < g.inputHeight && first < last {
                        let target = plane + (y * g.inputWidth + first * g.stride + b - g.padding)
                        let d = source + first
                        let n = last - first
                        if g.stride == 1 {
                            for j in 0..<n { target[j] += d[j] }
                        } else {
                            for j in 0..<n { target[2 &* j] += d[j] }
                        }
                    }
                    source += width
                }
            }
        }
    }
}
