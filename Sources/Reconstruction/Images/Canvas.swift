import Numerics

/// Simple drawing on an 8-bit picture: everything clips, nothing traps on odd coordinates.
struct Canvas {
    var image: RGBImage

    typealias Colour = SIMD3<Float>

    func pixel(_ x: Int, _ y: Int) -> Colour {
        let o = image.offset(x, y)
        return Colour(Float(image.pixels[o]), Float(image.pixels[o + 1]), Float(image.pixels[o + 2]))
    }

    /// Mixes `colour` (0 to 255) over a pixel.
    mutating func blend(_ x: Int, _ y: Int, _ colour: Colour, _ alpha: Float) {
        guard x >= 0, y >= 0, x < image.width, y < image.height else { return }
        let mixed = pixel(x, y) * (1 - alpha) + colour * alpha
        let o = image.offset(x, y)
        for k in 0..<3 { image.pixels[o + k] = UInt8(max(0, min(255, mixed[k].rounded()))) }
    }

    /// A disc with a soft edge.
    mutating func disc(_ x: Double, _ y: Double, radius: Double, _ colour: Colour) {
        guard x.isFinite, y.isFinite, abs(x) < 1e5, abs(y) < 1e5 else { return }
        let reach = Int(radius + 2)
        let cx = Int(x.rounded()), cy = Int(y.rounded())
        for j in (cy - reach)...(cy + reach) {
            for i in (cx - reach)...(cx + reach) {
                let dx = Double(i) - x, dy = Double(j) - y
                let edge = radius + 0.5 - (dx * dx + dy * dy).squareRoot()
                if edge > 0 { blend(i, j, colour, Float(min(1, edge))) }
            }
        }
    }

    /// A straight line, as discs half a pixel apart.
    mutating func line(_ a: (Double, Double), _ b: (Double, Double), radius: Double, _ colour: Colour) {
        let dx = b.0 - a.0, dy = b.1 - a.1
        let length = (dx * dx + dy * dy).squareRoot()
        guard length.isFinite, length < 1e5 else { return }
        let steps = max(1, Int(length * 2))
        for i in 0...steps {
            let t = Double(i) / Double(steps)
            disc(a.0 + t * dx, a.1 + t * dy, radius: radius, colour)
        }
    }

    /// Copies a picture to (x, y); what lies outside is cut.
    mutating func paste(_ other: RGBImage, x: Int, y: Int) {
        for j in 0..<other.height where y + j >= 0 && y + j < image.height {
            for i in 0..<other.width where x + i >= 0 && x + i < image.width {
                let from = other.offset(i, j), to = image.offset(x + i, y + j)
                for k in 0..<3 { image.pixels[to + k] = other.pixels[from + k] }
            }
        }
    }
}

/// A picture [3,h,w] in [-1,1] as 8-bit RGB.
public func rgbImage(planes: [Float], width: Int, height: Int) throws -> RGBImage {
    var image = try RGBImage(width: width, height: height)
    let count = width * height
    guard planes.count == 3 * count else {
        throw GarfaceError(.invalidArgument, "picture: expected \(3 * count) values, found \(planes.count)")
    }
    for i in 0..<count {
        for k in 0..<3 {
            let value = (planes[k * count + i] + 1) * 127.5
            image.pixels[3 * i + k] = value > 0 ? UInt8(min(255, value.rounded())) : 0  // NaN fails the comparison
        }
    }
    return image
}

/// The same for a square one of any size.
func rgbImage(square planes: [Float]) throws -> RGBImage {
    var side = 1
    while 3 * side * side < planes.count { side += 1 }
    return try rgbImage(planes: planes, width: side, height: side)
}
