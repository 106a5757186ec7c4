import Numerics
import Renderer
import Testing

/// The renderer in blocks of 16 channels (AVX-512) against the planar one in double precision: pictures and all gradients.
@Suite(.serialized, .enabled(if: BlockedConvolution.supports(.same3x3, inputs: 16, outputs: 16))) struct BlockedTests {
    struct Case: CustomStringConvertible, Sendable {
        let width, size, limit, batch, threads: Int
        let sharedNoise: Bool
        var description: String { "width \(width), \(limit) of \(size) px, batch \(batch), \(threads) threads" }
    }
    static let cases = [
        Case(width: 8, size: 32, limit: 32, batch: 1, threads: 1, sharedNoise: true),
        Case(width: 3, size: 64, limit: 64, batch: 1, threads: 2, sharedNoise: true),
        Case(width: 8, size: 64, limit: 32, batch: 2, threads: 3, sharedNoise: false),
        Case(width: 5, size: 4, limit: 4, batch: 3, threads: 2, sharedNoise: true),
        Case(width: 18, size: 32, limit: 16, batch: 1, threads: 1, sharedNoise: false),
    ]

    @Test(arguments: cases) func agreesWithPlanes(_ c: Case) throws {
        setThreadCount(c.threads)
        defer { setThreadCount(1) }
        let file = try RandomModel(size: c.size, width: c.width, channels: [4: 48, 8: 32, 16: 32, 32: 16, 64: 16]).file()
        let fast = try GAR<Float>(file: file), exact = try GAR<Double>(file: file, convolution: .gemm)
        let context = try GARContext(fast, batch: c.batch, size: c.limit), reference = try GARContext(exact, batch: c.batch, size: c.limit)
        #expect(context.isBlocked && !reference.isBlocked)
        var rng = RandomGenerator(seed: 9)
        let sides = fast.configuration.resolutions.filter { $0 <= c.limit }, noiseSides = fast.noiseShapes.filter { $0 <= c.limit }
        let w: Tensor<Float> = randomTensor([c.batch, fast.styleCount, fast.configuration.latentSize], &rng)
        let normals: [Tensor<Float>] = sides.map { randomTensor([c.batch, 3, $0, $0], &rng) }
        let noise: [Tensor<Float>] = noiseSides.map { randomTensor([c.sharedNoise ? 1 : c.batch, 1, $0, $0], &rng) }
        let cotangent: Tensor<Float> = randomTensor(context.image.shape, &rng)

        let exactNormals = normals.map { $0.converted(to: Double.self) }, exactNoise = noise.map { $0.converted(to: Double.self) }
        reference.forward(wPlus: w.converted(to: Double.self), normals: exactNormals, noise: exactNoise)
        let exactW = Tensor<Double>(w.shape), exactN = exactNormals.map { Tensor<Double>($0.shape) }
        let exactZ = exactNoise.map { Tensor<Double>($0.shape) }
        reference.backward(dImage: cotangent.converted(to: Double.self), dWPlus: exactW, dNormals: exactN, dNoise: exactZ)

        context.forward(wPlus: w, normals: normals, noise: noise)
        #expect(relativeDifference(context.image.converted(to: Double.self), reference.image) < 1e-4)
        let dW = Tensor<Float>(w.shape), dN = normals.map { Tensor<Float>($0.shape) }, dZ = noise.map { Tensor<Float>($0.shape) }
        context.backward(dImage: cotangent, dWPlus: dW, dNormals: dN, dNoise: dZ)
        #expect(relativeDifference(dW.converted(to: Double.self), exactW) < 1e-3)
        for (a, b) in zip(dN + dZ, exactN + exactZ) {
            #expect(relativeDifference(a.converted(to: Double.self), b) < 1e-3, "\(b.shape)")
        }

        // Parts alone are the same numbers, and everything is added to what is there.
        let alone = Tensor<Float>(w.shape), aloneN = normals.map { Tensor<Float>($0.shape) }, aloneZ = noise.map { Tensor<Float>($0.shape) }
        context.backward(dImage: cotangent, dWPlus: alone)
        context.backward(dImage: cotangent, dNormals: aloneN)
        context.backward(dImage: cotangent, dNoise: aloneZ)
        #expect(alone.array == dW.array)
        for (a, b) in zip(dN + dZ, aloneN + aloneZ) { #expect(a.array == b.array) }
        context.backward(dImage: cotangent, dWPlus: dW, dNormals: dN, dNoise: dZ)
        #expect(relativeDifference(dW.converted(to: Double.self), alone.converted(to: Double.self)) > 0.9)

        // Without noise, and again with it: nothing is left over from the pass before.
        context.forward(wPlus: w, normals: normals)
        reference.forward(wPlus: w.converted(to: Double.self), normals: exactNormals)
        #expect(relativeDifference(context.image.converted(to: Double.self), reference.image) < 1e-4)
    }

    /// Neither pictures nor gradients depend on the thread count.
    @Test func threads() throws {
        let file = try RandomModel(size: 32, channels: [4: 32, 8: 32, 16: 32, 32: 32]).file()
        var rng = RandomGenerator(seed: 3)
        let normals: [Tensor<Float>] = [4, 8, 16, 32].map { randomTensor([1, 3, $0, $0], &rng) }
        var results: [(image: [Float], dW: Tensor<Float>)] = []
        for count in [1, 2, 3, 2] {
            setThreadCount(count)
            defer { setThreadCount(1) }
            let gar = try GAR<Float>(file: file), context = try GARContext(gar)
            context.forward(wPlus: gar.wPlus(gar.meanW), normals: normals)
            let dW = Tensor<Float>([1, gar.styleCount, gar.configuration.latentSize])
            context.backward(dImage: context.image, dWPlus: dW)
            results.append((context.image.array, dW))
        }
        #expect(results.allSatisfy { $0.image == results[0].image && $0.dW.array == results[0].dW.array })
    }

    /// Products in bfloat16: a picture a few hundredths off where weights are random, gradients alike, and another context of the same
    /// model as exact as before.
    @Test(.enabled(if: ProductPrecision.bfloat16.isAvailable)) func bfloat() throws {
        let file = try RandomModel(size: 64, width: 8, channels: [4: 48, 8: 32, 16: 32, 32: 16, 64: 16]).file()
        let gar = try GAR<Float>(file: file)
        let quick = try GARContext(gar, precision: .bfloat16), exact = try GARContext(gar)
        #expect(quick.precision == .bfloat16 && exact.precision == .single)
        var rng = RandomGenerator(seed: 4)
        let w: Tensor<Float> = randomTensor([1, gar.styleCount, gar.configuration.latentSize], &rng)
        let normals: [Tensor<Float>] = gar.configuration.resolutions.map { randomTensor([1, 3, $0, $0], &rng) }
        let cotangent: Tensor<Float> = randomTensor(exact.image.shape, &rng)
        var gradients: [Tensor<Float>] = []
        for context in [quick, exact] {
            context.forward(wPlus: w, normals: normals)
            let dW = Tensor<Float>(w.shape)
            context.backward(dImage: cotangent, dWPlus: dW)
            gradients.append(dW)
        }
        let off = relativeDifference(quick.image, exact.image)
        #expect(off < 0.1 && off > 1e-5, "\(off)")
        #expect(relativeDifference(gradients[0], gradients[1]) < 0.2)
    }
}
