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
    public init(_ shape: [Int]) {
        self.shape = shape
        count = shape.reduce(1, *)
        let bytes = max(1, count) * MemoryLayout<T>.stride
        let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        // A zero of either precision is zero bits; element by element, unspecialised, this took a twentieth of a fit.
        memset(raw, 0, bytes)
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
