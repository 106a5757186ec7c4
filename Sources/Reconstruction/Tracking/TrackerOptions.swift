import Inversion
import Numerics

public struct TrackerOptions: Sendable {
    /// `landmarksOnly` fits every frame to the inverse network's points, `startOnly` takes its reading as it is, `gar` refines
    /// every frame through the renderer as well, which takes seconds.
    public var renderer = ReconstructionRenderer.landmarksOnly
    /// For frames that come without a time.
    public var framesPerSecond = 25.0
    /// How many frames later a frame is given out: what has been seen by then smooths it. 0: at once.
    public var lag = 3
    /// The first frames with the face, held back until the identity is settled from all of them together.
    public var identityFrames = 10
    /// Who it is, if that is known: nothing is held back then.
    public var identity: [Float]?
    /// How much is smoothed: the noise that is reckoned with, beside what was measured. 0: nothing, and no lag.
    public var smoothing = 1.0
    /// The face to follow, in the first frame; nil takes the largest.
    public var face: FaceBox?
    /// Whether frames that were given out are kept for the files.
    public var keepsFrames = true
    /// The face is lost where the inverse network gives it less than this probability.
    public var leastFaceProbability = 0.5
    /// ... or where its points lie further from the head, root mean square, millimetres.
    public var largestResidualMM = 8.0

    public static let mostLag = 250, mostIdentityFrames = 250
    public init() {}

    func check(_ models: ReconstructionModels) throws {
        func require(_ ok: Bool, _ message: @autoclosure () -> String) throws {
            if !ok { throw GarfaceError(.invalidArgument, "tracker: " + message()) }
        }
        try require(renderer != .sphericalHarmonics, "frames are refined through gar, or by landmarks alone; not by spherical harmonics")
        try require(renderer != .gar || models.gar != nil, "the renderer gar was asked for but no renderer weights are loaded")
        try require(
            framesPerSecond.isFinite && framesPerSecond >= 0.01 && framesPerSecond <= 10000,
            "frames per second is \(framesPerSecond), expected 0.01 to 10000")
        try require((0...Self.mostLag).contains(lag), "the lag is \(lag) frames, expected 0 to \(Self.mostLag)")
        try require(
            (1...Self.mostIdentityFrames).contains(identityFrames),
            "\(identityFrames) frames for the identity, expected 1 to \(Self.mostIdentityFrames)")
        try require(smoothing.isFinite && smoothing >= 0 && smoothing <= 100, "smoothing is \(smoothing), expected 0 to 100")
        if let identity {
            try require(
                identity.count == models.head.identityCount && identity.allSatisfy(\.isFinite),
                "the identity has \(identity.count) numbers, expected \(models.head.identityCount) finite ones")
        }
    }
}

/// The face in one frame, smoothed.
public struct TrackedFrame: Sendable {
    /// From 0.
    public var index: Int
    /// Seconds.
    public var time: Double
    /// Whether the face was there; where not, the numbers below are not.
    public var isFound = false
    /// What the inverse network thinks of the place that was looked at.
    public var faceProbability = 0.0
    /// Radians, as in `Rotation`; they run on past half a turn.
    public var yaw = Double.nan, pitch = Double.nan, roll = Double.nan
    /// The camera, as in `Camera`: pixels per millimetre, and where the model's origin is.
    public var scale = Double.nan, tx = Double.nan, ty = Double.nan
    public var expression: [Float] = []
    /// Where the eyes look; nil where the frame does not tell.
    public internal(set) var gaze: Gaze?
    /// Whether it was seen in this frame itself.
    var hasGaze = false
    /// The 68 points (68,2), pixels: where people mark them, and the head model's own, fixed to the surface.
    public var landmarks: [Double] = [], staticLandmarks: [Double] = []

    public init(index: Int, time: Double) { (self.index, self.time) = (index, time) }
}
