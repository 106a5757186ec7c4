import FaceModel
import Glibc
import Numerics

/// Places the aligned frame in a photo from points: the mean head is turned over a grid of yaw and pitch, fitted to
/// the points by least squares (scale, roll, shift), and the best fit's frame is taken.
public struct PointAlignment: Sendable {
    /// Mean head's 68 points, model mm: its own, and where people mark them.
    private let landmarks, annotated: [SIMD3<Double>]
    private let halfMM, centreYMM: Double
    /// The 5 points of the mean head.
    private let five: [SIMD3<Double>]
    private let plausible68, plausible5: PointPlausibility?
    /// The jaw line, which slides on a turned head, counts little.
    private static let weights68 = (0..<68).map { $0 < 17 ? 0.05 : 1.0 }

    public init<T: Scalar>(_ model: HeadModel<T>, halfMM: Double = 115, centreYMM: Double = 5) {
        func points(_ embedding: LandmarkEmbedding) -> [SIMD3<Double>] {
            var values = [T](repeating: 0, count: 3 * embedding.count)
            embedding.positions(model.mean.pointer, into: &values)
            let exact = values.map { Double($0) }
            return (0..<embedding.count).map { i in SIMD3<Double>(exact[3 * i], exact[3 * i + 1], exact[3 * i + 2]) }
        }
        landmarks = points(model.landmarks)
        let annotated = points(model.annotatedLandmarks)
        self.annotated = annotated
        func mean(_ range: Range<Int>) -> SIMD3<Double> {
            range.reduce(SIMD3<Double>()) { $0 + annotated[$1] } / Double(range.count)
        }
        if annotated.count == 68 {
            five = [mean(36..<42), mean(42..<48), annotated[30], annotated[48], annotated[54]]
            plausible68 = PointPlausibility(annotated, weights: Self.weights68, order: Self.order68)
            plausible5 = PointPlausibility(five, weights: [1, 1, 1, 1, 1], order: Self.order5)
        } else {
            (five, plausible68, plausible5) = ([], nil, nil)
        }
        self.halfMM = halfMM
        self.centreYMM = centreYMM
    }

    public struct Result: Sendable {
        public let similarity: Similarity
        /// Radians, from a grid: a rough start.
        public let yaw, pitch: Double
        /// Root mean square distance of the points, mm.
        public let residual: Double
    }

    private static let order68 =
        "0-16 jaw from the subject's right ear to the left, 17-21 right brow, 22-26 left brow, 27-30 nose bridge, 31-35 nose "
        + "base, 36-41 right eye, 42-47 left eye, 48-59 outer lip, 60-67 inner lip (\(sides))"
    private static let order5 =
        "right eye centre, left eye centre, nose tip, right mouth corner, left mouth corner (\(sides)); dlib's 5 "
        + "are others and have to be named (dlib-5)"
    private static let sides = "the subject's right, which is left in the picture; u to the right, v downwards"

    /// 68 points (u, v) in photo pixels, iBUG order; how much each counts, 0 to 1 (all fully for nil); whether they are where people
    /// mark them, or the model's own.
    public func align(points68 points: [Double], confidences: [Double]? = nil, areAnnotated: Bool = true) throws -> Result {
        try Self.check(points, count: 68)
        return try fit(
            points, areAnnotated ? annotated : landmarks, try Self.weighted(Self.weights68, confidences), checkedBy: plausible68, order: Self.order68,
            confidences != nil)
    }

    /// 5 points (u, v) in photo pixels: eye centre at image left (the subject's right eye), eye centre at image right,
    /// nose tip, mouth corner at image left, mouth corner at image right; how much each counts, 0 to 1.
    public func align(points5 points: [Double], confidences: [Double]? = nil) throws -> Result {
        try Self.check(points, count: 5)
        guard !five.isEmpty else { throw GarfaceError(.wrongModelKind, "5 points need a head model with 68 landmarks") }
        return try fit(
            points, five, try Self.weighted([1, 1, 1, 1, 1], confidences), checkedBy: plausible5, order: Self.order5,
            confidences != nil)
    }

