import Numerics

/// Arrays as numpy reads them (format 1.0): little-endian, row-major.
public enum NPYFile {
    public static func encode(_ values: [Float], shape: [Int]) throws -> [UInt8] {
        try encode(values.map(\.bitPattern), type: "<f4", shape: shape)
    }

    public static func encode(_ values: [Int16], shape: [Int]) throws -> [UInt8] { try encode(values, type: "<i2", shape: shape) }

    private static func encode<T: FixedWidthInteger>(_ values: [T], type: String, shape: [Int]) throws -> [UInt8] {
        guard !shape.isEmpty, shape.reduce(1, *) == values.count else {
            throw GarfaceError(.internalFailure, "npy: \(values.count) numbers do not have the shape \(shape)")
        }
        let sizes = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
        var header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(sizes)), }"
        // Magic, version, length and header together fill whole blocks of 64 bytes.
        header += String(repeating: " ", count: (64 - (10 + header.utf8.count + 1) % 64) % 64) + "\n"
        let size = MemoryLayout<T>.size
        var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
        bytes.reserveCapacity(10 + header.utf8.count + size * values.count)
        bytes += [UInt8(header.utf8.count & 0xFF), UInt8(header.utf8.count >> 8)] + Array(header.utf8)
        for value in values { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }
        return bytes
    }
}
