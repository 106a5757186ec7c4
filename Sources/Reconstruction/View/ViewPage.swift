import CViewPage
import Numerics

/// One HTML page that shows a result and needs nothing else: no network, no other file.
public enum ViewPage {
    /// The name it has in the folder.
    public static let name = "view.html"
    /// What it shows, all of which `OutputSelection.standard` writes.
    static let parts = ["input.png", "normals.png", "head.glb", "parameters.json"]

    /// Writes the page of a folder that a reconstruction wrote, and returns its path.
    /// - Parameter prefix: what the names of the face's files begin with ("face2_" where a photo had several).
    @discardableResult
    public static func write(folder: String, prefix: String = "") throws -> String {
        let files = try parts.map { try part($0, folder: folder, prefix: prefix) }
        let paths = parts.map { "\(folder)/\(prefix)\($0)" }
        let json = try parsed(files[3], paths[3]), photo = try picture(files[0], paths[0])
        _ = try picture(files[1], paths[1])
        if let width = json["photo"]?["width"]?.double, let height = json["photo"]?["height"]?.double, width >= 1, height >= 1,
            max(width, height) <= 1e9
        {
            let window = PhotoWindow(photoWidth: Int(width), photoHeight: Int(height), side: ResultNames.inputSide)
            guard (window.width, window.height) == (photo.width, photo.height) else {
                throw GarfaceError(.malformedFile, "\(paths[0]): is another photo than that of \(paths[3]): reconstruct it again into one folder")
            }
        }
        try GLBFile.check(files[2], name: paths[2])
        let path = "\(folder)/\(prefix)\(name)"
        try FileAccess.write(
            path, page(photo: files[0], normals: files[1], head: files[2], parameters: json))
        return path
    }

    /// - Parameters: PNG, PNG and GLB files, and what parameters.json holds.
    static func page(photo: [UInt8], normals: [UInt8], head: [UInt8], parameters: JSONValue) -> [UInt8] {
        let data = JSONValue.object([
            ("photo", .string("data:image/png;base64," + base64(photo))),
            ("normals", .string("data:image/png;base64," + base64(normals))), ("head", .string(base64(head))),
            ("parameters", parameters),
        ])
        // Inside a script element only "<" could end the data early.
        let text = data.serialized().split(separator: "<", omittingEmptySubsequences: false).joined(separator: "\\u003c")
        func fixed(_ part: Int) -> String { String(cString: garface_view_page(Int32(part))) }
        return Array(
            (fixed(GARFACE_VIEW_HEAD) + "<style>\n" + fixed(GARFACE_VIEW_STYLE) + "</style>\n</head>\n<body>\n"
                + fixed(GARFACE_VIEW_BODY) + "<script type=\"application/json\" id=\"data\">" + text + "</script>\n<script>\n"
                + fixed(GARFACE_VIEW_SCRIPT) + "</script>\n</body>\n</html>\n").utf8)
    }

    private static func part(_ name: String, folder: String, prefix: String) throws -> [UInt8] {
        let path = "\(folder)/\(prefix)\(name)"
        do {
            return try FileAccess.read(path, limit: 1 << 28)
        } catch let error as GarfaceError where error.kind == .fileNotFound {
            throw GarfaceError(
                .fileNotFound,
                "\(path): no such file; \(prefix.isEmpty ? choices(folder) : "")a view needs \(parts.joined(separator: ", ")), which reconstruct writes (pictures, maps, "
                    + "glb and parameters)")
        }
    }

    /// The results of a folder that holds several, to choose from.
    private static func choices(_ folder: String) -> String {
        let end = "_" + parts[0]
        let found = FileAccess.names(in: folder).filter { $0.hasSuffix(end) }.compactMap { name -> (word: String, number: Int)? in
            for word in ["face", "photo"] where name.hasPrefix(word) {
                return Int(name.dropFirst(word.count).dropLast(end.count)).map { (word, $0) }
            }
            return nil
        }
        guard !found.isEmpty else { return "" }
        let words = found.sorted { ($0.word, $0.number) < ($1.word, $1.number) }.prefix(20).map { "--\($0.word) \($0.number)" }
        return "the folder has several results, give \(words.joined(separator: " or ")); "
    }

    /// Throws unless the picture is whole; a browser would show nothing.
    private static func picture(_ bytes: [UInt8], _ path: String) throws -> RGBImage {
        do { return try ImageFile.decode(bytes, name: path) } catch let error as GarfaceError where error.kind == .unsupportedFormat {
            throw GarfaceError(.malformedFile, error.message)
        }
    }

    private static func parsed(_ bytes: [UInt8], _ path: String) throws -> JSONValue {
        guard let json = try? JSONValue(parsing: bytes), json["kind"]?.string == "reconstruction", json["pose_degrees"] != nil else {
            throw GarfaceError(.malformedFile, "\(path): is not the parameters.json of a reconstruction")
        }
        return json
    }
}

/// Three bytes as four characters.
func base64(_ bytes: [UInt8]) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    var i = 0
    while i < bytes.count {
        let left = bytes.count - i
        let word = UInt32(bytes[i]) << 16 | UInt32(left > 1 ? bytes[i + 1] : 0) << 8 | UInt32(left > 2 ? bytes[i + 2] : 0)
        for k in 0..<4 { text.append(k <= left ? digits[Int(word >> UInt32(18 - 6 * k) & 63)] : UInt8(ascii: "=")) }
        i += 3
    }
    return String(decoding: text, as: UTF8.self)
}
