import GarfaceHeader
import Inversion
import Numerics
import Reconstruction

final class TrackerHandle: Handle, @unchecked Sendable {
    override class var name: String { "gar_tracker" }
    override class var tag: UInt8 { 7 }
    let tracker: FaceTracker
    /// Frames that are ready and not fetched yet.
    var ready: [TrackedFrame] = []
    init(_ tracker: FaceTracker) { self.tracker = tracker }

    func add(_ frames: [TrackedFrame], _ count: UnsafeMutablePointer<Int32>?) {
        ready += frames
        count?.pointee = Int32(clamping: ready.count)
    }
}

private func defaultTrackerOptions() -> gar_tracker_options {
    let defaults = TrackerOptions()
    var options = gar_tracker_options()
    options.struct_size = MemoryLayout<gar_tracker_options>.size
    options.renderer = gar_renderer_kind(GAR_RENDERER_LANDMARKS)
    options.lag = Int32(defaults.lag)
    options.identity_frames = Int32(defaults.identityFrames)
    options.frames_per_second = Float(defaults.framesPerSecond)
    options.smoothing = Float(defaults.smoothing)
    options.keep_frames = true
    return options
}

@_cdecl("gar_tracker_options_init")
public func garTrackerOptionsInit(_ options: UnsafeMutablePointer<gar_tracker_options>?) {
    options?.pointee = defaultTrackerOptions()
}

@_cdecl("gar_tracker_create")
public func garTrackerCreate(
    _ models: OpaquePointer?, _ options: UnsafePointer<gar_tracker_options>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> gar_status {
    call {
        try create(out, "out") {
            let models = try resolve(models, ModelsHandle.self, "models").models
            var given = defaultTrackerOptions()
            if let options { given = try versioned(options, options.pointee.struct_size, defaults: given, "options") }
            var core = TrackerOptions()
            core.renderer = try renderer(given.renderer, "options->renderer")
            core.lag = Int(given.lag)
            core.identityFrames = Int(given.identity_frames)
            core.framesPerSecond = Double(given.frames_per_second)
            core.smoothing = Double(given.smoothing)
            core.keepsFrames = isSet(given.keep_frames)
            if let identity = given.identity {
                let values = try finite(identity, models.head.identityCount, "options->identity")
                core.identity = (0..<models.head.identityCount).map { values[$0] }
            }
            if let face = given.face?.pointee { core.face = try faceBox(face, "options->face") }
            return TrackerHandle(try FaceTracker(models, options: core))
        }
    }
}

@_cdecl("gar_tracker_release")
public func garTrackerRelease(_ tracker: OpaquePointer?) { HandleTable.shared.release(tracker, as: TrackerHandle.self) }

@_cdecl("gar_tracker_push")
public func garTrackerPush(
    _ tracker: OpaquePointer?, _ image: OpaquePointer?, _ time: Double, _ ready: UnsafeMutablePointer<Int32>?
) -> gar_status {
    call {
        let handle = try resolve(tracker, TrackerHandle.self, "tracker")
        let image = try resolve(image, ImageHandle.self, "image").image
        try handle.exclusively("tracker") {
            handle.add(try handle.tracker.push(image, time: time < 0 ? nil : time), ready)
        }
    }
}

@_cdecl("gar_tracker_finish")
public func garTrackerFinish(_ tracker: OpaquePointer?, _ ready: UnsafeMutablePointer<Int32>?) -> gar_status {
    call {
        let handle = try resolve(tracker, TrackerHandle.self, "tracker")
        try handle.exclusively("tracker") { handle.add(try handle.tracker.finish(), ready) }
    }
}

@_cdecl("gar_tracker_pop")
public func garTrackerPop(
    _ tracker: OpaquePointer?, _ frame: UnsafeMutablePointer<gar_tracked_frame>?, _ expression: UnsafeMutablePointer<Float>?,
    _ landmarks: UnsafeMutablePointer<Float>?, _ landmarksStatic: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let handle = try resolve(tracker, TrackerHandle.self, "tracker")
        let frame = try required(frame, "frame")
        try handle.exclusively("tracker") {
            guard let next = handle.ready.first else {
                throw invalid("tracker: no frame is ready; push says how many are")
            }
            handle.ready.removeFirst()
            func put(_ values: [Double], _ count: Int, _ out: UnsafeMutablePointer<Float>?) {
                guard let out else { return }
                for i in 0..<count { out[i] = i < values.count ? Float(values[i]) : .nan }
            }
            put(next.expression.map { Double($0) }, handle.tracker.models.head.expressionCount, expression)
            put(next.landmarks, 136, landmarks)
            put(next.staticLandmarks, 136, landmarksStatic)
            frame.pointee = gar_tracked_frame(
                index: Int32(clamping: next.index), found: next.isFound, face_probability: Float(next.faceProbability),
                time: next.time, yaw: Float(next.yaw * 180 / .pi), pitch: Float(next.pitch * 180 / .pi),
                roll: Float(next.roll * 180 / .pi), scale: Float(next.scale), tx: Float(next.tx), ty: Float(next.ty),
                gaze_yaw: Float(next.gaze?.yaw ?? .nan), gaze_pitch: Float(next.gaze?.pitch ?? .nan))
        }
    }
}

@_cdecl("gar_tracker_get_identity")
public func garTrackerGetIdentity(
    _ tracker: OpaquePointer?, _ buffer: UnsafeMutablePointer<Float>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> gar_status {
    call {
        let handle = try resolve(tracker, TrackerHandle.self, "tracker")
        let identity = try handle.exclusively("tracker") { handle.tracker.identity ?? [] }
        try deliver(identity, buffer, capacity, count)
    }
}

@_cdecl("gar_tracker_write")
public func garTrackerWrite(_ tracker: OpaquePointer?, _ folder: UnsafePointer<CChar>?, _ files: UInt32) -> gar_status {
    call {
        let handle = try resolve(tracker, TrackerHandle.self, "tracker")
        let folder = try text(folder, "folder")
        guard files != 0, files & ~UInt32(GAR_TRACK_ALL) == 0 else {
            throw invalid("files: is \(files), expected a sum of GAR_TRACK_...")
        }
        try handle.exclusively("tracker") {
            try handle.tracker.write(to: folder, selection: TrackSelection(rawValue: files))
        }
    }
}
