import CVectorKernels

/// A matrix product of weights with shifted maps: what a convolution is, once its input lies in maps with margins.
///
/// A grid of `height` x `width` places in maps of rows `pitch` apart; input row k of the product is the grid moved by
/// `rows[k]`.
final class ShiftedProduct {
    private let kernels: VectorKernels
    private let weights: Tensor<Float>
    private let outputs, depth: Int
    private let pitch, width: Int
    private let rows: [Int64]
    private let mode: Mode
    /// Where vectors begin in the input and in the output, for grids of any height up to the largest.
    private var from: [Int64] = []
    private var to: [Int64] = []
    /// Where the columns' rows begin.
    private var columnRows: [Int64]
    /// Columns of patches, and the product where it cannot be written in place.
    private let patches, product: Tensor<Float>

    private enum Mode {
        /// Rows of the grid are whole vectors, written where they belong.
        case rows
        /// Vectors run on over the margins; what lies there is left out afterwards.
        case flat
        /// Grids narrower than a vector: patches are copied first.
        case columns
    }

    init(
        _ kernels: VectorKernels, _ weights: Tensor<Float>, outputs: Int, rows: [Int], pitch: Int, largestHeight: Int, width: Int
    ) {
        self.kernels = kernels
        self.weights = weights
        self.outputs = outputs
        self.pitch = pitch
        self.width = width
        self.rows = rows.map(Int64.init)
        depth = rows.count
        let lanes = kernels.lanes
        mode = width % lanes == 0 ? .rows : width < lanes && outputs >= 16 ? .columns : .flat
        switch mode {
        case .rows:
            for r in 0..<largestHeight {
                for j in stride(from: 0, to: width, by: lanes) {
                    from.append(Int64(r * pitch + j))
                    to.append(Int64(r * width + j))
                }
            }
        case .flat, .columns:
            let count = kernels.rounded(largestHeight * (mode == .flat ? pitch : width))
            from = stride(from: 0, to: count, by: lanes).map(Int64.init)
            to = from
        }
        columnRows = (0..<depth).map { Int64($0 * largestHeight * width) }
        patches = Tensor([mode == .columns ? depth * largestHeight * width + VectorKernels.slack : 0])
        product = Tensor([mode == .rows ? 0 : outputs * from.count * lanes])
    }

    /// `y[o * area + r * width + j]` for the first `height` rows of the grid, which begins at `x`.
    func run(_ x: UnsafePointer<Float>, height: Int, _ y: UnsafeMutablePointer<Float>, area: Int) {
        let lanes = kernels.lanes
        switch mode {
        case .rows:
            multiply(x, rows, height * width / lanes, y, area)
        case .flat:
            let vectors = (height * pitch + lanes - 1) / lanes
            multiply(x, rows, vectors, product.pointer, vectors * lanes)
            for o in 0..<outputs {
                for r in 0..<height {
                    (y + o * area + r * width).update(from: product.pointer + o * vectors * lanes + r * pitch, count: width)
                }
            }
        case .columns:
            let count = height * width
            kernels.table.pointee.columns(
                x, rows, Int64(depth), Int64(pitch), Int64(height), Int64(width), patches.pointer)
            let vectors = (count + lanes - 1) / lanes
            let inPlace = count % lanes == 0
            if depth > 1 && columnRows[1] != Int64(count) {
                for k in 0..<depth { columnRows[k] = Int64(k * count) }
            }
            multiply(
                patches.pointer, columnRows, vectors, inPlace ? y : product.pointer, inPlace ? area : vectors * lanes)
            if inPlace { return }
            for o in 0..<outputs { (y + o * area).update(from: product.pointer + o * vectors * lanes, count: count) }
        }
    }

    private func multiply(
        _ x: UnsafePointer<Float>, _ rows: [Int64], _ vectors: Int, _ y: UnsafeMutablePointer<Float>, _ pitch: Int
    ) {
        kernels.table.pointee.product(
            weights.pointer, Int64(depth), rows, x, from, Int64(vectors), y, Int64(pitch), to, Int64(outputs))
    }
}
