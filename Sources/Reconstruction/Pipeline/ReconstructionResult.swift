import FaceModel
import Fitting
import Inversion
import Numerics

/// One reconstructed face.
public struct ReconstructionResult: Sendable {
    /// How the face was placed in the photo.
    public enum Start: String, Sendable {
        case detector, box, points5 = "points_5", points68 = "points_68"
        /// Not from a photo but from parameters: saved ones, or another result's.
        case parameters
    }

    /// What it was made with: textures and files with the expressions need the models again.
    public let models: ReconstructionModels
    public let photoWidth, photoHeight: Int
    public let renderer: ReconstructionRenderer
    public let start: Start
    /// What the detector found; nil where the user said where the face is.
    public let box: FaceBox?
    /// The inverse network's probability that the aligned crop shows a face.
    public let faceProbability: Double

    /// The aligned frame in the photo, and its size and centre in mm.
    public let frame: Similarity
    public let alignedFrame: AlignedFrame
    /// Where the head is inside the aligned frame.
    public let pose: HeadPose<Double>
    /// Identity (unit variance) and expression ([0,1]) coefficients.
    public let identity, expression: [Float]
    public let expressionNames: [String]
    /// Style rows [rows, latent] and noise maps of GAR, coarse to fine; empty where GAR took no part.
    public let wPlus: [Float]
    public let wRows: Int
    public let noise: [Float]

    /// Weak perspective in photo pixels; its rotation is the head's, frame included.
    public let camera: Camera<Double>
    /// The 68 points in photo pixels (68,2): where people mark them, and the head model's own, fixed to the surface.
    public let landmarks, staticLandmarks: [Double]
    /// The model's own 68 points (68,3), mm, model space, with the expression.
    public let landmarks3D: [Double]
    /// Identity and expression, in camera space (turned as in the photo); identity alone, in model space. Both mm.
    public let posed, neutral: Mesh
    /// Where the photo shows the irises; nil where nothing of the eyes can be one.
    let sight: LineOfSight?
    /// Where something covers the face in the photo; nil where nothing does.
    public let covering: FaceCovering?
    /// False where the photo is made up, around the render of saved parameters.
    let isOfPhoto: Bool

    /// What the renderer made of the parameters, in the aligned frame; nil where none took part.
    public let render: RGBImage?
    /// The photo in the same frame.
    public let crop: RGBImage
    public let history: [FitRecord]
    /// How every stage of the fit went.
    public let stages: [StageOutcome]
    /// Seconds of each step, in order.
    public let timing: [(step: String, seconds: Double)]

    /// Identity and expression in model space, mm.
    public var shaped: Mesh { posed.rotated(camera.rotationToModel.map { Float($0) }) }

    /// False where the last stage ended with a higher energy than it began with.
    public var converged: Bool { stages.last.map { !$0.hasDiverged } ?? true }

    /// The sentence to warn with; nil where there is nothing to warn of.
    public var warning: String? {
        let sentences = [unconverged, unseen, hidden].compactMap { $0 }
        return sentences.isEmpty ? nil : sentences.joined(separator: "; ")
    }

    private var unconverged: String? {
        guard !converged, let stage = stages.last else { return nil }
        func short(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
        return "the fit did not converge: stage \"\(stage.stage)\" began with an energy of \(short(stage.first)) and ended with "
            + "\(short(stage.last)); the face is not to be trusted"
    }

    /// A fit goes well on anything: where the user said where the face is, nobody else has looked whether it is one.
    private var unseen: String? {
        guard start != .parameters, faceProbability < Self.doubtful else { return nil }
        let (place, advice) =
            start == .box
            ? ("in the rectangle", "is it in pixels of this photo, and the face upright? One that lies on its side needs points")
            : ("at the points", "are they in pixels of this photo, in the documented order?")
        return "no face was recognised \(place) (probability \((faceProbability * 1000).rounded() / 1000)): \(advice)"
    }

    private static let doubtful = 0.5

    private var hidden: String? {
        let share = coveredShare
        guard share > Self.mostlyCovered else { return nil }
        return "\(Int((100 * share).rounded())) % of the face are covered by something: its shape and look are little more than a guess"
    }

    private static let mostlyCovered = 0.6

    /// Where the eyes look; nil where the photo does not tell: shut, hidden, behind glasses that mirror.
    public var gaze: Gaze? {
        guard let sight, sight.isSure, isOfPhoto else { return nil }
        return Gaze(sight.turn, radius: sight.radius)
    }

    /// The head's yaw, pitch and roll in the photo, degrees.
    public var anglesInDegrees: (yaw: Double, pitch: Double, roll: Double) {
        let angles = Rotation.decompose(camera.rotation)
        return (angles.yaw * 180 / .pi, angles.pitch * 180 / .pi, angles.roll * 180 / .pi)
    }

    /// Normals and depth of the posed head, on the photo's pixels (reduced by a whole number above 2048 a side) or a
    /// window of them.
    public func maps(_ window: PhotoWindow? = nil) throws -> SurfaceMaps { SurfaceMaps(try raster(window)) }

    /// The model-space point [h,w,3], mm, that each of those pixels shows; NaN beside the head.
    public func positionMap() throws -> [Float] { try raster().positions(shaped.vertices) }

    /// The part of the head [h,w] that each of those pixels shows; -1 beside it.
    public func partMap() throws -> [Int16] { try raster().parts() }

    /// The pixels that `maps`, `positionMap` and `partMap` are made on.
    public var photoWindow: PhotoWindow { PhotoWindow(photoWidth: photoWidth, photoHeight: photoHeight) }

    func raster(_ window: PhotoWindow? = nil) throws -> HeadRaster {
        try HeadRaster(posed, scale: camera.scale, tx: camera.tx, ty: camera.ty, window: window ?? photoWindow)
    }
}
