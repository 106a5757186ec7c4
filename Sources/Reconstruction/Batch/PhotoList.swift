import Glibc
import Numerics

/// Text files that list photos.
extension BatchPhoto {
    public static let largestList = 1 << 30
    /// No path is longer.
    private static let longestLine = Int(PATH_MAX)

    /// The photos of a list file.
    public static func listed(in path: String) throws -> [BatchPhoto] {
        let text: [UInt8]
        do { text = try FileAccess.read(path, limit: largestList) } catch let error as GarfaceError where error.kind == .tooLarge {
            throw noList(path, "it is too large")
        }
        return try listed(text, name: path)
    }

    /// The paths of a list in UTF-8, one in each line; empty lines and those that begin with # are skipped.
    /// - Parameter name: opens every error sentence.
    public static func listed(_ text: [UInt8], name: String) throws -> [BatchPhoto] {
        if text.contains(0) { throw noList(name, "it holds a zero byte") }
        let lines = text.starts(with: [0xEF, 0xBB, 0xBF]) ? text.dropFirst(3) : text[...]
        var photos: [BatchPhoto] = [], number = 0
        for line in lines.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            guard line.count <= longestLine else { throw noList(name, "line \(number) has \(line.count) bytes") }
            guard let path = String(validating: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self) else {
                throw noList(name, "line \(number) is not UTF-8")
            }
            guard let first = path.first(where: { !$0.isWhitespace }), first != "#" else { continue }
            photos.append(BatchPhoto(path: path, folder: place(path)))
        }
        // Any other text, such as parameters.json, is not told by its bytes.
        guard photos.isEmpty || photos.contains(where: { isPicture($0.path) || access($0.path, F_OK) == 0 }) else {
            throw noList(name, "no line is the path of a picture")
        }
        return photos
    }

    private static func noList(_ name: String, _ why: String) -> GarfaceError {
        GarfaceError(
            .malformedFile,
            "\(name): is neither a picture (\(endings.joined(separator: ", "))) nor a list of pictures: \(why); "
                + "frames of a film come from ffmpeg, see garface track --help")
    }
}
