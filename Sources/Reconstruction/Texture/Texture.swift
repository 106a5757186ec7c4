import FaceModel
import Inversion
import Numerics

/// The head's surface as a picture: the photo where it shows the face, what it shows of the other side where it does not, then
/// GAR, and colour carried on from there where none sees anything (the back of the head, the inside of the mouth).
public struct Texture: Sendable {
    /// Texels a side.
    public static let side = 1024

    public let image: RGBImage
    /// [side, side], 0 to 1: how much of each texel is the photo; 0 beside the islands.
    public let photoShare: [Float]
    /// [V,3] sRGB, 0 to 1: the same at the vertices.
    public let vertexColours: [Float]
    /// [V], 0 to 1: how much of each vertex's colour is the photo.
    public let vertexPhotoShare: [Float]

    /// How much an edge of the mesh weighs against a known colour: carries colour on, hardly changes what is known.
    private static let stiffness: Float = 0.02

    /// - Parameter photo: the one that `result` was made from.
    public init(_ result: ReconstructionResult, photo: RGBImage) throws {
        let mesh = result.posed, shape = result.shaped, models = result.models
        let neighbours = VertexNeighbours(triangles: mesh.triangles, vertexCount: mesh.vertexCount)
        let seen = try Self.photoView(result, photo, neighbours)
        let rendered = try GARViews.views(result, mesh: shape, neighbours: neighbours)
        let layers = Layers(
            mesh: mesh, shape: shape.vertices, eyeballs: models.eyeballs, sight: result.sight,
            straightAhead: LineOfSight.straightAhead(models.eyeballs, shape: shape.vertices, result.renderer),
            mirror: models.mirrorImage, lids: Lids.of(models.head, isSkin: mesh.isSkin), neighbours: neighbours, photo: seen, rendered: rendered, stiffness: Self.stiffness)

        let map = TextureMap(layout: result.models.textureLayout, side: Self.side)
        var texels = [SIMD3<Float>](repeating: .zero, count: Self.side * Self.side)
        var covered = [Bool](repeating: false, count: texels.count)
        var share = [Float](repeating: 0, count: texels.count)
        map.forCovered { p, v, w in
            (texels[p], share[p]) = layers.colour(v, w)
            covered[p] = true
        }
        fillAround(&texels, covered: covered, side: Self.side)
        var image = try RGBImage(width: Self.side, height: Self.side)
        for p in texels.indices {
            for c in 0..<3 { image.pixels[3 * p + c] = UInt8(max(0, min(255, (255 * texels[p][c]).rounded()))) }
        }
        self.image = image
        photoShare = share
        var colours: [Float] = [], shares: [Float] = []
        for v in 0..<mesh.vertexCount {
            let (colour, share) = layers.colour(SIMD3(v, v, v), SIMD3(1, 0, 0))
            for c in 0..<3 { colours.append(max(0, min(1, colour[c]))) }
            shares.append(share)
        }
        vertexColours = colours
        vertexPhotoShare = shares
    }

    /// The photo around the head, half as fine again as it is, for it is sampled anew, but no finer than the texture.
    static func photoView(_ result: ReconstructionResult, _ photo: RGBImage, _ neighbours: VertexNeighbours) throws
        -> SurfaceView
    {
        let frame = Similarity(centreX: result.frame.centreX, centreY: result.frame.centreY, size: 1.3 * result.frame.size)
        let side = max(64, min(side, Int((1.5 * frame.size).rounded(.up))))
        let crop = Tensor<Float>([3, side, side]), inside = Tensor<Float>([side, side])
        warp(photo, frame, into: crop, mask: inside)
        result.covering?.exclude(from: inside, of: frame)
        let mesh = result.posed
        return SurfaceView(
            planes: crop.array, side: side, inside: inside.array, ndc: result.camera.ndc(result.shaped.vertices, in: frame),
            normals: mesh.normals, mesh: mesh, neighbours: neighbours)
    }
}

