import FaceModel
import GarfaceHeader
import Numerics

final class HeadHandle: Handle, @unchecked Sendable {
    override class var name: String { "gar_head" }
    override class var tag: UInt8 { 2 }
    let model: HeadModel<Float>
    let topology: MeshTopology
    let contour: ContourLines
    private let madeLayout = MadeOnce<TextureLayout>()

    init(_ model: HeadModel<Float>) {
        self.model = model
        topology = MeshTopology(triangles: model.triangles, vertexCount: model.vertexCount)
        contour = ContourLines(model)
    }

    /// Made when it is first asked for.
    var layout: TextureLayout { madeLayout.value { model.textureLayout() } }
}

/// A gradient that is handed out starts at zero: the core's backward functions add.
private func zeroed(_ pointer: UnsafeMutablePointer<Float>?, _ count: Int, _ argument: String) throws
    -> UnsafeMutablePointer<Float>
{
    let pointer = try required(pointer, argument)
    pointer.update(repeating: 0, count: count)
    return pointer
}

@_cdecl("gar_head_load")
public func garHeadLoad(_ path: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<OpaquePointer?>?) -> gar_status {
    call {
        try create(out, "out") {
            guard path != nil else { return HeadHandle(try .embedded()) }
            return HeadHandle(try HeadModel(file: SafetensorsFile(path: try text(path, "path"))))
        }
    }
}

@_cdecl("gar_head_release")
public func garHeadRelease(_ head: OpaquePointer?) { HandleTable.shared.release(head, as: HeadHandle.self) }

@_cdecl("gar_head_get_sizes")
public func garHeadGetSizes(
    _ head: OpaquePointer?, _ vertices: UnsafeMutablePointer<Int32>?, _ triangles: UnsafeMutablePointer<Int32>?,
    _ identity: UnsafeMutablePointer<Int32>?, _ expression: UnsafeMutablePointer<Int32>?
) -> gar_status {
    call {
        let model = try resolve(head, HeadHandle.self, "head").model
        let vertices = try required(vertices, "vertices"), triangles = try required(triangles, "triangles")
        let identity = try required(identity, "identity"), expression = try required(expression, "expression")
        vertices.pointee = Int32(model.vertexCount)
        triangles.pointee = Int32(model.triangles.count / 3)
        identity.pointee = Int32(model.identityCount)
        expression.pointee = Int32(model.expressionCount)
    }
}

