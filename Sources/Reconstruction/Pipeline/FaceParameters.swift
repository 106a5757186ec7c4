import FaceModel
import Fitting
import Inversion
import Numerics
import Renderer

/// What a face is, how it looks and where it is in a photo: all that a result follows from.
public struct FaceParameters: Sendable, Equatable {
    public var identity, expression: [Float]
    /// Inside the aligned frame.
    public var pose: HeadPose<Double>
    /// The aligned frame in the photo.
    public var frame: Similarity
    /// [wRows, latent]; empty where GAR took no part.
    public var wPlus: [Float]
    public var wRows: Int
    /// All maps, coarse to fine; empty means none.
    public var noise: [Float]

    /// Throws unless they are of these models.
    func check(_ models: ReconstructionModels, name: String) throws {
        let head = models.head
        guard identity.count == head.identityCount, expression.count == head.expressionCount else {
            throw GarfaceError(
                .wrongModelKind,
                "\(name): has \(identity.count) identity and \(expression.count) expression coefficients; the head model has "
                    + "\(head.identityCount) and \(head.expressionCount)")
        }
        guard frame.isUsable, pose.array.allSatisfy(\.isFinite), abs(pose.logScale) < 5 else {
            throw GarfaceError(.malformedFile, "\(name): the face's place in the photo is of no use")
        }
        if wPlus.isEmpty && noise.isEmpty { return }
        guard let gar = models.gar, wRows == gar.styleCount, wPlus.count == wRows * gar.configuration.latentSize else {
            throw GarfaceError(.wrongModelKind, "\(name): its w+ is that of another renderer")
        }
        guard noise.isEmpty || noise.count == gar.noiseShapes.reduce(0, { $0 + $1 * $1 }) else {
            throw GarfaceError(.wrongModelKind, "\(name): its noise is that of another renderer")
        }
    }
}

extension ReconstructionResult {
    public var parameters: FaceParameters {
        FaceParameters(
            identity: identity, expression: expression, pose: pose, frame: frame, wPlus: wPlus, wRows: wRows, noise: noise)
    }

    /// Everything that follows from parameters.
    /// - Parameters:
    ///   - picture: what the renderer made of them, planes in -1 to 1; empty where none took part.
    ///   - covering: what covers the face; nil where nobody has looked.
    init(
        _ p: FaceParameters, models: ReconstructionModels, photo: RGBImage, picture: [Float],
        renderer: ReconstructionRenderer, start: Start, covering known: FaceCovering?? = nil, box: FaceBox? = nil,
        faceProbability: Double, isOfPhoto: Bool = true, history: [FitRecord] = [], stages: [StageOutcome] = [], timing: [(step: String, seconds: Double)] = []
    ) throws {
        let head = models.head, aligned = models.fit.frame, pose = p.pose, frame = p.frame
        guard pose.array.allSatisfy(\.isFinite), [p.identity, p.expression, p.wPlus, p.noise].allSatisfy({ $0.allSatisfy(\.isFinite) })
        else { throw GarfaceError(.numericalFailure, "the fit gave parameters that are not finite") }
        let camera = frame.camera(pose, aligned)
        let rotation = camera.rotation.map { Float($0) }
        let shaped = try Mesh(head, identity: p.identity, expression: p.expression)
        let neutral = try Mesh(head, identity: p.identity, expression: [Float](repeating: 0, count: head.expressionCount))
        func project(_ embedding: LandmarkEmbedding) -> (pixels: [Double], points: [Double]) {
            var points = [Float](repeating: 0, count: 3 * embedding.count)
            embedding.positions(shaped.vertices, into: &points)
            let exact = points.map { Double($0) }
            var pixels = [Double](repeating: 0, count: 2 * embedding.count)
            camera.project(exact, count: embedding.count, into: &pixels)
            return (pixels, exact)
        }
        let fixed = project(head.landmarks)
        let contour = project(models.fit.contour.embedding(shaped.vertices, rotation: rotation))
        let covering = isOfPhoto ? try known ?? FaceCovering(models.inverse, photo, frame: frame.upright(pose, aligned)) : nil
        let sight = LineOfSight(
            models.eyeballs, shape: shaped.vertices, triangles: head.triangles, camera: camera, photo: photo, covering: covering,
            renderer: renderer)
        let side = max(models.gar?.configuration.size ?? 128, 128)
        let crop = Tensor<Float>([3, side, side])
        warp(photo, frame, into: crop)
        self.init(
            models: models, photoWidth: photo.width, photoHeight: photo.height, renderer: renderer, start: start, box: box,
            faceProbability: faceProbability, frame: frame, alignedFrame: aligned, pose: pose, identity: p.identity,
            expression: p.expression, expressionNames: head.expressionNames, wPlus: p.wPlus, wRows: p.wRows, noise: p.noise,
            camera: camera, landmarks: contour.pixels, staticLandmarks: fixed.pixels, landmarks3D: fixed.points,
            posed: shaped.rotated(rotation), neutral: neutral, sight: sight, covering: covering, isOfPhoto: isOfPhoto,
            render: picture.isEmpty ? nil : try rgbImage(square: picture),
            crop: try rgbImage(planes: crop.array, width: side, height: side), history: history, stages: stages, timing: timing)
    }
}
