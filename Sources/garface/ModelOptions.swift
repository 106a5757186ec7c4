import ArgumentParser
import FaceModel
import Inversion
import Numerics
import Reconstruction
import Renderer

/// Weight files that replace the models inside the tool.
struct ModelOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A head model instead of the one inside.", valueName: "file"))
    var headModel: String?
    @Option(help: ArgumentHelp("A renderer (GAR) instead of the one inside.", valueName: "file"))
    var garWeights: String?
    @Option(help: ArgumentHelp("An inverse network instead of the one inside.", valueName: "file"))
    var inverseNetwork: String?
    @Option(help: ArgumentHelp("A face detector instead of the one inside.", valueName: "file"))
    var faceDetector: String?

    func head() throws -> HeadModel<Float> {
        try headModel.map { try HeadModel(file: SafetensorsFile(path: $0)) } ?? .embedded()
    }

    func gar() throws -> GAR<Float> { try garWeights.map { try GAR(file: SafetensorsFile(path: $0)) } ?? .embedded() }

    func load() throws -> ReconstructionModels {
        try ReconstructionModels(
            head: head(), gar: gar(),
            inverse: try inverseNetwork.map { try InverseNetwork(file: SafetensorsFile(path: $0)) } ?? .embedded(),
            detector: try faceDetector.map { try FaceDetector(file: SafetensorsFile(path: $0)) } ?? .embedded())
    }
}
