import Numerics

/// Displacements of a linear head as they are read fastest: in half precision, where that loses nothing, and without blocks
/// of zeros, for an expression moves only a part of the head. The products with it wait for memory and for nothing else.
final class PackedBasis: @unchecked Sendable {
    /// Numbers of a mode in one block.
    private static let block = 32
    /// Shorter ones are not worth it.
    private static let fewest = 1 << 12

    private let kernels: HalfKernels
    private let width: Int
    /// Block by block the modes that are not zero there, `start[b]..<start[b + 1]` of `modes`, and 32 numbers for each.
    private let start: [Int]
    private let modes: UnsafeMutableBufferPointer<Int32>
    private let numbers: UnsafeMutableBufferPointer<UInt16>
    let modeCount: Int

    /// Bytes that a product reads.
    var byteCount: Int { 2 * start[start.count - 1] * Self.block }

    /// Nil where half precision would not be exact, where the processor has no instructions for it, and for small heads.
    ///
    /// - Parameter bases: `[modes, V, 3]` each; their modes are counted through.
    init?(_ bases: [Tensor<Float>]) {
        let modeCount = bases.reduce(0) { $0 + $1.shape[0] }
        guard let kernels = HalfKernels.best, let first = bases.first, modeCount > 0 else { return nil }
        let width = first.shape[1] * 3
        guard width >= Self.fewest else { return nil }
        let rows = bases.flatMap { basis in (0..<basis.shape[0]).map { UnsafePointer(basis.pointer + $0 * width) } }
        let blocks = (width + Self.block - 1) / Self.block
        let modes = UnsafeMutableBufferPointer<Int32>.allocate(capacity: blocks * modeCount)
        let numbers = UnsafeMutableBufferPointer<UInt16>.allocate(capacity: blocks * modeCount * Self.block)
        var start = [0]
        var count = 0
        let last = Tensor<Float>([Self.block])
        for b in 0..<blocks {
            let (begin, length) = (b * Self.block, min(Self.block, width - b * Self.block))
            for (mode, row) in rows.enumerated() {
                var values = row + begin
                if length < Self.block {
                    last.pointer.update(from: values, count: length)
                    values = UnsafePointer(last.pointer)
                }
                switch kernels.halve(values, numbers.baseAddress! + count * Self.block) {
                case .zeros: continue
                case .exact:
                    modes[count] = Int32(mode)
                    count += 1
                case .inexact:
                    modes.deallocate()
                    numbers.deallocate()
                    return nil
                }
            }
            start.append(count)
        }
        self.kernels = kernels
        self.width = width
        self.start = start
        self.modeCount = modeCount
        // Pages of the tail were never touched, so they take no memory.
        self.modes = modes
        self.numbers = numbers
    }

    deinit {
        modes.deallocate()
        numbers.deallocate()
    }

    /// Adds to `sums` `[V,3]` the modes times `coefficients`.
    func combine(_ coefficients: UnsafePointer<Float>, addingTo sums: UnsafeMutablePointer<Float>) {
        let parts = partCount(), count = start.count - 1
        inParts(parts) { part in
            inBlocks(count * part / parts..<count * (part + 1) / parts, sums) { block, place in
                kernels.combine(
                    numbers.baseAddress! + start[block] * Self.block, modes.baseAddress! + start[block],
                    start[block + 1] - start[block], coefficients, place)
            }
        }
    }

    /// Two halves whatever the threads, so that the sums are the same.
    private static let halves = 2
    /// How many numbers `project` needs to work with.
    var scratchCount: Int { Self.halves * modeCount * kernels.lanes }

    /// Writes to `sums` `[modeCount]` the products of each mode with `values` `[V,3]`. `partial` has room for `scratchCount` numbers.
    func project(_ values: UnsafePointer<Float>, into sums: UnsafeMutablePointer<Float>, with partial: UnsafeMutablePointer<Float>) {
        let halves = Self.halves, count = start.count - 1, size = modeCount * kernels.lanes
        partial.update(repeating: 0, count: scratchCount)
        let values = UnsafeMutablePointer(mutating: values)
        func add(_ half: Int) {
            inBlocks(count * half / halves..<count * (half + 1) / halves, values) { block, place in
                kernels.project(
                    numbers.baseAddress! + start[block] * Self.block, modes.baseAddress! + start[block],
                    start[block + 1] - start[block], place, partial + half * size)
            }
        }
        if partCount() > 1 { inParts(halves, add) } else { for half in 0..<halves { add(half) } }
        for k in 0..<modeCount {
            var sum: Float = 0
            for half in 0..<halves { for l in 0..<kernels.lanes { sum += partial[half * size + k * kernels.lanes + l] } }
            sums[k] = sum
        }
    }

    /// Calls `body` with the blocks of a range and where each one's numbers are in `values`; the last of all, which may be short,
    /// in a copy.
    @inline(__always)
    private func inBlocks(
        _ range: Range<Int>, _ values: UnsafeMutablePointer<Float>, _ body: (Int, UnsafeMutablePointer<Float>) -> Void
    ) {
        let whole = width / Self.block, rest = width % Self.block
        for b in range where b < whole { body(b, values + b * Self.block) }
        if rest == 0 || !range.contains(whole) { return }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.block) { copy in
            copy.initialize(repeating: 0)
            copy.baseAddress!.update(from: values + whole * Self.block, count: rest)
            body(whole, copy.baseAddress!)
            (values + whole * Self.block).update(from: copy.baseAddress!, count: rest)
        }
    }
}
