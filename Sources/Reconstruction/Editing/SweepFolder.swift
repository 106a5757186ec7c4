import Numerics

/// The folder of a sweep's frames. frames.json in it names those that a sweep wrote, so that the next one takes away no
/// picture of anybody else's.
public final class SweepFolder {
    public static let listName = "frames.json"
    private static let kind = "sweep-frames"
    private static let largestList = 1 << 22

    private let folder: OutputFolder
    private let earlier: [String: Int]
    private let count: Int
    private var written: [(name: String, bytes: Int)] = []

    /// Throws where one of `count` frames would take the place of a picture that no sweep wrote, or of the photo.
    public init(_ path: String, count: Int, photo: String?) throws {
        folder = try OutputFolder(path)
        self.count = count
        do {
            earlier = try Self.listed(folder.path)
            try Self.check(folder.path, count, earlier, photo)
        } catch {
            folder.discard()
            throw error
        }
    }

    public func add(_ i: Int, _ picture: RGBImage) throws {
        let bytes = try ImageFile.encodePNG(picture), name = FaceEditor.frameName(i)
        try folder.add(name, bytes)
        written.append((name, bytes.count))
    }

    /// Gives the frames their names and removes those that an earlier sweep left.
    public func commit() throws {
        // A file that was put there meanwhile under a frame's name is not replaced either.
        try Self.check(folder.path, count, earlier, nil)
        let list = JSONValue.object([
            ("kind", .string(Self.kind)), ("version", .number(1)),
            (
                "frames",
                .array(written.map { .object([("name", .string($0.name)), ("bytes", .number(Double($0.bytes)))]) })
            ),
        ])
        try folder.add(Self.listName, text: list.serialized(pretty: true) + "\n")
        let path = folder.path
        try folder.commit(removing: { Self.isKnown("\(path)/\($0)", size: earlier[$0]) })
    }

    public func discard() { folder.discard() }

    /// Names and sizes of the frames that an earlier sweep wrote.
    private static func listed(_ folder: String) throws -> [String: Int] {
        let path = "\(folder)/\(listName)", text: [UInt8]
        do { text = try FileAccess.read(path, limit: largestList) } catch let error as GarfaceError where error.kind == .fileNotFound {
            return [:]
        }
        guard let json = try? JSONValue(parsing: text), json["kind"]?.string == kind, let frames = json["frames"]?.array else {
            throw GarfaceError(.invalidArgument, "\(path): is not the list of a sweep's frames and would be replaced; give another folder")
        }
        var known: [String: Int] = [:]
        for frame in frames {
            guard let name = frame["name"]?.string, FaceEditor.isFrameName(name), let bytes = frame["bytes"]?.int else { continue }
            known[name] = bytes
        }
        return known
    }

    /// Whether a file is still the one that was listed: one of another size was put in its place.
    private static func isKnown(_ path: String, size: Int?) -> Bool { size != nil && FileAccess.size(path) == size }

    private static func check(_ folder: String, _ count: Int, _ earlier: [String: Int], _ photo: String?) throws {
        let coming = Set((0..<count).map { FaceEditor.frameName($0) })
        for name in FileAccess.names(in: folder) where FaceEditor.isFrameName(name) {
            let path = "\(folder)/\(name)"
            if let photo, coming.contains(name) || earlier[name] != nil, FileAccess.isSame(path, photo) {
                throw GarfaceError(
                    .invalidArgument, "\(folder): the frame \(name) would take the place of the photo \(photo); give another folder")
            }
            guard coming.contains(name), !isKnown(path, size: earlier[name]) else { continue }
            throw GarfaceError(
                .invalidArgument,
                "\(path): was not written by a sweep (it is not in \(listName)) and would be replaced; give another folder, or move it away")
        }
    }
}
