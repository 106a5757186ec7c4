import GarfaceHeader
import Numerics
import Reconstruction

/// Text that C callers may keep: made once, never freed.
func permanent(_ string: String) -> UnsafePointer<CChar> {
    let bytes = string.utf8CString
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
    for (i, byte) in bytes.enumerated() { copy[i] = byte }
    return UnsafePointer(copy)
}

struct PermanentText: @unchecked Sendable {
    let pointer: UnsafePointer<CChar>
    init(_ string: String) { pointer = permanent(string) }
}

private let statusNames: [PermanentText] = [
    "GAR_OK", "GAR_INVALID_ARGUMENT", "GAR_BUFFER_TOO_SMALL", "GAR_FILE_NOT_FOUND", "GAR_FILE_UNREADABLE",
    "GAR_FILE_UNWRITABLE", "GAR_MALFORMED_FILE", "GAR_UNSUPPORTED_FORMAT", "GAR_WRONG_MODEL", "GAR_NO_FACE",
    "GAR_TOO_LARGE", "GAR_OUT_OF_MEMORY", "GAR_CANCELLED", "GAR_NUMERICAL_FAILURE", "GAR_BUSY",
    "GAR_INTERNAL_ERROR",
].map(PermanentText.init)
private let unknownStatus = PermanentText("unknown status")
private let noError = PermanentText("")
private let buildInfo = PermanentText(
    JSONValue.object([
        ("version", .string("\(GARFACE_VERSION_MAJOR).\(GARFACE_VERSION_MINOR).\(GARFACE_VERSION_PATCH)")),
        ("convolution", .array(ConvolutionPath.available.map { .string($0.rawValue) })),
        ("kernels", .string(kernelInstructions)), ("blas", .string("OpenBLAS")),
        ("image_formats", .array((["PNG"] + (ImageFile.hasJPEG ? ["JPEG"] : [])).map { .string($0) })),
    ]).serialized())

@_cdecl("gar_version")
public func garVersion() -> Int32 {
    Int32(GARFACE_VERSION_MAJOR * 10000 + GARFACE_VERSION_MINOR * 100 + GARFACE_VERSION_PATCH)
}

@_cdecl("gar_build_info")
public func garBuildInfo() -> UnsafePointer<CChar> { buildInfo.pointer }

@_cdecl("gar_status_string")
public func garStatusString(_ status: gar_status) -> UnsafePointer<CChar> {
    statusNames.indices.contains(Int(status)) ? statusNames[Int(status)].pointer : unknownStatus.pointer
}

@_cdecl("gar_last_error")
public func garLastError() -> UnsafePointer<CChar> { LastError.pointer() ?? noError.pointer }

@_cdecl("gar_threads_set")
public func garThreadsSet(_ count: Int32) -> gar_status {
    call {
        guard (1...256).contains(count) else { throw invalid("count: is \(count), expected 1 to 256 threads") }
        setThreadCount(Int(count))
    }
}
