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

    /// The points of a file, and how sure each is where the file says so.
    public struct Points: Sendable, Equatable {
        /// (u, v) pairs as they stand in the file.
        public var pixels: [Double]
        /// 0 to 1, one per point; nil where the file has none.
        public var confidences: [Double]?
    }

    /// A file larger than this is not one of landmarks.
    public static let largestFile = 1 << 20

    /// Reads a .pts file, or lines of `u v` with an optional third number: the confidence of a point among 5 or 68, the depth,
    /// which is not looked at, of a mesh of 468 or 478. Numbers are separated by white space, commas or semicolons; lines
    /// that open with # are skipped; all points may stand in one line of pairs.
    public static func parse(_ bytes: [UInt8], name: String) throws -> Points {
        guard bytes.count <= largestFile else {
            throw GarfaceError(.malformedFile, "\(name): is too large for a file of landmarks")
        }
        if bytes.contains(UInt8(ascii: "{")) { return Points(pixels: try parse(pts: bytes, name: name), confidences: nil) }
        var rows: [[Double]] = []
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]      // of UTF-8, which some editors write
        for (i, line) in String(decoding: bytes.starts(with: mark) ? bytes.dropFirst(3) : bytes[...], as: UTF8.self).split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline
        ).enumerated() {
            let fields = line.split(whereSeparator: { $0.isWhitespace || $0 == "," || $0 == ";" })
            guard let first = fields.first, !first.hasPrefix("#") else { continue }
            let values = fields.compactMap { Double($0) }
            guard values.count == fields.count, values.allSatisfy(\.isFinite) else {
                throw GarfaceError(.malformedFile, "\(name): line \(i + 1): expected numbers: u v, or u v confidence")
            }
            rows.append(values)
        }
        if rows.count == 1, rows[0].count > 3, rows[0].count % 2 == 0 { return Points(pixels: rows[0], confidences: nil) }
        guard let width = rows.first?.count, width == 2 || width == 3, rows.allSatisfy({ $0.count == width }) else {
            throw GarfaceError(.malformedFile, "\(name): expected two or three numbers in every line: u v, or u v confidence")
        }
        let pixels = rows.flatMap { $0.prefix(2) }
        let isMesh = LandmarkScheme(count: rows.count) == .mediapipe
        return Points(pixels: pixels, confidences: width == 3 && !isMesh ? rows.map { $0[2] } : nil)
    }

    /// Reads a .pts file: as many (u, v) pairs as it declares.
    public static func parse(pts bytes: [UInt8], name: String) throws -> [Double] {
        func malformed(_ what: String) -> GarfaceError { GarfaceError(.malformedFile, "\(name): \(what)") }
        guard bytes.count <= largestFile else { throw malformed("is too large for a .pts file") }
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
