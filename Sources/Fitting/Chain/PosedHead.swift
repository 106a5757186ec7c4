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
    /// Where the head is in the aligned frame.
    private(set) var pose = HeadPose<T>()
    /// Renders the head upright, centred and at its own scale whatever its roll, shift and scale: the photo is moved under it
    /// (`MovingPhoto`). The 68 points are where the head is.
    let keepsUpright: Bool
    /// What losses add to by the head's place, beside what comes through its vertices.
    var dPlace: (roll: T, logScale: T, tx: T, ty: T) = (0, 0, 0, 0)

    init(head: HeadModel<T>, frame: AlignedFrame, keepsUpright: Bool = false) {
        self.keepsUpright = keepsUpright
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
        frame.forward(vertices.pointer, count: head.vertexCount, pose: renderedPose, into: ndc.pointer)
        normalsAreCurrent = withNormals
        if withNormals { normalsOf.forward(ndc.pointer, into: normals.pointer) }
    }

    private var renderedPose: HeadPose<T> { keepsUpright ? HeadPose(yaw: pose.yaw, pitch: pose.pitch) : pose }

    func clearGradients() {
        dPlace = (0, 0, 0, 0)
        dNormals.fill(0)
        dNdc.fill(0)
    }

    /// The 68 embedded points in the aligned frame, mm: (68, 2).
    func points(_ embedding: LandmarkEmbedding) -> Tensor<T> {
        precondition(embedding.count == 68)
        embedding.positions(ndc.pointer, into: inSpace.pointer)
        let half = T(frame.half), centreY = T(frame.centreY)
        let (c, n) = turn
        for i in 0..<68 {
            let x = half * inSpace[3 * i], y = half * inSpace[3 * i + 1] + centreY
            inPicture[2 * i] = keepsUpright ? c * x - n * y + pose.tx : x
            inPicture[2 * i + 1] = keepsUpright ? n * x + c * y + pose.ty : y
        }
        return inPicture
    }

    /// Scale times the roll's cosine and sine.
    private var turn: (T, T) {
        let s = T.exponential(pose.logScale)
        return (s * T.cosine(pose.roll), s * T.sine(pose.roll))
    }

    /// Adds a gradient (68, 2) by the last `points`.
    func pointsBackward(_ embedding: LandmarkEmbedding, _ gradient: Tensor<T>) {
        let half = T(frame.half), (c, n) = turn
        for i in 0..<68 {
            var (x, y) = (gradient[2 * i], gradient[2 * i + 1])
            if keepsUpright {
                let fromX = inPicture[2 * i] - pose.tx, fromY = inPicture[2 * i + 1] - pose.ty
                dPlace.tx += x
                dPlace.ty += y
                dPlace.logScale += x * fromX + y * fromY
                dPlace.roll += y * fromX - x * fromY
                (x, y) = (c * x + n * y, c * y - n * x)
            }
            inSpace[3 * i] = half * x
            inSpace[3 * i + 1] = half * y
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
            vertices.pointer, count: head.vertexCount, pose: renderedPose, dNdc: dNdc.pointer,
            dVertices: toShape ? dVertices.pointer : nil, dPose: dPose.pointer)
        if keepsUpright {
            (dPose[2], dPose[3], dPose[4], dPose[5]) = (dPlace.roll, dPlace.logScale, dPlace.tx, dPlace.ty)
        }
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
