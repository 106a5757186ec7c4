import ArgumentParser
import Glibc
import Numerics

@main
struct Tool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "garface",
        abstract: "One photo in, a 3D face out, by inverting a generative adversarial renderer.",
        discussion: """
            Start with a photo:

              garface reconstruct photo.png --output out

            and look at out/overlay.png, out/head_posed.obj and out/parameters.json.

            Exit codes: 0 done, 1 other failure, 2 wrong usage, 3 no face found,
            4 a file cannot be read or is damaged, 5 the output cannot be written,
            6 cancelled (Ctrl-C), 7 some photos of a batch failed.
            """,
        version: versionText,
        subcommands: [
            ReconstructCommand.self, BatchCommand.self, TrackCommand.self, EditCommand.self, RenderCommand.self, ViewCommand.self,
            ModelCommand.self, InfoCommand.self,
            BenchCommand.self,
        ])

    /// Like the parser's own, but with this tool's exit codes.
    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let error as GarfaceError {
            warn(error.message)
            Glibc.exit(toolExitCode(of: error.kind))
        } catch let code as ExitCode {
            Glibc.exit(code.rawValue)
        } catch {
            let code = exitCode(for: error)
            let text = fullMessage(for: error)
            if code.isSuccess { print(text) } else { complain(text) }
            Glibc.exit(code == .validationFailure ? 2 : code.rawValue)
        }
    }
}

func toolExitCode(of kind: GarfaceError.Kind) -> Int32 {
    switch kind {
    case .invalidArgument: 2
    case .noFace: 3
    case .fileNotFound, .fileUnreadable, .malformedFile, .unsupportedFormat, .wrongModelKind, .tooLarge: 4
    case .fileUnwritable: 5
    case .cancelled: 6
    case .outOfMemory, .numericalFailure, .internalFailure: 1
    }
}

/// A sentence of this tool. File names in it may hold anything: control characters would reach the terminal.
func warn(_ text: String) { complain("garface: " + escaped(text)) }

/// The text with control characters as \u{1b}.
func escaped(_ text: String) -> String {
    var out = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
        if scalar.properties.generalCategory == .control {
            out.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
        } else {
            out.append(scalar)
        }
    }
    return String(out)
}

func complain(_ text: String) { standardError(text + "\n") }

/// Writes to standard error; whether that worked does not matter.
func standardError(_ text: String) {
    var text = text
    text.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
