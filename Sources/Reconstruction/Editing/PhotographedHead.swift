import FaceModel
import Glibc
import Inversion
import Numerics
import Rasterizer

/// What a photo and GAR's picture of it say about every vertex of a head: the side of an edit that does not change.
struct PhotographedHead {
    let photo: BicubicPicture
    /// GAR's picture of the face as it is.
    let render: BicubicPicture
    let mesh: Mesh
    private let camera: Camera<Double>
    /// [V] photo pixels.
    let places: [SIMD2<Float>]
    /// What the vertex is, its displacement left out: see `Attribute`.
    private let attributes: [Float]
    /// The skin's colours in this photo.
    let palette: Palette
    /// What covers the face there, and stays before an edited one.
    let covering: FaceCovering?

    /// What is interpolated between vertices, in this order.
    enum Attribute {
        static let shift = 0  // 2: photo pixels, from the edited place to the photographed one
        static let confidence = 2  // how far the photo shows it
        static let correction = 3  // 3: what to add to GAR's colours, carried on smoothly from where both are seen
        static let face = 6  // 1 on the face, 0 on the rest of the head and where hair hides it
        static let still = 7  // 1 where nothing moves but in the picture: whatever can be seen the photo shows
        static let base = 8  // 3: the photo's colours, carried on
        static let foreign = 11  // 1 on teeth, in the mouth and on eyes that the photo does not show
        static let eye = 12  // 1 on the other eyes
        static let lid = 13  // 1 around the eyes: GAR's hardly close
        static let count = 14
    }

    /// Millimetres from the nose tip within which a vertex belongs to the face, and where it no longer does.
    private static let faceRadius: Float = 85, fadedRadius: Float = 115
    /// The same for where other colours than the skin's may be hair: eyes and brows are nearer.
    private static let skinRadius: Float = 62, hairRadius: Float = 74
    /// How far an edge of the mesh counts against a known value.
    private static let correctionStiffness: Float = 3, baseStiffness: Float = 0.02

