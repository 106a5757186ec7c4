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
        for (name, values, digits, width) in [
            ("v", mesh.vertices, 4, 3), ("vt", layout.coordinates, 6, 2), ("vn", mesh.normals, 5, 3),
        ] {
            for i in 0..<values.count / width {
                text.add(name)
                for k in 0..<width {
                    text.add(" ")
                    text.add(values[width * i + k], digits)
                }
                text.add("\n")
            }
        }
        text.add("usemtl head\n")
        for (part, triangles) in groups(mesh) {
            if !part.isEmpty { text.add("g \(part)\n") }
            for t in triangles {
                text.add("f")
                for k in 0..<3 {
                    let v = Int(mesh.triangles[3 * t + k]) + 1
                    text.add(" ")
                    text.add(v)
                    text.add("/")
                    text.add(Int(layout.triangles[3 * t + k]) + 1)
                    text.add("/")
                    text.add(v)
                }
                text.add("\n")
            }
        }
        return text.bytes
    }

    /// The material file: unlit, for the texture already has the photo's light.
    public static func mtl(texture: String) -> [UInt8] {
        Array("newmtl head\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd \(texture)\n".utf8)
    }
}
