import FaceModel
import GarfaceHeader
import Numerics
import Rasterizer
import Renderer

/// A renderer with its working memory, and what the last forward calls left for their backward ones.
final class RendererHandle: Handle, @unchecked Sendable {
    override class var name: String { "gar_renderer" }
    override class var tag: UInt8 { 3 }
    let model: GAR<Float>
    private(set) var context: GARContext<Float>
    let wPlus: Tensor<Float>
    let normals: [Tensor<Float>]
    let noise: [Tensor<Float>]
    var hasRendered = false
    var rasterised: Rasterised?

    init(_ model: GAR<Float>) throws {
        self.model = model
        context = try GARContext(model)
        wPlus = Tensor([1, model.styleCount, model.configuration.latentSize])
        normals = model.configuration.resolutions.map { Tensor([1, 3, $0, $0]) }
        noise = model.noiseShapes.map { Tensor([1, 1, $0, $0]) }
    }

    /// Nothing that was rendered before is left for a backward call.
    func setPrecision(_ precision: ProductPrecision) throws {
        if precision == context.precision { return }
        let other = try GARContext(model, precision: precision)
        guard other.precision == precision else {
            throw GarfaceError(
                .invalidArgument,
                precision.isAvailable
                    ? "precision: bfloat16 needs a renderer whose numbers of channels are multiples of 16"
                    : "precision: this processor does not multiply in bfloat16")
        }
        context = other
        hasRendered = false
    }

    var frame: AlignedFrame { AlignedFrame(half: model.configuration.halfMM, centreY: model.configuration.centreYMM) }
    var normalCount: Int { normals.reduce(0) { $0 + $1.count } }
    var noiseCount: Int { noise.reduce(0) { $0 + $1.count } }
}

/// A head rasterised for a renderer: everything the way back needs.
final class Rasterised {
    let head: HeadHandle
    let pyramid: NormalPyramid<Float>
    private let frame: AlignedFrame
    private let vertexNormals: VertexNormals<Float>
    private let vertices, ndc, normals, dNdc, dNormals: Tensor<Float>
    private(set) var pose = HeadPose<Float>()

    init(head: HeadHandle, renderer: RendererHandle) {
        let model = head.model, configuration = renderer.model.configuration
        self.head = head
        frame = renderer.frame
        pyramid = NormalPyramid(
            size: configuration.size, sampling: configuration.normalSampling, triangles: model.triangles,
            vertexCount: model.vertexCount)
        vertexNormals = VertexNormals(topology: head.topology)
        vertices = Tensor([model.vertexCount, 3])
        ndc = Tensor([model.vertexCount, 3])
        normals = Tensor([model.vertexCount, 3])
        dNdc = Tensor([model.vertexCount, 3])
        dNormals = Tensor([model.vertexCount, 3])
    }

    func forward(_ given: UnsafePointer<Float>, pose: HeadPose<Float>) {
        vertices.pointer.update(from: given, count: vertices.count)
        self.pose = pose
        frame.forward(vertices.pointer, count: head.model.vertexCount, pose: pose, into: ndc.pointer)
        // One scale on all axes: normals of NDC vertices are those of camera space.
        vertexNormals.forward(ndc.pointer, into: normals.pointer)
        pyramid.forward(ndc: ndc.pointer, normals: normals.pointer)
    }

    /// Writes the gradients by the vertices and by the pose in the order of `HeadPose.array`.
    func backward(dMaps: [Tensor<Float>], dVertices: UnsafeMutablePointer<Float>, dPose: UnsafeMutablePointer<Float>) {
        dNdc.fill(0)
        dNormals.fill(0)
        pyramid.backward(dMaps: dMaps, dNdc: dNdc.pointer, dNormals: dNormals.pointer)
        vertexNormals.backward(ndc.pointer, normals: normals.pointer, dNormals: dNormals.pointer, dVertices: dNdc.pointer)
        dVertices.update(repeating: 0, count: vertices.count)
        dPose.update(repeating: 0, count: 6)
        frame.backward(
            vertices.pointer, count: head.model.vertexCount, pose: pose, dNdc: dNdc.pointer, dVertices: dVertices, dPose: dPose)
    }
}

/// A flat buffer from outside into tensors that follow one another in it.
func scatter(_ flat: UnsafePointer<Float>, _ tensors: [Tensor<Float>]) {
    var offset = 0
    for tensor in tensors {
        tensor.pointer.update(from: flat + offset, count: tensor.count)
        offset += tensor.count
    }
}

/// Takes tensors, not pointers: a tensor made for the call must outlive the copy.
func gather(_ tensors: [Tensor<Float>], _ flat: UnsafeMutablePointer<Float>) {
    var offset = 0
    for tensor in tensors {
        withExtendedLifetime(tensor) { (flat + offset).update(from: tensor.pointer, count: tensor.count) }
        offset += tensor.count
    }
}
