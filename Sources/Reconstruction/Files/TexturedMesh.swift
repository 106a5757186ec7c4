import FaceModel
import Numerics

extension MeshFile {
    /// Wavefront OBJ with texture coordinates; `library` is the name of its material file, whose material is "head".
    public static func obj(_ mesh: Mesh, layout: TextureLayout, library: String, comment: String = "") throws -> [UInt8] {
        try mesh.check()
        guard layout.triangles.count == mesh.triangles.count else {
            throw GarfaceError(.internalFailure, "obj: the texture layout is that of another mesh")
        }
        var text = ASCIIText()
        text.reserve(mesh.vertexCount * 64 + layout.count * 24 + mesh.triangleCount * 60)
        text.add("# garface head, millimetres, x to the subject's left, y up, z out of the face\n")
        if !comment.isEmpty { text.add("# \(comment.split(separator: "\n").joined(separator: " "))\n") }
        text.add("mtllib \(library)\n")
        text.addRows("v", mesh.vertices, width: 3, digits: 4)
        text.addRows("vt", layout.coordinates, width: 2, digits: 6)
        text.addRows("vn", mesh.normals, width: 3, digits: 5)
        text.add("usemtl head\n")
        text.addFaces(mesh, textureCorners: layout.triangles)
        return text.bytes
    }

    /// The material file: unlit, for the texture already has the photo's light.
    public static func mtl(texture: String) -> [UInt8] {
        Array("newmtl head\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd \(texture)\n".utf8)
    }
}
