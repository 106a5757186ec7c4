import Inversion
import Numerics

/// A picture sampled anywhere: Catmull-Rom, which gives back the pixels at whole places; the edge is continued.
struct BicubicPicture {
    private let width, height: Int
    /// [h,w,3], 0 to 1.
    private let bytes: [UInt8]
    private let floats: [Float]

    init(_ image: RGBImage) {
        (width, height, bytes, floats) = (image.width, image.height, image.pixels, [])
    }

    /// Planes [3,side,side] in -1 to 1.
    init(planes: [Float], side: Int) {
        (width, height, bytes) = (side, side, [])
        var interleaved = [Float](repeating: 0, count: planes.count)
        let area = side * side
        for p in 0..<area { for c in 0..<3 { interleaved[3 * p + c] = max(0, min(1, (planes[c * area + p] + 1) / 2)) } }
        floats = interleaved
    }

    /// At (u, v), pixel centres at whole numbers.
    func colour(_ u: Float, _ v: Float) -> SIMD3<Float> {
        guard u.isFinite, v.isFinite else { return .zero }
        let x = max(0, min(Float(width - 1), u)), y = max(0, min(Float(height - 1), v))
        let i = Int(x), j = Int(y)
        let wx = Self.weights(x - Float(i)), wy = Self.weights(y - Float(j))
        var sum = SIMD3<Float>()
        for b in 0..<4 where wy[b] != 0 {
            let row = max(0, min(height - 1, j + b - 1)) * width
            var line = SIMD3<Float>()
            for a in 0..<4 where wx[a] != 0 { line += wx[a] * pixel(row + max(0, min(width - 1, i + a - 1))) }
            sum += wy[b] * line
        }
        return sum
    }

    /// The same in the square frame of a face, x right and y up, -1 to 1.
    func colour(inFrame p: (x: Double, y: Double)) -> SIMD3<Float> {
        colour(Float((p.x + 1) / 2 * Double(width) - 0.5), Float((1 - p.y) / 2 * Double(height) - 0.5))
    }

    private func pixel(_ p: Int) -> SIMD3<Float> {
        if floats.isEmpty {
            return SIMD3(Float(bytes[3 * p]), Float(bytes[3 * p + 1]), Float(bytes[3 * p + 2])) / 255
        }
        return SIMD3(floats[3 * p], floats[3 * p + 1], floats[3 * p + 2])
    }

    private static func weights(_ t: Float) -> SIMD4<Float> {
        let t2 = t * t, t3 = t2 * t
        return SIMD4(-0.5 * t3 + t2 - 0.5 * t, 1.5 * t3 - 2.5 * t2 + 1, -1.5 * t3 + 2 * t2 + 0.5 * t, 0.5 * t3 - 0.5 * t2)
    }
}
