/// A JSON document. Objects keep the order of their members.
public enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([(String, JSONValue)])

    /// Parses a whole document; nested deeper than 64 levels is refused.
    public init(parsing text: String) throws {
        var parser = JSONParser(Array(text.utf8))
        self = try parser.document()
    }

    /// Parses UTF-8 bytes.
    public init(parsing bytes: [UInt8]) throws {
        var parser = JSONParser(bytes)
        self = try parser.document()
    }

    /// The member of that name, or nil for anything but an object that has it.
    public subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.0 == key }?.1
    }

    public subscript(index: Int) -> JSONValue? {
        guard case .array(let items) = self, items.indices.contains(index) else { return nil }
        return items[index]
    }

    public var bool: Bool? { if case .bool(let v) = self { v } else { nil } }
    public var double: Double? { if case .number(let v) = self { v } else { nil } }
    /// The number if it is whole and exactly representable.
    public var int: Int? {
        guard case .number(let v) = self, v.rounded() == v, abs(v) <= 0x1p53 else { return nil }
        return Int(v)
    }
    public var string: String? { if case .string(let v) = self { v } else { nil } }
    public var array: [JSONValue]? { if case .array(let v) = self { v } else { nil } }
    public var object: [(String, JSONValue)]? { if case .object(let v) = self { v } else { nil } }

    public func serialized(pretty: Bool = false) -> String {
        var text = ""
        write(into: &text, indent: pretty ? 0 : nil)
        return text
    }

    private func write(into text: inout String, indent: Int?) {
        func newLine(_ level: Int?) {
            guard let level else { return }
            text += "\n" + String(repeating: "  ", count: level)
        }
        switch self {
        case .null: text += "null"
        case .bool(let v): text += v ? "true" : "false"
        case .number(let v):
            // JSON has no NaN or infinity.
            if !v.isFinite {
                text += "null"
            } else if v.rounded() == v && abs(v) < 1e15 {
                text += String(Int64(v))
            } else {
                text += "\(v)"
            }
        case .string(let v): Self.writeQuoted(v, into: &text)
        case .array(let items):
            // Rows of numbers stay on one line also when pretty.
            let flat = items.allSatisfy { if case .number = $0 { true } else { false } }
            let inner = flat ? nil : indent.map { $0 + 1 }
            text += "["
            for (i, item) in items.enumerated() {
                if i > 0 { text += indent == nil || inner != nil ? "," : ", " }
                newLine(inner)
                item.write(into: &text, indent: inner)
            }
            if !items.isEmpty && inner != nil { newLine(indent) }
            text += "]"
        case .object(let members):
            let inner = indent.map { $0 + 1 }
            text += "{"
            for (i, member) in members.enumerated() {
                if i > 0 { text += "," }
                newLine(inner)
                Self.writeQuoted(member.0, into: &text)
                text += indent == nil ? ":" : ": "
                member.1.write(into: &text, indent: inner)
            }
            if !members.isEmpty { newLine(indent) }
            text += "}"
        }
    }

    private static func writeQuoted(_ value: String, into text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default:
                if scalar.value < 0x20 {
                    let digits = String(scalar.value, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        text += "\""
    }
}
