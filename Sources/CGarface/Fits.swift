import Fitting
import GarfaceHeader
import Numerics
import Reconstruction

final class FitHandle: Handle, @unchecked Sendable {
    override class var name: String { "gar_fit" }
    override class var tag: UInt8 { 6 }
    let session: FitSession
    let photo: RGBImage
    let source: String?
    init(_ session: FitSession, photo: RGBImage, source: String?) {
        self.source = source
        self.session = session
        self.photo = photo
    }
}

@_cdecl("gar_schedule_get_json")
public func garScheduleGetJson(
    _ kind: gar_renderer_kind, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> gar_status {
    call {
        let schedule = FitSession.standardSchedule(try renderer(kind, "renderer"))
        try deliver(schedule.json.serialized(pretty: true), buffer, capacity, count)
    }
}

@_cdecl("gar_fit_create")
public func garFitCreate(
    _ models: OpaquePointer?, _ image: OpaquePointer?, _ options: UnsafePointer<gar_options>?,
    _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> gar_status {
    call {
        try create(out, "out") {
            let models = try resolve(models, ModelsHandle.self, "models").models
            let handle = try resolve(image, ImageHandle.self, "image")
            let image = handle.image
            return FitHandle(
                try FitSession(models, photo: image, options: try CallOptions(options, takesSchedule: false).core),
                photo: image, source: handle.source)
        }
    }
}

@_cdecl("gar_fit_resume")
public func garFitResume(
    _ result: OpaquePointer?, _ image: OpaquePointer?, _ options: UnsafePointer<gar_options>?,
    _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> gar_status {
    call {
        try create(out, "out") {
            let result = try resolve(result, ResultHandle.self, "result")
            let image = try image.map { try resolve($0, ImageHandle.self, "image") }
            let photo = image?.image ?? result.photo
            return FitHandle(
                try FitSession(from: result.result, photo: photo, options: try CallOptions(options, takesSchedule: false).core),
                photo: photo, source: image?.source ?? result.source)
        }
    }
}

@_cdecl("gar_fit_release")
public func garFitRelease(_ fit: OpaquePointer?) { HandleTable.shared.release(fit, as: FitHandle.self) }

@_cdecl("gar_fit_run")
public func garFitRun(
    _ fit: OpaquePointer?, _ stages: UnsafePointer<CChar>?, _ progress: gar_progress_callback?,
    _ progressUser: UnsafeMutableRawPointer?
) -> gar_status {
    call {
        let fit = try resolve(fit, FitHandle.self, "fit")
        let schedule = stages == nil ? nil : try schedule(stages, "schedule")
        try fit.exclusively("fit") {
            let elapsed = Elapsed()
            try fit.session.run(schedule, progress: progressClosure(progress, progressUser))
            Log.say("fit: \(schedule?.stages.map(\.name).joined(separator: ", ") ?? "the standard stages") in \(elapsed)")
        }
    }
}

@_cdecl("gar_fit_get_result")
public func garFitGetResult(_ fit: OpaquePointer?, _ out: UnsafeMutablePointer<OpaquePointer?>?) -> gar_status {
    call {
        try create(out, "out") {
            let fit = try resolve(fit, FitHandle.self, "fit")
            return try fit.exclusively("fit") {
                let result = try fit.session.result()
                logStages(result)
                return ResultHandle(result, photo: fit.photo, source: fit.source)
            }
        }
    }
}
