import Glibc
import Numerics

/// The picture at another size; every target pixel is the area average of what it covers when shrinking
/// (bilinear when enlarging).
public func resized(_ image: RGBImage, width: Int, height: Int) throws -> RGBImage {
    var result = try RGBImage(width: width, height: height)
    // Rows first: an intermediate of `height` full-width rows.
    var rows = [Float](repeating: 0, count: 3 * image.width * height)
    let vertical = Footprint(from: image.height, to: height)
    let horizontal = Footprint(from: image.width, to: width)
    image.pixels.withUnsafeBufferPointer { source in
        rows.withUnsafeMutableBufferPointer { rows in
            let stride = 3 * image.width
            for y in 0..<height {
                let row = rows.baseAddress! + y * stride
                for k in vertical.starts[y]..<vertical.starts[y + 1] {
                    let weight = vertical.weights[k]
                    let from = source.baseAddress! + vertical.indices[k] * stride
                    for x in 0..<stride { row[x] += weight * Float(from[x]) }
                }
            }
        }
    }
    result.pixels.withUnsafeMutableBufferPointer { target in
        rows.withUnsafeBufferPointer { rows in
            for y in 0..<height {
                let row = rows.baseAddress! + y * 3 * image.width
                for x in 0..<width {
                    var sum: (Float, Float, Float) = (0.5, 0.5, 0.5)
                    for k in horizontal.starts[x]..<horizontal.starts[x + 1] {
                        let weight = horizontal.weights[k], p = row + 3 * horizontal.indices[k]
                        sum.0 += weight * p[0]
                        sum.1 += weight * p[1]
                        sum.2 += weight * p[2]
                    }
                    let to = 3 * (y * width + x)
                    target[to] = UInt8(max(0, min(255, sum.0)))
                    target[to + 1] = UInt8(max(0, min(255, sum.1)))
                    target[to + 2] = UInt8(max(0, min(255, sum.2)))
                }
            }
        }
    }
    return result
}

/// For each target sample the source samples it averages, weights summing to one.
private struct Footprint {
    var starts: [Int] = [0]
    var indices: [Int] = []
    var weights: [Float] = []

    init(from: Int, to: Int) {
        let ratio = Double(from) / Double(to)
        for i in 0..<to {
            if ratio > 1 {
                let low = Double(i) * ratio, high = min(Double(from), low + ratio)
                for k in Int(low)..<min(from, Int(high.rounded(.up))) {
                    let covered = min(high, Double(k + 1)) - max(low, Double(k))
                    if covered <= 0 { continue }
                    indices.append(k)
                    weights.append(Float(covered / (high - low)))
                }
            } else {
                let centre = max(0, min(Double(from - 1), (Double(i) + 0.5) * ratio - 0.5))
                let k = Int(centre), f = Float(centre - Double(k))
                indices.append(k)
                weights.append(1 - f)
                if k + 1 < from && f > 0 {
                    indices.append(k + 1)
                    weights.append(f)
                } else {
                    weights[weights.count - 1] = 1
                }
            }
            starts.append(indices.count)
        }
    }
}
