import Numerics

/// The sizes of a generative adversarial renderer and the frame it sees the head in.
public struct GARConfiguration: Sendable, Equatable {
    /// Side of the image in pixels: a power of two, 4 to 1024.
    public let size: Int
    /// Length of z and of one row of w+.
    public let latentSize: Int
    /// Number of layers of the mapping network.
    public let mappingDepth: Int
    /// Channels of the feature maps, by resolution 4, 8, ... size.
    public let channels: [Int: Int]
    /// Width of the normal injection networks: 3 is the narrow published variant, without a first widening layer.
    public let styleMapChannels: Int
    /// The image spans +-`halfMM` millimetres, its centre `centreYMM` above the model's origin.
    public let halfMM: Double
    public let centreYMM: Double
    /// How the normal maps it was trained on were sampled.
    public let normalSampling: NormalSampling

    /// 4, 8, ... size.
    public var resolutions: [Int] {
        var result = [4]
        while result.last! < size { result.append(2 * result.last!) }
        return result
    }
    /// Rows of w+.
    public var styleCount: Int { 2 * (size.trailingZeroBitCount - 1) }
    /// Render convolutions, each with one noise map.
    public var layerCount: Int { styleCount - 1 }
    /// Side of each layer's noise map.
    public var noiseSizes: [Int] { (0..<layerCount).map { 4 << (($0 + 1) / 2) } }

    /// Reads the "garface" metadata when there are any and infers the rest from the tensors' shapes.
    init(file: SafetensorsFile) throws {
        let name = file.name
        func wrong(_ what: String) -> GarfaceError { GarfaceError(.malformedFile, "\(name): \(what)") }
        func dimension(_ tensor: String, _ rank: Int, _ index: Int) throws -> Int {
            guard let shape = file.shape(tensor) else {
                throw GarfaceError(.wrongModelKind, "\(name): is not a renderer (GAR): tensor \"\(tensor)\" is missing")
            }
            guard shape.count == rank, (1...8192).contains(shape[index]) else {
                throw wrong("tensor \"\(tensor)\": expected \(rank) dimensions of 1 to 8192, found \(shape)")
            }
            return shape[index]
        }
        let metadata = try Self.metadata(file)

        var channels = [4: try dimension("input.input", 4, 1)]
        latentSize = try dimension("conv1.conv.modulation.weight", 2, 1)
        var resolution = 4
        var level = 0
        while file.contains("convs.\(2 * level).conv.weight") {
            resolution *= 2
            guard resolution <= 1024 else { throw wrong("has render blocks beyond 1024 pixels") }
            channels[resolution] = try dimension("convs.\(2 * level).conv.weight", 5, 1)
            level += 1
        }
        var depth = 0
        while depth < 64, file.contains("style.\(depth + 1).weight") { depth += 1 }
        size = resolution
        mappingDepth = depth
        self.channels = channels
        styleMapChannels = file.contains("norm1.conv1.0.weight") ? 3 : try dimension("norm1.0.0.weight", 4, 0)

        func agree(_ key: String, _ found: Int) throws {
            guard let value = metadata?[key] else { return }
            guard value.int == found else {
                throw wrong("metadata \"\(key)\" is \(value.serialized()), but the tensors are those of \(found)")
            }
        }
        try agree("size", size)
        try agree("latent_size", latentSize)
        try agree("n_mlp", mappingDepth)
        try agree("n_stylemap", styleMapChannels)
        for (key, value) in metadata?["channels"]?.object ?? [] {
            // A table may go beyond the network's size, as the published one does.
            guard let r = Int(key), let expected = channels[r] else { continue }
            guard value.int == expected else {
                throw wrong("metadata \"channels\" at \(r) is \(value.serialized()), but the tensors have \(expected)")
            }
        }
        halfMM = try Self.number(metadata, "half_mm", 115, 1...100_000, wrong)
        centreYMM = try Self.number(metadata, "centre_y_mm", 5, -100_000...100_000, wrong)
        if let sampling = metadata?["normal_sampling"] {
            guard let known = sampling.string.flatMap(NormalSampling.init) else {
                throw wrong("metadata \"normal_sampling\" is \(sampling.serialized()); expected \"point\" or \"area\"")
            }
            normalSampling = known
        } else {
            normalSampling = .point
        }
    }

    private static func metadata(_ file: SafetensorsFile) throws -> JSONValue? {
        guard let value = try file.description() else { return nil }
        guard let kind = value["kind"]?.string else {
            throw GarfaceError(.malformedFile, "\(file.name): metadata \"garface\" has no \"kind\"")
        }
        guard kind == "gar" else {
            throw GarfaceError(.wrongModelKind, "\(file.name): is a model of kind \"\(kind)\"; expected \"gar\"")
        }
        guard value["version"] == nil || value["version"]?.int == 1 else {
            throw GarfaceError(
                .wrongModelKind,
                "\(file.name): is version \(value["version"]!.serialized()) of its format; this library reads 1")
        }
        return value
    }

    private static func number(
        _ metadata: JSONValue?, _ key: String, _ standard: Double, _ range: ClosedRange<Double>, _ wrong: (String) -> GarfaceError
    ) throws -> Double {
        guard let value = metadata?[key] else { return standard }
        guard let number = value.double, range.contains(number) else {
            throw wrong("metadata \"\(key)\" is \(value.serialized()); expected a number in \(range)")
        }
        return number
    }
}
