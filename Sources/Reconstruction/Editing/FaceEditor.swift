import FaceModel
import Inversion
import Numerics
import Renderer

/// A face that was edited: a result of its own, in a photo of its own.
public struct EditedFace: Sendable {
    public let result: ReconstructionResult
    public let photo: RGBImage
    /// Whether the look is the one that the photo shows, so that a texture of the photo still holds.
    public let keepsLook: Bool
}

/// What a photo says of a face as it is: the same for all edits of it, so that it can be made once and shared.
public struct EditSource: Sendable {
    let head: PhotographedHead

    /// - Parameter photo: the one that `result` was made from.
    public init(_ result: ReconstructionResult, photo: RGBImage) throws {
        guard let gar = result.models.gar else { throw FaceEditor.noRenderer }
        let renderer = try FaceRenderer(head: result.models.head, gar: gar)
        // A face without a look of its own is compared with the mean look.
        var face = result.parameters
        if face.wPlus.isEmpty { face.wPlus = gar.wPlus(gar.meanW).array }
        head = try PhotographedHead(result, photo: photo, planes: renderer.render(face), side: renderer.side)
    }
}

/// Changes a reconstructed face and renders it again, alone and inside its photo. One thread at a time.
public final class FaceEditor {
    public let original: ReconstructionResult
    private let photo: RGBImage
    private let renderer: FaceRenderer
    private let gar: GAR<Float>
    private let source: () throws -> EditSource
    private let madeSource = MadeOnce<EditSource>()

    static let noRenderer = GarfaceError(.invalidArgument, "edit: faces are rendered by GAR, and no renderer weights are loaded")

    /// - Parameter source: gives what was made of this result and photo before; nil makes it when it is first needed.
    public init(_ result: ReconstructionResult, photo: RGBImage, source: (() throws -> EditSource)? = nil) throws {
        guard let gar = result.models.gar else { throw Self.noRenderer }
        guard photo.width == result.photoWidth, photo.height == result.photoHeight else {
            throw GarfaceError(
                .invalidArgument,
                "edit: the picture has \(photo.width) x \(photo.height) pixels, the photo of the face had "
                    + "\(result.photoWidth) x \(result.photoHeight); give the photo it was reconstructed from")
        }
        try result.parameters.check(result.models, name: "edit")
        original = result
        self.photo = photo
        let made = madeSource
        self.source = source ?? { try made.value { try EditSource(result, photo: photo) } }
        self.gar = gar
        renderer = try FaceRenderer(head: result.models.head, gar: gar)
    }

    /// The edited face in the aligned frame.
    public func render(_ edit: FaceEdit) throws -> RGBImage { try rgbImage(square: planes(edited(edit))) }

    /// The edited face in the photo.
    public func apply(_ edit: FaceEdit) throws -> EditedFace {
        let face = try edited(edit)
        let planes = try planes(face), change = lookChange(face), own = original.pose
        var rolledBack = face
        rolledBack.pose.roll = own.roll
        let upright = face.pose.roll == own.roll ? planes : try self.planes(rolledBack)
        // Everything is made of the new parameters, then the photo of everything.
        func result(in picture: RGBImage) throws -> ReconstructionResult {
            try ReconstructionResult(
                face, models: original.models, photo: picture, picture: planes, renderer: .gar, start: .parameters,
                faceProbability: original.faceProbability)
        }
        let place = try result(in: photo)
        let picture = try FaceCompositor(source: source().head, frame: face.frame, aligned: original.alignedFrame).composite(
            photo,
            .init(
                mesh: place.posed, camera: place.camera, render: BicubicPicture(planes: upright, side: renderer.side),
                upright: own.roll - face.pose.roll, lookChange: change, detail: edit.detail))
        return EditedFace(result: try result(in: picture), photo: picture, keepsLook: change == 0)
    }

    /// How far a head may be turned from the photo's pose before more is made up than the photo shows, degrees.
    public static let reach = 25.0

    /// The sentence to warn with; nil where there is nothing to warn of.
    public func warning(of edit: FaceEdit) throws -> String? {
        let pose = try edit.applied(to: original.parameters, models: original.models).pose, own = original.pose
        let yaw = wrapAngle(pose.yaw - own.yaw) * 180 / .pi, pitch = wrapAngle(pose.pitch - own.pitch) * 180 / .pi
        guard max(abs(yaw), abs(pitch)) > Self.reach + 0.5 else { return nil }
        let (name, angle) = abs(yaw) >= abs(pitch) ? ("yaw", yaw) : ("pitch", pitch)
        return "the head is turned by \(Int(abs(angle).rounded())) degrees in \(name) from its pose in the photo; edits hold to about "
            + "\(Int(Self.reach)), beyond that the picture is not to be trusted"
    }

    /// The same of the first and the last edit of a sweep.
    public func warning(of sweep: EditSweep, of base: FaceEdit) throws -> String? {
        try warning(of: sweep.edit(0, of: base)) ?? warning(of: sweep.edit(sweep.count - 1, of: base))
    }

    private func edited(_ edit: FaceEdit) throws -> FaceParameters {
        let face = try edit.applied(to: original.parameters, models: original.models)
        guard !face.wPlus.isEmpty else {
            throw GarfaceError(
                .invalidArgument, "edit: the face was fitted without GAR and has no look (w+); give it one, such as a random one")
        }
        return face
    }

    private func planes(_ face: FaceParameters) throws -> [Float] {
        do { return try renderer.render(face) } catch let error as GarfaceError where error.kind == .numericalFailure {
            throw GarfaceError(.numericalFailure, "edit: \(error.message)")
        }
    }

    /// How far the look is from the one that was fitted to the photo: 1 as far as the mean look or farther.
    private func lookChange(_ face: FaceParameters) -> Float {
        let own = original.wPlus
        guard own.count == face.wPlus.count else { return 1 }
        let latent = gar.configuration.latentSize
        var moved: Float = 0, whole: Float = 0
        for i in own.indices {
            moved += (face.wPlus[i] - own[i]) * (face.wPlus[i] - own[i])
            whole += (own[i] - gar.meanW.pointer[i % latent]) * (own[i] - gar.meanW.pointer[i % latent])
        }
        return moved == 0 ? 0 : whole > moved ? (moved / whole).squareRoot() : 1
    }
}
