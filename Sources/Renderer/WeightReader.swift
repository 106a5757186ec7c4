import Numerics

/// Reads a model's tensors with their equalised-learning-rate scales multiplied in, refusing values that are not finite.
struct WeightReader<T: Scalar> {
    let file: SafetensorsFile
    let path: ConvolutionPath

    func tensor(_ name: String, _ shape: [Int], scale: Double = 1) throws -> Tensor<T> {
        let result: Tensor<T> = try file.tensor(name, shape: shape)
        guard scaleKernel(result.pointer, T(scale), result.count) else {
            throw GarfaceError(.malformedFile, "\(file.name): tensor \"\(name)\": holds values that are not finite")
        }
        return result
    }

    /// An equalised convolution: weights times 1 / sqrt(in * k * k). `shape` is [out, in, k, k], with leading ones as stored.
    func convolution(_ name: String, _ shape: [Int], _ kind: ConvolutionKind) throws -> ConvolutionWeights<T> {
        let core = Array(shape.suffix(4))
        let w = try tensor(name, shape, scale: 1 / Double(core[1] * core[2] * core[3]).squareRoot())
        let flat = Tensor<T>(core)
        flat.copy(from: w)
        return try ConvolutionWeights(flat, kind: kind, path: path)
    }

    /// The FIR kernels in the file are those this library has built in, or the file is refused.
    func checkKernel(_ name: String) throws {
        guard file.contains(name) else { return }
        let k: Tensor<T> = try file.tensor(name, shape: [4, 4])
        let taps = [1.0, 3, 3, 1]
        for i in 0..<16 where !(abs(Double(k[i]) - taps[i / 4] * taps[i % 4] / 16) < 1e-3) {
            throw GarfaceError(
                .wrongModelKind, "\(file.name): tensor \"\(name)\": only the filter [1, 3, 3, 1] with gain 4 is supported")
        }
    }
}

/// Multiplies in place and says whether everything is finite.
@_specialize(where T == Float)
@_specialize(where T == Double)
func scaleKernel<T: Scalar>(_ x: UnsafeMutablePointer<T>, _ s: T, _ n: Int) -> Bool {
    var bad = 0
    for i in 0..<n {
        let v = x[i] * s
        x[i] = v
        bad |= v - v == 0 ? 0 : 1
    }
    return bad == 0
}
