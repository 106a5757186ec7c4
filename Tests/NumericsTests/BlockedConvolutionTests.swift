import Numerics
import Testing

/// The renderer's own convolutions (AVX-512) against the plain loops, where this processor has the instructions.
@Suite(.serialized, .enabled(if: BlockedConvolution.supports(.same3x3, inputs: 16, outputs: 16)))
struct BlockedConvolutionTests {
    /// batch, in, out, height, width: whole tiles, cut ones, single pixels, blocks of 16 and of 32 channels
    static let sizes = [
        [1, 16, 16, 4, 4], [2, 32, 48, 7, 9], [1, 48, 32, 12, 8], [1, 64, 32, 16, 16], [2, 16, 80, 1, 5], [1, 32, 32, 33, 21],
        [1, 16, 32, 20, 3],
        // so deep that weights are fetched ahead
        [1, 256, 48, 14, 14],
    ]

    /// The norm of the difference over that of what is expected.
    private func relativeNorm(_ a: Tensor<Float>, _ b: Tensor<Double>) -> Double {
        let d = (0..<b.count).reduce(0.0) { $0 + (Double(a[$1]) - b[$1]) * (Double(a[$1]) - b[$1]) }
        return (d / (0..<b.count).reduce(1e-30) { $0 + b[$1] * b[$1] }).squareRoot()
    }

    private func compare(
        _ kind: ConvolutionKind, _ engine: BlockedConvolution.Engine, _ precision: ProductPrecision = .single,
        sizes: [[Int]] = Self.sizes
    ) throws {
        var rng = RandomGenerator(seed: 5)
        for s in sizes {
            let weights: Tensor<Float> = randomTensor([s[2], s[1], 3, 3], &rng)
            let exact = try ConvolutionWeights(weights.converted(to: Double.self), kind: kind, path: .reference)
                .convolution(batch: s[0], height: s[3], width: s[4])
            let tested = try BlockedConvolution(
                ConvolutionWeights(weights, kind: kind), batch: s[0], height: s[3], width: s[4], engine: engine,
                precision: precision)
            #expect(tested.precision == precision)
            #expect(tested.inputShape == exact.inputShape && tested.outputShape == exact.outputShape)
            let (areaIn, areaOut) = (s[3] * s[4], tested.outputShape[2] * tested.outputShape[3])
            let x: Tensor<Float> = randomTensor(tested.inputShape, &rng), dy: Tensor<Float> = randomTensor(tested.outputShape, &rng)
            let scale: Tensor<Float> = randomTensor([s[0], s[1]], &rng)
            let scaled = Tensor<Float>(x.shape)
            for k in 0..<x.count { scaled[k] = x[k] * scale[k / areaIn] }

            let (packedX, packedY) = (Tensor<Float>(x.shape), Tensor<Float>(dy.shape))
            let (packedDY, packedDX) = (Tensor<Float>(dy.shape), Tensor<Float>(x.shape))
            packedY.fill(7)  // what was there must be overwritten
            packedDX.fill(7)
            BlockedMaps.pack(x.pointer, packedX.pointer, batch: s[0], channels: s[1], area: areaIn)
            BlockedMaps.pack(dy.pointer, packedDY.pointer, batch: s[0], channels: s[2], area: areaOut)
            let scratch = Tensor<Float>([tested.scratchCount])
            tested.forward(packedX.pointer, scale: scale.pointer, packedY.pointer, scratch: scratch.pointer)
            tested.backward(packedDY.pointer, packedDX.pointer, scratch: scratch.pointer)
            let (y, dx) = (Tensor<Float>(dy.shape), Tensor<Float>(x.shape))
            BlockedMaps.unpack(packedY.pointer, y.pointer, batch: s[0], channels: s[2], area: areaOut)
            BlockedMaps.unpack(packedDX.pointer, dx.pointer, batch: s[0], channels: s[1], area: areaIn)

            let (expectedY, expectedDX) = (Tensor<Double>(dy.shape), Tensor<Double>(x.shape))
            let exactX = scaled.converted(to: Double.self), exactDY = dy.converted(to: Double.self)
            exact.forward(exactX.pointer, expectedY.pointer)
            exact.backward(exactDY.pointer, expectedDX.pointer)
            // A tensor's memory goes with its last mention.
            withExtendedLifetime((packedX, packedDY, scale, scratch, exactX, exactDY, x, dy)) {}
            if precision == .bfloat16 {
                // Winograd's transforms cost a good part of the two digits that there are.
                #expect(relativeNorm(y, expectedY) < 0.1 && relativeNorm(y, expectedY) > 1e-4, "\(kind) \(s) forward")
                #expect(relativeNorm(dx, expectedDX) < 0.1, "\(kind) \(s) backward")
                continue
            }
            #expect(relativeNorm(y, expectedY) < 5e-6 && relativeNorm(dx, expectedDX) < 5e-6, "\(kind) \(s)")
            if s[1] >= 256 { continue }  // the largest of so many errors says less
            // Winograd's transforms cost a digit.
            let bound = 2e-5 * (Double(9 * s[1]).squareRoot() + Double(9 * s[2]).squareRoot())
            #expect(largestDifference(y.converted(to: Double.self), expectedY) < bound, "\(kind) \(s) forward")
            #expect(largestDifference(dx.converted(to: Double.self), expectedDX) < bound, "\(kind) \(s) backward")
        }
    }

