import GarfaceHeader
import Numerics

/// Runs the body of an exported call: nothing that is thrown crosses the boundary, it becomes a
/// status and the thread's last error.
@inline(__always)
func call(_ body: () throws -> Void) -> gar_status {
    do {
        try body()
        return status(GAR_OK)
    } catch let error as BufferTooSmall {
        LastError.set("capacity: \(error.capacity) is too small, \(error.needed) needed")
        return status(GAR_BUFFER_TOO_SMALL)
    } catch let error as HandleBusy {
        LastError.set("\(error.argument): another call is using this handle; one handle serves one thread at a time")
        return status(GAR_BUSY)
    } catch let error as GarfaceError {
        LastError.set(error.message)
        return status(of: error.kind)
    } catch {
        LastError.set("unexpected error: \(error)")
        return status(GAR_INTERNAL_ERROR)
    }
}

struct BufferTooSmall: Error { let capacity: Int, needed: Int }
struct HandleBusy: Error { let argument: String }

func invalid(_ message: String) -> GarfaceError { GarfaceError(.invalidArgument, message) }

/// The pointer, or an error that names the argument.
func required<P>(_ pointer: P?, _ argument: String) throws -> P {
    guard let pointer else { throw invalid("\(argument): must not be NULL") }
    return pointer
}

/// A path or other text from outside.
func text(_ pointer: UnsafePointer<CChar>?, _ argument: String) throws -> String {
    guard let string = String(validatingCString: try required(pointer, argument)) else {
        throw invalid("\(argument): is not valid UTF-8")
    }
    if string.isEmpty { throw invalid("\(argument): must not be empty") }
    return string
}

/// `count` floats from outside, every one finite.
func finite(_ pointer: UnsafePointer<Float>?, _ count: Int, _ argument: String) throws -> UnsafePointer<Float> {
    let pointer = try required(pointer, argument)
    for i in 0..<count where !pointer[i].isFinite {
        throw invalid("\(argument): element \(i) is \(pointer[i]), expected a finite number")
    }
    return pointer
}

/// Throws where finite `arguments` have led to a result that is not finite.
func requireFinite(_ result: UnsafePointer<Float>, _ count: Int, _ name: String, of arguments: String) throws {
    for i in 0..<count where !result[i].isFinite {
        throw GarfaceError(.numericalFailure, "\(arguments): so large that element \(i) of \(name) is not finite")
    }
}

/// Hands out an array under the size-query rule: NULL with capacity 0 asks for the count only.
func deliver<T>(
    count: Int, _ buffer: UnsafeMutablePointer<T>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?,
    _ fill: (UnsafeMutablePointer<T>) throws -> Void
) throws {
    let needed = try required(needed, "count")
    needed.pointee = count
    guard let buffer else {
        if capacity != 0 { throw invalid("buffer: is NULL but capacity is \(UInt(bitPattern: capacity)); NULL with capacity 0 asks for the size") }
        return
    }
    // A size_t above Int.max arrives as a negative number.
    if capacity >= 0 && capacity < count { throw BufferTooSmall(capacity: capacity, needed: count) }
    try fill(buffer)
}

/// The same for text; the count includes the terminating zero.
func deliver(
    _ string: String, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?
) throws {
    var string = string
    try string.withUTF8 { bytes in
        try deliver(count: bytes.count + 1, buffer, capacity, needed) { out in
            for i in 0..<bytes.count { out[i] = CChar(bitPattern: bytes[i]) }
            out[bytes.count] = 0
        }
    }
}

func status(_ code: Int) -> gar_status { gar_status(truncatingIfNeeded: code) }

func status(of kind: GarfaceError.Kind) -> gar_status {
    switch kind {
    case .invalidArgument: status(GAR_INVALID_ARGUMENT)
    case .fileNotFound: status(GAR_FILE_NOT_FOUND)
    case .fileUnreadable: status(GAR_FILE_UNREADABLE)
    case .fileUnwritable: status(GAR_FILE_UNWRITABLE)
    case .malformedFile: status(GAR_MALFORMED_FILE)
    case .unsupportedFormat: status(GAR_UNSUPPORTED_FORMAT)
    case .wrongModelKind: status(GAR_WRONG_MODEL)
    case .noFace: status(GAR_NO_FACE)
    case .tooLarge: status(GAR_TOO_LARGE)
    case .outOfMemory: status(GAR_OUT_OF_MEMORY)
    case .cancelled: status(GAR_CANCELLED)
    case .numericalFailure: status(GAR_NUMERICAL_FAILURE)
    case .internalFailure: status(GAR_INTERNAL_ERROR)
    }
}

func deliver<T>(
    _ array: [T], _ buffer: UnsafeMutablePointer<T>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?
) throws {
    try deliver(count: array.count, buffer, capacity, needed) { out in
        array.withUnsafeBufferPointer { if let base = $0.baseAddress { out.update(from: base, count: $0.count) } }
    }
}
