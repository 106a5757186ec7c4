import Numerics

/// The 68 points as files.
public enum LandmarkFile {
    /// 300-W's .pts layout. Pixel centres at integers, the first pixel being 0 (the 300-W files count from 1).
    public static func pts(_ points: [Double]) throws -> [UInt8] {
        guard points.count % 2 == 0, points.allSatisfy({ abs($0) < 1e6 }) else {
            throw GarfaceError(.numericalFailure, "landmarks: a coordinate is not a finite number of sensible size")
        }
        var text = ASCIIText()
        text.add("version: 1\nn_points: \(points.count / 2)\n{\n")
        for i in 0..<points.count / 2 {
            text.add(Float(points[2 * i]), 3)
            text.add(" ")
            text.add(Float(points[2 * i + 1]), 3)
            text.add("\n")
        }
        text.add("}\n")
        return text.bytes
    }

    /// Reads a .pts file: as many (u, v) pairs as it declares.
    public static func parse(pts bytes: [UInt8], name: String) throws -> [Double] {
        func malformed(_ what: String) -> GarfaceError { GarfaceError(.malformedFile, "\(name): \(what)") }
        guard bytes.count <= 1 << 20 else { throw malformed("is too large for a .pts file") }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let open = text.firstIndex(of: "{"), let close = text.lastIndex(of: "}"), open < close else {
            throw malformed("expected the points of a .pts file between { and }")
        }
        let fields = text[text.index(after: open)..<close].split(whereSeparator: \.isWhitespace)
        let values = fields.compactMap { Double($0) }
        guard values.count == fields.count, values.count % 2 == 0, values.allSatisfy(\.isFinite) else {
            throw malformed("a point is not a pair of numbers")
        }
        let words = text[..<open].split(whereSeparator: { $0.isWhitespace || $0 == ":" })
        if let at = words.firstIndex(of: "n_points"), at + 1 < words.count, let declared = Int(words[at + 1]),
            declared != values.count / 2
        {
            throw malformed("declares \(declared) points and has \(values.count / 2)")
        }
        return values
    }
}
