import Numerics

/// The affine layer that turns a row of w+ into one scale per input channel.
struct StyleModulation<T: Scalar>: Sendable {
    let channels: Int
    let latentSize: Int
    private let weight: Tensor<T>
    private let bias: Tensor<T>

    init(_ reader: WeightReader<T>, _ name: String, channels: Int, latentSize: Int) throws {
        self.channels = channels
        self.latentSize = latentSize
        weight = try reader.tensor(
            "\(name).modulation.weight", [channels, latentSize], scale: 1 / Double(latentSize).squareRoot())
        bias = try reader.tensor("\(name).modulation.bias", [channels])
    }

    /// `s` [channels] from `w` [latent].
    func forward(_ w: UnsafePointer<T>, _ s: UnsafeMutablePointer<T>) {
        s.update(from: bias.pointer, count: channels)
        T.gemv(false, channels, latentSize, 1, weight.pointer, latentSize, w, 1, s)
    }

    /// Adds to `dW` [latent].
    func backward(_ ds: UnsafePointer<T>, _ dW: UnsafeMutablePointer<T>) {
        T.gemv(true, channels, latentSize, 1, weight.pointer, latentSize, ds, 1, dW)
    }
}
