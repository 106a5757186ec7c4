import ArgumentParser
import FaceModel
import Inversion
import Numerics
import Reconstruction
import Renderer

/// The library's version. Kept equal to the header's by the tool's tests.
let versionText = "0.1.0"

struct InfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Say what this build can do and which models it carries.",
        discussion: """
            With --model, describes a weight file instead:

              garface info --model weights/gar.safetensors
            """)

    @Option(help: "A safetensors file with a garface entry in its metadata.")
    var model: String?

    func run() throws {
        if let model { return try describe(SafetensorsFile(path: model), model) }
        print("garface \(versionText)")
        let paths = ConvolutionPath.available.map(\.rawValue).joined(separator: ", ")
        print("convolution:   \(ConvolutionPath.best.rawValue) (of \(paths))")
        print("kernels:       \(kernelInstructions)")
        print("picture files: PNG\(ImageFile.hasJPEG ? ", JPEG" : " (built without JPEG)")")
        let head = try HeadModel<Float>.embedded()
        print(
            "head model:    \(head.vertexCount) vertices, \(head.triangles.count / 3) triangles, \(head.identityCount) identity "
                + "and \(head.expressionCount) expression coefficients")
        let c = try GAR<Float>.embedded().configuration
        print("renderer:      GAR, \(c.size) x \(c.size) pixels, latent \(c.latentSize), \(c.styleCount) rows of w+")
        let network = try InverseNetwork<Float>.embedded()
        let closeUp = network.closeUp.map { ", then of the face alone \($0.inputSize) x \($0.inputSize)" } ?? ""
        print("inverse net:   crops of \(network.inputSize) x \(network.inputSize) pixels\(closeUp)")
        let detector = try FaceDetector.embedded()
        print("face detector: threshold \(detector.threshold)")
    }

    private func describe(_ file: SafetensorsFile, _ path: String) throws {
        guard let description = try file.description() else {
            throw GarfaceError(.wrongModelKind, "\(path): has no \"garface\" entry in its metadata")
        }
        print(description.serialized(pretty: true))
        for name in file.names.sorted() { print("\(name) \(file.shape(name) ?? [])") }
    }
}
