import CDefaultModels
import Numerics

/// A 3D morphable model of the head, in millimetres: `vertices = mean + identity basis * a + expression basis * b`, and what its
/// geometry adds to that.
///
/// Model space: x to the subject's left, y up, z out of the face, right-handed; triangles counter-clockwise from outside.
/// Immutable once loaded, so one model serves any number of threads.
public final class HeadModel<T: Scalar>: Sendable {
    /// The file it was read from, for sentences.
    public let source: String
    public let geometry: HeadGeometry
    /// Whose coefficients these are, such as "flame"; nil for the default head's, which the inverse network reads.
    public let family: String?
    public let vertexCount: Int
    public let identityCount: Int
    /// Expressions, and the turns of the joints of a skinned head after them.
    public let expressionCount: Int
    public let expressionNames: [String]
    /// Vertex indices, three per triangle.
    public let triangles: [Int32]
    /// For each vertex an index into `partNames`.
    public let part: [UInt8]
    public let partNames: [String]
    /// The 68 Multi-PIE/iBUG points, fixed to the surface.
    public let landmarks: LandmarkEmbedding
    /// The places that people mark as the 68 points in photographs, on the surface or near it; `landmarks` where the file does not say.
    public let annotatedLandmarks: LandmarkEmbedding
    /// Does the file say where people mark them?
    public let saysWhatPeopleMark: Bool
    /// What the expression coefficients may be: see `ExpressionPrior`.
    public let expressionPrior: ExpressionPrior
    /// Prior precision per expression, 1 for most.
    public let expressionPrecision: [T]
    /// Fitted expressions `[rows][expressionCount]` in 0...255 for 0...1, from which new ones are drawn. May be empty.
    public let expressionSamples: [UInt8]
    /// The texture layout that the file brings; see `textureLayout()`.
    let ownTextureLayout: TextureLayout?

    /// Mean shape `[V,3]`, mm.
    public let mean: Tensor<T>
    /// Displacements `[identityCount,V,3]` in mm for coefficients of unit variance.
    public let identityBasis: Tensor<T>
    /// Displacements in mm, `[expressions,V,3]`: all of `expressionCount` but the turns of joints.
    public let expressionBasis: Tensor<T>
    /// What a bilinear head has beside.
    let products: ProductTerm<T>?
    /// What a skinned head has beside.
    let skin: Skin<T>?
    /// Both bases as the products read them; nil where the plain ones are read.
    private let packed = MadeOnce<PackedBasis?>()
    /// Where the jaw landmarks lie by yaw, where the model says so.
    let contourTable: ContourTable?

    /// The model that the library carries.
    public static func embedded() throws -> HeadModel<T> {
        var size = 0
        let start = garface_default_head_model(&size)
        let memory = UnsafeRawBufferPointer(start: start, count: size)
        return try HeadModel(file: SafetensorsFile(memory: memory, name: "the embedded head model"))
    }

    /// Reads a model of the project's own format, checking every shape and every index.
    public init(file: SafetensorsFile) throws {
        let header = try HeadModelHeader(file: file)
        source = file.name
        geometry = header.geometry
        family = header.family
        vertexCount = header.vertexCount
        identityCount = header.identityCount
        expressionCount = header.expressionCount
        expressionNames = header.expressionNames
        partNames = header.partNames
        expressionPrior = header.expressionPrior
        mean = try header.finite(file, "mean", [vertexCount, 3])
        identityBasis = try header.finite(file, "identity", [identityCount, vertexCount, 3])
        expressionBasis = try header.finite(file, "expression", [header.basisCount, vertexCount, 3])
        products = try header.products(file)
        skin = try header.skin(file, identityBasis, expressionBasis)
        contourTable = try header.contourTable(file)
        triangles = try header.triangles(file)
        part = try header.parts(file)
        landmarks = try header.landmarks(file)
        let annotated = try header.annotatedLandmarks(file)
        annotatedLandmarks = annotated ?? landmarks
        saysWhatPeopleMark = annotated != nil
        expressionSamples = try header.expressionSamples(file)
        expressionPrecision = try header.expressionPrecision(file).map { T($0) }
        ownTextureLayout = try header.textureLayout(file, mesh: triangles)
    }

    /// The same model with some of its vertices only, for points on them: no triangles, no landmarks of its own.
    init(_ model: HeadModel<T>, restrictedTo vertices: [Int32]) {
        source = model.source
        geometry = model.geometry
        family = model.family
        vertexCount = vertices.count
        identityCount = model.identityCount
        expressionCount = model.expressionCount
        expressionNames = model.expressionNames
        partNames = model.partNames
        expressionPrior = model.expressionPrior
        expressionPrecision = model.expressionPrecision
        expressionSamples = []
        triangles = []
        part = vertices.map { model.part[Int($0)] }
        landmarks = LandmarkEmbedding([])
        annotatedLandmarks = landmarks
        saysWhatPeopleMark = false
        mean = gathered(model.mean, vertices, leading: [])
        identityBasis = gathered(model.identityBasis, vertices, leading: [model.identityCount])
        expressionBasis = gathered(model.expressionBasis, vertices, leading: [model.expressionBasis.shape[0]])
        products = model.products?.restricted(to: vertices)
        skin = model.skin?.restricted(to: vertices)
        contourTable = nil
        ownTextureLayout = nil
    }

