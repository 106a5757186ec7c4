import ArgumentParser
import Numerics
import Reconstruction

struct ViewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "view",
        abstract: "Make one HTML page to look at a result in a browser.",
        discussion: """
            From the folder that reconstruct wrote:

              garface view out

            writes out/view.html: the photo, the head to turn with the mouse, its normals,
            the losses, and a slider for each expression. The page is one file that needs
            no network: send it as it is.
            """)

    @Argument(help: "The folder of a result.")
    var folder: String

    @Option(help: ArgumentHelp("Which face, where the photo had several (files named face1_..., face2_...).", valueName: "number"))
    var face: Int?

    @Option(help: ArgumentHelp("Which photo, of a person reconstructed with --same-person (files named photo1_...).", valueName: "number"))
    var photo: Int?

    func validate() throws {
        if face != nil && photo != nil { throw ValidationError("Give --face or --photo, not both.") }
        if let photo, photo < 1 { throw ValidationError("--photo counts from 1.") }
        if let face, face < 1 { throw ValidationError("--face counts from 1.") }
    }

    func run() throws {
        print(try ViewPage.write(folder: folder, prefix: face.map { "face\($0)_" } ?? photo.map { "photo\($0)_" } ?? ""))
    }
}
