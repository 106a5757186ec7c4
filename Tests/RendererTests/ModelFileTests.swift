import Numerics
import Renderer
import Testing

@Suite struct ModelFileTests {
    @Test(arguments: [
        (4, 8, 0, 3), (8, 5, 1, 4), (32, 16, 3, 3), (128, 24, 8, 16), (256, 8, 2, 3),
    ]) func anyConfiguration(_ size: Int, _ latent: Int, _ depth: Int, _ width: Int) throws {
        let channels = [4: 9, 8: 8, 16: 7, 32: 6, 64: 5, 128: 4, 256: 3]
        let model = RandomModel(size: size, latent: latent, depth: depth, width: width, channels: channels)
        let gar = try GAR<Float>(file: model.file())
        #expect(gar.configuration.size == size)
        #expect(gar.configuration.latentSize == latent)
        #expect(gar.configuration.mappingDepth == depth)
        #expect(gar.configuration.styleMapChannels == width)
        #expect(gar.configuration.channels == channels.filter { $0.key <= size })
        #expect(gar.configuration.halfMM == 115)
        #expect(gar.configuration.centreYMM == 5)
        #expect(gar.configuration.normalSampling == .point)
        let context = try GARContext(gar)
        let w = Tensor<Float>([1, latent])
        w.copy(from: gar.meanW)
        let normals = gar.configuration.resolutions.map { Tensor<Float>([1, 3, $0, $0]) }
        context.forward(wPlus: gar.wPlus(w), normals: normals, noise: gar.noise(seed: 1))
        #expect(context.image.shape == [1, 3, size, size])
        #expect(context.image.buffer.allSatisfy { $0.isFinite })
        #expect(context.image.buffer.contains { $0 != 0 })
        let dW = Tensor<Float>([1, gar.styleCount, latent])
        context.backward(dImage: context.image, dWPlus: dW)
        #expect(dW.buffer.allSatisfy { $0.isFinite })
    }

    @Test func metadataIsUsed() throws {
        let text = """
            {"kind":"gar","version":1,"size":16,"latent_size":12,"n_mlp":2,"n_stylemap":8,"half_mm":100,"centre_y_mm":-3.5,\
            "channels":{"4":6,"8":5,"16":4,"1024":2},"normal_sampling":"area"}
            """
        let c = try GAR<Float>(file: RandomModel(metadata: text).file()).configuration
        #expect(c.halfMM == 100)
        #expect(c.centreYMM == -3.5)
        #expect(c.normalSampling == .area)
    }

    @Test(arguments: [
        ("{\"kind\":\"head-model\"}", "expected \"gar\""), ("{}", "no \"kind\""), ("{", "JSON"),
        ("{\"kind\":\"gar\",\"version\":2}", "version 2"), ("{\"kind\":\"gar\",\"size\":32}", "\"size\" is 32"),
        ("{\"kind\":\"gar\",\"latent_size\":\"x\"}", "\"latent_size\""), ("{\"kind\":\"gar\",\"n_mlp\":3}", "\"n_mlp\""),
        ("{\"kind\":\"gar\",\"channels\":{\"8\":6}}", "at 8 is 6"), ("{\"kind\":\"gar\",\"half_mm\":0}", "\"half_mm\""),
        ("{\"kind\":\"gar\",\"normal_sampling\":\"best\"}", "expected \"point\" or \"area\""),
    ]) func wrongMetadata(_ text: String, _ expected: String) throws {
        refused(RandomModel(metadata: text), expected)
    }

    @Test(arguments: [
        "conv1.conv.weight", "conv1.noise.weight", "style.1.bias", "to_rgbs.1.bias", "norm1.1.skip.0.weight",
        "norm_to_style.3.conv2.1.bias", "convs.2.conv.modulation.weight", "noises.noise_3", "input.input",
    ]) func missingOrMisshapen(_ name: String) throws {
        refused(RandomModel(missing: [name]), "\"\(name)\" is missing")
        refused(RandomModel(reshaped: [name: [3, 5, 7]]), "\"\(name)\"")
        refused(RandomModel(filled: [name: .nan]), "\"\(name)\": holds values that are not finite")
        refused(RandomModel(filled: [name: -.infinity]), "\"\(name)\": holds values that are not finite")
    }

    @Test func otherModels() throws {
        var writer = SafetensorsWriter()
        writer.add("something", Tensor<Float>([3]))
        let file = try SafetensorsFile(bytes: writer.bytes(), name: "other")
        do {
            _ = try GAR<Float>(file: file)
            Issue.record("accepted")
        } catch let error as GarfaceError {
            #expect(error.kind == .wrongModelKind)
        }
    }

    private func refused(_ model: RandomModel, _ expected: String) {
        do {
            _ = try GAR<Float>(file: model.file())
            Issue.record("accepted: \(expected)")
        } catch {
            #expect("\(error)".hasPrefix("random.safetensors: "))
            #expect("\(error)".contains(expected), "\(error)")
        }
    }

    @Test func noiseAndMean() throws {
        let gar = try GAR<Float>(file: RandomModel(withNoise: false).file())
        #expect(gar.fixedNoise.map(\.shape) == gar.noiseShapes.map { [1, 1, $0, $0] })
        #expect(gar.noise(seed: 4)[4].array == gar.noise(seed: 4)[4].array)
        #expect(gar.noise(seed: 4)[4].array != gar.noise(seed: 5)[4].array)
        #expect(gar.zeroNoise()[2].array.allSatisfy { $0 == 0 })
        // the sampled mean is near the mean of other samples, and truncating to 0 gives it
        var rng = RandomGenerator(seed: 99)
        let w = gar.map(randomTensor([4000, 12], &rng))
        for k in 0..<12 {
            let mean = stride(from: k, to: w.count, by: 12).reduce(Float(0)) { $0 + w[$1] } / 4000
            #expect(abs(mean - gar.meanW[k]) < 0.1)
        }
        #expect(gar.truncate(Tensor(w.shape, w.buffer), psi: 0)[13] == gar.meanW[1])
        let context = try GARContext(gar)
        let normals = gar.configuration.resolutions.map { Tensor<Float>([1, 3, $0, $0]) }
        let wPlus = gar.wPlus(Tensor([1, 12], gar.meanW.buffer))
        context.forward(wPlus: wPlus, normals: normals, noise: gar.zeroNoise())
        let silent = context.image.array
        context.forward(wPlus: wPlus, normals: normals)
        #expect(context.image.array == silent)
        context.forward(wPlus: wPlus, normals: normals, noise: gar.fixedNoise)
        #expect(context.image.array != silent)
    }

    @Test func contextsAreRefusedWhenTooLarge() throws {
        let gar = try GAR<Float>(file: RandomModel().file())
        #expect(throws: GarfaceError.self) { try GARContext(gar, batch: 0) }
        #expect(throws: GarfaceError.self) { try GARContext(gar, batch: .max) }
    }
}
