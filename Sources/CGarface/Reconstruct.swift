import GarfaceHeader
import Glibc
import Inversion
import Numerics
import Reconstruction

/// A face as the core has it: radians and doubles, checked.
func faceBox(_ face: gar_face, _ argument: String) throws -> FaceBox {
    guard [face.centre_u, face.centre_v, face.size, face.roll].allSatisfy(\.isFinite), face.size >= 4 else {
        throw invalid("\(argument): expected finite numbers and a size of at least 4 pixels")
    }
    guard face.size < 1e6 else { throw invalid("\(argument): its size of \(face.size) pixels is too large for any picture") }
    guard abs(face.centre_u) < 1e6, abs(face.centre_v) < 1e6 else {
        throw invalid("\(argument): its centre (\(face.centre_u), \(face.centre_v)) lies outside any picture")
    }
    return FaceBox(
        centreX: Double(face.centre_u), centreY: Double(face.centre_v), size: Double(face.size),
        roll: Double(face.roll) * .pi / 180, score: face.score.isFinite ? Double(face.score) : 0)
}

/// One line per face: where, how it was fitted, and how long each step took.
private func log(_ result: ReconstructionResult) {
    Log.say(
        "face at (\(result.frame.centreX.rounded()), \(result.frame.centreY.rounded())), \(result.renderer.rawValue): "
            + result.timing.map { "\($0.step) \(($0.seconds * 1000).rounded() / 1000) s" }.joined(separator: ", "))
    logStages(result)
}

/// The energy of every stage, before and after.
func logStages(_ result: ReconstructionResult) {
    for stage in result.stages {
        Log.say(
            "stage \(stage.stage): \(stage.iterations) iterations (\(stage.reason.rawValue)), energy \(stage.first) to \(stage.last)")
    }
    if let warning = result.warning { Log.say("warning: \(warning)") }
}

@_cdecl("gar_faces_detect")
public func garFacesDetect(
    _ models: OpaquePointer?, _ image: OpaquePointer?, _ buffer: UnsafeMutablePointer<gar_face>?, _ capacity: Int,
    _ count: UnsafeMutablePointer<Int>?
) -> gar_status {
    call {
        let models = try resolve(models, ModelsHandle.self, "models").models
        let image = try resolve(image, ImageHandle.self, "image").image
        _ = try required(count, "count")
        let elapsed = Elapsed()
        let found = try Reconstructor(models).faces(image)
        Log.say("\(found.count) face\(found.count == 1 ? "" : "s") in \(image.width) x \(image.height) pixels, \(elapsed)")
        let faces = found.map {
            gar_face(
                centre_u: Float($0.centreX), centre_v: Float($0.centreY), size: Float($0.size), roll: Float($0.roll * 180 / .pi),
                score: Float($0.score))
        }
        try deliver(faces, buffer, capacity, count)
    }
}

@_cdecl("gar_reconstruct")
public func garReconstruct(
    _ models: OpaquePointer?, _ image: OpaquePointer?, _ options: UnsafePointer<gar_options>?,
    _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> gar_status {
    call {
        try create(out, "out") {
            let models = try resolve(models, ModelsHandle.self, "models").models
            let handle = try resolve(image, ImageHandle.self, "image")
            let image = handle.image
            var options = try CallOptions(options)
            options.core.maximumFaces = 1
            let results = try Reconstructor(models).reconstruct(image, options: options.core, progress: options.progress)
            guard let result = results.first else { throw GarfaceError(.noFace, "no face was found") }
            log(result)
            return ResultHandle(result, photo: image, source: handle.source)
        }
    }
}

@_cdecl("gar_reconstruct_file")
public func garReconstructFile(
    _ photo: UnsafePointer<CChar>?, _ folder: UnsafePointer<CChar>?, _ options: UnsafePointer<gar_options>?
) -> gar_status {
    call {
        let photo = try text(photo, "photo"), folder = try text(folder, "folder")
        let options = try CallOptions(options, writesFiles: true)
        let names = ResultNames(selection: options.files, numbered: options.core.maximumFaces > 1)
        try names.check(photo: photo, folder: folder)
        let image = try ImageFile.read(photo)
        // Before the work: a folder that cannot be written is known at once.
        let output = try OutputFolder(folder)
        defer { output.discard() }
        let models = try ModelsHandle(files: modelFiles(nil)).models
        let results = try Reconstructor(models).reconstruct(image, options: options.core, progress: options.progress)
        for (i, result) in results.enumerated() {
            log(result)
            try result.add(to: output, photo: image, selection: options.files, prefix: names.prefix(i))
        }
        try output.commit(removing: names.contains)
    }
}
