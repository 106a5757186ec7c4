import FaceModel
import Numerics

/// Coefficients and pose to the posed mesh in the aligned frame, and the way back:
/// the head model's vertices, then `AlignedFrame`, then vertex normals in camera space.
final class PosedHead<T: Scalar> {
    let head: HeadModel<T>
    let frame: AlignedFrame
    private let evaluator: HeadEvaluator<T>
    private let normalsOf: VertexNormals<T>

    /// (V, 3) model space, mm.
    let vertices: Tensor<T>
    /// (V, 3) normalised device coordinates of the aligned frame.
    let ndc: Tensor<T>
    /// (V, 3) camera space; NDC keeps one scale on all axes, so its normals are the posed head's.
    let normals: Tensor<T>
    /// What losses add to.
    let dNdc: Tensor<T>
    let dNormals: Tensor<T>
    private let dVertices: Tensor<T>
    private let dPose = Tensor<T>([6])
    /// The 68 points, (68, 3) and (68, 2).
    private let inSpace = Tensor<T>([68, 3]), inPicture = Tensor<T>([68, 2])
    private var normalsAreCurrent = false
    private(set) var pose = HeadPose<T>()

    init(head: HeadModel<T>, frame: AlignedFrame) {
        self.head = head
        self.frame = frame
        evaluator = HeadEvaluator(head)
        normalsOf = VertexNormals(topology: MeshTopology(triangles: head.triangles, vertexCount: head.vertexCount))
        let shape = [head.vertexCount, 3]
        vertices = Tensor(shape)
        ndc = Tensor(shape)
        normals = Tensor(shape)
        dNdc = Tensor(shape)
        dNormals = Tensor(shape)
        dVertices = Tensor(shape)
    }

    /// `p` is the flat vector of unknowns.
    func forward(_ p: UnsafePointer<T>, layout: ParameterLayout, withNormals: Bool) {
        let r = p + layout.range(.rotation).lowerBound, s = p + layout.range(.similarity).lowerBound
        pose = HeadPose(yaw: r[0], pitch: r[1], roll: r[2], logScale: s[0], tx: s[1], ty: s[2])
        evaluator.forward(
            identity: p + layout.range(.identity).lowerBound, expression: p + layout.range(.expression).lowerBound,
            into: vertices.pointer)
        frame.forward(vertices.pointer, count: head.vertexCount, pose: pose, into: ndc.pointer)
        normalsAreCurrent = withNormals
        if withNormals { normalsOf.forward(ndc.pointer, into: normals.pointer) }
    }

    func clearGradients() {
        dNormals.fill(0)
        dNdc.fill(0)
    }

    /// The 68 embedded points in the aligned frame, mm: (68, 2).
    func points(_ embedding: LandmarkEmbedding) -> Tensor<T> {
        precondition(embedding.count == 68)
        embedding.positions(ndc.pointer, into: inSpace.pointer)
        let half = T(frame.half), centreY = T(frame.centreY)
        for i in 0..<68 {
            inPicture[2 * i] = half * inSpace[3 * i]
            inPicture[2 * i + 1] = half * inSpace[3 * i + 1] + centreY
        }
        return inPicture
    }

    /// Adds a gradient (68, 2) by `points`.
    func pointsBackward(_ embedding: LandmarkEmbedding, _ gradient: Tensor<T>) {
        let half = T(frame.half)
        for i in 0..<68 {
            inSpace[3 * i] = half * gradient[2 * i]
            inSpace[3 * i + 1] = half * gradient[2 * i + 1]
            inSpace[3 * i + 2] = 0
        }
        embedding.backward(inSpace.pointer, dVertices: dNdc.pointer)
    }

    /// Everything added so far, back to the unknowns; adds to `g`.
    func backward(layout: ParameterLayout, active: Set<ParameterBlock>, gradient g: UnsafeMutablePointer<T>) {
        if normalsAreCurrent {
            normalsOf.backward(ndc.pointer, normals: normals.pointer, dNormals: dNormals.pointer, dVertices: dNdc.pointer)
        }
        dPose.fill(0)
        let toIdentity = active.contains(.identity), toExpression = active.contains(.expression)
        let toShape = toIdentity || toExpression
        if toShape { dVertices.fill(0) }
        frame.backward(
            vertices.pointer, count: head.vertexCount, pose: pose, dNdc: dNdc.pointer,
            dVertices: toShape ? dVertices.pointer : nil, dPose: dPose.pointer)
        for k in 0..<3 {
            g[layout.range(.rotation).lowerBound + k] += dPose[k]
            g[layout.range(.similarity).lowerBound + k] += dPose[3 + k]
        }
        if !toShape { return }
        evaluator.backward(
            dVertices.pointer, dIdentity: toIdentity ? g + layout.range(.identity).lowerBound : nil,
            dExpression: toExpression ? g + layout.range(.expression).lowerBound : nil)
    }
}
