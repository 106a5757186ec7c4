import Glibc
import Numerics

extension RGBImage {
    /// Turned clockwise by so many quarters.
    public func turned(quarters: Int) throws -> RGBImage {
        let quarters = ((quarters % 4) + 4) % 4
        if quarters == 0 { return self }
        let (w, h) = (width, height)
        var turned = [UInt8](repeating: 0, count: pixels.count)
        let across = quarters == 2 ? w : h
        turned.withUnsafeMutableBufferPointer { to in
            pixels.withUnsafeBufferPointer { from in
                for v in 0..<h {
                    for u in 0..<w {
                        let (x, y) = quarters == 1 ? (h - 1 - v, u) : quarters == 2 ? (w - 1 - u, h - 1 - v) : (v, w - 1 - u)
                        for c in 0..<3 { to[3 * (y * across + x) + c] = from[3 * (v * w + u) + c] }
                    }
                }
            }
        }
        return try RGBImage(width: across, height: quarters == 2 ? h : w, pixels: turned)
    }
}

extension FaceBox {
    /// A box found in a photo of these sides after it was turned clockwise by so many quarters, as it lies in the photo.
    public func beforeTurn(quarters: Int, width: Int, height: Int) -> FaceBox {
        var box = self
        let (right, bottom) = (Double(width - 1), Double(height - 1))
        switch ((quarters % 4) + 4) % 4 {
        case 1: (box.centreX, box.centreY) = (centreY, bottom - centreX)
        case 2: (box.centreX, box.centreY) = (right - centreX, bottom - centreY)
        case 3: (box.centreX, box.centreY) = (right - centreY, centreX)
        default: break
        }
        box.roll = wrapAngle(roll + Double(quarters) * .pi / 2)
        return box
    }

    /// A box found in a photo that was reduced, as it lies in the photo, which is so many times as wide and as high.
    public func scaled(_ across: Double, _ down: Double) -> FaceBox {
        var box = self
        (box.centreX, box.centreY) = ((centreX + 0.5) * across - 0.5, (centreY + 0.5) * down - 0.5)
        box.size *= (across * down).squareRoot()
        return box
    }
}
