import Numerics
import Renderer
import Testing

/// The whole renderer against central differences in double precision, along random directions.
@Suite struct GradientTests {
    /// Everything a picture depends on.
    private struct Inputs {
        var z: Tensor<Double>
        var normals: [Tensor<Double>]
        var noise: [Tensor<Double>]

        init(_ gar: GAR<Double>, batch: Int, _ rng: inout RandomGenerator, _ deviation: Double = 1) {
            let c = gar.configuration
            z = randomTensor([batch, c.latentSize], &rng, deviation)
            normals = c.resolutions.map { randomTensor([batch, 3, $0, $0], &rng, deviation) }
            noise = gar.noiseShapes.map { randomTensor([batch, 1, $0, $0], &rng, deviation) }
        }
        var all: [Tensor<Double>] { [z] + normals + noise }
        func move(_ direction: Inputs, _ part: Int, _ step: Double) {
            let (x, d) = (all[part], direction.all[part])
            for i in 0..<x.count { x[i] += step * d[i] }
        }
    }

    /// A renderer stopped at a level is the smaller renderer of the same weights.
    @Test func stopsAtALevel() throws {
        let whole = try GAR<Double>(file: RandomModel().file()), small = try GAR<Double>(file: RandomModel(size: 8).file())
        let context = try GARContext(whole, size: 8), alone = try GARContext(small)
        var rng = RandomGenerator(seed: 4)
        let inputs = Inputs(small, batch: 1, &rng)
        let w = whole.map(inputs.z)
        context.forward(wPlus: whole.wPlus(w), normals: inputs.normals, noise: inputs.noise)
        alone.forward(wPlus: small.wPlus(w), normals: inputs.normals, noise: inputs.noise)
        #expect(context.size == 8 && context.image.shape == [1, 3, 8, 8])
        #expect(context.image.array == alone.image.array)
        let cotangent: Tensor<Double> = randomTensor(context.image.shape, &rng)
        let dWhole = Tensor<Double>([1, whole.styleCount, whole.configuration.latentSize])
        let dSmall = Tensor<Double>([1, small.styleCount, small.configuration.latentSize])
        context.backward(dImage: cotangent, dWPlus: dWhole)
        alone.backward(dImage: cotangent, dWPlus: dSmall)
        #expect(Array(dWhole.array.prefix(dSmall.count)) == dSmall.array)
        #expect(dWhole.array.dropFirst(dSmall.count).allSatisfy { $0 == 0 })
        #expect(throws: GarfaceError.self) { _ = try GARContext(whole, size: 32) }
        #expect(throws: GarfaceError.self) { _ = try GARContext(whole, size: 12) }
    }

    @Test(arguments: [3, 8], [1, 3]) func agreesWithDifferences(_ width: Int, _ batch: Int) throws {
        let gar = try GAR<Double>(file: RandomModel(width: width).file())
        let context = try GARContext(gar, batch: batch)
        var rng = RandomGenerator(seed: 2)
        let inputs = Inputs(gar, batch: batch, &rng)
        let direction = Inputs(gar, batch: batch, &rng)
        let cotangent: Tensor<Double> = randomTensor(context.image.shape, &rng)
        func loss() -> Double {
            context.forward(wPlus: gar.wPlus(gar.map(inputs.z)), normals: inputs.normals, noise: inputs.noise)
            return dot(context.image, cotangent)
        }
        _ = loss()
        let dWPlus = Tensor<Double>([batch, gar.styleCount, gar.configuration.latentSize])
        let dNormals = inputs.normals.map { Tensor<Double>($0.shape) }
        let dNoise = inputs.noise.map { Tensor<Double>($0.shape) }
        context.backward(dImage: cotangent, dWPlus: dWPlus, dNormals: dNormals, dNoise: dNoise)
        let gradients = [gar.mapBackward(inputs.z, dW: gar.wPlusBackward(dWPlus)[0])] + dNormals + dNoise
        let step = 1e-6
        for part in gradients.indices {
            inputs.move(direction, part, step)
            let above = loss()
            inputs.move(direction, part, -2 * step)
            let below = loss()
            inputs.move(direction, part, step)
            let (measured, computed) = ((above - below) / (2 * step), dot(gradients[part], direction.all[part]))
            let scale = dot(gradients[part], gradients[part]).squareRoot() * dot(direction.all[part], direction.all[part]).squareRoot()
            #expect(scale > 0)
            #expect(abs(measured - computed) < 1e-6 * scale, "part \(part): \(measured) and \(computed), scale \(scale)")
        }
    }

