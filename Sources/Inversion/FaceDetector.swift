import CDefaultModels
import Glibc
import Numerics

/// A face found in a photo. Its square is the aligned frame's: 230 mm of the head model's space, about 1.3 times a
/// face's height.
public struct FaceBox: Sendable, Equatable {
    /// Photo pixels, centres at integers, v down.
    public var centreX, centreY: Double
    /// Side of the square, photo pixels.
    public var size: Double
    /// Radians, positive counter-clockwise in the picture.
    public var roll: Double
    /// Probability, 0 to 1.
    public var score: Double

    public init(centreX: Double, centreY: Double, size: Double, roll: Double, score: Double) {
        self.centreX = centreX
        self.centreY = centreY
        self.size = size
        self.roll = roll
        self.score = score
    }

    public var similarity: Similarity { Similarity(centreX: centreX, centreY: centreY, size: size, roll: roll) }
}

public struct FaceDetectorOptions: Sendable {
    /// Least probability of a face; nil takes the weight file's.
    public var threshold: Double?
    /// Whether a face is kept beside a likelier one that lies in it or around it and is of quite another size.
    public var keepsNested = false
    /// Smallest and largest frame searched, as parts of the photo's smaller side.
    public var minimumSize = 0.06
    public var maximumSize = 1.7
    /// How many faces are returned at most, largest first.
    public var maximumCount = 64
    public init() {}
}

/// A small fully convolutional network, run on a pyramid of the photo with a factor of sqrt(2).
public final class FaceDetector: @unchecked Sendable {
    /// The threshold that the weight file recommends.
    public let threshold: Double
    /// Frame size, pixels, at which the network works best.
    public let baseSize: Double
    private let features: ConvolutionalNetwork<Float>
    private let headWeights: ConvolutionWeights<Float>
    private let headBias: Tensor<Float>

    /// The distance of cells in pixels.
    private static let stride = 8
    /// Pyramid levels stay below this many pixels, so that a photo of any size takes bounded time and memory.
    private static let maximumLevelPixels = 3_000_000.0

    /// The network that the library carries.
    public static func embedded(path: ConvolutionPath = .vector) throws -> FaceDetector {
        var size = 0
        let start = garface_default_face_detector(&size)
        let memory = UnsafeRawBufferPointer(start: start, count: size)
        return try FaceDetector(file: SafetensorsFile(memory: memory, name: "the embedded face detector"), path: path)
    }

    /// Reads a file of kind "face-detector".
    public init(file: SafetensorsFile, path: ConvolutionPath = .vector) throws {
        let network = try NetworkFile(file, kind: "face-detector")
        guard network.layers.reduce(1, { $0 * $1.stride }) == Self.stride else {
            throw GarfaceError(.malformedFile, "\(file.name): the strides of a face detector must multiply to \(Self.stride)")
        }
        baseSize = Double(try network.integer("base_size", 16...512))
        threshold = max(0.01, min(0.99, try network.number("threshold", 0...1) ?? 0.5))
        features = try ConvolutionalNetwork(network, path: path)
        let channels = network.layers.last?.outputChannels ?? 0
        headWeights = try ConvolutionWeights(
            network.finite("heads.cell.0.weight", [6, channels, 1, 1]), kind: .pointwise, path: path)
        headBias = try network.finite("heads.cell.0.bias", [6])
    }

    /// The raw outputs [1,6,ceil(h/8),ceil(w/8)] for a picture [1,3,h,w] in [-1,1].
    public func cells(_ picture: Tensor<Float>) throws -> Tensor<Float> {
        guard picture.shape.count == 4, picture.shape[0] == 1, picture.shape[1] == 3 else {
            throw GarfaceError(.invalidArgument, "face detector: expected a picture [1, 3, h, w]")
        }
        let context = try features.context(height: picture.shape[2], width: picture.shape[3])
        context.forward(picture.pointer)
        let head = try headWeights.convolution(height: context.last.shape[2], width: context.last.shape[3])
        let cells = Tensor<Float>(head.outputShape)
        head.forward(context.last.pointer, cells.pointer)
        let area = cells.shape[2] * cells.shape[3]
        for c in 0..<6 { for i in 0..<area { cells.pointer[c * area + i] += headBias.pointer[c] } }
        return cells
    }

    /// The faces of a photo, largest first. Empty where there is none.
    public func detect(_ image: RGBImage, options: FaceDetectorOptions = .init()) throws -> [FaceBox] {
        let least = options.threshold.map { $0.isFinite ? max(0.01, min(0.999, $0)) : threshold } ?? threshold
        var candidates: [FaceBox] = []
        var levels: [RGBImage] = []
        for scale in pyramidScales(image, options) {
            let level = try reduced(image, scale, levels)
            levels.append(level)
            guard min(level.width, level.height) >= Self.stride else { break }
            candidates += try faces(in: level, of: image, threshold: least)
        }
        let kept = Self.merge(candidates, keepsNested: options.keepsNested).sorted { $0.size > $1.size }
        return Array(kept.prefix(max(0, options.maximumCount)))
    }

    /// The photo no larger than the search looks at it.
    public func reducedToSearch(_ image: RGBImage) throws -> RGBImage {
        let scale = (Self.maximumLevelPixels / (Double(image.width) * Double(image.height))).squareRoot()
        return scale < 1 ? try reduced(image, scale, []) : image
    }

