import FaceModel
import Inversion
import Numerics

extension SavedParameters {
    /// The face again as a result: its meshes, landmarks and, where it has a look, its render.
    ///
    /// - Parameter photo: the one it was reconstructed from; nil makes a grey one with the render in its place.
    public func result(_ models: ReconstructionModels, photo: RGBImage?) throws -> (result: ReconstructionResult, photo: RGBImage) {
        try parameters.check(models, name: name)
        let frame = models.fit.frame
        guard abs(alignedFrame.half - frame.half) < 1e-3, abs(alignedFrame.centreY - frame.centreY) < 1e-3 else {
            throw GarfaceError(
                .wrongModelKind,
                "\(name): was made in a frame of \(alignedFrame.half) mm about \(alignedFrame.centreY) mm; the renderer's is "
                    + "\(frame.half) about \(frame.centreY)")
        }
        if let photo, let size = photoSize, size != (photo.width, photo.height) {
            throw GarfaceError(
                .invalidArgument,
                "\(name): is of a photo of \(size.width) x \(size.height) pixels; the one given has \(photo.width) x \(photo.height)")
        }
        var planes: [Float] = []
        if let gar = models.gar, !parameters.wPlus.isEmpty {
            planes = try FaceRenderer(head: models.head, gar: gar).render(parameters)
        }
        let picture = try photo ?? standIn(planes)
        let result = try ReconstructionResult(
            parameters, models: models, photo: picture, picture: planes, renderer: renderer, start: .parameters, faceProbability: 1,
            isOfPhoto: photo != nil)
        guard result.posed.vertices.allSatisfy(\.isFinite), result.landmarks.allSatisfy(\.isFinite) else {
            throw GarfaceError(
                .numericalFailure, "\(name): its coefficients are so large that the head is not finite")
        }
        return (result, picture)
    }

    /// The largest stand-in, pixels a side.
    private static let largestStandIn = 4096

    private func standIn(_ planes: [Float]) throws -> RGBImage {
        let frame = parameters.frame
        let reach = 0.75 * frame.size
        let size = photoSize ?? (Int(max(1, frame.centreX + reach)), Int(max(1, frame.centreY + reach)))
        guard max(size.width, size.height) <= Self.largestStandIn else {
            throw GarfaceError(
                .tooLarge,
                "\(name): is of a photo of \(size.width) x \(size.height) pixels; give the photo (without it at most "
                    + "\(Self.largestStandIn) a side)")
        }
        var canvas = Canvas(image: try RGBImage(width: size.width, height: size.height, fill: 128))
        guard !planes.isEmpty else { return canvas.image }
        var side = 1
        while 3 * side * side < planes.count { side += 1 }
        let render = BicubicPicture(planes: planes, side: side)
        for y in 0..<size.height {
            for x in 0..<size.width {
                let p = frame.ndc(u: Double(x), v: Double(y))
                if max(abs(p.x), abs(p.y)) < 1 { canvas.blend(x, y, 255 * render.colour(inFrame: p), 1) }
            }
        }
        return canvas.image
    }
}
