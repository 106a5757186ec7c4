import FaceModel
import Fitting
import Inversion
import Numerics

/// How far a reconstruction goes, and by which renderer.
public enum ReconstructionRenderer: String, Sendable, CaseIterable {
    /// Refined through the generative adversarial renderer.
    case gar
    /// Refined through the classical baseline: vertex albedo under spherical-harmonics light.
    case sphericalHarmonics = "sh"
    /// Fitted to the 68 points alone.
    case landmarksOnly = "landmarks"
    /// What the inverse network says, nothing refined.
    case startOnly = "start"

    var fitRenderer: FitRenderer {
        switch self {
        case .gar: .gar
        case .sphericalHarmonics: .sphericalHarmonics
        case .landmarksOnly, .startOnly: .none
        }
    }
}

/// A rectangle around a face as people and detectors draw it: about ear to ear and brows to chin. Photo pixels.
public struct FaceRectangle: Sendable, Equatable {
    /// The least width and height.
    public static let leastSide = 4.0
    public var left, top, width, height: Double
    public init(left: Double, top: Double, width: Double, height: Double) {
        self.left = left
        self.top = top
        self.width = width
        self.height = height
    }
}

public struct ReconstructionOptions: Sendable {
    public var renderer = ReconstructionRenderer.gar
    /// Where the face is, if it is not to be searched: at most one of the five.
    public var rectangle: FaceRectangle?
    /// A face as the detector gave it.
    public var face: FaceBox?
    /// (u, v) of 5 points: eye centre at image left, eye centre at image right, nose tip, mouth corner at image left,
    /// mouth corner at image right.
    public var points5: [Double]?
    /// (u, v) of the 68 iBUG points as people mark them, the jaw line on the visible contour. Also fitted to.
    public var points68: [Double]?
    /// (u, v) of the 468 or 478 points of a face mesh (MediaPipe), from which the 68 are taken: see `MeshDetectorPoints`.
    public var meshPoints: [Double]?
    /// How sure each of the given 5 or 68 points is, 0 to 1: its expected error is `pointErrorMM` divided by this, and 0
    /// leaves it out. All 1 where nil.
    public var pointConfidences: [Double]?
    /// Whether the 68 points are where people mark them, or the head model's own, fixed to the skin.
    public var areAnnotated = true
    /// Expected error of given points, mm.
    public var pointErrorMM = 1.0
    /// How many faces at most, the most prominent first.
    public var maximumFaces = 1
    public var detector = FaceDetectorOptions()
    /// Whether a face smaller than those of the options above is looked for where there is no other; takes time in large photos.
    public var looksForTinyFaces = true
    /// Whether the photo is searched on its sides and upside down, too, where no face is found.
    public var looksForTurnedFaces = true
    /// A found face counts when the inverse network, too, gives it at least this probability.
    public var leastFaceProbability = 0.98
    /// Rounds of cropping and reading before the fit, and before the close-up network's reading.
    public var alignmentPasses = 2
    /// The stages of the fit; nil takes the renderer's standard schedule, one without stages makes it `startOnly`.
    public var schedule: FitSchedule?
    /// No step draws random numbers at present; a step that comes to do so will take them from this seed.
    public var seed: UInt64 = 0
    /// Threads for BLAS and convolutions; nil leaves the setting alone.
    public var threads: Int?

    public init() {}

