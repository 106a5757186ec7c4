import Numerics

extension RasterBuffer {
    /// Which vertices can be seen: those not behind the surface at their pixel by more than `tolerance` (NDC; the slope of the
    /// surface over a pixel asks for some). False outside the picture and for vertices that are not finite.
    /// - Parameter vertices: the NDC vertices `[count,3]` that were rasterised.
    public func visibility(_ vertices: UnsafePointer<T>, count: Int, tolerance: Double = 0.02) -> [Bool] {
        (0..<count).map { v in
            let x = (1 + Double(vertices[3 * v])) * Double(width) / 2 - 0.5
            let y = (1 - Double(vertices[3 * v + 1])) * Double(height) / 2 - 0.5
            // NaN and everything outside fail here, before the conversion to integers.
            guard x > -0.5, y > -0.5, x < Double(width) - 0.5, y < Double(height) - 0.5 else { return false }
            let pixel = Int(y + 0.5) * width + Int(x + 0.5)
            return Double(vertices[3 * v + 2]) >= Double(depth[pixel]) - tolerance
        }
    }
}