    /// - Parameter planes: GAR's picture of `result`.
    init(_ result: ReconstructionResult, photo image: RGBImage, planes: [Float], side: Int) throws {
        try result.posed.check()
        let render = BicubicPicture(planes: planes, side: side), mesh = result.posed, count = mesh.vertexCount
        let neighbours = VertexNeighbours(triangles: mesh.triangles, vertexCount: count)
        let view = try Texture.photoView(result, image, neighbours)
        let places = Self.places(mesh, result.camera)
        let skin = mesh.isSkin
        let known = (0..<count).map { skin[$0] ? view.confidence[$0] : 0 }
        // Eyes and teeth are meshed so finely that some of their vertices seem hidden among seen ones.
        let closed = neighbours.mean(neighbours.least(neighbours.greatest(view.confidence)))
        let confidence = (0..<count).map { skin[$0] ? view.confidence[$0] : closed[$0] }
        let knownEye = Self.knownEyes(mesh, confidence)
        let colours = (0..<count).map { view.colour(view.places[$0]) }

        var differences = [SIMD3<Float>](repeating: .zero, count: count)
        for v in 0..<count where known[v] > 0 {
            differences[v] = colours[v] - render.colour(inFrame: result.frame.ndc(u: Double(places[v].x), v: Double(places[v].y)))
        }
        let total = known.reduce(0, +)
        func mean(_ values: [SIMD3<Float>]) -> SIMD3<Float> {
            total > 0 ? (0..<count).reduce(SIMD3<Float>()) { $0 + known[$1] * values[$1] } / total : .zero
        }
        let corrections = neighbours.spread(
            differences, confidence: known, stiffness: Self.correctionStiffness, initial: mean(differences))
        // A vertex beside one that is seen counts, for the surface between them is.
        seen = neighbours.mean(view.isSeen.map { $0 ? 1 : 0 }).map { $0 > 0 ? 1 : 0 }
        let palette = Palette(colours, weights: Self.middle(result.models.head, known, radius: Self.skinRadius))
        var bare = (0..<count).map { known[$0] > 0 ? 1 - known[$0] * (1 - palette.trust(colours[$0])) : 1 }
        for _ in 0..<4 { bare = neighbours.mean(bare) }

        let head = result.models.head
        let nose = Self.noseDistance(head), lids = Lids.of(head, isSkin: skin)
        // Lashes and the shadow of the brow are not what a closed lid shows.
        let inner = neighbours.least(confidence)
        let plain = (0..<count).map { v in
            skin[v] ? known[v] * (1 - lids[v]) * palette.trust(colours[v]) : knownEye[v] > 0 ? inner[v] : 0
        }
        let bases = neighbours.spread(colours, confidence: plain, stiffness: Self.baseStiffness, initial: mean(colours))
        var attributes = [Float](repeating: 0, count: Attribute.count * count)
        for v in 0..<count {
            let at = Attribute.count * v
            for c in 0..<3 {
                attributes[at + Attribute.base + c] = bases[v][c]
                // Teeth and eyes are not lit as the skin is.
                attributes[at + Attribute.correction + c] = skin[v] ? corrections[v][c] : 0
            }
            attributes[at + Attribute.confidence] = confidence[v]
            let hair = smoothStep((nose[v] - Self.skinRadius) / (Self.hairRadius - Self.skinRadius)) * (1 - bare[v])
            attributes[at + Attribute.face] =
                max(0, min(1, (Self.fadedRadius - nose[v]) / (Self.fadedRadius - Self.faceRadius))) * (1 - hair)
            attributes[at + Attribute.foreign] = skin[v] ? 0 : 1 - knownEye[v]
            attributes[at + Attribute.eye] = knownEye[v]
            attributes[at + Attribute.lid] = lids[v]
        }
        // The head turns, the shoulders stay.
        let chin = Self.landmark(head, 8).y
        follows = (0..<count).map { v in smoothStep((head.mean.pointer[3 * v + 1] - chin + 55) / 45) }
        photo = BicubicPicture(image)
        self.palette = palette
        covering = result.covering
        camera = result.camera
        (self.render, self.mesh, self.places, self.attributes) = (render, mesh, places, attributes)
    }

    /// [V] 1 where the photo shows the surface, at whatever angle, or that beside it.
    private let seen: [Float]
    /// [V] 1 on the head, 0 on the shoulders.
    private let follows: [Float]

    private static func point(_ head: HeadModel<Float>, _ v: Int) -> SIMD3<Float> {
        SIMD3(head.mean.pointer[3 * v], head.mean.pointer[3 * v + 1], head.mean.pointer[3 * v + 2])
    }

    private static func landmark(_ head: HeadModel<Float>, _ i: Int) -> SIMD3<Float> {
        var points = [Float](repeating: 0, count: 3 * head.landmarks.count)
        head.landmarks.positions(head.mean.pointer, into: &points)
        return SIMD3(points[3 * i], points[3 * i + 1], points[3 * i + 2])
    }

    /// [V] mm from the tip of the nose, in the mean face.
    private static func noseDistance(_ head: HeadModel<Float>) -> [Float] {
        let nose = landmark(head, 30)
        return (0..<head.vertexCount).map { (point(head, $0) - nose).length }
    }

    /// Weights of the vertices near the nose, where skin is that of the face and not covered by hair.
    private static func middle(_ head: HeadModel<Float>, _ weights: [Float], radius: Float) -> [Float] {
        zip(noseDistance(head), weights).map { $0 < radius ? $1 : 0 }
    }

    /// [V] 1 on eyes of which the photo shows so much that the rest can be told from it, 0 on closed ones.
    private static func knownEyes(_ mesh: Mesh, _ confidence: [Float]) -> [Float] {
        var share = [Float](repeating: 0, count: mesh.vertexCount)
        let isEye = mesh.isEye
        for part in Set(mesh.part) {
            let eye = isEye.indices.filter { isEye[$0] && mesh.part[$0] == part }
            guard !eye.isEmpty else { continue }
            // As much as an open eye shows.
            let front = eye.reduce(Float(0)) { $0 + (mesh.normals[3 * $1 + 2] > 0.6 ? 1 : 0) }
            let known = smoothStep((eye.reduce(0) { $0 + confidence[$1] } / max(1, front) - 0.15) / 0.25)
            for v in eye { share[v] = known }
        }
        return share
    }

