/// A strict recursive-descent reader of RFC 8259 JSON, safe on hostile input.
struct JSONParser {
    private static let maximumDepth = 64
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw error("unexpected text after the end of the document") }
        return value
    }

    private func error(_ what: String) -> GarfaceError { GarfaceError(.malformedFile, "JSON, byte \(position): \(what)") }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let c = current, c == 0x20 || c == 0x0A || c == 0x0D || c == 0x09 { position += 1 }
    }

    private mutating func expect(_ c: Character) throws {
        guard current == c.asciiValue else { throw error("expected \"\(c)\"") }
        position += 1
    }

    private mutating func value(depth: Int) throws -> JSONValue {
        guard depth < Self.maximumDepth else { throw error("nested deeper than \(Self.maximumDepth) levels") }
        skipSpace()
        guard let c = current else { throw error("the document ends where a value is expected") }
        switch c {
        case UInt8(ascii: "{"): return try object(depth)
        case UInt8(ascii: "["): return try array(depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ text: String, _ value: JSONValue) throws -> JSONValue {
        let expected = Array(text.utf8)
        guard position + expected.count <= bytes.count, Array(bytes[position..<position + expected.count]) == expected else {
            throw error("expected a value")
        }
        position += expected.count
        return value
    }

    private mutating func object(_ depth: Int) throws -> JSONValue {
        try expect("{")
        var members: [(String, JSONValue)] = []
        var seen = Set<String>()
        skipSpace()
        if current == UInt8(ascii: "}") {
            position += 1
            return .object(members)
        }
        while true {
            skipSpace()
            let key = try string()
            guard seen.insert(key).inserted else { throw error("member \"\(key)\" occurs twice") }
            skipSpace()
            try expect(":")
            members.append((key, try value(depth: depth + 1)))
            skipSpace()
            if current == UInt8(ascii: ",") {
                position += 1
                continue
            }
            try expect("}")
            return .object(members)
        }
    }

    private mutating func array(_ depth: Int) throws -> JSONValue {
        try expect("[")
        var items: [JSONValue] = []
        skipSpace()
        if current == UInt8(ascii: "]") {
            position += 1
            return .array(items)
        }
        while true {
            items.append(try value(depth: depth + 1))
            skipSpace()
            if current == UInt8(ascii: ",") {
                position += 1
                continue
            }
            try expect("]")
            return .array(items)
        }
    }

    private mutating func number() throws -> JSONValue {
        let start = position
        func digits() -> Int {
            var n = position
            while n < bytes.count, bytes[n] >= 0x30, bytes[n] <= 0x39 { n += 1 }
            return n - position
        }
        if current == UInt8(ascii: "-") { position += 1 }
        let whole = digits()
        guard whole > 0, whole == 1 || current != UInt8(ascii: "0") else { throw error("expected a value") }
        position += whole
        if current == UInt8(ascii: ".") {
            position += 1
            let n = digits()
            guard n > 0 else { throw error("expected digits after the point") }
            position += n
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            let n = digits()
            guard n > 0 else { throw error("expected digits in the exponent") }
            position += n
        }
        guard let v = Double(String(decoding: bytes[start..<position], as: UTF8.self)), v.isFinite else {
            throw error("a number that a double cannot hold")
        }
        return .number(v)
    }

    private mutating func string() throws -> String {
        try expect("\"")
        var text: [UInt8] = []
        while true {
            guard let c = current else { throw error("the document ends inside a string") }
            position += 1
            switch c {
            case UInt8(ascii: "\""):
                guard let s = String(validating: text, as: UTF8.self) else { throw error("a string that is not UTF-8") }
                return s
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw error("a control character inside a string")
            default: text.append(c)
            }
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws {
        guard let c = current else { throw error("the document ends inside a string") }
        position += 1
        switch c {
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(c)
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if code >= 0xD800 && code < 0xDC00 {
                guard current == UInt8(ascii: "\\") else { throw error("half of a surrogate pair") }
                position += 1
                guard current == UInt8(ascii: "u") else { throw error("half of a surrogate pair") }
                position += 1
                let low = try hexadecimal()
                guard low >= 0xDC00 && low < 0xE000 else { throw error("half of a surrogate pair") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw error("half of a surrogate pair") }
            text.append(contentsOf: Array(String(Character(scalar)).utf8))
        default: throw error("an unknown escape in a string")
        }
    }

    private mutating func hexadecimal() throws -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let c = current, let digit = Character(Unicode.Scalar(c)).hexDigitValue else {
                throw error("expected four hexadecimal digits")
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }
}
