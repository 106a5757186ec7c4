import FaceModel
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

    /// What is interpolated between vertices, in this order.
    enum Attribute {
        static let shift = 0  // 2: photo pixels, from the edited place to the photographed one
        static let confidence = 2  // how far the photo shows it
        static let correction = 3  // 3: what to add to GAR's colours, carried on smoothly from where both are seen
        static let face = 6  // 1 on the face, 0 on the rest of the head
        static let seen = 7  // not hidden, at whatever angle
        static let base = 8  // 3: the photo's colours, carried on
        static let foreign = 11  // 1 on eyes, teeth and mouth
        static let count = 12
    }

    /// Millimetres from the nose tip within which a vertex belongs to the face, and where it no longer does.
    private static let faceRadius: Float = 85, fadedRadius: Float = 115
    /// How far an edge of the mesh counts against a known value.
    private static let correctionStiffness: Float = 3, baseStiffness: Float = 0.02

    /// - Parameter planes: GAR's picture of `result`.
    init(_ result: ReconstructionResult, photo image: RGBImage, planes: [Float], side: Int) throws {
        try result.posed.check()
        let render = BicubicPicture(planes: planes, side: side), mesh = result.posed, count = mesh.vertexCount
        let neighbours = VertexNeighbours(triangles: mesh.triangles, vertexCount: count)
        let view = try Texture.photoView(result, image, neighbours)
        let places = Self.places(mesh, result.camera)
        let skin = (0..<count).map { mesh.isSkin($0) }
        let known = (0..<count).map { skin[$0] ? view.confidence[$0] : 0 }
        let seen = (0..<count).map { view.colour(view.places[$0]) }

        var differences = [SIMD3<Float>](repeating: .zero, count: count)
        for v in 0..<count where known[v] > 0 {
            differences[v] = seen[v] - render.colour(inFrame: result.frame.ndc(u: Double(places[v].x), v: Double(places[v].y)))
        }
        let total = known.reduce(0, +)
        func mean(_ values: [SIMD3<Float>]) -> SIMD3<Float> {
            total > 0 ? (0..<count).reduce(SIMD3<Float>()) { $0 + known[$1] * values[$1] } / total : .zero
        }
        let corrections = neighbours.spread(
            differences, confidence: known, stiffness: Self.correctionStiffness, initial: mean(differences))
        let bases = neighbours.spread(seen, confidence: known, stiffness: Self.baseStiffness, initial: mean(seen))
        let shown = neighbours.mean(neighbours.mean(view.isSeen.map { $0 ? 1 : 0 }))

        let head = result.models.head
        var points = [Float](repeating: 0, count: 3 * head.landmarks.count)
        head.landmarks.positions(head.mean.pointer, into: &points)
        var attributes = [Float](repeating: 0, count: Attribute.count * count)
        for v in 0..<count {
            let at = Attribute.count * v
            var square: Float = 0
            for c in 0..<3 {
                let d = head.mean.pointer[3 * v + c] - points[90 + c]
                square += d * d
                attributes[at + Attribute.base + c] = bases[v][c]
                // Teeth and eyes are not lit as the skin is.
                attributes[at + Attribute.correction + c] = skin[v] ? corrections[v][c] : 0
            }
            attributes[at + Attribute.confidence] = view.confidence[v]
            attributes[at + Attribute.face] = max(
                0, min(1, (Self.fadedRadius - square.squareRoot()) / (Self.fadedRadius - Self.faceRadius)))
            attributes[at + Attribute.seen] = view.isSeen[v] ? shown[v] : 0
            attributes[at + Attribute.foreign] = skin[v] ? 0 : 1
        }
        // The head turns, the shoulders stay.
        let chin = points[3 * 8 + 1]
        follows = (0..<count).map { v in smoothStep((head.mean.pointer[3 * v + 1] - chin + 55) / 45) }
        photo = BicubicPicture(image)
        palette = Palette(seen, weights: known)
        camera = result.camera
        (self.render, self.mesh, self.places, self.attributes) = (render, mesh, places, attributes)
    }

    /// [V] 1 on the head, 0 on the shoulders.
    private let follows: [Float]

    /// The attributes with the way back from where an edit puts the vertices, photo pixels.
    func attributes(edited: [SIMD2<Float>]) -> [Float] {
        var result = attributes
        for v in places.indices {
            let shift = follows[v] * (places[v] - edited[v])
            result[Attribute.count * v + Attribute.shift] = shift.x
            result[Attribute.count * v + Attribute.shift + 1] = shift.y
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
