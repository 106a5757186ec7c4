import FaceModel
import Glibc
import Numerics

/// Which files a track is written to.
public struct TrackSelection: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// track.csv
    public static let csv = TrackSelection(rawValue: 1)
    /// track.json and track.safetensors
    public static let arrays = TrackSelection(rawValue: 2)
    /// track.glb
    public static let glb = TrackSelection(rawValue: 4)
    public static let all: TrackSelection = [.csv, .arrays, .glb]

    public static let named: [(name: String, files: TrackSelection)] = [
        ("csv", .csv), ("arrays", .arrays), ("glb", .glb), ("all", .all),
    ]
    static let names: [(TrackSelection, [String])] = [
        (.csv, ["track.csv"]), (.arrays, ["track.json", "track.safetensors"]), (.glb, ["track.glb"]),
    ]
}

/// The curves of a track as a table: a row for each frame, cells empty where the face is not there.
public enum TrackTable {
    /// The first row.
    public static func header(_ head: HeadModel<Float>) -> String {
        var names = ["frame", "time", "found", "face_probability", "yaw", "pitch", "roll", "scale", "tx", "ty", "gaze_yaw", "gaze_pitch"]
        names += head.expressionNames
        for l in 0..<68 { names += ["u\(l)", "v\(l)"] }
        return names.joined(separator: ",") + "\r\n"
    }

    public static func row(_ frame: TrackedFrame, _ head: HeadModel<Float>) -> String {
        func short(_ value: Double, _ digits: Double) -> String { "\((value * digits).rounded() / digits)" }
        var cells = ["\(frame.index)", short(frame.time, 1e6), frame.isFound ? "1" : "0", short(frame.faceProbability, 1e4)]
        let count = 8 + head.expressionCount + 136
        if frame.isFound {
            cells += [frame.yaw, frame.pitch, frame.roll].map { short($0 * 180 / .pi, 1e4) }
            cells += [short(frame.scale, 1e6), short(frame.tx, 1e3), short(frame.ty, 1e3)]
            cells += frame.gaze.map { [short($0.yaw, 1e3), short($0.pitch, 1e3)] } ?? ["", ""]
            cells += frame.expression.map { short(Double($0), 1e5) }
            cells += frame.landmarks.map { short($0, 1e3) }
        } else {
            cells += Array(repeating: "", count: count)
        }
        return cells.joined(separator: ",") + "\r\n"
    }
}

extension FaceTracker {
    /// Writes the frames that were kept, all files or none.
    public func write(to path: String, selection: TrackSelection = .all) throws {
        let folder = try OutputFolder(path)
        defer { folder.discard() }
        try add(to: folder, selection: selection)
        try folder.commit()
    }

    public func add(to folder: OutputFolder, selection: TrackSelection) throws {
        guard options.keepsFrames else {
            throw GarfaceError(.invalidArgument, "tracker: frames were not kept; set the option that keeps them")
        }
        if selection.contains(.csv) {
            var text = TrackTable.header(models.head)
            for frame in frames { text += TrackTable.row(frame, models.head) }
            try folder.add("track.csv", text: text)
        }
        if selection.contains(.arrays) {
            try folder.add("track.json", text: json.serialized(pretty: true) + "\n")
            try folder.add("track.safetensors", safetensors())
        }
        if selection.contains(.glb) { try folder.add("track.glb", glb()) }
    }

    /// What the numbers of the arrays are.
    public var json: JSONValue {
        let found = frames.count { $0.isFound }
        func number(_ value: Int) -> JSONValue { .number(Double(value)) }
        return .object([
            ("kind", .string("track")), ("version", .number(1)), ("frames", number(frames.count)), ("found", number(found)),
            ("width", number(width)), ("height", number(height)), ("frames_per_second", .number(options.framesPerSecond)),
            ("lag_frames", number(options.smoothing > 0 ? options.lag : 0)), ("smoothing", .number(options.smoothing)),
            ("renderer", .string(options.renderer.rawValue)),
            ("camera", .string("weak perspective: u = scale (R p).x + t.x, v = -scale (R p).y + t.y; R = Rz(roll) Rx(-pitch) Ry(yaw)")),
            ("gaze", .string("where the eyes look, degrees to the head's left and up; NaN where a frame does not tell")),
            ("identity", .array((identity ?? []).map { .number(Double($0)) })),
            ("expression_names", .array(models.head.expressionNames.map { .string($0) })),
        ])
    }

    /// Row by row what track.json describes; NaN where the face is not there.
    public func safetensors() -> [UInt8] {
        var writer = SafetensorsWriter(metadata: [
            "garface": JSONValue.object([("kind", .string("track")), ("version", .number(1))]).serialized()
        ])
        let count = frames.count, expressions = models.head.expressionCount
        func add(_ name: String, _ shape: [Int], _ values: (TrackedFrame) -> [Double]) {
            let width = shape.reduce(1, *)
            var flat: [Float] = []
            flat.reserveCapacity(count * width)
            for frame in frames {
                let row = values(frame)
                flat += row.count == width ? row.map { Float($0) } : [Float](repeating: .nan, count: width)
            }
            writer.add(name, Tensor<Float>([count] + shape, flat))
        }
        add("time", []) { [$0.time] }
        add("found", []) { [$0.isFound ? 1 : 0] }
        add("face_probability", []) { [$0.faceProbability] }
        add("angles_degrees", [3]) { [$0.yaw, $0.pitch, $0.roll].map { $0 * 180 / .pi } }
        add("gaze_degrees", [2]) { $0.gaze.map { [$0.yaw, $0.pitch] } ?? [] }
        add("camera.scale", []) { [$0.scale] }
        add("camera.translation", [2]) { [$0.tx, $0.ty] }
        add("expression", [expressions]) { $0.expression.map { Double($0) } }
        add("landmarks", [68, 2]) { $0.landmarks }
        add("landmarks_static", [68, 2]) { $0.staticLandmarks }
        let identity = identity ?? []
        writer.add("identity", Tensor<Float>([identity.count], identity))
        return writer.bytes()
    }

    /// The head as an animated GLB: the person at rest with the texture of the frame that shows them best, expressions as
    /// morph targets whose weights move, a node that turns and shifts, and the camera of the frames.
    public func glb() throws -> [UInt8] {
        let (result, photo) = try reference()
        let texture = try ImageFile.encodePNG(Texture(result, photo: photo).image)
        return try result.glb(texture: texture, animation: try TrackAnimation(frames, width: width, height: height))
    }
}