    /// Throws for what no photo could make sense of.
    func check(width: Int, height: Int) throws {
        func require(_ ok: Bool, _ message: @autoclosure () -> String) throws {
            if !ok { throw GarfaceError(.invalidArgument, "options: " + message()) }
        }
        try require(
            [rectangle != nil, face != nil, points5 != nil, points68 != nil, meshPoints != nil].count { $0 } <= 1,
            "give a face, a rectangle, 5 points, 68 points or those of a mesh, not several of them")
        if let r = rectangle {
            try require(
                [r.left, r.top, r.width, r.height].allSatisfy(\.isFinite) && min(r.width, r.height) >= FaceRectangle.leastSide,
                "the face rectangle must have finite sides of at least \(FaceRectangle.leastSide) pixels; its width is "
                    + "\(r.width), its height \(r.height)")
            try require(
                max(r.width, r.height) <= Self.largestFace * Double(max(width, height)),
                "the face rectangle is too large: \(r.width) x \(r.height) pixels in a picture of \(width) x \(height); at "
                    + "most \(Self.largestFace) times the picture's longer side is accepted")
            try require(
                r.left < Double(width) && r.top < Double(height) && r.left + r.width > 0 && r.top + r.height > 0,
                "the face rectangle lies outside the picture of \(width) x \(height) pixels")
        }
        if let face {
            try require(face.similarity.isUsable && face.size >= 4, "the face must have a finite place and at least 4 pixels")
            try require(
                face.centreX > -0.5 && face.centreY > -0.5 && face.centreX < Double(width) && face.centreY < Double(height),
                "the face's centre lies outside the picture of \(width) x \(height) pixels")
            try require(
                face.size <= Self.largestFace * Double(max(width, height)),
                "the face is too large: \(face.size) pixels in a picture of \(width) x \(height); at most \(Self.largestFace) "
                    + "times the picture's longer side is accepted")
        }
        if renderer != .startOnly { try schedule?.check(renderer.fitRenderer) }
        if let points = points5 { try Self.check(points, pointConfidences, count: 5, width, height) }
        if let points = points68 { try Self.check(points, pointConfidences, count: 68, width, height) }
        if let points = meshPoints { try Self.check(points, nil, count: points.count / 2, width, height) }
        try require(pointErrorMM.isFinite && pointErrorMM > 0, "the expected error of the points must be positive")
        try require((1...1000).contains(maximumFaces), "the largest number of faces must be 1 to 1000")
        try require((1...16).contains(alignmentPasses), "alignment passes must be 1 to 16")
        try require(leastFaceProbability >= 0 && leastFaceProbability <= 1, "the least face probability must be 0 to 1")
        if let threads { try require((1...256).contains(threads), "threads must be 1 to 256") }
    }

    /// How many times the picture's longer side a face may measure: beyond that too little of it is seen.
    private static let largestFace = 3.0

    /// Points may lie somewhat outside (a face cut by the border), not elsewhere. Those that are not seen are not looked at.
    private static func check(_ points: [Double], _ confidences: [Double]?, count: Int, _ width: Int, _ height: Int) throws {
        try PointAlignment.check(points, count: count)
        let seen = (0..<count).filter { i in confidences.map { $0.count != count || $0[i] > 0 } ?? true }
        let u = seen.map { points[2 * $0] }, v = seen.map { points[2 * $0 + 1] }
        let slack = 0.5 * max((u.max() ?? 0) - (u.min() ?? 0), (v.max() ?? 0) - (v.min() ?? 0))
        let outside = seen.indices.filter { i in
            u[i] < -0.5 || v[i] < -0.5 || u[i] > Double(width) - 0.5 || v[i] > Double(height) - 0.5
        }
        let far = outside.first { i in
            u[i] < -slack || v[i] < -slack || u[i] > Double(width) + slack || v[i] > Double(height) + slack
        }
        if let bad = far ?? (outside.count * 2 > seen.count ? outside.first : nil) {
            throw GarfaceError(
                .invalidArgument,
                "landmarks: point \(seen[bad]) at (\(u[bad]), \(v[bad])) lies outside the picture of \(width) x \(height) pixels")
        }
    }

    /// The same with the points of a mesh turned into the 68 that they stand for.
    func withLandmarksOfMesh(_ alignment: PointAlignment) throws -> ReconstructionOptions {
        guard let meshPoints else { return self }
        var options = self
        options.points68 = try alignment.landmarks(ofMesh: meshPoints)
        // Less the mesh's offset they are the model's own, which stay where they are on the skin when the head turns.
        options.areAnnotated = false
        options.pointConfidences = (0..<68).map { $0 < ContourLines.jawCount ? MeshDetectorPoints.jawConfidence : 1 }
        options.meshPoints = nil
        return options
    }
}
