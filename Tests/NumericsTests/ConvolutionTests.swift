import Numerics
import Testing

func randomTensor<T: Scalar>(_ shape: [Int], _ rng: inout RandomGenerator) -> Tensor<T> {
    let t = Tensor<T>(shape)
    rng.fillNormal(t)
    return t
}

func largestDifference<T: Scalar>(_ a: Tensor<T>, _ b: Tensor<T>) -> Double {
    a.shape == b.shape ? zip(a.buffer, b.buffer).reduce(0) { max($0, abs(Double($1.0) - Double($1.1))) } : .infinity
}

func dot<T: Scalar>(_ a: Tensor<T>, _ b: Tensor<T>) -> Double { zip(a.buffer, b.buffer).reduce(0) { $0 + Double($1.0) * Double($1.1) } }

@Suite(.serialized) struct ConvolutionTests {
    static let kinds: [ConvolutionKind] = [.same3x3, .pointwise, .down3x3, .up3x3]
    /// batch, in, out, height, width: odd ones, single pixels, and one that is cut into several bands of columns
    static let sizes = [
        [1, 3, 5, 7, 9], [2, 1, 1, 1, 1], [1, 8, 16, 4, 4], [3, 20, 12, 5, 2], [1, 2, 3, 1, 6], [2, 7, 19, 13, 11], [1, 40, 8, 41, 33],
        [1, 16, 24, 8, 8],
    ]

    /// Maps and channels from which on oneDNN convolves by Winograd, and few channels, whose gradient takes another way.
    static let largeSizes = [[1, 32, 40, 33, 35], [2, 64, 32, 32, 41], [1, 9, 35, 64, 33]]

    private func compare<T: Scalar>(
        _ type: T.Type, _ path: ConvolutionPath, _ tolerance: Double, sizes: [[Int]] = Self.sizes,
        kinds: [ConvolutionKind] = Self.kinds
    ) throws {
        var rng = RandomGenerator(seed: 3)
        for kind in kinds {
            for s in sizes {
                let k = kind.kernelSize
                let weights: Tensor<T> = randomTensor([s[2], s[1], k, k], &rng)
                let reference = try ConvolutionWeights(weights, kind: kind, path: .reference)
                    .convolution(batch: s[0], height: s[3], width: s[4])
                let tested = try ConvolutionWeights(weights, kind: kind, path: path)
                    .convolution(batch: s[0], height: s[3], width: s[4])
                // In double precision everything is a matrix product; of the fast ways, the quicker one for the shape is taken.
                #expect(T.self == Float.self || path == .reference ? tested.path != .reference || path == .reference : tested.path == .gemm)
                #expect(tested.outputShape == [s[0], s[2], kind.outputLength(s[3]), kind.outputLength(s[4])])
                let x: Tensor<T> = randomTensor(tested.inputShape, &rng)
                let dy: Tensor<T> = randomTensor(tested.outputShape, &rng)
                let (y, expectedY) = (Tensor<T>(tested.outputShape), Tensor<T>(tested.outputShape))
                let (dx, expectedDX) = (Tensor<T>(tested.inputShape), Tensor<T>(tested.inputShape))
                y.fill(7)  // what was there must be overwritten
                dx.fill(7)
                tested.forward(x.pointer, y.pointer)
                tested.backward(dy.pointer, dx.pointer)
                reference.forward(x.pointer, expectedY.pointer)
                reference.backward(dy.pointer, expectedDX.pointer)
                let scale = Double(s[1] * k * k).squareRoot() + Double(s[2] * k * k).squareRoot()
                #expect(largestDifference(y, expectedY) < tolerance * scale, "\(kind) \(s) \(path) forward")
                #expect(largestDifference(dx, expectedDX) < tolerance * scale, "\(kind) \(s) \(path) backward")
                // forward and backward are adjoint: <conv x, dy> = <x, conv^T dy>
                let (left, right) = (dot(y, dy), dot(x, dx))
                #expect(abs(left - right) < tolerance * scale * Double(x.count + y.count), "\(kind) \(s) \(path)")
            }
        }
    }

    /// Winograd convolutions round more than sums: up to 3e-6 of a map of unit variance at these sizes.
    @Test(arguments: ConvolutionPath.available.filter { $0 != .reference }, [1, 2]) func single(_ path: ConvolutionPath, _ threads: Int) throws {
        setThreadCount(threads)
        try compare(Float.self, path, 5e-6)
    }

    @Test(arguments: ConvolutionPath.available.filter { $0 != .reference }, [1, 2]) func double(_ path: ConvolutionPath, _ threads: Int) throws {
        setThreadCount(threads)
        try compare(Double.self, path, 1e-14)
    }

    /// Winograd's transforms cost a digit.
    @Test(arguments: [1, 2]) func large(_ threads: Int) throws {
        setThreadCount(threads)
        try compare(Float.self, .best, 3e-5, sizes: Self.largeSizes, kinds: [.same3x3])
    }

