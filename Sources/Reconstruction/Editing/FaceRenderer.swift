import FaceModel
import Glibc
import Numerics
import Rasterizer
import Renderer

/// Heads through GAR, one after the other: coefficients, pose and look in, a picture out. Owns its working memory.
public final class FaceRenderer {
    public let head: HeadModel<Float>
    public let gar: GAR<Float>
    private let context: GARContext<Float>
    private let pyramid: NormalPyramid<Float>
    private let evaluator: HeadEvaluator<Float>
    private let normalsOf: VertexNormals<Float>
    private var vertices, ndc, normals: [Float]

    public init(head: HeadModel<Float>, gar: GAR<Float>) throws {
        self.head = head
        self.gar = gar
        context = try GARContext(gar)
        let c = gar.configuration
        pyramid = NormalPyramid(
            size: c.size, sampling: c.normalSampling, triangles: head.triangles, vertexCount: head.vertexCount)
        evaluator = HeadEvaluator(head)
        normalsOf = VertexNormals(topology: MeshTopology(triangles: head.triangles, vertexCount: head.vertexCount))
        vertices = [Float](repeating: 0, count: 3 * head.vertexCount)
        ndc = vertices
        normals = vertices
    }

    public var side: Int { gar.configuration.size }

    /// The picture [3,side,side], about -1 to 1, of parameters that belong to the models; `noise` flat, empty for none.
    public func render(
        identity: [Float], expression: [Float], pose: HeadPose<Float>, wPlus: [Float], noise: [Float] = []
    ) throws -> [Float] {
        let latent = gar.configuration.latentSize
        guard identity.count == head.identityCount, expression.count == head.expressionCount,
            wPlus.count == gar.styleCount * latent, noise.isEmpty || noise.count == gar.noiseShapes.reduce(0, { $0 + $1 * $1 })
        else { throw GarfaceError(.wrongModelKind, "the face is one of other models than the renderer") }
        let c = gar.configuration
        evaluator.forward(identity: identity, expression: expression, into: &vertices)
        AlignedFrame(half: c.halfMM, centreY: c.centreYMM).forward(vertices, count: head.vertexCount, pose: pose, into: &ndc)
        normalsOf.forward(ndc, into: &normals)
        pyramid.forward(ndc: ndc, normals: normals)
        context.forward(
            wPlus: Tensor([1, gar.styleCount, latent], wPlus), normals: pyramid.maps, noise: noise.isEmpty ? nil : split(noise))
        guard context.image.buffer.allSatisfy(\.isFinite) else {
            throw GarfaceError(.numericalFailure, "the numbers are so large that the picture is not finite")
        }
        return context.image.array
    }

    func render(_ p: FaceParameters) throws -> [Float] {
        try render(
            identity: p.identity, expression: p.expression, pose: HeadPose(p.pose.array.map { Float($0) }), wPlus: p.wPlus,
            noise: p.noise)
    }

    /// The finest normal map [3,side,side] of the last picture.
    public var normalMap: [Float] { pyramid.maps.last?.array ?? [] }

    private func split(_ flat: [Float]) -> [Tensor<Float>] {
        var start = 0
        return gar.noiseShapes.map { side in
            defer { start += side * side }
            return Tensor([1, 1, side, side], flat[start..<start + side * side])
        }
    }
}

extension GAR<Float> {
    /// w+, every row the same, of a random z; moved towards the mean w by `truncation` (1 leaves it alone).
    public func randomLook(seed: UInt64, truncation: Float) -> [Float] {
        wPlus(truncate(map(z(seed: seed)), psi: truncation)).array
    }

    /// The same of a z on the way from one random z to another, along the great circle, `share` of the way.
    public func randomLook(between first: UInt64, and second: UInt64, share: Float, truncation: Float) -> [Float] {
        let a = z(seed: first), b = z(seed: second), n = configuration.latentSize
        func length(_ t: Tensor<Float>) -> Float { t.array.reduce(0) { $0 + $1 * $1 }.squareRoot() }
        let (la, lb) = (length(a), length(b))
        let cosine = zip(a.array, b.array).reduce(Float(0)) { $0 + $1.0 * $1.1 } / (la * lb)
        let angle = acosf(max(-1, min(1, cosine)))
        var (wa, wb) = (1 - share, share)
        if angle > 1e-3 && angle < .pi - 1e-3 {
            (wa, wb) = (sinf((1 - share) * angle) / sinf(angle), sinf(share * angle) / sinf(angle))
        }
        let long = la + share * (lb - la)
        let mixed = Tensor<Float>([1, n], (0..<n).map { long * (wa * a.pointer[$0] / la + wb * b.pointer[$0] / lb) })
        return wPlus(truncate(map(mixed), psi: truncation)).array
    }

    private func z(seed: UInt64) -> Tensor<Float> {
        var random = RandomGenerator(seed: seed)
        let n = configuration.latentSize
        return Tensor([1, n], (0..<n).map { _ in Float(random.normal()) })
    }
}