    /// Scales of the pyramid, largest first: photo pixels times scale are level pixels.
    private func pyramidScales(_ image: RGBImage, _ options: FaceDetectorOptions) -> [Double] {
        let side = Double(min(image.width, image.height)), pixels = Double(image.width) * Double(image.height)
        func part(_ value: Double, _ fallback: Double) -> Double { value.isFinite && value > 0 ? min(8, value) : fallback }
        let smallest = max(baseSize / 3, part(options.minimumSize, 0.06) * side)
        let largest = max(smallest, part(options.maximumSize, 1.7) * side)
        // The smallest frame lies at the lower end of the range that the network sees at this scale.
        var scale = min(baseSize / (smallest * 1.15), (Self.maximumLevelPixels / pixels).squareRoot())
        var scales: [Double] = []
        while scales.count < 40 {
            scales.append(scale)
            if baseSize / scale * 1.19 >= largest { break }
            scale /= 2.0.squareRoot()
        }
        return scales
    }

    /// The photo at `scale`; from the level two steps up (an exact factor of 2) where there is one.
    private func reduced(_ image: RGBImage, _ scale: Double, _ levels: [RGBImage]) throws -> RGBImage {
        if levels.count >= 2 {
            let above = levels[levels.count - 2]
            return try resized(above, width: max(1, above.width / 2), height: max(1, above.height / 2))
        }
        func length(_ n: Int) -> Int { max(1, min(8192, Int((Double(n) * scale).rounded()))) }
        return try resized(image, width: length(image.width), height: length(image.height))
    }

    /// One level's cells above the threshold, as boxes in the photo.
    private func faces(in level: RGBImage, of image: RGBImage, threshold: Double) throws -> [FaceBox] {
        let picture = Tensor<Float>([1, 3, level.height, level.width])
        level.pixels.withUnsafeBufferPointer { planarKernel($0, level.width * level.height, picture.pointer) }
        let cells = try cells(picture)
        let rows = cells.shape[2], columns = cells.shape[3], area = rows * columns
        let scaleX = Double(image.width) / Double(level.width), scaleY = Double(image.height) / Double(level.height)
        let least = Float(log(threshold / (1 - threshold)))
        var found: [FaceBox] = []
        for i in 0..<rows {
            for j in 0..<columns {
                let cell = cells.pointer + i * columns + j
                guard cell[0] > least else { continue }
                func value(_ k: Int) -> Double { Double(cell[k * area]) }
                let logSize = value(3)
                // Sizes far outside the trained range are another level's business.
                guard abs(logSize) < 0.75, abs(value(1)) < 16, abs(value(2)) < 16 else { continue }
                let step = Double(Self.stride), half = (step - 1) / 2
                let x = step * (Double(j) + value(1)) + half, y = step * (Double(i) + value(2)) + half
                let box = FaceBox(
                    centreX: (x + 0.5) * scaleX - 0.5, centreY: (y + 0.5) * scaleY - 0.5,
                    size: baseSize * exp(logSize) * (scaleX * scaleY).squareRoot(), roll: atan2(value(4), value(5)),
                    score: 1 / (1 + exp(-value(0))))
                if box.similarity.isUsable && box.score.isFinite { found.append(box) }
            }
        }
        return found
    }

    /// Logarithm of the ratio of two sizes from which on they are not of one face.
    private static let nested = log(3.0)

    /// Boxes of the same face become one: the best, moved to the weighted mean of those that agree with it. Two heads
    /// are never closer than about half a frame.
    static func merge(_ candidates: [FaceBox], keepsNested: Bool = false) -> [FaceBox] {
        let ordered = candidates.sorted { $0.score > $1.score }.prefix(4096)
        var used = [Bool](repeating: false, count: ordered.count)
        var kept: [FaceBox] = []
        for (i, best) in ordered.enumerated() where !used[i] {
            var x = 0.0, y = 0.0, logSize = 0.0, s = 0.0, c = 0.0, total = 0.0
            for (k, other) in ordered.enumerated() where !used[k] && k >= i {
                let distance = hypot(other.centreX - best.centreX, other.centreY - best.centreY)
                guard distance < 0.45 * max(best.size, other.size) else { continue }
                if keepsNested && abs(log(other.size / best.size)) > Self.nested { continue }
                used[k] = true
                guard distance < 0.25 * best.size, abs(log(other.size / best.size)) < 0.35 else { continue }
                let weight = other.score * other.score
                total += weight
                x += weight * other.centreX
                y += weight * other.centreY
                logSize += weight * log(other.size)
                s += weight * sin(other.roll)
                c += weight * cos(other.roll)
            }
            kept.append(
                FaceBox(centreX: x / total, centreY: y / total, size: exp(logSize / total), roll: atan2(s, c), score: best.score))
        }
        return kept
    }
}

/// 8-bit RGB pixels to planes in [-1,1].
@_specialize(where T == Float)
@_specialize(where T == Double)
func planarKernel<T: Scalar>(_ pixels: UnsafeBufferPointer<UInt8>, _ count: Int, _ planes: UnsafeMutablePointer<T>) {
    for i in 0..<count {
        planes[i] = T(Float(pixels[3 &* i]) / 127.5 - 1)
        planes[count &+ i] = T(Float(pixels[3 &* i &+ 1]) / 127.5 - 1)
        planes[2 &* count &+ i] = T(Float(pixels[3 &* i &+ 2]) / 127.5 - 1)
    }
}