    /// Surface that an edit spreads over more than the first share of its former area, inverted, loses the photo's colours, and
    /// has none below the second: a strip of lashes is no lid.
    private static let full: Float = 0.45, spent: Float = 0.15

    /// Surface that moves less against the face as a whole, mm, shows the photo at whatever angle it is seen: the first even
    /// where the mesh says that it is hidden, the last on lids, which carry lashes where skin should come out.
    private static let still: Float = 0.3, near: Float = 7, nearOfLids: Float = 4

    /// - Parameter pixelsPerMM: of the face in the photo.
    /// - Returns: the attributes with the way back from where an edit puts the vertices, photo pixels.
    func attributes(edited: [SIMD2<Float>], pixelsPerMM: Float) -> [Float] {
        var result = attributes
        let before = areas(places), after = areas(edited)
        let faces = places.indices.map { attributes[Attribute.count * $0 + Attribute.face] * seen[$0] }
        let common = InPlaneMotion(from: places, to: edited, weights: faces, width: pixelsPerMM)
        for v in places.indices {
            let at = Attribute.count * v
            // Seen from elsewhere, near things pass before far ones; what only moves in the picture keeps its colours.
            let moved = common.residual(places[v], edited[v]) / pixelsPerMM
            result[at + Attribute.still] = expf(-moved * moved / (Self.still * Self.still))
            let near = Self.near + attributes[at + Attribute.lid] * (Self.nearOfLids - Self.near)
            result[at + Attribute.confidence] = max(
                result[at + Attribute.confidence], seen[v] * expf(-moved * moved / (near * near)))
            let shift = follows[v] * (places[v] - edited[v])
            result[at + Attribute.shift] = shift.x
            result[at + Attribute.shift + 1] = shift.y
            if after[v] > before[v] {
                let kept = smoothStep((before[v] / after[v] - Self.spent) / (Self.full - Self.spent))
                result[at + Attribute.confidence] *= kept
                result[at + Attribute.still] *= kept
            }
        }
        return result
    }

    /// [V] what the triangles around each vertex cover of the picture, where they face the viewer.
    private func areas(_ places: [SIMD2<Float>]) -> [Float] {
        var result = [Float](repeating: 0, count: places.count)
        for t in stride(from: 0, to: mesh.triangles.count, by: 3) {
            let a = Int(mesh.triangles[t]), b = Int(mesh.triangles[t + 1]), c = Int(mesh.triangles[t + 2])
            let p = places[b] - places[a], q = places[c] - places[a]
            // Down is v: what is counter-clockwise from outside is clockwise here.
            let area = max(0, p.y * q.x - p.x * q.y)
            result[a] += area
            result[b] += area
            result[c] += area
        }
        return result
    }

    /// Where the photo shows the head.
    func raster(_ window: PhotoWindow) throws -> RasterBuffer<Float> {
        try HeadRaster(mesh, scale: camera.scale, tx: camera.tx, ty: camera.ty, window: window).buffer
    }

    static func places(_ mesh: Mesh, _ camera: Camera<Double>) -> [SIMD2<Float>] {
        let s = Float(camera.scale), tx = Float(camera.tx), ty = Float(camera.ty)
        return (0..<mesh.vertexCount).map { SIMD2(s * mesh.vertices[3 * $0] + tx, ty - s * mesh.vertices[3 * $0 + 1]) }
    }
}

/// 0 below 0, 1 above 1, smooth between.
func smoothStep(_ t: Float) -> Float {
    let x = max(0, min(1, t))
    return x * x * (3 - 2 * x)
}