@_cdecl("gar_head_get_json")
public func garHeadGetJson(
    _ head: OpaquePointer?, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> gar_status {
    call {
        let model = try resolve(head, HeadHandle.self, "head").model
        let json = JSONValue.object([
            ("vertices", .number(Double(model.vertexCount))), ("triangles", .number(Double(model.triangles.count / 3))),
            ("identity", .number(Double(model.identityCount))), ("expression", .number(Double(model.expressionCount))),
            ("expression_names", .array(model.expressionNames.map { .string($0) })),
            ("part_names", .array(model.partNames.map { .string($0) })),
            ("geometry", .string(model.geometry.rawValue)), ("expression_prior", .string(model.expressionPrior.rawValue)),
            ("family", model.family.map { .string($0) } ?? .null),
        ])
        try deliver(json.serialized(), buffer, capacity, count)
    }
}

@_cdecl("gar_head_get_triangles")
public func garHeadGetTriangles(
    _ head: OpaquePointer?, _ buffer: UnsafeMutablePointer<Int32>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> gar_status {
    call {
        let model = try resolve(head, HeadHandle.self, "head").model
        try deliver(model.triangles, buffer, capacity, count)
    }
}

@_cdecl("gar_head_get_parts")
public func garHeadGetParts(
    _ head: OpaquePointer?, _ buffer: UnsafeMutablePointer<UInt8>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> gar_status {
    call {
        let model = try resolve(head, HeadHandle.self, "head").model
        try deliver(model.part, buffer, capacity, count)
    }
}

@_cdecl("gar_head_get_uvs")
public func garHeadGetUvs(
    _ head: OpaquePointer?, _ buffer: UnsafeMutablePointer<Float>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> gar_status {
    call { try deliver(try resolve(head, HeadHandle.self, "head").layout.coordinates, buffer, capacity, count) }
}

@_cdecl("gar_head_get_uv_triangles")
public func garHeadGetUvTriangles(
    _ head: OpaquePointer?, _ buffer: UnsafeMutablePointer<Int32>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> gar_status {
    call { try deliver(try resolve(head, HeadHandle.self, "head").layout.triangles, buffer, capacity, count) }
}

@_cdecl("gar_head_evaluate")
public func garHeadEvaluate(
    _ head: OpaquePointer?, _ identity: UnsafePointer<Float>?, _ expression: UnsafePointer<Float>?,
    _ vertices: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let model = try resolve(head, HeadHandle.self, "head").model
        let identity = try finite(identity, model.identityCount, "identity")
        let expression = try finite(expression, model.expressionCount, "expression")
        let vertices = try required(vertices, "vertices")
        model.vertices(identity: identity, expression: expression, into: vertices)
        try requireFinite(vertices, 3 * model.vertexCount, "vertices", of: "identity or expression")
    }
}

@_cdecl("gar_head_evaluate_backward")
public func garHeadEvaluateBackward(
    _ head: OpaquePointer?, _ dVertices: UnsafePointer<Float>?, _ dIdentity: UnsafeMutablePointer<Float>?,
    _ dExpression: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let model = try resolve(head, HeadHandle.self, "head").model
        guard model.geometry == .linear else {
            throw invalid(
                "head: is \(model.geometry.rawValue), and its gradients depend on the coefficients; use gar_head_evaluate_backward_at")
        }
        let dVertices = try finite(dVertices, 3 * model.vertexCount, "d_vertices")
        let dIdentity = try zeroed(dIdentity, model.identityCount, "d_identity")
        let dExpression = try zeroed(dExpression, model.expressionCount, "d_expression")
        model.verticesBackward(dVertices, dIdentity: dIdentity, dExpression: dExpression)
        try requireFinite(dIdentity, model.identityCount, "d_identity", of: "d_vertices")
        try requireFinite(dExpression, model.expressionCount, "d_expression", of: "d_vertices")
    }
}

@_cdecl("gar_head_evaluate_backward_at")
public func garHeadEvaluateBackwardAt(
    _ head: OpaquePointer?, _ identity: UnsafePointer<Float>?, _ expression: UnsafePointer<Float>?,
    _ dVertices: UnsafePointer<Float>?, _ dIdentity: UnsafeMutablePointer<Float>?, _ dExpression: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let model = try resolve(head, HeadHandle.self, "head").model
        let identity = try finite(identity, model.identityCount, "identity")
        let expression = try finite(expression, model.expressionCount, "expression")
        let dVertices = try finite(dVertices, 3 * model.vertexCount, "d_vertices")
        let dIdentity = try zeroed(dIdentity, model.identityCount, "d_identity")
        let dExpression = try zeroed(dExpression, model.expressionCount, "d_expression")
        let evaluator = HeadEvaluator(model)
        let vertices = Tensor<Float>([model.vertexCount, 3])
        withExtendedLifetime(vertices) {
            evaluator.forward(identity: identity, expression: expression, into: vertices.pointer)
            evaluator.backward(dVertices, dIdentity: dIdentity, dExpression: dExpression)
        }
        try requireFinite(dIdentity, model.identityCount, "d_identity", of: "coefficients or d_vertices")
        try requireFinite(dExpression, model.expressionCount, "d_expression", of: "coefficients or d_vertices")
    }
}

@_cdecl("gar_head_normals")
public func garHeadNormals(
    _ head: OpaquePointer?, _ vertices: UnsafePointer<Float>?, _ normals: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let head = try resolve(head, HeadHandle.self, "head")
        let count = 3 * head.model.vertexCount
        let vertices = try finite(vertices, count, "vertices"), normals = try required(normals, "normals")
        VertexNormals<Float>(topology: head.topology).forward(vertices, into: normals)
        try requireFinite(normals, count, "normals", of: "vertices")
    }
}

@_cdecl("gar_head_normals_backward")
public func garHeadNormalsBackward(
    _ head: OpaquePointer?, _ vertices: UnsafePointer<Float>?, _ dNormals: UnsafePointer<Float>?,
    _ dVertices: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let head = try resolve(head, HeadHandle.self, "head")
        let count = 3 * head.model.vertexCount
        let vertices = try finite(vertices, count, "vertices"), dNormals = try finite(dNormals, count, "d_normals")
        let dVertices = try zeroed(dVertices, count, "d_vertices")
        let normals = VertexNormals<Float>(topology: head.topology)
        let values = Tensor<Float>([count])
        withExtendedLifetime(values) {
            normals.forward(vertices, into: values.pointer)
            normals.backward(vertices, normals: values.pointer, dNormals: dNormals, dVertices: dVertices)
        }
        try requireFinite(dVertices, count, "d_vertices", of: "vertices or d_normals")
    }
}

