/// Builds a safetensors file; tensors follow each other in the order they were added.
public struct SafetensorsWriter: Sendable {
    private let metadata: [String: String]
    private var header: [(String, JSONValue)] = []
    private var data: [UInt8] = []

    public init(metadata: [String: String] = [:]) { self.metadata = metadata }

    public mutating func add(_ name: String, _ tensor: Tensor<Float>) {
        append(name, "F32", tensor.shape, UnsafeRawBufferPointer(tensor.buffer))
    }

    public mutating func add(_ name: String, _ shape: [Int], _ values: [Int32]) {
        precondition(shape.reduce(1, *) == values.count, "safetensors: as many values as the shape says")
        values.withUnsafeBytes { append(name, "I32", shape, $0) }
    }

    private mutating func append(_ name: String, _ type: String, _ shape: [Int], _ bytes: UnsafeRawBufferPointer) {
        precondition(!header.contains { $0.0 == name }, "safetensors: one tensor per name")
        let start = data.count
        data.append(contentsOf: bytes)
        header.append(
            (
                name,
                .object([
                    ("dtype", .string(type)), ("shape", .array(shape.map { .number(Double($0)) })),
                    ("data_offsets", .array([.number(Double(start)), .number(Double(data.count))])),
                ])
            ))
    }

    public func bytes() -> [UInt8] {
        var members = header
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.string($0.value)) }
            members.insert(("__metadata__", .object(pairs)), at: 0)
        }
        var text = Array(JSONValue.object(members).serialized().utf8)
        while text.count % 8 != 0 { text.append(0x20) }  // the data start aligned
        var result = withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) }
        result.reserveCapacity(8 + text.count + data.count)
        result += text
        result += data
        return result
    }

    public func write(to path: String) throws { try FileAccess.write(path, bytes()) }
}
