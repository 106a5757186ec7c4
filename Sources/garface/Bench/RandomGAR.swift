import Numerics
import Renderer

/// Renderers of random weights, for sizes that no weights are at hand for: what they cost depends on the sizes alone.
struct RandomGAR {
    static let source = "random weights"

    let size, latent, depth: Int
    /// Of the networks that take in the normals: 3 is the narrow published variant.
    let styleMaps: Int
    let channels: [Int: Int]

    /// 256 px with the channel multiplier 2.
    static let published = RandomGAR(
        size: 256, latent: 512, depth: 8, styleMaps: 3,
        channels: [4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128])

    /// As the renderer inside the library up to 128 px, and on with as many channels: four times the arithmetic at every level.
    static let large = RandomGAR(
        size: 512, latent: 256, depth: 4, styleMaps: 8,
        channels: [4: 128, 8: 128, 16: 128, 32: 64, 64: 32, 128: 32, 256: 32, 512: 32])

    func made() throws -> GAR<Float> { try GAR(file: file()) }

    private func file() throws -> SafetensorsFile {
        var writer = SafetensorsWriter()
        var rng = RandomGenerator(seed: 1)
        func add(_ name: String, _ shape: [Int]) {
            let t = Tensor<Float>(shape)
            rng.fillNormal(t)
            writer.add(name, t)
        }
        func modulated(_ name: String, _ inputs: Int, _ outputs: Int, _ kernel: Int) {
            add("\(name).weight", [1, outputs, inputs, kernel, kernel])
            add("\(name).modulation.weight", [inputs, latent])
            add("\(name).modulation.bias", [inputs])
        }
        func render(_ name: String, _ inputs: Int, _ outputs: Int) {
            modulated("\(name).conv", inputs, outputs, 3)
            add("\(name).noise.weight", [1])
            add("\(name).activate.bias", [outputs])
        }
        func rgb(_ name: String, _ inputs: Int) {
            modulated("\(name).conv", inputs, 3, 1)
            add("\(name).bias", [1, 3, 1, 1])
        }
        func plain(_ name: String, _ inputs: Int, _ outputs: Int) {
            add("\(name).0.weight", [outputs, inputs, 3, 3])
            add("\(name).0.bias", [outputs])
            add("\(name).1.bias", [outputs])
        }
        func injection(widening: String, block: String, _ outputs: Int) {
            if styleMaps != 3 { plain(widening, 3, styleMaps) }
            plain("\(block).conv1", styleMaps, styleMaps)
            plain("\(block).conv2", styleMaps, outputs)
            add("\(block).skip.0.weight", [outputs, styleMaps, 1, 1])
        }
        let wide = styleMaps != 3, sizes = (2...10).map { 1 << $0 }.filter { $0 <= size }
        for i in 1...depth {
            add("style.\(i).weight", [latent, latent])
            add("style.\(i).bias", [latent])
        }
        add("mean_w", [latent])
        add("input.input", [1, channels[4]!, 4, 4])
        render("conv1", channels[4]!, channels[4]!)
        rgb("to_rgb1", channels[4]!)
        injection(widening: "norm1.0", block: wide ? "norm1.1" : "norm1", 2)
        for (level, r) in sizes.dropFirst().enumerated() {
            let inputs = channels[r / 2]!, outputs = channels[r]!
            render("convs.\(2 * level)", inputs, outputs)
            render("convs.\(2 * level + 1)", outputs, outputs)
            rgb("to_rgbs.\(level)", outputs)
            injection(
                widening: "norm_to_style.\(2 * level)", block: "norm_to_style.\(wide ? 2 * level + 1 : level)", 4)
        }
        return try SafetensorsFile(bytes: writer.bytes(), name: Self.source)
    }
}
