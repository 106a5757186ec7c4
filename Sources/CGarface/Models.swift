import FaceModel
import GarfaceHeader
import Inversion
import Numerics
import Reconstruction
import Renderer

final class ModelsHandle: Handle, @unchecked Sendable {
    override class var name: String { "gar_models" }
    override class var tag: UInt8 { 4 }
    let models: ReconstructionModels
    /// Where each model came from, in the order of gar_model_files.
    let sources: [(kind: String, file: String?)]

    init(files: gar_model_files) throws {
        func path(_ pointer: UnsafePointer<CChar>?, _ name: String) throws -> String? {
            try pointer.map { try text($0, "files->" + name) }
        }
        let head = try path(files.head_model, "head_model"), gar = try path(files.renderer, "renderer")
        let inverse = try path(files.inverse_network, "inverse_network")
        let detector = try path(files.face_detector, "face_detector")
        models = try ReconstructionModels(
            head: try head.map { try HeadModel(file: SafetensorsFile(path: $0)) } ?? .embedded(),
            gar: try gar.map { try GAR(file: SafetensorsFile(path: $0)) } ?? .embedded(),
            inverse: try inverse.map { try InverseNetwork(file: SafetensorsFile(path: $0)) } ?? .embedded(),
            detector: try detector.map { try FaceDetector(file: SafetensorsFile(path: $0)) } ?? .embedded())
        sources = [("head_model", head), ("renderer", gar), ("inverse_network", inverse), ("face_detector", detector)]
    }
}

@_cdecl("gar_models_load")
public func garModelsLoad(
    _ files: UnsafePointer<gar_model_files>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> gar_status {
    call {
        let elapsed = Elapsed()
        try create(out, "out") { try ModelsHandle(files: try modelFiles(files)) }
        Log.say("models loaded in \(elapsed)")
    }
}

@_cdecl("gar_models_release")
public func garModelsRelease(_ models: OpaquePointer?) { HandleTable.shared.release(models, as: ModelsHandle.self) }

@_cdecl("gar_models_get_json")
public func garModelsGetJson(
    _ models: OpaquePointer?, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> gar_status {
    call {
        let handle = try resolve(models, ModelsHandle.self, "models")
        let models = handle.models
        func reader(_ inputSize: Int?) -> JSONValue { inputSize.map { .object([("input_size", .number(Double($0)))]) } ?? .null }
        let details: [String: JSONValue] = [
            "head_model": .object([
                ("vertices", .number(Double(models.head.vertexCount))), ("identity", .number(Double(models.head.identityCount))),
                ("expression", .number(Double(models.head.expressionCount))),
            ]),
            "renderer": models.gar.map { description(of: $0.configuration) } ?? .null,
            "inverse_network": .object([
                ("input_size", .number(Double(models.inverse.inputSize))),
                ("close_up", reader(models.inverse.closeUp?.inputSize)), ("covering", reader(models.inverse.covering?.inputSize)),
            ]),
            "face_detector": .object([
                ("base_size", .number(models.detector.baseSize)), ("threshold", .number(models.detector.threshold)),
            ]),
        ]
        let json = JSONValue.object(
            handle.sources.map { source in
                (source.kind, .object([
                    ("file", source.file.map { .string($0) } ?? .null), ("sizes", details[source.kind] ?? .null),
                ]))
            })
        try deliver(json.serialized(), buffer, capacity, count)
    }
}