/// The layers of a texture at every vertex, and how they are laid over each other between them.
private struct Layers {
    private static let fading: Float = 0.01
    /// How much less lids count: their edges take their colour from lashes, what is folded behind them from the skin around.
    private static let lidsApart: Float = 0.9

    let photo: SurfaceView
    let rendered: [SurfaceView]
    /// What is below all others, [V].
    var base: [SIMD3<Float>]
    /// What is added to GAR's colours, and to those of the other side, so that they meet the photo's: carried on from where both
    /// are seen.
    var correction, mirroredCorrection: [SIMD3<Float>]
    /// [V] shares of the upper layers.
    var photoShare, renderedShare, mirroredShare: [Float]
    /// [V] where the photo shows each vertex's mirror image.
    private let mirroredPlaces: [SIMD2<Float>]
    /// Eyes where the photo does not show them.
    private var eyes: EyeAppearance?

    init(
        mesh: Mesh, shape: [Float], eyeballs: [Eyeball], sight: LineOfSight?, straightAhead: [SIMD3<Float>],
        mirror: MirrorImage?, lids: [Float], neighbours: VertexNeighbours, photo: SurfaceView,
        rendered: [SurfaceView], stiffness: Float
    ) {
        self.photo = photo
        self.rendered = rendered
        let count = mesh.vertexCount
        let own = mesh.partColours
        photoShare = photo.confidence
        renderedShare = (0..<count).map { v in own[v] == nil ? min(1, rendered.reduce(0) { $0 + $1.confidence[v] }) : 0 }
        var otherSide = [Float](repeating: 0, count: count)
        if let mirror {
            // Eyes do not look the mirrored way.
            let isEye = mesh.isEye
            otherSide = zip(mirror.values(photo.confidence), mirror.coverage(neighbours)).map { $0 * $1 }
            for v in 0..<count where isEye[v] { otherSide[v] = 0 }
        }
        let mirroredPlaces = mirror?.values(photo.places) ?? photo.places
        (self.mirroredPlaces, mirroredShare) = (mirroredPlaces, otherSide)
        base = .init(repeating: .zero, count: count)

        let seen = (0..<count).map { photo.colour(photo.places[$0]) }
        let shown = (0..<count).map { v in Self.blend(rendered, SIMD3(v, v, v), SIMD3(1, 0, 0)) }
        let mirrored = (0..<count).map { photo.colour(mirroredPlaces[$0]) }
        let trusted = (0..<count).map { own[$0] == nil ? photo.confidence[$0] : 0 }
        let meeting = { Self.meeting(seen, trusted, $0, $1, neighbours, stiffness: 10 * stiffness) }
        correction = meeting(shown, renderedShare)
        mirroredCorrection = meeting(mirrored, mirroredShare)
        // A renderer errs; of its colours only those count that the photo shows somewhere on this head.
        let palette = Palette(seen, weights: (0..<count).map { own[$0] == nil ? photoShare[$0] : 0 })
        for v in 0..<count where renderedShare[v] > 0 { renderedShare[v] *= palette.trust(shown[v] + correction[v]) }
        renderedShare = neighbours.mean(neighbours.least(renderedShare))
        var known = [SIMD3<Float>](repeating: .zero, count: count), confidence = [Float](repeating: 0, count: count)
        var sum = SIMD3<Float>(), weight: Float = 0
        for v in 0..<count where own[v] == nil {
            let p = photoShare[v], m = mirroredShare[v] * (1 - p), r = renderedShare[v] * (1 - p - m)
            guard p + m + r > 0 else { continue }
            known[v] = (p * seen[v] + m * (mirrored[v] + mirroredCorrection[v]) + r * (shown[v] + correction[v])) / (p + m + r)
            confidence[v] = (p + m + r) * (1 - Self.lidsApart * lids[v])
            sum += p * seen[v]
            weight += p
        }
        let skin = weight > 0 ? sum / weight : SIMD3(0.7, 0.55, 0.48)
        base = neighbours.spread(known, confidence: confidence, stiffness: stiffness, initial: skin)
        // Teeth and eyes are as bright as the light on the skin beside them.
        let brightness = max(0.35, min(1.1, (skin * SIMD3(0.3, 0.59, 0.11)).sum() / 0.62))
        for v in 0..<count {
            if let colour = own[v] { base[v] = colour * brightness }
        }
        eyes = EyeAppearance(
            eyeballs, shape: shape, sight: sight, straightAhead: straightAhead, view: photo,
            plain: .init(
                white: (PartColour.of("eye") ?? .zero) * brightness, iris: PartColour.iris * brightness,
                pupil: PartColour.pupil * brightness))
    }

