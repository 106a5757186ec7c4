import Numerics

/// What the `garface` metadata entry of a convolutional-network file says, checked.
///
/// Tensors: `layers.{i}.weight` [out,in,3,3] and `.bias` [out]; the rest depends on the kind.
struct NetworkFile {
    struct Layer: Sendable, Equatable {
        let inputChannels: Int
        let outputChannels: Int
        /// 1 or 2.
        let stride: Int
        /// Whether its output is a feature level.
        let isLevel: Bool
    }

    let file: SafetensorsFile
    /// The file's name, or that of the part of it, for sentences.
    let name: String
    let description: JSONValue
    let layers: [Layer]
    /// Slope of the leaky ReLU on the negative side.
    let slope: Double

    /// What names of tensors begin with.
    private let prefix: String

    /// Far above any real network; keeps products of sizes small.
    private static let maximumChannels = 4096
    private static let maximumLayers = 64

    init(_ file: SafetensorsFile, kind: String) throws {
        guard let description = try file.description() else {
            throw GarfaceError(.wrongModelKind, "\(file.name): has no \"garface\" metadata entry; expected kind \(kind)")
        }
        try self.init(file, description, kind: kind, name: file.name, prefix: "")
    }

    /// A network beside another in its file, described there under the key `part`; nil where there is none.
    init?(_ file: SafetensorsFile, kind: String, part: String) throws {
        guard let description = try file.description()?[part] else { return nil }
        try self.init(file, description, kind: kind, name: "\(file.name): \(part)", prefix: part + ".")
    }

    private init(_ file: SafetensorsFile, _ description: JSONValue, kind: String, name: String, prefix: String) throws {
        self.file = file
        self.description = description
        self.name = name
        self.prefix = prefix
        let found = description["kind"]?.string
        guard found == kind else {
            throw GarfaceError(.wrongModelKind, "\(name): is of kind \(found ?? "unknown"); expected \(kind)")
        }
        guard description["version"]?.int == 1 else {
            throw GarfaceError(
                .wrongModelKind,
                "\(name): \(kind) files of version 1 are read, found \(description["version"]?.serialized() ?? "none")")
        }
        guard let entries = description["layers"]?.array, (1...Self.maximumLayers).contains(entries.count) else {
            throw GarfaceError(.malformedFile, "\(name): expected 1 to \(Self.maximumLayers) layers")
        }
        var layers: [Layer] = []
        for (i, entry) in entries.enumerated() {
            let expected = layers.last?.outputChannels ?? 3
            guard let input = entry["in"]?.int, input == expected, let output = entry["out"]?.int,
                (1...Self.maximumChannels).contains(output), let stride = entry["stride"]?.int, stride == 1 || stride == 2
            else {
                throw GarfaceError(
                    .malformedFile,
                    "\(name): layer \(i): expected in \(expected), out 1 to \(Self.maximumChannels), stride 1 or 2")
            }
            layers.append(
                Layer(inputChannels: input, outputChannels: output, stride: stride, isLevel: entry["level"]?.bool ?? false))
        }
        self.layers = layers
        slope = try Self.number(description, "leaky_slope", 1e-6...1, name) ?? 0.2
    }

    /// A whole number of the description within `range`.
    func integer(_ key: String, _ range: ClosedRange<Int>) throws -> Int {
        guard let value = description[key]?.int, range.contains(value) else {
            throw GarfaceError(.malformedFile, "\(name): \(key) must be a whole number in \(range)")
        }
        return value
    }

    /// A list of `count` numbers within `range`; nil where the description has none.
    func numbers(_ key: String, count: Int, _ range: ClosedRange<Double>) throws -> [Double]? {
        guard let entry = description[key] else { return nil }
        let values = entry.array?.compactMap(\.double) ?? []
        guard values.count == count, values.count == entry.array?.count, values.allSatisfy({ range.contains($0) }) else {
            throw GarfaceError(.malformedFile, "\(name): \(key) must list \(count) numbers in \(range)")
        }
        return values
    }

    /// A number of the description within `range`; nil where it says nothing.
    func number(_ key: String, _ range: ClosedRange<Double>) throws -> Double? {
        try Self.number(description, key, range, name)
    }

    private static func number(
        _ description: JSONValue, _ key: String, _ range: ClosedRange<Double>, _ name: String
    ) throws -> Double? {
        guard let found = description[key] else { return nil }
        guard let value = found.double, range.contains(value) else {
            throw GarfaceError(.malformedFile, "\(name): \(key) is \(found.serialized()); expected a number in \(range)")
        }
        return value
    }

    /// How many outputs a head has.
    func headSize(_ head: String) throws -> Int {
        guard let size = description["heads"]?[head]?.array?.first?.int, (1...(1 << 20)).contains(size) else {
            throw GarfaceError(.malformedFile, "\(name): heads must name the size of \"\(head)\"")
        }
        return size
    }

    /// A tensor whose every value is a number.
    func finite<T: Scalar>(_ tensorName: String, _ shape: [Int]) throws -> Tensor<T> {
        let tensor: Tensor<T> = try file.tensor(prefix + tensorName, shape: shape)
        guard tensor.isFinite else {
            throw GarfaceError(.malformedFile, "\(file.name): tensor \"\(prefix + tensorName)\": has values that are not finite")
        }
        return tensor
    }
}
