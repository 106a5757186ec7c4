import Fitting
import GarfaceHeader
import Inversion
import Numerics
import Reconstruction

/// Reads a struct that may come from a program built against an older header: fields it does not know
/// keep their defaults.
func versioned<S>(_ given: UnsafePointer<S>, _ size: Int, earlier: [Int] = [], defaults: S, _ argument: String) throws -> S {
    guard size == MemoryLayout<S>.size || earlier.contains(size) else {
        throw invalid(
            "\(argument)->struct_size: is \(UInt(bitPattern: size)), expected \(MemoryLayout<S>.size), or what an earlier header "
                + "had; fill the struct with its _init function")
    }
    var result = defaults
    withUnsafeMutableBytes(of: &result) { $0.copyMemory(from: UnsafeRawBufferPointer(start: given, count: size)) }
    return result
}

/// A C program may have left any byte in a bool.
func isSet(_ flag: Bool) -> Bool { withUnsafeBytes(of: flag) { $0[0] } != 0 }

/// The options as the first headers had them, without how landmarks are ordered and how sure they are.
private let firstOptionsSize = MemoryLayout<gar_options>.offset(of: \gar_options.landmark_confidences)!

private func defaultOptions() -> gar_options {
    var options = gar_options()
    options.struct_size = MemoryLayout<gar_options>.size
    options.renderer = gar_renderer_kind(GAR_RENDERER_GAR)
    options.files = UInt32(GAR_WRITE_STANDARD)
    return options
}

private func defaultFiles() -> gar_model_files {
    var files = gar_model_files()
    files.struct_size = MemoryLayout<gar_model_files>.size
    return files
}

@_cdecl("gar_options_init")
public func garOptionsInit(_ options: UnsafeMutablePointer<gar_options>?) { options?.pointee = defaultOptions() }

@_cdecl("gar_model_files_init")
public func garModelFilesInit(_ files: UnsafeMutablePointer<gar_model_files>?) { files?.pointee = defaultFiles() }

func modelFiles(_ given: UnsafePointer<gar_model_files>?) throws -> gar_model_files {
    guard let given else { return defaultFiles() }
    return try versioned(
        given, given.pointee.struct_size, defaults: defaultFiles(), "files")
}

/// Options as the core has them, with what only the boundary needs.
struct CallOptions {
    var core = ReconstructionOptions()
    var files = OutputSelection.standard
    var progress: Reconstructor.Progress?

    /// What a call does not use it does not look at.
    init(_ given: UnsafePointer<gar_options>?, writesFiles: Bool = false, takesSchedule: Bool = true) throws {
        guard let given else { return }
        let o = try versioned(
            given, given.pointee.struct_size, earlier: [firstOptionsSize], defaults: defaultOptions(), "options")
        core.renderer = try renderer(o.renderer, "options->renderer")
        core.seed = o.seed
        if writesFiles { files = try selection(o.files, "options->files") }
        core.maximumFaces = isSet(o.all_faces) ? 1000 : 1
        let landmarkScheme = try scheme(o.landmark_scheme, "options->landmark_scheme")
        if o.landmark_count == 0 && (o.landmarks != nil || o.landmark_confidences != nil) {
            throw invalid("options->landmark_count: is 0, but there are landmarks; expected 5, 68, 468 or 478")
        }
        if o.landmark_count != 0 {
            guard LandmarkScheme(count: Int(o.landmark_count)) != nil else {
                throw invalid("options->landmark_count: is \(o.landmark_count), expected 0, 5, 68, 468 or 478")
            }
            let count = Int(o.landmark_count)
            let points = try finite(o.landmarks, 2 * count, "options->landmarks")
            let confidences = try o.landmark_confidences.map { try finite($0, count, "options->landmark_confidences") }
            try core.setLandmarks(
                (0..<2 * count).map { Double(points[$0]) }, confidences: confidences.map { c in (0..<count).map { Double(c[$0]) } },
                scheme: landmarkScheme)
        }
        if let box = o.box {
            let b = try finite(box, 4, "options->box")
            core.rectangle = FaceRectangle(left: Double(b[0]), top: Double(b[1]), width: Double(b[2]), height: Double(b[3]))
        }
        if let face = o.face?.pointee { core.face = try faceBox(face, "options->face") }
        if takesSchedule && o.schedule != nil { core.schedule = try schedule(o.schedule, "schedule") }
        progress = progressClosure(o.progress, o.progress_user)
    }
}

func renderer(_ kind: gar_renderer_kind, _ argument: String) throws -> ReconstructionRenderer {
    switch Int(kind) {
    case GAR_RENDERER_GAR: .gar
    case GAR_RENDERER_SH: .sphericalHarmonics
    case GAR_RENDERER_LANDMARKS: .landmarksOnly
    case GAR_RENDERER_START: .startOnly
    default: throw invalid("\(argument): is \(kind), expected one of GAR_RENDERER_...")
    }
}

/// nil where the number of points says it.
private func scheme(_ scheme: gar_landmark_scheme, _ argument: String) throws -> LandmarkScheme? {
    switch Int(scheme) {
    case GAR_LANDMARKS_BY_COUNT: nil
    case GAR_LANDMARKS_FIVE: .five
    case GAR_LANDMARKS_IBUG68: .ibug68
    case GAR_LANDMARKS_MEDIAPIPE: .mediapipe
    case GAR_LANDMARKS_DLIB5: .dlib5
    default: throw invalid("\(argument): is \(scheme), expected one of GAR_LANDMARKS_...")
    }
}

func selection(_ files: UInt32, _ argument: String) throws -> OutputSelection {
    guard files != 0, files & ~UInt32(GAR_WRITE_ALL) == 0 else {
        throw invalid("\(argument): is \(files), expected a sum of GAR_WRITE_...")
    }
    return OutputSelection(rawValue: files)
}

func schedule(_ json: UnsafePointer<CChar>?, _ argument: String) throws -> FitSchedule {
    try FitSchedule(parsing: Array(try text(json, argument).utf8))
}

func progressClosure(_ callback: gar_progress_callback?, _ user: UnsafeMutableRawPointer?) -> Reconstructor.Progress? {
    guard let callback else { return nil }
    return { fraction, stage in stage.withCString { callback(user, fraction, $0) } }
}