    @Test func partsAreIndependentAndAdded() throws {
        let gar = try GAR<Double>(file: RandomModel().file())
        let context = try GARContext(gar, batch: 2)
        var rng = RandomGenerator(seed: 6)
        let inputs = Inputs(gar, batch: 2, &rng)
        let wPlus = gar.wPlus(gar.map(inputs.z))
        let cotangent: Tensor<Double> = randomTensor(context.image.shape, &rng)
        func fresh() -> (Tensor<Double>, [Tensor<Double>], [Tensor<Double>]) {
            (Tensor(wPlus.shape), inputs.normals.map { Tensor($0.shape) }, inputs.noise.map { Tensor($0.shape) })
        }
        context.forward(wPlus: wPlus, normals: inputs.normals, noise: inputs.noise)
        let all = fresh()
        context.backward(dImage: cotangent, dWPlus: all.0, dNormals: all.1, dNoise: all.2)
        let alone = fresh()
        context.backward(dImage: cotangent, dWPlus: alone.0)
        context.backward(dImage: cotangent, dNormals: alone.1)
        context.backward(dImage: cotangent, dNoise: alone.2)
        context.backward(dImage: cotangent)
        #expect(largestDifference(all.0, alone.0) == 0)
        for (a, b) in zip(all.1 + all.2, alone.1 + alone.2) { #expect(largestDifference(a, b) < 1e-12) }
        context.backward(dImage: cotangent, dWPlus: all.0, dNormals: all.1, dNoise: all.2)
        for (twice, once) in zip([all.0] + all.1 + all.2, [alone.0] + alone.1 + alone.2) {
            for i in 0..<once.count { #expect(abs(twice[i] - 2 * once[i]) < 1e-9 * (1 + abs(once[i]))) }
        }
    }

    @Test func batchIsTheSamplesOneByOne() throws {
        let gar = try GAR<Double>(file: RandomModel().file())
        let (pair, single) = (try GARContext(gar, batch: 2), try GARContext(gar))
        var rng = RandomGenerator(seed: 7)
        let inputs = Inputs(gar, batch: 2, &rng)
        let wPlus = gar.wPlus(gar.map(inputs.z))
        let cotangent: Tensor<Double> = randomTensor(pair.image.shape, &rng)
        let shared = gar.fixedNoise
        pair.forward(wPlus: wPlus, normals: inputs.normals, noise: shared)
        let dShared = shared.map { Tensor<Double>($0.shape) }
        let dWPlus = Tensor<Double>(wPlus.shape)
        pair.backward(dImage: cotangent, dWPlus: dWPlus, dNoise: dShared)
        let dSum = shared.map { Tensor<Double>($0.shape) }
        for n in 0..<2 {
            func sample(_ t: Tensor<Double>) -> Tensor<Double> {
                let count = t.count / 2
                return Tensor([1] + t.shape.dropFirst(), t.buffer[(n * count)..<((n + 1) * count)])
            }
            single.forward(wPlus: sample(wPlus), normals: inputs.normals.map(sample), noise: shared)
            #expect(largestDifference(single.image, sample(pair.image)) < 1e-12)
            let dW = Tensor<Double>([1] + wPlus.shape.dropFirst())
            single.backward(dImage: sample(cotangent), dWPlus: dW, dNoise: dSum)
            #expect(relativeDifference(dW, sample(dWPlus)) < 1e-12)
        }
        for (a, b) in zip(dShared, dSum) { #expect(relativeDifference(a, b) < 1e-12) }
    }

    @Test(arguments: ConvolutionPath.available) func threadCounts(_ path: ConvolutionPath) throws {
        var rng = RandomGenerator(seed: 8)
        let z: Tensor<Float> = randomTensor([1, 12], &rng)
        let normals: [Tensor<Float>] = [4, 8, 16].map { randomTensor([1, 3, $0, $0], &rng) }
        var images: [Tensor<Float>] = []
        var gradients: [Tensor<Float>] = []
        for threads in [1, 2, 2] {
            setThreadCount(threads)
            let gar = try GAR<Float>(file: RandomModel().file(), convolution: path)
            let context = try GARContext(gar)
            context.forward(wPlus: gar.wPlus(gar.map(z)), normals: normals)
            let dW = Tensor<Float>([1, gar.styleCount, 12])
            context.backward(dImage: context.image, dWPlus: dW)
            images.append(context.image)
            gradients.append(dW)
        }
        #expect(relativeDifference(images[0], images[1]) < 1e-5)
        #expect(relativeDifference(gradients[0], gradients[1]) < 1e-5)
    }
}
