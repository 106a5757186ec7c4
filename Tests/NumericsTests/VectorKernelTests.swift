import Numerics
import Testing

/// The library's own kernels against plain loops in double precision: each level that this processor has, each algorithm,
/// every kind of convolution, both directions, at odd sizes.
@Suite struct VectorKernelTests {
    /// batch, in, out, height, width: single pixels, narrower and wider than a vector, several bands, many channels
    static let sizes = [
        [1, 3, 5, 7, 9], [2, 1, 1, 1, 1], [1, 8, 16, 4, 4], [3, 20, 12, 5, 2], [1, 2, 3, 1, 6], [2, 7, 19, 13, 11],
        [1, 40, 8, 41, 33], [1, 16, 24, 8, 8], [1, 32, 40, 33, 35], [2, 64, 32, 32, 41], [1, 9, 35, 64, 33], [1, 8, 4, 32, 32],
        [1, 3, 17, 16, 48], [1, 130, 9, 3, 100], [1, 2, 3, 300, 64], [1, 150, 140, 9, 9],
    ]

    /// The largest error over sqrt(taps): direct sums 5e-6, Winograd's F(4x4, 3x3) 8e-6 on this scale.
    private func errors(_ kind: ConvolutionKind, _ s: [Int], _ choice: VectorChoice, _ rng: inout RandomGenerator) throws -> (Double, Double)? {
        let k = kind.kernelSize
        let weights: Tensor<Float> = randomTensor([s[2], s[1], k, k], &rng)
        let tested = try ConvolutionWeights(weights, kind: kind, path: .vector)
            .convolution(batch: s[0], height: s[3], width: s[4], choice: choice)
        guard tested.path == .vector else { return nil }
        let reference = try ConvolutionWeights(weights.converted(to: Double.self), kind: kind, path: .reference)
            .convolution(batch: s[0], height: s[3], width: s[4])
        let x: Tensor<Float> = randomTensor(tested.inputShape, &rng), dy: Tensor<Float> = randomTensor(tested.outputShape, &rng)
        let y = Tensor<Float>(tested.outputShape), dx = Tensor<Float>(tested.inputShape)
        y.fill(7)  // what was there must be overwritten
        dx.fill(7)
        // Twice: nothing of a first call may stay in the margins.
        for _ in 0..<2 {
            tested.forward(x.pointer, y.pointer)
            tested.backward(dy.pointer, dx.pointer)
        }
        let (exactX, exactDY) = (x.converted(to: Double.self), dy.converted(to: Double.self))
        let (exactY, exactDX) = (Tensor<Double>(y.shape), Tensor<Double>(dx.shape))
        withExtendedLifetime((exactX, exactDY)) {
            reference.forward(exactX.pointer, exactY.pointer)
            reference.backward(exactDY.pointer, exactDX.pointer)
        }
        return (
            largestDifference(y.converted(to: Double.self), exactY) / Double(s[1] * k * k).squareRoot(),
            largestDifference(dx.converted(to: Double.self), exactDX) / Double(s[2] * k * k).squareRoot()
        )
    }

    @Test(arguments: VectorLevel.available, [ConvolutionKind.same3x3, .pointwise, .down3x3, .up3x3])
    func convolutions(_ level: VectorLevel, _ kind: ConvolutionKind) throws {
        var rng = RandomGenerator(seed: 5)
        var tested = 0
        for size in Self.sizes {
            for winograd in kind == .same3x3 ? [false, true] : [false] {
                let choice = VectorChoice(level: level, winograd: winograd)
                guard let (forward, backward) = try errors(kind, size, choice, &rng) else { continue }
                tested += 1
                #expect(forward < 1.5e-5 && backward < 1.5e-5, "\(kind) \(size) \(choice): \(forward), \(backward)")
            }
        }
        // Only 1x1 convolutions of maps smaller than a vector are left to others.
        #expect(tested >= (kind == .pointwise ? 10 : Self.sizes.count))
    }