    /// The model's own 68 landmarks (u, v) of a face that a mesh detector gave 468 or 478 points of: those that stand for
    /// landmarks, less the detector's offset as it appears in the head's pose.
    public func landmarks(ofMesh points: [Double]) throws -> [Double] {
        try Self.check(points, count: points.count / 2)
        guard MeshDetectorPoints.counts.contains(points.count / 2), landmarks.count == 68 else {
            throw GarfaceError(
                .invalidArgument, "landmarks: \(points.count / 2) points, expected the 468 or 478 of a face mesh")
        }
        var chosen = MeshDetectorPoints.chosen(points)
        try plausible68?.check(chosen)
        let offsets = MeshDetectorPoints.offsets.map { SIMD3($0.x, $0.y, 0) }
        let model = zip(landmarks, offsets).map { $0 + $1 }
        let rough = try fit(chosen, model, Self.weights68, yaws: Self.yaws, pitches: Self.pitches)
        let degree = Double.pi / 180
        let pose = try fit(
            chosen, model, Self.weights68, yaws: stride(from: -8.0, through: 8, by: 2).map { rough.yaw + $0 * degree },
            pitches: stride(from: -8.0, through: 8, by: 2).map { rough.pitch + $0 * degree })
        let r = Rotation.matrix(yaw: pose.yaw, pitch: pose.pitch, roll: pose.similarity.roll)
        let scale = pose.similarity.size / (2 * halfMM)
        for (i, offset) in offsets.enumerated() {
            chosen[2 * i] -= scale * (r[0] * offset.x + r[1] * offset.y)
            chosen[2 * i + 1] += scale * (r[3] * offset.x + r[4] * offset.y)
        }
        return chosen
    }

    /// Points that must count for something, for the pose to be known.
    static let leastSeen = [5: 3, 68: 5]

    private static func weighted(_ weights: [Double], _ confidences: [Double]?) throws -> [Double] {
        guard let confidences else { return weights }
        guard confidences.count == weights.count else {
            throw GarfaceError(
                .invalidArgument, "landmarks: \(weights.count) points need as many confidences, found \(confidences.count)")
        }
        if let bad = confidences.firstIndex(where: { !($0 >= 0 && $0 <= 1) }) {
            throw GarfaceError(.invalidArgument, "landmarks: the confidence of point \(bad) is \(confidences[bad]), expected 0 to 1")
        }
        let least = leastSeen[weights.count] ?? weights.count
        guard confidences.count(where: { $0 > 0 }) >= least else {
            throw GarfaceError(
                .invalidArgument, "landmarks: \(confidences.count { $0 > 0 }) of \(weights.count) points have a confidence above 0, "
                    + "at least \(least) are needed")
        }
        return zip(weights, confidences).map { $0 * $1 }
    }

    /// Throws unless `points` are `count` pairs that lie in sensible places.
    public static func check(_ points: [Double], count: Int) throws {
        guard points.count == 2 * count else {
            throw GarfaceError(
                .invalidArgument, "landmarks: expected \(count) points (\(2 * count) numbers), found \(points.count) numbers")
        }
        if let bad = points.firstIndex(where: { !$0.isFinite || abs($0) > 1e6 }) {
            throw GarfaceError(
                .invalidArgument,
                "landmarks: point \(bad / 2) is (\(points[bad & ~1]), \(points[bad | 1])), not a place in a picture")
        }
    }

    /// Poses that are tried: every ten degrees.
    private static let yaws = (-8...8).map { Double($0) * .pi / 18 }
    private static let pitches = (-4...4).map { Double($0) * .pi / 18 }

    /// Fits after making sure that the points can be a face. Points of unlike weight need a check of their own.
    private func fit(
        _ points: [Double], _ model: [SIMD3<Double>], _ weights: [Double], checkedBy plausible: PointPlausibility?,
        order: String, _ unlike: Bool
    ) throws -> Result {
        guard model.count == weights.count else {
            throw GarfaceError(.wrongModelKind, "the head model has \(model.count) landmarks, not 68")
        }
        try (unlike ? PointPlausibility(model, weights: weights, order: order) : plausible)?.check(points)
        return try fit(points, model, weights, yaws: Self.yaws, pitches: Self.pitches)
    }

    private func fit(
        _ points: [Double], _ model: [SIMD3<Double>], _ weights: [Double], yaws: [Double], pitches: [Double]
    ) throws -> Result {
        var best: Result?
        var bestCost = Double.infinity
        for yaw in yaws {
            for pitch in pitches {
                let r = Rotation.matrix(yaw: yaw, pitch: pitch, roll: 0.0)
                let right = SIMD3<Double>(r[0], r[1], r[2]), up = SIMD3<Double>(r[3], r[4], r[5])
                let flat = model.map { SIMD2<Double>((right * $0).sum(), (up * $0).sum()) }
                guard let (a, b, origin, residual) = Self.leastSquares(flat, points, weights) else { continue }
                // In mm, with a mild preference for looking straight: few points leave pitch open.
                let cost = residual * residual + 4 * yaw * yaw + 16 * pitch * pitch
                guard cost < bestCost else { continue }
                bestCost = cost
                // u = a x - b y + ou ; v = -(b x + a y) + ov with (a, b) = scale (cos, sin)
                let scale = hypot(a, b)
                let similarity = Similarity(
                    centreX: origin.x - b * centreYMM, centreY: origin.y - a * centreYMM, size: 2 * halfMM * scale,
                    roll: atan2(b, a))
                best = Result(similarity: similarity, yaw: yaw, pitch: pitch, residual: residual)
            }
        }
        guard let best, best.similarity.isUsable else {
            throw GarfaceError(.invalidArgument, "landmarks: the points do not span a face (they coincide or nearly so)")
        }
        return best
    }