    @Test(arguments: [ConvolutionKind.same3x3, .up3x3], [1, 2, 3]) func winograd(_ kind: ConvolutionKind, _ threads: Int) throws {
        setThreadCount(threads)
        defer { setThreadCount(1) }
        try compare(kind, .winograd)
    }

    @Test(arguments: [ConvolutionKind.same3x3, .up3x3], [1, 2, 3]) func small(_ kind: ConvolutionKind, _ threads: Int) throws {
        setThreadCount(threads)
        defer { setThreadCount(1) }
        try compare(kind, .small, sizes: [[1, 16, 16, 4, 4], [3, 32, 48, 4, 4], [2, 80, 16, 4, 4], [1, 128, 144, 4, 4]])
    }

    /// It is taken wherever it can be, in single precision whatever was asked for, and nowhere else.
    @Test func smallIsForFourByFour() throws {
        let weights: Tensor<Float> = Tensor([16, 16, 3, 3])
        func engine(_ kind: ConvolutionKind, _ side: Int, _ wanted: BlockedConvolution.Engine? = nil) throws -> BlockedConvolution.Engine {
            let c = try BlockedConvolution(
                ConvolutionWeights(weights, kind: kind), height: side, width: side, engine: wanted, precision: .bfloat16)
            #expect(c.engine == .winograd || c.precision == .single)
            return c.engine
        }
        #expect(try engine(.same3x3, 4) == .small)
        #expect(try engine(.same3x3, 4, .winograd) == .winograd)
        #expect(try engine(.same3x3, 8) == .winograd)
        #expect(try engine(.same3x3, 8, .small) == .winograd)
        #expect(try engine(.up3x3, 4) == .small)
        #expect(try engine(.up3x3, 8, .small) == .winograd)
    }

    @Test(.enabled(if: ProductPrecision.bfloat16.isAvailable), arguments: [ConvolutionKind.same3x3, .up3x3], [1, 3])
    func bfloat(_ kind: ConvolutionKind, _ threads: Int) throws {
        setThreadCount(threads)
        defer { setThreadCount(1) }
        try compare(kind, .winograd, .bfloat16)
    }

    /// Every part computes its pixels from the same sums: the thread count changes nothing at all, either way.
    @Test(arguments: [ConvolutionKind.same3x3, .up3x3], [(32, 24), (4, 4), (9, 13)])
    func threadsChangeNothing(_ kind: ConvolutionKind, _ size: (Int, Int)) throws {
        var rng = RandomGenerator(seed: 6)
        let (h, w) = size, weights: Tensor<Float> = randomTensor([48, 16, 3, 3], &rng), x: Tensor<Float> = randomTensor([1, 16, h, w], &rng)
        for precision in ProductPrecision.allCases where precision.isAvailable {
            var results: [[Float]] = []
            for threads in [1, 2, 3, 5, 2] {
                setThreadCount(threads)
                defer { setThreadCount(1) }
                let c = try BlockedConvolution(ConvolutionWeights(weights, kind: kind), height: h, width: w, precision: precision)
                let y = Tensor<Float>(c.outputShape), dx = Tensor<Float>(x.shape), scratch = Tensor<Float>([c.scratchCount])
                withExtendedLifetime((x, scratch)) {
                    c.forward(x.pointer, y.pointer, scratch: scratch.pointer)
                    c.backward(y.pointer, dx.pointer, scratch: scratch.pointer)
                }
                results.append(y.array + dx.array)
            }
            #expect(results.allSatisfy { $0 == results[0] })
        }
    }

