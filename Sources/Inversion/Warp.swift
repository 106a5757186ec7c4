import Glibc
import Numerics

/// Samples the aligned frame out of a photo.
///
/// Each target pixel is the mean of n x n bilinear samples spread evenly over its footprint, n being the reduction
/// rounded up, so that shrinking a large photo averages every source pixel and does not alias. Outside the photo
/// the edge is continued.
/// - Parameters:
///   - crop: [1,3,S,S] or [3,S,S]; receives sRGB in [-1,1].
///   - mask: [S,S] values; receives the part of each pixel's samples inside the photo, 0 to 1. May be nil.
public func warp<T: Scalar>(_ image: RGBImage, _ frame: Similarity, into crop: Tensor<T>, mask: Tensor<T>? = nil) {
    let side = crop.shape.last ?? 0
    precondition(crop.count == 3 * side * side && (mask == nil || mask?.count == side * side))
    guard side > 0, frame.isUsable else {
        crop.fill(0)
        mask?.fill(0)
        return
    }
    let step = frame.size / Double(side)
    let samples = min(256, max(1, Int(step.rounded(.up))))
    image.pixels.withUnsafeBufferPointer { pixels in
        guard let base = pixels.baseAddress else { return }
        warpKernel(
            base, image.width, image.height, frame.centreX, frame.centreY, step * cos(frame.roll), step * sin(frame.roll),
            samples, side, crop.pointer, mask?.pointer)
    }
}

/// `ux`, `uy`: photo-pixel steps of one target pixel to the right are (ux, -uy), one down (uy, ux).
@_specialize(where T == Float)
@_specialize(where T == Double)
func warpKernel<T: Scalar>(
    _ pixels: UnsafePointer<UInt8>, _ width: Int, _ height: Int, _ centreX: Double, _ centreY: Double, _ ux: Double,
    _ uy: Double, _ n: Int, _ side: Int, _ crop: UnsafeMutablePointer<T>, _ mask: UnsafeMutablePointer<T>?
) {
    let middle = Double(side - 1) / 2
    let plane = side * side
    let scale = 1 / Float(n * n)
    let right = Double(width - 1), bottom = Double(height - 1)
    for j in 0..<side {
        for i in 0..<side {
            var red: Float = 0, green: Float = 0, blue: Float = 0
            var inside = 0
            for b in 0..<n {
                let y = Double(j) - middle + (Double(b) + 0.5) / Double(n) - 0.5
                for a in 0..<n {
                    let x = Double(i) - middle + (Double(a) + 0.5) / Double(n) - 0.5
                    var u = centreX + ux * x + uy * y
                    var v = centreY - uy * x + ux * y
                    if u > -0.5 && v > -0.5 && u < right + 0.5 && v < bottom + 0.5 { inside += 1 }
                    u = max(0, min(right, u))
                    v = max(0, min(bottom, v))
                    let x0 = Int(u), y0 = Int(v)
                    let fx = Float(u - Double(x0)), fy = Float(v - Double(y0))
                    let p = pixels + 3 * (y0 * width + x0)
                    let dx = x0 + 1 < width ? 3 : 0
                    let dy = y0 + 1 < height ? 3 * width : 0
                    let w11 = fx * fy, w10 = fx - w11, w01 = fy - w11, w00 = 1 - fx - fy + w11
                    red += w00 * Float(p[0]) + w10 * Float(p[dx]) + w01 * Float(p[dy]) + w11 * Float(p[dx + dy])
                    green += w00 * Float(p[1]) + w10 * Float(p[dx + 1]) + w01 * Float(p[dy + 1]) + w11 * Float(p[dx + dy + 1])
                    blue += w00 * Float(p[2]) + w10 * Float(p[dx + 2]) + w01 * Float(p[dy + 2]) + w11 * Float(p[dx + dy + 2])
                }
            }
            let k = j * side + i
            crop[k] = T(red * scale / 127.5 - 1)
            crop[plane + k] = T(green * scale / 127.5 - 1)
            crop[2 * plane + k] = T(blue * scale / 127.5 - 1)
            if let mask { mask[k] = T(Float(inside) * scale) }
        }
    }
}