    /// A matrix times a vector, either way round, against double precision.
    @Test(arguments: [(1, 1), (3, 5), (16, 16), (7, 33), (33, 7), (64, 100), (128, 256), (65, 130), (2, 700)])
    func matricesTimesVectors(_ rows: Int, _ columns: Int) {
        var rng = RandomGenerator(seed: 8)
        let a: Tensor<Float> = randomTensor([rows, columns], &rng)
        for transpose in [false, true] {
            let (ins, outs) = transpose ? (rows, columns) : (columns, rows)
            let x: Tensor<Float> = randomTensor([ins], &rng), y0: Tensor<Float> = randomTensor([outs + 1], &rng)
            for (alpha, beta) in [(1.0, 0.0), (-2.5, 1.0), (0.5, -3.0)] {
                let y = y0.converted(to: Float.self), exact = y0.converted(to: Double.self)
                if beta == 0 { y.pointer[0] = .nan }      // what is not wanted is not read
                Float.gemv(transpose, rows, columns, Float(alpha), a.pointer, columns, x.pointer, Float(beta), y.pointer)
                let (exactA, exactX) = (a.converted(to: Double.self), x.converted(to: Double.self))
                withExtendedLifetime((exactA, exactX)) {
                    Double.gemv(transpose, rows, columns, alpha, exactA.pointer, columns, exactX.pointer, beta, exact.pointer)
                }
                #expect(largestDifference(y.converted(to: Double.self), exact) < 1e-5 * Double(ins).squareRoot())
                #expect(y.pointer[outs] == y0.pointer[outs])
            }
        }
    }

    /// Contexts of one set of weights, each on a thread of its own, give the same numbers, bit by bit.
    @Test func sameOnEveryThread() async throws {
        useDefaultThreadCount()  // as every entry of the library does: without kernels these are products of BLAS
        var rng = RandomGenerator(seed: 6)
        for (kind, size) in [(ConvolutionKind.same3x3, 32), (.same3x3, 6), (.down3x3, 17), (.up3x3, 9)] {
            let shared = try ConvolutionWeights(randomTensor([24, 16, 3, 3], &rng) as Tensor<Float>, kind: kind, path: .vector)
            let first = try shared.convolution(height: size, width: size)
            let x: Tensor<Float> = randomTensor(first.inputShape, &rng)
            let expected = Tensor<Float>(first.outputShape)
            first.forward(x.pointer, expected.pointer)
            try await withThrowingTaskGroup(of: [Float].self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let own = try shared.convolution(height: size, width: size)
                        let y = Tensor<Float>(own.outputShape)
                        own.forward(x.pointer, y.pointer)
                        return y.array
                    }
                }
                for try await y in group { #expect(y == expected.array) }
            }
        }
    }

    @Test(arguments: VectorLevel.available) func halfPrecision(_ level: VectorLevel) throws {
        let kernels = try #require(HalfKernels(level))
        var rng = RandomGenerator(seed: 7)
        var numbers = [UInt16](repeating: 0, count: 3 * 32)
        // Multiples of 1/64 below 16, the smallest number there is, and the largest: all of half precision.
        var rows = (0..<96).map { _ in Float(Int(rng.normal() * 100)) / 64 }
        rows[3] = 0x1p-24
        rows[40] = -65504
        for k in 0..<3 {
            let found = rows.withUnsafeBufferPointer { kernels.halve($0.baseAddress! + 32 * k, &numbers[32 * k]) }
            #expect(found == .exact)
        }
        var block = [UInt16](repeating: 0, count: 32)
        #expect(kernels.halve([Float](repeating: 0, count: 32), &block) == .zeros)
        for inexact in [Float(0.1), 65536, 0x1p-25, .nan, 1 + 0x1p-11] {
            var values = [Float](repeating: 1, count: 32)
            values[17] = inexact
            #expect(kernels.halve(values, &block) == .inexact, "\(inexact)")
        }
        let modes: [Int32] = [4, 0, 2], coefficients: [Float] = [0.5, 9, -2, 9, 0.25]
        var sums = [Float](repeating: 1, count: 32)
        kernels.combine(numbers, modes, 3, coefficients, &sums)
        for i in 0..<32 {
            let expected = 1 + 0.25 * rows[i] + 0.5 * rows[32 + i] - 2 * rows[64 + i]
            #expect(abs(sums[i] - expected) <= 1e-6 * abs(expected) + 1e-6)
        }
        let values = (0..<32).map { _ in Float(rng.normal()) }
        var partial = [Float](repeating: 0, count: 5 * kernels.lanes)
        kernels.project(numbers, modes, 3, values, &partial)
        for (k, mode) in modes.enumerated() {
            let sum = (0..<kernels.lanes).reduce(0.0) { $0 + Double(partial[Int(mode) * kernels.lanes + $1]) }
            let terms = (0..<32).map { Double(rows[32 * k + $0]) * Double(values[$0]) }
            #expect(abs(sum - terms.reduce(0, +)) < 1e-6 * terms.reduce(0) { $0 + abs($1) })
        }
        #expect(partial[kernels.lanes..<2 * kernels.lanes].allSatisfy { $0 == 0 })
    }
}
