import Numerics

/// A generative adversarial renderer: normal maps, styles and noise in, a picture out. Immutable once loaded and shared
/// freely between threads; each thread renders with a `GARContext` of its own.
public final class GAR<T: Scalar>: @unchecked Sendable {
    public let configuration: GARConfiguration
    /// The file it was read from, for sentences.
    public let source: String
    /// How convolutions are asked to be computed.
    public let convolution: ConvolutionPath
    /// The mean of w over z, [latent]: stored in the file as `mean_w`, or else the mean of 4096 samples.
    public let meanW: Tensor<T>
    /// The file's noise maps `noises.noise_i`, [1, 1, r, r] for every layer; seeded ones where the file has none.
    public let fixedNoise: [Tensor<T>]

    let mapping: MappingNetwork<T>
    /// [1, C, 4, 4]
    let constant: Tensor<T>
    let layers: [RenderLayer<T>]
    let toRGBs: [ToRGB<T>]
    let injections: [NormalInjection<T>]

    /// Loads weights with the published state_dict names, checking every shape.
    public init(file: SafetensorsFile, convolution: ConvolutionPath = .best) throws {
        let c = try GARConfiguration(file: file)
        let reader = WeightReader<T>(file: file, path: convolution)
        configuration = c
        source = file.name
        self.convolution = convolution
        let latent = c.latentSize
        mapping = try MappingNetwork(reader, latentSize: latent, depth: c.mappingDepth)
        constant = try reader.tensor("input.input", [1, c.channels[4]!, 4, 4])

        let wide = c.styleMapChannels != 3
        let base = c.channels[4]!
        var layers = [
            try RenderLayer(reader, "conv1", inputChannels: base, outputChannels: base, latentSize: latent, upsamples: false)
        ]
        var toRGBs = [try ToRGB(reader, "to_rgb1", channels: base, latentSize: latent, upsamplesSkip: false)]
        var injections = [
            try NormalInjection(
                reader, widening: "norm1.0", block: wide ? "norm1.1" : "norm1", width: c.styleMapChannels, outputs: 2)
        ]
        for (level, r) in c.resolutions.dropFirst().enumerated() {
            let (i, o) = (c.channels[r / 2]!, c.channels[r]!)
            layers.append(
                try RenderLayer(
                    reader, "convs.\(2 * level)", inputChannels: i, outputChannels: o, latentSize: latent, upsamples: true))
            layers.append(
                try RenderLayer(
                    reader, "convs.\(2 * level + 1)", inputChannels: o, outputChannels: o, latentSize: latent, upsamples: false))
            toRGBs.append(try ToRGB(reader, "to_rgbs.\(level)", channels: o, latentSize: latent, upsamplesSkip: true))
            injections.append(
                try NormalInjection(
                    reader, widening: "norm_to_style.\(2 * level)",
                    block: "norm_to_style.\(wide ? 2 * level + 1 : level)", width: c.styleMapChannels, outputs: 4))
        }
        self.layers = layers
        self.toRGBs = toRGBs
        self.injections = injections
        fixedNoise = try Self.readNoise(reader, c)
        meanW = try Self.readMean(reader, latent) ?? Self.sampleMean(mapping)
    }

    /// Rows of w+: 2 log2(size) - 2.
    public var styleCount: Int { configuration.styleCount }
    /// Side of each layer's noise map.
    public var noiseShapes: [Int] { configuration.noiseSizes }

    private static func readNoise(_ reader: WeightReader<T>, _ c: GARConfiguration) throws -> [Tensor<T>] {
        guard reader.file.contains("noises.noise_0") else { return seededNoise(c, seed: 0, batch: 1) }
        return try c.noiseSizes.enumerated().map { try reader.tensor("noises.noise_\($0)", [1, 1, $1, $1]) }
    }

    private static func readMean(_ reader: WeightReader<T>, _ latent: Int) throws -> Tensor<T>? {
        guard let shape = reader.file.shape("mean_w") else { return nil }
        let stored = try reader.tensor("mean_w", shape.count == 2 ? [1, latent] : [latent])
        let result = Tensor<T>([latent])
        result.copy(from: stored)
        return result
    }

    private static func sampleMean(_ mapping: MappingNetwork<T>) -> Tensor<T> {
        let n = mapping.latentSize
        var rng = RandomGenerator(seed: 0)
        var sums = [Double](repeating: 0, count: n)
        for _ in 0..<16 {
            let z = Tensor<T>([256, n])
            rng.fillNormal(z)
            let w = mapping.activations(z).last!
            for k in 0..<w.count { sums[k % n] += Double(w.pointer[k]) }
        }
        return Tensor([n], sums.map { T($0 / 4096) })
    }
}
