import Glibc

/// A contiguous row-major array of fixed shape. Pictures and feature maps are NCHW.
///
/// A reference type: workspaces are allocated once and passed on. Elements start at zero.
public final class Tensor<T: Scalar>: @unchecked Sendable {
    public let shape: [Int]
    public let count: Int
    /// The first element, 64-byte aligned. Valid as long as the tensor lives.
    public let pointer: UnsafeMutablePointer<T>

    /// Zeros of the given shape. The caller has checked outside sizes (see `GarfaceError`).
    public convenience init(_ shape: [Int]) {
        self.init(unwritten: shape)
        // A zero of either precision is zero bits; element by element, unspecialised, this took a twentieth of a fit.
        memset(pointer, 0, count * MemoryLayout<T>.stride)
    }

    /// Whatever lies in the memory, for one who writes every element before anyone reads.
    init(unwritten shape: [Int]) {
        self.shape = shape
        count = shape.reduce(1, *)
        let raw = UnsafeMutableRawPointer.allocate(byteCount: max(1, count) * MemoryLayout<T>.stride, alignment: 64)
        pointer = raw.bindMemory(to: T.self, capacity: max(1, count))
    }

    public convenience init(_ shape: [Int], _ values: some Collection<T>) {
        self.init(shape)
        precondition(values.count == count, "tensor: as many values as the shape says")
        // Element by element, unspecialised, each would be a call to the allocator.
        let copied: Void? = values.withContiguousStorageIfAvailable {
            if let base = $0.baseAddress { pointer.update(from: base, count: count) }
        }
        if copied != nil { return }
        var i = 0
        for v in values { pointer[i] = v; i += 1 }
    }

    deinit { UnsafeMutableRawPointer(pointer).deallocate() }

    public subscript(i: Int) -> T {
        get { precondition(i >= 0 && i < count); return pointer[i] }
        set { precondition(i >= 0 && i < count); pointer[i] = newValue }
    }

    public var buffer: UnsafeMutableBufferPointer<T> { .init(start: pointer, count: count) }
    public var array: [T] { Array(buffer) }

    /// Whether every element is a number, neither infinite nor NaN.
    public var isFinite: Bool { allFinite(pointer, count) }

    public func fill(_ value: T) {
        if value == 0 {
            memset(pointer, 0, count * MemoryLayout<T>.stride)
        } else {
            pointer.update(repeating: value, count: count)
        }
    }

    public func copy(from other: Tensor<T>) {
        precondition(other.count == count)
        pointer.update(from: other.pointer, count: count)
    }

    /// The same numbers in another precision.
    public func converted<U: Scalar>(to type: U.Type) -> Tensor<U> {
        let r = Tensor<U>(shape)
        convertKernel(pointer, r.pointer, count)
        return r
    }
}

@_specialize(where T == Float, U == Double)
@_specialize(where T == Double, U == Float)
@_specialize(where T == Float, U == Float)
@_specialize(where T == Double, U == Double)
func convertKernel<T: Scalar, U: Scalar>(_ a: UnsafePointer<T>, _ b: UnsafeMutablePointer<U>, _ n: Int) {
    for i in 0..<n { b[i] = U(a[i]) }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
private func allFinite<T: Scalar>(_ values: UnsafePointer<T>, _ count: Int) -> Bool {
    // x * 0 is NaN exactly where x is not finite, and NaN stays in the sum. Several sums, so that one need not wait for the other.
    var sums: (T, T, T, T) = (0, 0, 0, 0)
    var i = 0
    while i &+ 4 <= count {
        sums.0 += values[i] * 0
        sums.1 += values[i &+ 1] * 0
        sums.2 += values[i &+ 2] * 0
        sums.3 += values[i &+ 3] * 0
        i &+= 4
    }
    while i < count {
        sums.0 += values[i] * 0
        i &+= 1
    }
    return sums.0 + sums.1 + sums.2 + sums.3 == 0
}
