import Glibc
import Numerics

/// Where something covers a face in its photo.
public struct FaceCovering: Sendable {
    /// The square of the photo that was looked at. Beyond it what reaches its edge is taken to go on.
    public let field: Similarity
    public let side: Int
    /// [side, side], 0 free to 1 covered.
    public let values: [Float]
    /// The same with its edges moved out by 6 mm: what is better not believed. Beside an edge a photo shows a mixture,
    /// and shadow; a fit that looks there draws the thing after all, by shape.
    private let unsure: [Float]

    /// Probabilities between these are something of both; what is likelier than the second is covered for certain.
    private static let free = 0.35, sure = 0.65
    /// What is likelier than the first and touches what is covered for certain is a part of it, from the second on wholly.
    private static let doubtful = 0.15, part = 0.55
    /// By how much edges are moved out, in NDC of the aligned frame.
    private static let margin = 0.05
    /// A share of the square below which what is found is taken for noise.
    private static let least = 0.004

    /// Nil where nothing covers the face, or where the file has no network that would see it.
    /// - Parameter frame: the aligned frame, the head upright and centred in it.
    public init?(_ network: InverseNetwork<Float>, _ photo: RGBImage, frame: Similarity) throws {
        guard let network = network.covering, network.field.of(frame).isUsable else { return nil }
        let field = network.field.of(frame)
        let size = network.inputSize, side = network.side
        let crop = Tensor<Float>([1, 3, size, size]), inside = Tensor<Float>([size, size])
        warp(photo, field, into: crop, mask: inside)
        // Beyond its edge the photo is drawn out into streaks, which are no things.
        var logits = try network.run(crop)
        for k in logits.indices where inside.pointer[Self.pixel(k, side, size)] < 0.5 {
            logits[k] = -.greatestFiniteMagnitude
        }
        let margin = Int((Self.margin * Double(side) / (2 * network.field.half)).rounded())
        self.init(field: field, side: side, logits: logits, margin: margin)
    }

    /// The pixel of a picture of `size` that lies in the middle of the pixel k of one of `side`.
    private static func pixel(_ k: Int, _ side: Int, _ size: Int) -> Int {
        let y = min(size - 1, (2 * (k / side) + 1) * size / (2 * side)), x = min(size - 1, (2 * (k % side) + 1) * size / (2 * side))
        return y * size + x
    }

    /// - Parameter margin: pixels by which edges are moved out.
    package init?(field: Similarity, side: Int, logits: [Float], margin: Int) {
        self.field = field
        self.side = side
        values = Self.covered(logits.map { 1 / (1 + exp(-Double($0))) }, side)
        unsure = (0..<margin).reduce(values) { wider, _ in Self.widened(wider, side) }
        guard Double(values.reduce(0, +)) >= Self.least * Double(values.count) else { return nil }
    }

    /// 0 to 1 of probabilities. What hangs together with something sure is judged more strictly: the second lens of sunglasses.
    private static func covered(_ probabilities: [Double], _ side: Int) -> [Float] {
        var isPart = probabilities.map { $0 > sure }
        var waiting = isPart.indices.filter { isPart[$0] }
        while let k = waiting.popLast() {
            around(k, side) { i in
                guard !isPart[i], probabilities[i] > doubtful else { return }
                isPart[i] = true
                waiting.append(i)
            }
        }
        return probabilities.indices.map { k in
            let (low, high) = isPart[k] ? (doubtful, part) : (free, sure)
            return Float(max(0, min(1, (probabilities[k] - low) / (high - low))))
        }
    }

    /// The largest of 3 x 3.
    private static func widened(_ values: [Float], _ side: Int) -> [Float] {
        values.indices.map { k in
            var most: Float = 0
            around(k, side) { most = max(most, values[$0]) }
            return most
        }
    }

    /// Pixel k and those that touch it.
    private static func around(_ k: Int, _ side: Int, _ body: (Int) -> Void) {
        let x = k % side, y = k / side
        for j in max(0, y - 1)...min(side - 1, y + 1) {
            for i in max(0, x - 1)...min(side - 1, x + 1) { body(j * side + i) }
        }
    }

    /// How much of what a face takes of the square is better not believed, 0 to 1.
    public var share: Float {
        var covered: Float = 0, face: Float = 0
        let half = Float(side) / 2
        for j in 0..<side {
            for i in 0..<side {
                let x = (Float(i) + 0.5) / half - 1, y = (Float(j) + 0.5) / half - 1
                guard (x / 0.75) * (x / 0.75) + y * y < 1 else { continue }
                face += 1
                covered += unsure[j * side + i]
            }
        }
        return face > 0 ? covered / face : 0
    }

    /// 0 free to 1 covered, at a place in the photo, pixels.
    public func value(u: Double, v: Double) -> Float {
        let p = pixel(u, v)
        return sample(values, p.x, p.y)
    }

    /// Where a place in the photo lies among the pixels of `values`.
    private func pixel(_ u: Double, _ v: Double) -> SIMD2<Double> {
        let p = field.ndc(u: u, v: v), half = Double(side) / 2
        return SIMD2((p.x + 1) * half - 0.5, (1 - p.y) * half - 0.5)
    }

    private func sample(_ values: [Float], _ x: Double, _ y: Double) -> Float {
        guard x.isFinite, y.isFinite else { return 0 }
        let cx = max(0, min(Double(side - 1), x)), cy = max(0, min(Double(side - 1), y))
        let i = min(side - 2, Int(cx)), j = min(side - 2, Int(cy)), fx = Float(cx - Double(i)), fy = Float(cy - Double(j))
        let at = j * side + i
        let upper = values[at] + fx * (values[at + 1] - values[at])
        let lower = values[at + side] + fx * (values[at + side + 1] - values[at + side])
        return upper + fy * (lower - upper)
    }

    /// Takes what is better not believed out of a mask [n, n] of a square of the photo.
    public func exclude(from mask: Tensor<Float>, of square: Similarity) {
        let n = mask.shape.last ?? 0
        precondition(mask.count == n * n)
        func at(_ x: Double, _ y: Double) -> SIMD2<Double> {
            let p = square.photo(x: x, y: y)
            return pixel(p.u, p.v)
        }
        // From one pixel of the mask to the next: a step to the right, one down.
        let corner = at(-1, 1), right = (at(1, 1) - corner) / Double(max(1, n)), down = (at(-1, -1) - corner) / Double(max(1, n))
        for j in 0..<n {
            for i in 0..<n {
                let p = corner + (Double(i) + 0.5) * right + (Double(j) + 0.5) * down
                mask.pointer[j * n + i] *= 1 - sample(unsure, p.x, p.y)
            }
        }
    }
}
