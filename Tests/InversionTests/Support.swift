import Inversion
import Numerics
import Testing

let resources = String(#filePath.dropLast("Support.swift".count)) + "Resources/"

func resource(_ name: String) throws -> SafetensorsFile { try SafetensorsFile(path: resources + name) }

/// The largest difference, relative to the largest magnitude of `b`.
func relativeError<T: Scalar>(_ a: [T], _ b: [T]) -> Double {
    guard a.count == b.count else { return .infinity }
    var worst = 0.0, size = 1e-12
    for (x, y) in zip(a, b) {
        worst = max(worst, abs(Double(x) - Double(y)))
        size = max(size, abs(Double(y)))
    }
    return worst / size
}

func errorKind(_ body: () throws -> Void) -> GarfaceError.Kind? {
    do {
        try body()
        return nil
    } catch let error as GarfaceError {
        return error.kind
    } catch {
        return nil
    }
}

/// A network file's tensors and metadata with changes, to see them refused.
func altered(_ name: String, metadata: (String) -> String, drop: String? = nil) throws -> SafetensorsFile {
    let file = try resource(name)
    var writer = SafetensorsWriter(metadata: ["garface": metadata(file.metadata["garface"] ?? "")])
    for tensor in file.names where tensor != drop { writer.add(tensor, try file.tensor(tensor) as Tensor<Float>) }
    return try SafetensorsFile(bytes: writer.bytes(), name: "altered")
}

extension String {
    func replacingCharacters(in range: Range<Index>, with text: String) -> String {
        self[..<range.lowerBound] + text + self[range.upperBound...]
    }
}

/// How an inverse network is refused whose metadata has `to` in the place of the last `from`, and which lacks a tensor; nil where it is read.
func refusal(of name: String, _ from: String, _ to: String, drop: String?) throws -> GarfaceError.Kind? {
    let file = try altered(
        name,
        metadata: { text in
            guard let range = text.ranges(of: from).last else {
                Issue.record("metadata has no \(from)")
                return text
            }
            return text.replacingCharacters(in: range, with: to)
        }, drop: drop)
    return errorKind { _ = try InverseNetwork<Float>(file: file) }
}