@_cdecl("gar_head_landmarks")
public func garHeadLandmarks(
    _ head: OpaquePointer?, _ vertices: UnsafePointer<Float>?, _ landmarks: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let model = try resolve(head, HeadHandle.self, "head").model
        let vertices = try finite(vertices, 3 * model.vertexCount, "vertices")
        let landmarks = try required(landmarks, "landmarks")
        model.landmarks.positions(vertices, into: landmarks)
        try requireFinite(landmarks, 3 * model.landmarks.count, "landmarks", of: "vertices")
    }
}

@_cdecl("gar_head_landmarks_backward")
public func garHeadLandmarksBackward(
    _ head: OpaquePointer?, _ dLandmarks: UnsafePointer<Float>?, _ dVertices: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let model = try resolve(head, HeadHandle.self, "head").model
        let dLandmarks = try finite(dLandmarks, 3 * model.landmarks.count, "d_landmarks")
        let dVertices = try zeroed(dVertices, 3 * model.vertexCount, "d_vertices")
        model.landmarks.backward(dLandmarks, dVertices: dVertices)
        try requireFinite(dVertices, 3 * model.vertexCount, "d_vertices", of: "d_landmarks")
    }
}

@_cdecl("gar_head_landmarks_contour")
public func garHeadLandmarksContour(
    _ head: OpaquePointer?, _ vertices: UnsafePointer<Float>?, _ yaw: Float, _ pitch: Float, _ roll: Float,
    _ landmarks: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let head = try resolve(head, HeadHandle.self, "head")
        let vertices = try finite(vertices, 3 * head.model.vertexCount, "vertices")
        let landmarks = try required(landmarks, "landmarks")
        let rotation = try rotation(yaw, pitch, roll)
        head.contour.embedding(vertices, rotation: rotation).positions(vertices, into: landmarks)
        try requireFinite(landmarks, 3 * head.model.landmarks.count, "landmarks", of: "vertices")
    }
}

@_cdecl("gar_head_sample")
public func garHeadSample(
    _ head: OpaquePointer?, _ seed: UInt64, _ identity: UnsafeMutablePointer<Float>?,
    _ expression: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let model = try resolve(head, HeadHandle.self, "head").model
        let identity = try required(identity, "identity"), expression = try required(expression, "expression")
        var random = RandomGenerator(seed: seed)
        for (k, value) in model.sampleIdentity(&random).enumerated() { identity[k] = value }
        for (k, value) in model.sampleExpression(&random).enumerated() { expression[k] = value }
    }
}

@_cdecl("gar_head_prior")
public func garHeadPrior(
    _ head: OpaquePointer?, _ identity: UnsafePointer<Float>?, _ expression: UnsafePointer<Float>?,
    _ energy: UnsafeMutablePointer<Float>?, _ dIdentity: UnsafeMutablePointer<Float>?,
    _ dExpression: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let model = try resolve(head, HeadHandle.self, "head").model
        let identity = try finite(identity, model.identityCount, "identity")
        let expression = try finite(expression, model.expressionCount, "expression")
        let energy = try required(energy, "energy")
        let dIdentity = try zeroed(dIdentity, model.identityCount, "d_identity")
        let dExpression = try zeroed(dExpression, model.expressionCount, "d_expression")
        energy.pointee = model.priorEnergy(
            identity: identity, expression: expression, dIdentity: dIdentity, dExpression: dExpression)
        try requireFinite(energy, 1, "energy", of: "identity or expression")
        try requireFinite(dIdentity, model.identityCount, "d_identity", of: "identity")
        try requireFinite(dExpression, model.expressionCount, "d_expression", of: "expression")
    }
}