    /// The head for `identity` [identityCount] and `expression` [expressionCount]: writes `[V,3]` mm in model space. For heads
    /// that are not linear a `HeadEvaluator` keeps its working memory from call to call.
    public func vertices(identity: UnsafePointer<T>, expression: UnsafePointer<T>, into vertices: UnsafeMutablePointer<T>) {
        if geometry == .linear { return linearVertices(identity: identity, expression: expression, into: vertices) }
        HeadEvaluator(self).forward(identity: identity, expression: expression, into: vertices)
    }

    /// Adds the gradients of a loss to `dIdentity` and `dExpression` (nil leaves one out), given `dVertices` `[V,3]`: those of
    /// a linear head, which are the same at all coefficients.
    public func verticesBackward(
        _ dVertices: UnsafePointer<T>, dIdentity: UnsafeMutablePointer<T>?, dExpression: UnsafeMutablePointer<T>?
    ) {
        precondition(geometry == .linear, "heads of other geometries have gradients at coefficients: see HeadEvaluator")
        linearBackward(dVertices, dIdentity: dIdentity, dExpression: dExpression)
    }

    /// Made when first asked for, which is when a head is first evaluated.
    func packedBasis() -> PackedBasis? {
        packed.value {
            guard let identity = identityBasis as AnyObject as? Tensor<Float>,
                let expression = expressionBasis as AnyObject as? Tensor<Float>
            else { return nil }
            return PackedBasis([identity, expression])
        }
    }

    /// Bytes that an evaluation reads of the linear bases, and its gradient again.
    public var basisByteCount: Int {
        packedBasis()?.byteCount ?? MemoryLayout<T>.stride * (identityBasis.count + expressionBasis.count)
    }

    func linearVertices(identity: UnsafePointer<T>, expression: UnsafePointer<T>, into vertices: UnsafeMutablePointer<T>) {
        let n = 3 * vertexCount
        vertices.update(from: mean.pointer, count: n)
        if let packed = packedBasis() {
            withUnsafeTemporaryAllocation(of: Float.self, capacity: packed.modeCount) { c in
                for k in 0..<identityCount { c[k] = Float(identity[k]) }
                for k in identityCount..<packed.modeCount { c[k] = Float(expression[k - identityCount]) }
                vertices.withMemoryRebound(to: Float.self, capacity: n) { packed.combine(c.baseAddress!, addingTo: $0) }
            }
        } else {
            plainVertices(identity: identity, expression: expression, addingTo: vertices)
        }
    }

    /// What `linearBackward` works with; nil where it needs nothing.
    func backwardMemory() -> Tensor<Float>? { packedBasis().map { Tensor([$0.modeCount + $0.scratchCount]) } }

    func linearBackward(
        _ dVertices: UnsafePointer<T>, dIdentity: UnsafeMutablePointer<T>?, dExpression: UnsafeMutablePointer<T>?,
        with memory: Tensor<Float>? = nil
    ) {
        if dIdentity == nil && dExpression == nil { return }
        if let packed = packedBasis(), let memory = memory ?? backwardMemory() {
            withExtendedLifetime(memory) {
                let d = memory.pointer
                dVertices.withMemoryRebound(to: Float.self, capacity: 3 * vertexCount) {
                    packed.project($0, into: d, with: d + packed.modeCount)
                }
                if let dIdentity { for k in 0..<identityCount { dIdentity[k] += T(d[k]) } }
                if let dExpression {
                    for k in identityCount..<packed.modeCount { dExpression[k - identityCount] += T(d[k]) }
                }
            }
        } else {
            plainBackward(dVertices, dIdentity: dIdentity, dExpression: dExpression)
        }
    }

    /// The products with the bases as they are, which the packed ones are tested against.
    func plainVertices(identity: UnsafePointer<T>, expression: UnsafePointer<T>, addingTo vertices: UnsafeMutablePointer<T>) {
        let n = 3 * vertexCount
        T.gemv(true, identityCount, n, 1, identityBasis.pointer, n, identity, 1, vertices)
        T.gemv(true, expressionBasis.shape[0], n, 1, expressionBasis.pointer, n, expression, 1, vertices)
    }

    func plainBackward(
        _ dVertices: UnsafePointer<T>, dIdentity: UnsafeMutablePointer<T>?, dExpression: UnsafeMutablePointer<T>?
    ) {
        let n = 3 * vertexCount
        if let dIdentity { T.gemv(false, identityCount, n, 1, identityBasis.pointer, n, dVertices, 1, dIdentity) }
        if let dExpression {
            T.gemv(false, expressionBasis.shape[0], n, 1, expressionBasis.pointer, n, dVertices, 1, dExpression)
        }
    }
}
