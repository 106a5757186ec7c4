import GarfaceHeader
import Inversion
import Numerics
import Reconstruction

@_cdecl("gar_reconstruct_person")
public func garReconstructPerson(
    _ models: OpaquePointer?, _ images: UnsafePointer<OpaquePointer?>?, _ count: Int32, _ faces: UnsafePointer<gar_face>?,
    _ options: UnsafePointer<gar_options>?, _ results: UnsafeMutablePointer<OpaquePointer?>?, _ found: UnsafeMutablePointer<Int32>?
) -> gar_status {
    call {
        let results = try required(results, "results")
        guard (1...PersonReconstruction.mostPhotos).contains(Int(count)) else {
            throw invalid("count: is \(count), expected 1 to \(PersonReconstruction.mostPhotos) photos")
        }
        for k in 0..<Int(count) { results[k] = nil }
        found?.pointee = 0
        useDefaultThreadCount()
        let models = try resolve(models, ModelsHandle.self, "models").models
        let images = try required(images, "images")
        let photos = try (0..<Int(count)).map { try resolve(images[$0], ImageHandle.self, "images[\($0)]") }
        let boxes: [FaceBox?] = try faces.map { faces in
            try (0..<Int(count)).map { faces[$0].size == 0 ? nil : try faceBox(faces[$0], "faces[\($0)]") }
        } ?? []
        let options = try CallOptions(options)
        let person = try Reconstructor(models).reconstruct(
            person: photos.map(\.image), faces: boxes, options: options.core, progress: options.progress)
        for (k, photo) in photos.enumerated() {
            if let result = person.results[k] {
                results[k] = HandleTable.shared.insert(ResultHandle(result, photo: photo.image, source: photo.source))
                found?.pointee += 1
            } else {
                Log.say("photo \(k + 1) of \(count): \(person.failures[k]?.message ?? "no face was found")")
            }
        }
        if let result = person.results.lazy.compactMap({ $0 }).first { logStages(result) }
    }
}
