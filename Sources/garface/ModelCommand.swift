import ArgumentParser
import Glibc
import Numerics

struct ModelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Bring published face models into this library's format.",
        subcommands: [ConvertCommand.self])
}

/// The converters are Python (they read MATLAB, HDF5 and pickle files); this hands over to them.
struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Convert a face model (Basel, Surrey, ICT-FaceKit, ...) into a head model.",
        discussion: """
            Starts `python3 -m garface.convert` with the same arguments; the Python
            package with its extra is needed: pip install 'garface[convert]'.

              garface model convert --help
              garface model convert basel-2017 model2017-1_bfm_nomouth.h5 head.safetensors
              garface reconstruct photo.png --output out --head-model head.safetensors
            """)

    @Argument(parsing: .captureForPassthrough, help: "Handed to python3 -m garface.convert.")
    var arguments: [String] = []

    func run() throws {
        let command = ["python3", "-m", "garface.convert"] + arguments
        var pointers = command.map { strdup($0) } + [nil]
        execvp("python3", &pointers)
        throw GarfaceError(.fileNotFound, "python3: cannot be started; the converters are part of the Python package garface")
    }
}