    /// Weighted least squares of `u = a x - b y + ou`, `v = -(b x + a y) + ov`; the residual is in model units.
    private static func leastSquares(
        _ model: [SIMD2<Double>], _ points: [Double], _ weights: [Double]
    ) -> (a: Double, b: Double, origin: SIMD2<Double>, residual: Double)? {
        let total = weights.reduce(0, +)
        var mean = SIMD2<Double>(), centre = SIMD2<Double>()
        func target(_ i: Int) -> SIMD2<Double> { SIMD2(points[2 * i], -points[2 * i + 1]) }
        for i in model.indices {
            mean += weights[i] * model[i] / total
            centre += weights[i] * target(i) / total
        }
        var square = 0.0, dot = 0.0, cross = 0.0, spread = 0.0
        for i in model.indices {
            let p = model[i] - mean, q = target(i) - centre
            square += weights[i] * (p * p).sum()
            dot += weights[i] * (p * q).sum()
            cross += weights[i] * (p.x * q.y - p.y * q.x)
            spread += weights[i] * (q * q).sum()
        }
        guard square > 1e-9 else { return nil }
        let a = dot / square, b = cross / square, scale2 = a * a + b * b
        guard scale2 > 1e-12, scale2.isFinite else { return nil }
        let origin = SIMD2(centre.x - (a * mean.x - b * mean.y), -(centre.y - (b * mean.x + a * mean.y)))
        let residual = max(0, (spread - scale2 * square) / (scale2 * total)).squareRoot()
        return (a, b, origin, residual)
    }
}

/// Crops, asks the inverse network, moves the frame by its pose head and asks again.
public final class Aligner<T: Scalar> {
    public let network: InverseNetwork<T>
    public let halfMM, centreYMM: Double
    private let context: ConvolutionalContext<T>
    private let crop: Tensor<T>
    private var closeUpMemory: (context: ConvolutionalContext<T>, crop: Tensor<T>)?

    public init(_ network: InverseNetwork<T>, halfMM: Double = 115, centreYMM: Double = 5) throws {
        self.network = network
        self.halfMM = halfMM
        self.centreYMM = centreYMM
        context = try network.context()
        crop = Tensor([1, 3, network.inputSize, network.inputSize])
        if let closeUp = network.closeUp {
            closeUpMemory = (try closeUp.context(), Tensor([1, 3, closeUp.inputSize, closeUp.inputSize]))
        }
    }

    /// The network's reading of one frame.
    public func estimate(_ image: RGBImage, _ frame: Similarity) throws -> InverseEstimate {
        warp(image, frame, into: crop)
        return try network.run(crop, context: context)
    }

    /// `passes` rounds of reading and moving. The estimate returned was read in the returned frame.
    public func align(
        _ image: RGBImage, from start: Similarity, passes: Int = 2
    ) throws -> (frame: Similarity, estimate: InverseEstimate) {
        var frame = start
        var estimate = try estimate(image, frame)
        for _ in 1..<max(1, min(16, passes)) {
            guard let moved = moved(frame, estimate, in: image) else { break }
            frame = moved
            estimate = try self.estimate(image, frame)
        }
        return (frame, estimate)
    }

    /// The mean of an estimate and of what the close-up network reads in its frame, or, with `moving`, in the frame that the estimate
    /// puts the head in; the estimate as it is where there is no such network.
    ///
    /// The two networks err differently: their mean is nearer to the truth than either.
    public func closeUp(
        _ image: RGBImage, _ frame: Similarity, _ estimate: InverseEstimate, moving: Bool
    ) throws -> (frame: Similarity, estimate: InverseEstimate) {
        guard let network = network.closeUp, let (context, crop) = closeUpMemory else { return (frame, estimate) }
        let place = moving ? moved(frame, estimate, in: image) ?? frame : frame
        warp(image, network.field.of(place), into: crop)
        let again = try network.run(crop, after: estimate, context: context)
        return (place, again.averaged(in: place, with: estimate, in: frame))
    }

    /// The frame of the head that an estimate sees in another; nil for one that shows next to nothing of the photo: the network was misled.
    private func moved(_ frame: Similarity, _ estimate: InverseEstimate, in image: RGBImage) -> Similarity? {
        let moved = frame.composed(
            roll: estimate.roll, logScale: estimate.logScale, tx: estimate.tx, ty: estimate.ty, halfMM: halfMM, centreYMM: centreYMM)
        return moved.isUsable && moved.size <= 4 * Double(max(image.width, image.height)) ? moved : nil
    }
}
