import FaceModel
import Numerics
import Rasterizer
import Testing

/// The embedded head in the aligned frame: NDC vertices and camera-space normals as functions of pose, identity, expression.
final class PosedHead<T: Scalar> {
    let model: HeadModel<T>
    let frame = AlignedFrame(half: 115, centreY: 5)
    let vertexNormals: VertexNormals<T>
    let vertices, ndc, normals: Tensor<T>
    var pose = HeadPose<T>()
    var vertexCount: Int { model.vertexCount }

    init() throws {
        model = try HeadModel<T>.embedded()
        vertexNormals = VertexNormals(topology: MeshTopology(triangles: model.triangles, vertexCount: model.vertexCount))
        vertices = Tensor([model.vertexCount, 3])
        ndc = Tensor([model.vertexCount, 3])
        normals = Tensor([model.vertexCount, 3])
    }

    /// x: six pose numbers, then identity and expression (missing ones are zero).
    func set(_ x: [T]) {
        let all = x + [T](repeating: 0, count: 6 + 135 - x.count)
        pose = HeadPose(Array(all[..<6]))
        model.vertices(identity: Array(all[6..<86]), expression: Array(all[86...]), into: vertices.pointer)
        frame.forward(vertices.pointer, count: vertexCount, pose: pose, into: ndc.pointer)
        vertexNormals.forward(ndc.pointer, into: normals.pointer)
    }

    /// The gradient by all 141 numbers, given those by NDC vertices and normals (`dNdc` is changed).
    func backward(dNdc: Tensor<T>, dNormals: Tensor<T>) -> [T] {
        vertexNormals.backward(ndc.pointer, normals: normals.pointer, dNormals: dNormals.pointer, dVertices: dNdc.pointer)
        var dPose = [T](repeating: 0, count: 6), dIdentity = [T](repeating: 0, count: 80)
        var dExpression = [T](repeating: 0, count: 55)
        let dVertices = Tensor<T>([vertexCount, 3])
        frame.backward(
            vertices.pointer, count: vertexCount, pose: pose, dNdc: dNdc.pointer, dVertices: dVertices.pointer,
            dPose: &dPose)
        model.verticesBackward(dVertices.pointer, dIdentity: &dIdentity, dExpression: &dExpression)
        return dPose + dIdentity + dExpression
    }
}

let degree = Double.pi / 180
