import CVectorKernels

/// What a processor must have for one set of the library's own kernels.
public enum VectorLevel: Int32, CaseIterable, Sendable {
    /// AVX2, FMA and F16C.
    case avx2
    case avx512

    /// Those that this processor has.
    public static var available: [VectorLevel] { allCases.filter { VectorKernels($0) != nil } }
}

/// Which kernels and which algorithm a convolution by `ConvolutionPath.vector` takes, where it is not to choose itself.
public struct VectorChoice: Sendable {
    public var level: VectorLevel?
    /// For 3x3 convolutions of stride 1.
    public var winograd: Bool?

    public init(level: VectorLevel? = nil, winograd: Bool? = nil) {
        self.level = level
        self.winograd = winograd
    }
}

/// Inner loops compiled for one kind of processor; the caller takes the best that this one can run.
struct VectorKernels: @unchecked Sendable {

    let table: UnsafePointer<garface_kernels>
    /// Floats in a vector.
    let lanes: Int

    /// Nil where this processor has no such vectors.
    init?(_ level: VectorLevel) {
        guard let table = garface_kernels_of_level(level.rawValue) else { return nil }
        self.table = table
        lanes = Int(table.pointee.lanes)
    }

    /// The widest that this processor has; nil on one that has none of them.
    static let best: VectorKernels? = VectorKernels(.avx512) ?? VectorKernels(.avx2)

    /// Numbers that a buffer must have beyond those it is for.
    static var slack: Int { Int(GARFACE_SLACK) }

    /// A whole number of vectors.
    func rounded(_ n: Int) -> Int { (n + lanes - 1) / lanes * lanes }

    /// The distance between maps of `n` numbers: an odd number of cache lines, so that the same place of all maps does not
    /// fall into one set of the cache.
    static func spread(_ n: Int) -> Int { ((n + 15) / 16 | 1) * 16 }
}