    @Test func knownValues() throws {
        // one bright pixel prints the kernel, mirrored as in every "convolution" of neural networks
        let w = Tensor<Double>([1, 1, 3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9])
        let x = Tensor<Double>([1, 1, 3, 3], [0, 0, 0, 0, 1, 0, 0, 0, 0])
        let y = Tensor<Double>([1, 1, 3, 3])
        try ConvolutionWeights(w, kind: .same3x3, path: .gemm).convolution(height: 3, width: 3).forward(x.pointer, y.pointer)
        #expect(y.array == [9, 8, 7, 6, 5, 4, 3, 2, 1])
        let one = Tensor<Double>([1, 1, 1, 1], [1])
        try ConvolutionWeights(w, kind: .up3x3, path: .gemm).convolution(height: 1, width: 1).forward(one.pointer, y.pointer)
        #expect(y.array == [1, 2, 3, 4, 5, 6, 7, 8, 9])
    }

    @Test func refusesWrongShapes() throws {
        #expect(throws: GarfaceError.self) { try ConvolutionWeights(Tensor<Float>([2, 3, 3]), kind: .same3x3) }
        #expect(throws: GarfaceError.self) { try ConvolutionWeights(Tensor<Float>([2, 3, 1, 1]), kind: .same3x3) }
        #expect(throws: GarfaceError.self) { try ConvolutionWeights(Tensor<Float>([2, 0, 3, 3]), kind: .same3x3) }
        let w = try ConvolutionWeights(Tensor<Float>([2, 3, 3, 3]), kind: .same3x3)
        #expect(throws: GarfaceError.self) { try w.convolution(batch: 0, height: 4, width: 4) }
        #expect(throws: GarfaceError.self) { try w.convolution(height: -1, width: 4) }
    }

    @Test func sharedWeightsFromManyThreads() async throws {
        var rng = RandomGenerator(seed: 9)
        let shared = try ConvolutionWeights(randomTensor([16, 16, 3, 3], &rng) as Tensor<Float>, kind: .same3x3)
        let x: Tensor<Float> = randomTensor([1, 16, 16, 16], &rng)
        let expected = Tensor<Float>([1, 16, 16, 16])
        try shared.convolution(height: 16, width: 16).forward(x.pointer, expected.pointer)
        try await withThrowingTaskGroup(of: Double.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let y = Tensor<Float>([1, 16, 16, 16])
                    try shared.convolution(height: 16, width: 16).forward(x.pointer, y.pointer)
                    return largestDifference(y, expected)
                }
            }
            for try await difference in group { #expect(difference < 1e-5) }
        }
    }
}

@Suite struct FIRTests {
    /// The published upfirdn with the 4x4 kernel, written out.
    private func upfirdn(_ x: Tensor<Double>, up: Int, pad: (Int, Int)) -> Tensor<Double> {
        let (p, h, w) = (x.shape[0], x.shape[1], x.shape[2])
        let k = [1.0, 3, 3, 1]
        let (oh, ow) = (h * up + pad.0 + pad.1 - 3, w * up + pad.0 + pad.1 - 3)
        let y = Tensor<Double>([p, oh, ow])
        for c in 0..<p {
            for i in 0..<oh {
                for j in 0..<ow {
                    for a in 0..<4 {
                        for b in 0..<4 {
                            let (u, v) = (i + a - pad.0, j + b - pad.0)
                            if u < 0 || v < 0 || u >= h * up || v >= w * up || u % up != 0 || v % up != 0 { continue }
                            y[(c * oh + i) * ow + j] += 4 * k[a] * k[b] / 64 * x[(c * h + u / up) * w + v / up]
                        }
                    }
                }
            }
        }
        return y
    }

    @Test(arguments: [(1, 1), (2, 3), (4, 4), (5, 2)]) func againstThePublishedForm(_ h: Int, _ w: Int) {
        var rng = RandomGenerator(seed: 4)
        let row = Tensor<Double>([4 * w + 8])
        let x: Tensor<Double> = randomTensor([3, 2 * h + 1, 2 * w + 1], &rng)
        let y = Tensor<Double>([3, 2 * h, 2 * w])
        firBlur(x.pointer, y.pointer, planes: 3, outputHeight: 2 * h, outputWidth: 2 * w, row: row.pointer)
        #expect(largestDifference(y, upfirdn(x, up: 1, pad: (1, 1))) < 1e-14)
        let dy: Tensor<Double> = randomTensor(y.shape, &rng)
        let dx = Tensor<Double>(x.shape)
        firBlurAdjoint(dy.pointer, dx.pointer, planes: 3, outputHeight: 2 * h, outputWidth: 2 * w, row: row.pointer)
        #expect(abs(dot(y, dy) - dot(x, dx)) < 1e-11)

        let skip: Tensor<Double> = randomTensor([3, h, w], &rng)
        let up = Tensor<Double>(y.shape)
        up.copy(from: dy)
        addFIRUpsampled(skip.pointer, up.pointer, planes: 3, height: h, width: w, row: row.pointer)
        let expected = upfirdn(skip, up: 2, pad: (2, 1))
        for i in 0..<expected.count { expected[i] += dy[i] }
        #expect(largestDifference(up, expected) < 1e-14)
        let dSkip = Tensor<Double>(skip.shape)
        firUpsampledAdjoint(y.pointer, dSkip.pointer, planes: 3, height: h, width: w, row: row.pointer)
        #expect(abs(dot(upfirdn(skip, up: 2, pad: (2, 1)), y) - dot(skip, dSkip)) < 1e-11)
    }
}
