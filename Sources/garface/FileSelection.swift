import ArgumentParser
import Reconstruction

/// The value of --files.
func outputSelection(_ files: String) throws -> OutputSelection {
    try files.split(separator: ",", omittingEmptySubsequences: false).reduce(into: []) { chosen, word in
        guard let known = OutputSelection.named.first(where: { $0.name == word }) else {
            throw ValidationError(
                "--files knows no \"\(word)\"; expected a list of \(OutputSelection.named.map(\.name).joined(separator: ", ")).")
        }
        chosen.formUnion(known.files)
    }
}
