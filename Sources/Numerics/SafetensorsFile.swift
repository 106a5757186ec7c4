/// A safetensors file: named arrays, checked on opening, converted on reading.
///
/// Opening checks everything about the header: its size, its JSON, every type, shape and range, and that the ranges
/// cover the data without a gap or an overlap. Reading a tensor then cannot go outside the data.
public struct SafetensorsFile: Sendable {
    /// What error sentences call the file: its path, or a name for embedded data.
    public let name: String
    /// The `__metadata__` entry. Files of this library have a key "garface" holding JSON.
    public let metadata: [String: String]

    private struct Entry: Sendable {
        let type: SafetensorsType
        let shape: [Int]
        let count: Int
        let offset: Int
    }
    /// Keeps the bytes alive (or points to static ones).
    private final class Storage: @unchecked Sendable {
        let owned: UnsafeMutableRawBufferPointer?
        let bytes: UnsafeRawBufferPointer
        init(copying source: [UInt8]) {
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, source.count), alignment: 64)
            copy.copyBytes(from: source)
            owned = copy
            bytes = UnsafeRawBufferPointer(start: copy.baseAddress, count: source.count)
        }
        init(borrowing source: UnsafeRawBufferPointer) {
            owned = nil
            bytes = source
        }
        deinit { owned?.deallocate() }
    }
    private let storage: Storage
    private let entries: [String: Entry]
    private let order: [String]

    /// The largest file and header accepted.
    public static let maximumFileSize = 1 << 32
    static let maximumHeaderSize = 1 << 24

    /// Whether the first bytes are printed characters or breaks of lines.
    private static func isText(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.prefix(8).allSatisfy { (0x20..<0x7F).contains($0) || (0x09...0x0D).contains($0) }
    }

    public init(path: String) throws {
        try self.init(storage: Storage(copying: try FileAccess.read(path, limit: Self.maximumFileSize)), name: path)
    }

    public init(bytes: [UInt8], name: String) throws { try self.init(storage: Storage(copying: bytes), name: name) }

    /// Static memory, such as an embedded model: not copied, must outlive the file.
    public init(memory: UnsafeRawBufferPointer, name: String) throws {
        try self.init(storage: Storage(borrowing: memory), name: name)
    }

    private init(storage: Storage, name: String) throws {
        func malformed(_ what: String) -> GarfaceError { GarfaceError(.malformedFile, "\(name): \(what)") }
        let bytes = storage.bytes
        guard bytes.count >= 8 else { throw malformed("is not a safetensors file: only \(bytes.count) bytes long") }
        let headerSize = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard headerSize <= UInt64(Self.maximumHeaderSize) else {
            throw malformed("is not a safetensors file: it begins \(Self.isText(bytes) ? "like text" : "with a header of \(headerSize) bytes")")
        }
        let dataStart = 8 + Int(headerSize)
        guard dataStart <= bytes.count else {
            throw malformed("is truncated: the header claims \(headerSize) bytes and the file has \(bytes.count)")
        }
        let header: JSONValue
        do { header = try JSONValue(parsing: Array(bytes[8..<dataStart])) } catch let error as GarfaceError {
            throw malformed("safetensors header: \(error.message)")
        }
        guard let members = header.object else { throw malformed("safetensors header: expected a JSON object") }

        var metadata: [String: String] = [:]
        var entries: [String: Entry] = [:]
        var order: [String] = []
        for (key, value) in members {
            if key == "__metadata__" {
                for (k, v) in value.object ?? [] {
                    guard let text = v.string else { throw malformed("safetensors metadata \"\(k)\": expected a string") }
                    metadata[k] = text
                }
                continue
            }
            entries[key] = try Self.entry(value, key, dataSize: bytes.count - dataStart, dataStart: dataStart, malformed)
            order.append(key)
        }

        // Like the published reader: the arrays fill the data exactly, so nothing is hidden and nothing shared.
        var end = dataStart
        for key in order.sorted(by: { (entries[$0]!.offset, entries[$0]!.count) < (entries[$1]!.offset, entries[$1]!.count) }) {
            let entry = entries[key]!
            guard entry.offset == end else {
                throw malformed("tensor \"\(key)\": its data overlap another tensor's or leave a gap")
            }
            end += entry.count * entry.type.size
        }
        guard end == bytes.count else { throw malformed("has \(bytes.count - end) bytes that belong to no tensor") }
        self.name = name
        self.metadata = metadata
        self.storage = storage
        self.entries = entries
        self.order = order
    }

    private static func entry(
        _ value: JSONValue, _ key: String, dataSize: Int, dataStart: Int, _ malformed: (String) -> GarfaceError
    ) throws -> Entry {
        guard let typeName = value["dtype"]?.string else { throw malformed("tensor \"\(key)\": has no dtype") }
        guard let type = SafetensorsType(rawValue: typeName) else {
            throw malformed("tensor \"\(key)\": dtype \(typeName) is not one of F16 BF16 F32 F64 I32 I64 U8 I8")
        }
        guard let dimensions = value["shape"]?.array, dimensions.count <= 8 else {
            throw malformed("tensor \"\(key)\": expected a shape of at most 8 dimensions")
        }
        var shape: [Int] = []
        var count = 1
        for dimension in dimensions {
            guard let d = dimension.int, d >= 0 else { throw malformed("tensor \"\(key)\": a dimension is not a whole number") }
            let (product, overflow) = count.multipliedReportingOverflow(by: d)
            // Every partial product is bounded, also when a later dimension is zero.
            guard !overflow, product <= maximumFileSize else { throw malformed("tensor \"\(key)\": its shape is too large") }
            count = product
            shape.append(d)
        }
        guard let offsets = value["data_offsets"]?.array, offsets.count == 2, let begin = offsets[0].int,
            let end = offsets[1].int, begin >= 0, begin <= end, end <= dataSize
        else { throw malformed("tensor \"\(key)\": data_offsets are outside the file's \(dataSize) bytes of data") }
        guard end - begin == count * type.size else {
            throw malformed("tensor \"\(key)\": \(end - begin) bytes of data; its shape \(shape) needs \(count * type.size)")
        }
        return Entry(type: type, shape: shape, count: count, offset: dataStart + begin)
    }

    /// Tensor names in the header's order.
    public var names: [String] { order }
    public func shape(_ name: String) -> [Int]? { entries[name]?.shape }
    public func contains(_ name: String) -> Bool { entries[name] != nil }

    private func find(_ tensor: String, _ shape: [Int]?) throws -> Entry {
        guard let entry = entries[tensor] else { throw GarfaceError(.malformedFile, "\(name): tensor \"\(tensor)\" is missing") }
        if let shape, entry.shape != shape {
            throw GarfaceError(
                .malformedFile, "\(name): tensor \"\(tensor)\": expected shape \(shape), found \(entry.shape)")
        }
        return entry
    }

    /// A tensor as floating point numbers, whatever type it was stored in. `shape` nil accepts any.
    public func tensor<T: Scalar>(_ name: String, shape: [Int]? = nil) throws -> Tensor<T> {
        let entry = try find(name, shape)
        let result = Tensor<T>(unwritten: entry.shape)
        if entry.count > 0 {
            readFloats(storage.bytes.baseAddress! + entry.offset, entry.type, result.pointer, entry.count)
        }
        return result
    }

    /// A tensor of whole numbers; refused when stored as floating point or when a value does not fit 32 bits.
    public func integers(_ name: String, shape: [Int]? = nil) throws -> [Int32] {
        let entry = try find(name, shape)
        guard !entry.type.isFloat else {
            throw GarfaceError(
                .malformedFile, "\(self.name): tensor \"\(name)\": expected whole numbers, found \(entry.type.rawValue)")
        }
        let source = storage.bytes
        let offset = entry.offset
        switch entry.type {
        case .u8: return (0..<entry.count).map { Int32(source.load(fromByteOffset: offset + $0, as: UInt8.self)) }
        case .i8: return (0..<entry.count).map { Int32(source.load(fromByteOffset: offset + $0, as: Int8.self)) }
        case .i64:
            return try (0..<entry.count).map {
                guard let v = Int32(exactly: source.loadUnaligned(fromByteOffset: offset + 8 * $0, as: Int64.self)) else {
                    throw GarfaceError(.malformedFile, "\(self.name): tensor \"\(name)\": a value needs more than 32 bits")
                }
                return v
            }
        default: return (0..<entry.count).map { source.loadUnaligned(fromByteOffset: offset + 4 * $0, as: Int32.self) }
        }
    }
}
