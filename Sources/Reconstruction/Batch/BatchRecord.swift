import Glibc
import Numerics

/// What became of one photo of a batch: a row of its manifest, and batch.json in the folder of its result.
public struct BatchRecord: Sendable {
    /// One face of the photo.
    public struct Face: Sendable {
        public var yaw, pitch, roll, faceProbability: Double
        public var converged: Bool
    }

    public static let fileName = "batch.json"
    private static let largestFile = 1 << 22

    public var photo: String
    public var folder: String
    /// What the photo was like: another one under its name is done again.
    public var bytes: Int
    public var modified: String
    /// The options and models that it was done with, in short.
    public var settings: String
    /// Nil where it was done.
    public var failure: GarfaceError?
    public var faces: [Face] = []
    /// The files of the result.
    public var files: [String] = []
    /// How many bytes each of them has; nil in records of earlier versions, which did not say.
    public var fileSizes: [Int]? = []
    public var seconds = 0.0
    /// Whether an earlier run had done it.
    public var wasThere = false

    init(_ photo: BatchPhoto, settings: String) {
        self.photo = photo.path
        folder = photo.folder
        self.settings = settings
        var information = stat()
        let known = stat(photo.path, &information) == 0
        bytes = known ? Int(information.st_size) : 0
        modified = known ? "\(information.st_mtim.tv_sec).\(information.st_mtim.tv_nsec)" : ""
    }

    /// What an earlier run left in `output`, if it holds for the photo as it is and for these settings.
    static func earlier(_ photo: BatchPhoto, output: String, settings: String) -> BatchRecord? {
        let fresh = BatchRecord(photo, settings: settings)
        let folder = "\(output)/\(photo.folder)"
        guard let text = try? FileAccess.read("\(folder)/\(fileName)", limit: largestFile), let json = try? JSONValue(parsing: text),
            var found = BatchRecord(json, photo), found.bytes == fresh.bytes, found.modified == fresh.modified,
            found.settings == settings
        else { return nil }
        for (i, file) in found.files.enumerated() {
            var information = stat()
            guard stat("\(folder)/\(file)", &information) == 0, information.st_size > 0,
                found.fileSizes == nil || found.fileSizes?[i] == Int(information.st_size)
            else { return nil }
        }
        found.wasThere = true
        return found
    }

    // MARK: as a file

    public var json: JSONValue {
        var members: [(String, JSONValue)] = [
            ("photo", .string(photo)), ("folder", .string(folder)), ("status", .string(failure == nil ? "done" : "failed")),
            ("code", .number(Double(failure.map { Self.codes[$0.kind]?.number ?? 15 } ?? 0))),
            ("error", .string(failure.map { Self.codes[$0.kind]?.name ?? "GAR_INTERNAL_ERROR" } ?? "GAR_OK")),
            ("message", .string(failure?.message ?? "")),
        ]
        members.append(
            (
                "faces",
                .array(
                    faces.map {
                        .object([
                            ("yaw", .number($0.yaw)), ("pitch", .number($0.pitch)), ("roll", .number($0.roll)),
                            ("face_probability", .number($0.faceProbability)), ("converged", .bool($0.converged)),
                        ])
                    })
            ))
        members.append(("files", .array(files.map { .string($0) })))
        if let fileSizes { members.append(("file_bytes", .array(fileSizes.map { .number(Double($0)) }))) }
        members += [
            ("seconds", .number(seconds)), ("bytes", .number(Double(bytes))),
            ("modified", .string(modified)), ("settings", .string(settings)),
        ]
        return .object(members)
    }

    /// The same with the photo's place in the list.
    public func json(index: Int) -> JSONValue { .object([("index", .number(Double(index)))] + (json.object ?? [])) }

    private init?(_ json: JSONValue, _ photo: BatchPhoto) {
        guard let status = json["status"]?.string, let bytes = json["bytes"]?.int, let modified = json["modified"]?.string,
            let settings = json["settings"]?.string, let seconds = json["seconds"]?.double, let faces = json["faces"]?.array,
            let files = json["files"]?.array
        else { return nil }
        self.photo = photo.path
        folder = photo.folder
        self.bytes = bytes
        self.modified = modified
        self.settings = settings
        self.seconds = seconds
        for face in faces {
            guard let yaw = face["yaw"]?.double, let pitch = face["pitch"]?.double, let roll = face["roll"]?.double,
                let probability = face["face_probability"]?.double, let converged = face["converged"]?.bool
            else { return nil }
            self.faces.append(
                Face(yaw: yaw, pitch: pitch, roll: roll, faceProbability: probability, converged: converged))
        }
        for file in files {
            guard let name = file.string, !name.isEmpty, !name.contains("/"), name != ".." else { return nil }
            self.files.append(name)
        }
        fileSizes = nil
        if let sizes = json["file_bytes"] {
            let known = sizes.array?.compactMap(\.int)
            guard known?.count == self.files.count else { return nil }
            fileSizes = known
        }
        switch status {
        case "done": if self.files.isEmpty || self.faces.isEmpty { return nil }
        case "failed":
            guard let name = json["error"]?.string, let kind = Self.codes.first(where: { $0.value.name == name })?.key,
                let message = json["message"]?.string
            else { return nil }
            failure = GarfaceError(kind, message)
        default: return nil
        }
    }

    // MARK: as a row of a table

    static let columns = [
        "photo", "folder", "status", "code", "error", "message", "faces", "yaw", "pitch", "roll", "face_probability", "converged",
        "seconds",
    ]

    /// Of several faces the first, which is the largest, is described.
    var row: [String] {
        func short(_ value: Double?, _ digits: Double) -> String { value.map { "\(($0 * digits).rounded() / digits)" } ?? "" }
        let face = faces.first
        return [
            photo, folder, failure == nil ? "done" : "failed", "\(failure.map { Self.codes[$0.kind]?.number ?? 15 } ?? 0)",
            failure.map { Self.codes[$0.kind]?.name ?? "GAR_INTERNAL_ERROR" } ?? "GAR_OK", failure?.message ?? "", "\(faces.count)",
            short(face?.yaw, 100), short(face?.pitch, 100), short(face?.roll, 100), short(face?.faceProbability, 10000),
            face.map { $0.converged ? "true" : "false" } ?? "", short(seconds, 1000),
        ]
    }

    /// The numbers and names of the C interface, which are frozen.
    static let codes: [GarfaceError.Kind: (number: Int, name: String)] = [
        .invalidArgument: (1, "GAR_INVALID_ARGUMENT"), .fileNotFound: (3, "GAR_FILE_NOT_FOUND"),
        .fileUnreadable: (4, "GAR_FILE_UNREADABLE"), .fileUnwritable: (5, "GAR_FILE_UNWRITABLE"),
        .malformedFile: (6, "GAR_MALFORMED_FILE"), .unsupportedFormat: (7, "GAR_UNSUPPORTED_FORMAT"),
        .wrongModelKind: (8, "GAR_WRONG_MODEL"), .noFace: (9, "GAR_NO_FACE"), .tooLarge: (10, "GAR_TOO_LARGE"),
        .outOfMemory: (11, "GAR_OUT_OF_MEMORY"), .cancelled: (12, "GAR_CANCELLED"),
        .numericalFailure: (13, "GAR_NUMERICAL_FAILURE"), .internalFailure: (15, "GAR_INTERNAL_ERROR"),
    ]
}
