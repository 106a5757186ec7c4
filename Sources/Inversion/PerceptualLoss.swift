import Numerics

/// Distance between two pictures in the features of a convolutional network:
/// over levels k, `sum of w_k * sum(m (F_k(x) - F_k(target))^2) / (sum(m (F_k(target) - channel mean)^2) + 1e-3 * count)`.
///
/// Each level is normalised by the target's own feature variance, so a term near 1 means "no better than flat", whatever
/// the scale of the features. m is the mask, averaged over each feature's pixel. Pictures larger than the network was
/// trained on are halved until they are not: its features mean little at other scales, and cost more.
public final class PerceptualLoss<T: Scalar> {
    public let height, width: Int
    public let levelWeights: [T]
    private let context: ConvolutionalContext<T>
    private let targets: [Tensor<T>]
    private let masks: [Tensor<T>]
    private let gradients: [Tensor<T>?]
    private var normalizers: [T]
    /// The picture and its halves down to what the network sees, and the gradients on the way back up.
    private let reduced: [Tensor<T>]
    private let dReduced: [Tensor<T>]

    /// - Parameters:
    ///   - levelWeights: one per level of the network; 0 leaves a level out, and what comes after the last other one is not run.
    ///   - largestSide: a square picture with a larger, even side is halved for the network; nil: never.
    public init(
        _ network: ConvolutionalNetwork<T>, height: Int, width: Int, levelWeights: [T], largestSide: Int? = nil
    ) throws {
        guard levelWeights.count == network.levelCount else {
            throw GarfaceError(
                .invalidArgument, "perceptual loss: \(network.levelCount) level weights expected, found \(levelWeights.count)")
        }
        self.height = height
        self.width = width
        self.levelWeights = levelWeights
        var side = height, sides: [Int] = []
        while let largestSide, height == width, side > largestSide, side % 2 == 0 {
            side /= 2
            sides.append(side)
        }
        reduced = sides.map { Tensor([1, 3, $0, $0]) }
        dReduced = sides.map { Tensor([1, 3, $0, $0]) }
        let run = 1 + (levelWeights.lastIndex { $0 != 0 } ?? 0)
        context = try network.context(height: height >> sides.count, width: width >> sides.count, levels: run)
        context.prepareBackward()
        let levels = context.levels
        targets = levels.map { Tensor($0.shape) }
        masks = levels.map { Tensor([$0.shape[2], $0.shape[3]]) }
        gradients = zip(levels, levelWeights).map { $1 == 0 ? nil : Tensor($0.shape) }
        normalizers = levels.map { _ in 1 }
    }

    /// The picture to compare with, [1,3,height,width], and its mask [height,width] (nil: everything counts).
    public func setTarget(_ picture: UnsafePointer<T>, mask: UnsafePointer<T>? = nil) {
        forward(picture)
        for k in targets.indices {
            let level = context.levels[k]
            targets[k].copy(from: level)
            averageMask(mask, height, width, masks[k].pointer, level.shape[2], level.shape[3])
            normalizers[k] = maskedVariation(level.pointer, masks[k].pointer, level.shape[1], masks[k].count)
        }
    }

    /// The distance of `picture` to the target; its gradient times `scale` is added to `dPicture`
    /// through `workspace` (both [1,3,height,width]).
    public func callAsFunction(
        _ picture: UnsafePointer<T>, scale: T = 1, dPicture: UnsafeMutablePointer<T>?, workspace: Tensor<T>? = nil
    ) -> T {
        forward(picture)
        var loss: T = 0
        for k in 0..<context.levels.count {
            guard let gradient = gradients[k] else { continue }
            let level = context.levels[k]
            let factor = levelWeights[k] / normalizers[k]
            let sum = weightedDifference(
                level.pointer, targets[k].pointer, masks[k].pointer, level.shape[1], masks[k].count, 2 * factor * scale,
                gradient.pointer)
            loss += factor * sum
        }
        if let dPicture {
            let memory = workspace ?? Tensor<T>([1, 3, height, width])
            precondition(memory.count == 3 * height * width)
            if dReduced.isEmpty {
                context.backward(dLevels: gradients, dInput: memory.pointer)
                addInto(dPicture, memory.pointer, memory.count)
                return loss
            }
            let last = dReduced.count - 1
            context.backward(dLevels: gradients, dInput: dReduced[last].pointer)
            for k in stride(from: last, to: 0, by: -1) {
                dReduced[k - 1].fill(0)
                halveBackward(dReduced[k].pointer, 3, dReduced[k - 1].shape[2], dReduced[k - 1].pointer)
            }
            halveBackward(dReduced[0].pointer, 3, height, dPicture)
        }
        return loss
    }

    private func forward(_ picture: UnsafePointer<T>) {
        var from = picture, side = height
        for k in 0..<reduced.count {
            halve(from, 3, side, reduced[k].pointer)
            from = UnsafePointer(reduced[k].pointer)
            side /= 2
        }
        context.forward(from)
    }
}

/// The mask averaged over the block of pixels that each feature stands for.
@_specialize(where T == Float)
@_specialize(where T == Double)
func averageMask<T: Scalar>(
    _ mask: UnsafePointer<T>?, _ height: Int, _ width: Int, _ result: UnsafeMutablePointer<T>, _ h: Int, _ w: Int
) {
    for y in 0..<h {
        for x in 0..<w {
            guard let mask else {
                result[y * w + x] = 1
                continue
            }
            let y0 = y * height / h, y1 = max(y0 + 1, (y + 1) * height / h)
            let x0 = x * width / w, x1 = max(x0 + 1, (x + 1) * width / w)
            var sum: T = 0
            for j in y0..<y1 { for i in x0..<x1 { sum += mask[j * width + i] } }
            result[y * w + x] = sum / T((y1 - y0) * (x1 - x0))
        }
    }
}

/// `sum(m (F - masked channel mean)^2)`, with a small floor for flat pictures.
@_specialize(where T == Float)
@_specialize(where T == Double)
func maskedVariation<T: Scalar>(_ f: UnsafePointer<T>, _ mask: UnsafePointer<T>, _ channels: Int, _ area: Int) -> T {
    var total: T = 0, weight: T = 0
    for i in 0..<area { weight += mask[i] }
    if weight > 0 {
        for c in 0..<channels {
            let row = f + c * area
            var mean: T = 0
            for i in 0..<area { mean += mask[i] * row[i] }
            mean /= weight
            for i in 0..<area { total += mask[i] * (row[i] - mean) * (row[i] - mean) }
        }
    }
    return total + T(1e-3) * T(channels * area)
}

/// Returns `sum(m (a - b)^2)` and sets `gradient = scale * m (a - b)`.
@_specialize(where T == Float)
@_specialize(where T == Double)
func weightedDifference<T: Scalar>(
    _ a: UnsafePointer<T>, _ b: UnsafePointer<T>, _ mask: UnsafePointer<T>, _ channels: Int, _ area: Int, _ scale: T,
    _ gradient: UnsafeMutablePointer<T>
) -> T {
    var total: T = 0
    for c in 0..<channels {
        let offset = c * area
        for i in 0..<area {
            let d = a[offset + i] - b[offset + i]
            let md = mask[i] * d
            total += md * d
            gradient[offset + i] = scale * md
        }
    }
    return total
}
