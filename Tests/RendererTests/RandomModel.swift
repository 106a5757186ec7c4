import Numerics
import Renderer

/// A renderer's weight file with random numbers, for any configuration.
struct RandomModel {
    var size = 16
    var latent = 12
    var depth = 2
    var width = 8
    var channels: [Int: Int] = [4: 6, 8: 5, 16: 4]
    var metadata: String? = nil
    var withNoise = true
    /// What to leave out, or to store in another shape.
    var missing: Set<String> = []
    var reshaped: [String: [Int]] = [:]
    /// What to fill with one value.
    var filled: [String: Float] = [:]

    func file() throws -> SafetensorsFile {
        var writer = SafetensorsWriter(metadata: metadata.map { ["garface": $0] } ?? [:])
        var rng = RandomGenerator(seed: 11)
        func add(_ name: String, _ shape: [Int], _ deviation: Float = 1, _ mean: Float = 0) {
            if missing.contains(name) { return }
            let t = Tensor<Float>(reshaped[name] ?? shape)
            for i in 0..<t.count { t[i] = filled[name] ?? mean + deviation * Float(rng.normal()) }
            writer.add(name, t)
        }
        func modulated(_ name: String, _ i: Int, _ o: Int, _ k: Int) {
            add("\(name).weight", [1, o, i, k, k])
            add("\(name).modulation.weight", [i, latent])
            add("\(name).modulation.bias", [i], 0.1, 1)
        }
        func render(_ name: String, _ i: Int, _ o: Int) {
            modulated("\(name).conv", i, o, 3)
            add("\(name).noise.weight", [1], 0.3)
            add("\(name).activate.bias", [o], 0.3)
        }
        func rgb(_ name: String, _ i: Int) {
            modulated("\(name).conv", i, 3, 1)
            add("\(name).bias", [1, 3, 1, 1], 0.3)
        }
        func layer(_ name: String, _ i: Int, _ o: Int) {
            add("\(name).0.weight", [o, i, 3, 3])
            add("\(name).0.bias", [o], 0.3)
            add("\(name).1.bias", [o], 0.3)
        }
        func injection(_ index: (Int) -> String, _ level: Int, _ outputs: Int) {
            let block = width == 3 ? index(level) : index(2 * level + 1)
            if width != 3 { layer(index(2 * level), 3, width) }
            layer("\(block).conv1", width, width)
            layer("\(block).conv2", width, outputs)
            add("\(block).skip.0.weight", [outputs, width, 1, 1])
        }
        for i in 0..<depth {
            add("style.\(i + 1).weight", [latent, latent], 100)
            add("style.\(i + 1).bias", [latent], 10)
        }
        add("input.input", [1, channels[4]!, 4, 4])
        render("conv1", channels[4]!, channels[4]!)
        rgb("to_rgb1", channels[4]!)
        injection({ width == 3 ? "norm1" : "norm1.\($0)" }, 0, 2)
        var (r, level) = (8, 0)
        while r <= size {
            let (i, o) = (channels[r / 2]!, channels[r]!)
            render("convs.\(2 * level)", i, o)
            render("convs.\(2 * level + 1)", o, o)
            rgb("to_rgbs.\(level)", o)
            injection({ "norm_to_style.\($0)" }, level, 4)
            level += 1
            r *= 2
        }
        if withNoise { for i in 0...(2 * level) { add("noises.noise_\(i)", [1, 1, 4 << ((i + 1) / 2), 4 << ((i + 1) / 2)]) } }
        return try SafetensorsFile(bytes: writer.bytes(), name: "random.safetensors")
    }
}

func randomTensor<T: Scalar>(_ shape: [Int], _ rng: inout RandomGenerator, _ deviation: T = 1) -> Tensor<T> {
    let t = Tensor<T>(shape)
    rng.fillNormal(t)
    for i in 0..<t.count { t[i] *= deviation }
    return t
}

func dot<T: Scalar>(_ a: Tensor<T>, _ b: Tensor<T>) -> Double { zip(a.buffer, b.buffer).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
