import FaceModel
import GarfaceHeader
import Numerics
import Rasterizer

/// A posed head in the default aligned frame: NDC vertices and camera-space normals.
private func posed(
    _ head: HeadHandle, _ vertices: UnsafePointer<Float>?, _ pose: UnsafePointer<Float>?
) throws -> (ndc: [Float], normals: [Float], half: Float) {
    let count = head.model.vertexCount
    let vertices = try finite(vertices, 3 * count, "vertices"), pose = try headPose(pose)
    let frame = AlignedFrame()
    var ndc = [Float](repeating: 0, count: 3 * count), normals = ndc
    frame.forward(vertices, count: count, pose: pose, into: &ndc)
    VertexNormals<Float>(topology: head.topology).forward(ndc, into: &normals)
    for values in [ndc, normals] { try requireFinite(values, values.count, "the posed head", of: "vertices or pose") }
    return (ndc, normals, Float(frame.half))
}

private func pictureSide(_ size: Int32) throws -> Int {
    guard (1...4096).contains(size) else { throw invalid("size: is \(size), expected 1 to 4096 pixels") }
    return Int(size)
}

@_cdecl("gar_head_depth")
public func garHeadDepth(
    _ head: OpaquePointer?, _ vertices: UnsafePointer<Float>?, _ pose: UnsafePointer<Float>?, _ size: Int32,
    _ depth: UnsafeMutablePointer<Float>?, _ visible: UnsafeMutablePointer<UInt8>?
) -> gar_status {
    call {
        let head = try resolve(head, HeadHandle.self, "head")
        let side = try pictureSide(size), model = head.model
        if depth == nil && visible == nil { throw invalid("depth: must not be NULL where visible is") }
        let (ndc, _, half) = try posed(head, vertices, pose)
        let buffer = RasterBuffer<Float>(width: side, height: side)
        rasterize(vertices: ndc, vertexCount: model.vertexCount, triangles: model.triangles, into: buffer)
        if let depth {
            for p in 0..<buffer.pixelCount { depth[p] = buffer.ids[p] >= 0 ? half * buffer.depth[p] : .nan }
        }
        if let visible {
            for (v, seen) in buffer.visibility(ndc, count: model.vertexCount).enumerated() { visible[v] = seen ? 1 : 0 }
        }
    }
}

@_cdecl("gar_head_shade")
public func garHeadShade(
    _ head: OpaquePointer?, _ vertices: UnsafePointer<Float>?, _ pose: UnsafePointer<Float>?, _ albedo: UnsafePointer<Float>?,
    _ light: UnsafePointer<Float>?, _ size: Int32, _ picture: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let head = try resolve(head, HeadHandle.self, "head")
        let side = try pictureSide(size), model = head.model
        guard side <= 2048 else { throw invalid("size: is \(size), expected 1 to 2048 pixels") }
        let albedo = try finite(albedo, 3 * model.vertexCount, "albedo"), light = try finite(light, 27, "light")
        let picture = try required(picture, "picture")
        let (ndc, normals, _) = try posed(head, vertices, pose)
        let shading = SphericalHarmonicsShading<Float>(
            size: side, sampling: .area, triangles: model.triangles, vertexCount: model.vertexCount)
        shading.forward(ndc: ndc, normals: normals, albedo: albedo, light: light)
        gather([shading.image], picture)
        try requireFinite(picture, 3 * side * side, "picture", of: "albedo or light")
    }
}
