import CVectorKernels

/// Products with blocks of 32 numbers in half precision, widened in registers: see the header of the kernels.
public struct HalfKernels: Sendable {
    private let kernels: VectorKernels

    /// What blocks of 32 numbers are in half precision.
    public enum Halved { case zeros, exact, inexact }

    /// Those for the widest vectors that this processor has; nil where it has none of them.
    public static let best: HalfKernels? = VectorKernels.best.map(HalfKernels.init)

    private init(_ kernels: VectorKernels) { self.kernels = kernels }

    /// Nil where this processor has no such vectors.
    public init?(_ level: VectorLevel) {
        guard let kernels = VectorKernels(level) else { return nil }
        self.kernels = kernels
    }

    /// Partial sums that `project` keeps for each mode.
    public var lanes: Int { kernels.lanes }

    /// Writes `values` as half-precision `numbers`, 32 of them.
    public func halve(_ values: UnsafePointer<Float>, _ numbers: UnsafeMutablePointer<UInt16>) -> Halved {
        let found = kernels.table.pointee.halve(values, numbers)
        return found < 0 ? .inexact : found == 0 ? .zeros : .exact
    }

    /// `sums[i] += coefficients[modes[k]] * numbers[k, i]` over all k < count, i < 32.
    @inline(__always)
    public func combine(
        _ numbers: UnsafePointer<UInt16>, _ modes: UnsafePointer<Int32>, _ count: Int, _ coefficients: UnsafePointer<Float>,
        _ sums: UnsafeMutablePointer<Float>
    ) { kernels.table.pointee.combine(numbers, modes, Int64(count), coefficients, sums) }

    /// Adds the lanes of `sum over i of numbers[k, i] * values[i]` to `sums[modes[k] * lanes...]` for all k < count.
    @inline(__always)
    public func project(
        _ numbers: UnsafePointer<UInt16>, _ modes: UnsafePointer<Int32>, _ count: Int, _ values: UnsafePointer<Float>,
        _ sums: UnsafeMutablePointer<Float>
    ) { kernels.table.pointee.project(numbers, modes, Int64(count), values, sums) }
}