    @Test func refusesOtherChannels() throws {
        let weights = try ConvolutionWeights(Tensor<Float>([16, 8, 3, 3]), kind: .same3x3)
        #expect(throws: GarfaceError.self) { _ = try BlockedConvolution(weights, height: 8, width: 8) }
    }

    /// Few channels with everything a pass can do besides, at sizes that are no multiple of anything.
    @Test(arguments: [1, 2, 3]) func narrow(_ threads: Int) throws {
        var rng = RandomGenerator(seed: 7)
        let root = Double(2).squareRoot()
        func leaky(_ v: Double) -> Double { v > 0 ? v * root : v * root * 0.2 }
        for s in [[3, 8, 5, 7], [8, 4, 17, 70], [5, 11, 9, 21], [1, 1, 1, 1], [16, 3, 4, 4], [4, 2, 3, 130], [8, 8, 40, 33]] {
            let (i, o, area) = (s[0], s[1], s[2] * s[3])
            let weights: Tensor<Float> = randomTensor([o, i, 3, 3], &rng)
            let narrow = try #require(NarrowConvolution(ConvolutionWeights(weights, kind: .same3x3)))
            let exact = try ConvolutionWeights(weights.converted(to: Double.self), kind: .same3x3, path: .reference)
                .convolution(height: s[2], width: s[3])
            for adjoint in [false, true] {
                let (from, to) = adjoint ? (o, i) : (i, o)
                let x: Tensor<Float> = randomTensor([1, from, s[2], s[3]], &rng), gate: Tensor<Float> = randomTensor(x.shape, &rng)
                let bias: Tensor<Float> = randomTensor([to], &rng), skip: Tensor<Float> = randomTensor([5, area], &rng)
                let skipWeights: Tensor<Float> = randomTensor([to, 5], &rng), before: Tensor<Float> = randomTensor([to, area], &rng)
                let gated = Tensor<Double>(x.shape), convolved = Tensor<Double>([1, to, s[2], s[3]])
                for k in 0..<x.count { gated[k] = Double(x[k]) * 0.5 * root * (gate[k] > 0 ? 1 : 0.2) }
                adjoint ? exact.backward(gated.pointer, convolved.pointer) : exact.forward(gated.pointer, convolved.pointer)

                let y = Tensor<Float>([to, area]), sum = Tensor<Float>([to, area])
                y.copy(from: before)
                var pass = NarrowConvolution.Pass()
                (pass.gate, pass.gateGain, pass.bias) = (UnsafePointer(gate.pointer), 0.5, UnsafePointer(bias.pointer))
                (pass.result, pass.adds, pass.sum, pass.sumGain) = (y.pointer, true, sum.pointer, 0.7)
                (pass.skip, pass.skipInputs, pass.skipWeights) = (UnsafePointer(skip.pointer), 5, UnsafePointer(skipWeights.pointer))
                let scratch = Tensor<Float>([narrow.scratchCount(width: s[3], parts: threads)])
                narrow.run(
                    x.pointer, height: s[2], width: s[3], adjoint: adjoint, pass, parts: threads, scratch: scratch.pointer)
                var worst = 0.0
                for k in 0..<y.count {
                    let expected = leaky(convolved[k] + Double(bias[k / area])) + Double(before[k])
                    var total = expected * 0.7
                    for c in 0..<5 { total += Double(skip[c * area + k % area]) * Double(skipWeights[k / area * 5 + c]) }
                    worst = max(worst, abs(Double(y[k]) - expected), abs(Double(sum[k]) - total))
                }
                #expect(worst < 2e-5, "\(s) adjoint \(adjoint)")

                pass = NarrowConvolution.Pass()
                pass.result = y.pointer
                let plain = x.converted(to: Double.self)
                adjoint ? exact.backward(plain.pointer, convolved.pointer) : exact.forward(plain.pointer, convolved.pointer)
                narrow.run(
                    x.pointer, height: s[2], width: s[3], adjoint: adjoint, pass, parts: threads, scratch: scratch.pointer)
                for k in 0..<y.count { #expect(abs(Double(y[k]) - convolved[k]) < 2e-5) }
                withExtendedLifetime((x, gate, gated, bias, skip, skipWeights, plain, scratch)) {}
            }
        }
    }
}