    /// What to add to other colours of the surface: where they and the photo both show it they differ by light and by error; that
    /// difference, smoothed, goes with them, and away from there fades to its mean.
    private static func meeting(
        _ seen: [SIMD3<Float>], _ trusted: [Float], _ other: [SIMD3<Float>], _ share: [Float], _ neighbours: VertexNeighbours,
        stiffness: Float
    ) -> [SIMD3<Float>] {
        let both = zip(trusted, share).map { min($0, $1) }, total = both.reduce(0, +)
        guard total > 0 else { return .init(repeating: .zero, count: seen.count) }
        let mean = both.indices.reduce(SIMD3<Float>()) { $0 + both[$1] * (seen[$1] - other[$1]) } / total
        let differences = both.indices.map { v in (both[v] * (seen[v] - other[v]) + fading * mean) / (both[v] + fading) }
        return neighbours.spread(differences, confidence: both.map { $0 + fading }, stiffness: stiffness, initial: mean)
    }

    /// At a place inside a triangle: its vertices and their weights.
    func colour(_ v: SIMD3<Int>, _ w: SIMD3<Float>) -> (colour: SIMD3<Float>, photoShare: Float) {
        func mean(_ values: [SIMD3<Float>]) -> SIMD3<Float> { w[0] * values[v[0]] + w[1] * values[v[1]] + w[2] * values[v[2]] }
        func mean(_ values: [Float]) -> Float { w[0] * values[v[0]] + w[1] * values[v[1]] + w[2] * values[v[2]] }
        var colour = eyes?.colour(v, w) ?? mean(base)
        let share = max(0, min(1, mean(photoShare)))
        let shown = max(0, min(1, mean(renderedShare)))
        let mirrored = max(0, min(1, mean(mirroredShare)))
        if shown > 0 && share < 1 { colour += shown * (Self.blend(rendered, v, w) + mean(correction) - colour) }
        func seen(_ places: [SIMD2<Float>]) -> SIMD3<Float> {
            photo.colour(w[0] * places[v[0]] + w[1] * places[v[1]] + w[2] * places[v[2]])
        }
        if mirrored > 0 && share < 1 { colour += mirrored * (seen(mirroredPlaces) + mean(mirroredCorrection) - colour) }
        if share > 0 { colour += share * (seen(photo.places) - colour) }
        return (colour, share)
    }

    /// GAR's views, each by how well it shows the place.
    private static func blend(_ views: [SurfaceView], _ v: SIMD3<Int>, _ w: SIMD3<Float>) -> SIMD3<Float> {
        var sum = SIMD3<Float>(), total: Float = 0
        for view in views {
            let confidence = w[0] * view.confidence[v[0]] + w[1] * view.confidence[v[1]] + w[2] * view.confidence[v[2]]
            guard confidence > 0 else { continue }
            let place = w[0] * view.places[v[0]] + w[1] * view.places[v[1]] + w[2] * view.places[v[2]]
            sum += confidence * view.colour(place)
            total += confidence
        }
        return total > 0 ? sum / total : .zero
    }
}
