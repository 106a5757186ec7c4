/// The number formats a safetensors file may hold that this library reads.
enum SafetensorsType: String {
    case f16 = "F16", bf16 = "BF16", f32 = "F32", f64 = "F64", i32 = "I32", i64 = "I64", u8 = "U8", i8 = "I8"

    var size: Int {
        switch self {
        case .u8, .i8: 1
        case .f16, .bf16: 2
        case .f32, .i32: 4
        case .f64, .i64: 8
        }
    }
    var isFloat: Bool {
        switch self {
        case .f16, .bf16, .f32, .f64: true
        default: false
        }
    }
}

/// IEEE half to single by bit arithmetic, which vectorises on every CPU: scaling by 2^112 moves the exponent's
/// bias and normalises subnormals; infinities and NaNs get their exponent filled in.
@inline(__always)
func floatFromHalf(_ h: UInt16) -> Float {
    let wide = UInt32(h)
    let scaled = Float(bitPattern: (wide & 0x7FFF) << 13) * Float(bitPattern: 0x7780_0000)
    let special: UInt32 = wide & 0x7C00 == 0x7C00 ? 0x7F80_0000 : 0
    return Float(bitPattern: scaled.bitPattern | special | (wide & 0x8000) << 16)
}

/// Little-endian bytes at any alignment to scalars.
@_specialize(where T == Float)
@_specialize(where T == Double)
func readFloats<T: Scalar>(_ source: UnsafeRawPointer, _ type: SafetensorsType, _ out: UnsafeMutablePointer<T>, _ n: Int) {
    switch type {
    case .f16:
        for i in 0..<n {
            out[i] = T(floatFromHalf(source.loadUnaligned(fromByteOffset: 2 &* i, as: UInt16.self)))
        }
    case .bf16:
        for i in 0..<n {
            let bits = UInt32(source.loadUnaligned(fromByteOffset: 2 &* i, as: UInt16.self)) << 16
            out[i] = T(Float(bitPattern: bits))
        }
    case .f32:
        if T.self == Float.self {
            UnsafeMutableRawPointer(out).copyMemory(from: source, byteCount: 4 * n)
        } else {
            for i in 0..<n { out[i] = T(source.loadUnaligned(fromByteOffset: 4 &* i, as: Float.self)) }
        }
    case .f64: for i in 0..<n { out[i] = T(source.loadUnaligned(fromByteOffset: 8 &* i, as: Double.self)) }
    case .i32: for i in 0..<n { out[i] = T(source.loadUnaligned(fromByteOffset: 4 &* i, as: Int32.self)) }
    case .i64: for i in 0..<n { out[i] = T(source.loadUnaligned(fromByteOffset: 8 &* i, as: Int64.self)) }
    case .u8: for i in 0..<n { out[i] = T(source.load(fromByteOffset: i, as: UInt8.self)) }
    case .i8: for i in 0..<n { out[i] = T(source.load(fromByteOffset: i, as: Int8.self)) }
    }
}
