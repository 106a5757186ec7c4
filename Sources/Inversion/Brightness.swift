import Numerics

extension RGBImage {
    /// Of all pixels and colours, 0 to 255.
    public var meanBrightness: Double {
        pixels.isEmpty ? 0 : Double(pixels.reduce(0) { $0 + Int($1) }) / Double(pixels.count)
    }

    /// All colours times what would bring the mean from one brightness to the other; what gets too bright stays white.
    public func brightened(to goal: Double, from mean: Double) throws -> RGBImage {
        let gain = goal / max(1, mean)
        let table = (0...255).map { UInt8(max(0, min(255, (Double($0) * gain).rounded()))) }
        return try RGBImage(width: width, height: height, pixels: pixels.map { table[Int($0)] })
    }
}
