import Numerics

/// The binary part of a GLB file while it grows, with what describes it.
struct GLBData {
    private(set) var bytes: [UInt8] = []
    private(set) var views: [JSONValue] = []
    private(set) var accessors: [JSONValue] = []

    private static let float = 5126, unsignedInt = 5125, arrayBuffer = 34962, elementArrayBuffer = 34963

    /// A run of bytes, from a multiple of four on.
    mutating func view(_ data: [UInt8], target: Int? = nil) -> Int {
        while bytes.count % 4 != 0 { bytes.append(0) }
        var members: [(String, JSONValue)] = [
            ("buffer", .number(0)), ("byteOffset", .number(Double(bytes.count))), ("byteLength", .number(Double(data.count))),
        ]
        if let target { members.append(("target", .number(Double(target)))) }
        bytes += data
        views.append(.object(members))
        return views.count - 1
    }

    /// An attribute of `width` floats per vertex; `bounded` states its least and greatest values.
    mutating func vectors(_ values: [Float], width: Int, bounded: Bool) -> Int {
        let view = view(littleEndian(values.map(\.bitPattern)), target: Self.arrayBuffer)
        var members = description(count: values.count / width, type: width == 2 ? "VEC2" : "VEC3", component: Self.float)
        members.insert(("bufferView", .number(Double(view))), at: 0)
        if bounded { members += bounds(values, width) }
        accessors.append(.object(members))
        return accessors.count - 1
    }

    /// The keys of an animation: no attribute of vertices.
    mutating func keys(_ values: [Float], type: String, width: Int, bounded: Bool) -> Int {
        let view = view(littleEndian(values.map(\.bitPattern)))
        var members = description(count: values.count / width, type: type, component: Self.float)
        members.insert(("bufferView", .number(Double(view))), at: 0)
        if bounded { members += bounds(values, width) }
        accessors.append(.object(members))
        return accessors.count - 1
    }

    mutating func indices(_ values: [UInt32]) -> Int {
        let view = view(littleEndian(values), target: Self.elementArrayBuffer)
        accessors.append(
            .object(
                [("bufferView", .number(Double(view)))] + description(count: values.count, type: "SCALAR", component: Self.unsignedInt)))
        return accessors.count - 1
    }

    /// Vectors most of which are zero: those that are not, and where they belong.
    mutating func sparse(_ values: [Float], least: Float) -> Int {
        let count = values.count / 3
        var rows = (0..<count).filter { i in (0..<3).contains { abs(values[3 * i + $0]) > least } }
        // A sparse accessor has at least one value.
        if rows.isEmpty { rows = [0] }
        var shown = [Float](repeating: 0, count: values.count)
        for i in rows { for k in 0..<3 { shown[3 * i + k] = values[3 * i + k] } }
        let indices = view(littleEndian(rows.map { UInt32($0) }))
        let vectors = view(littleEndian(rows.flatMap { i in (0..<3).map { values[3 * i + $0].bitPattern } }))
        accessors.append(
            .object(
                description(count: count, type: "VEC3", component: Self.float) + bounds(shown, 3) + [
                    (
                        "sparse",
                        .object([
                            ("count", .number(Double(rows.count))),
                            (
                                "indices",
                                .object([
                                    ("bufferView", .number(Double(indices))), ("componentType", .number(Double(Self.unsignedInt))),
                                ])
                            ),
                            ("values", .object([("bufferView", .number(Double(vectors)))])),
                        ])
                    )
                ]))
        return accessors.count - 1
    }

    private func description(count: Int, type: String, component: Int) -> [(String, JSONValue)] {
        [("componentType", .number(Double(component))), ("count", .number(Double(count))), ("type", .string(type))]
    }

    private func bounds(_ values: [Float], _ width: Int) -> [(String, JSONValue)] {
        var low = [Float](repeating: .infinity, count: width), high = [Float](repeating: -.infinity, count: width)
        for (i, value) in values.enumerated() {
            low[i % width] = min(low[i % width], value)
            high[i % width] = max(high[i % width], value)
        }
        return [("min", .array(low.map { .number(Double($0)) })), ("max", .array(high.map { .number(Double($0)) }))]
    }

    private func littleEndian(_ words: [UInt32]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 4 * words.count) { buffer, count in
            for (i, word) in words.enumerated() {
                for k in 0..<4 { buffer[4 * i + k] = UInt8(truncatingIfNeeded: word >> UInt32(8 * k)) }
            }
            count = 4 * words.count
        }
    }
}
