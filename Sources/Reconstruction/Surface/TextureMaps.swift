import FaceModel
import Numerics

/// The head's surface laid out as its texture: what lies under each texel.
public struct TextureMaps: Sendable {
    public let side: Int
    /// [side,side,3] mm; NaN beside the islands.
    public private(set) var positions: [Float]
    /// [side,side,3] of unit length; 0 beside the islands.
    public private(set) var normals: [Float]
    /// [side,side] indices into the mesh's `partNames`; -1 beside the islands.
    public private(set) var parts: [Int16]

    public init(_ mesh: Mesh, layout: TextureLayout, side: Int = Texture.side) throws {
        try mesh.check()
        try RGBImage.checkSize(width: side, height: side)
        self.side = side
        var positions = [Float](repeating: .nan, count: 3 * side * side)
        var normals = [Float](repeating: 0, count: 3 * side * side)
        var parts = [Int16](repeating: -1, count: side * side)
        TextureMap(layout: layout, side: side).forCovered { p, v, w in
            var n = SIMD3<Float>()
            for c in 0..<3 {
                positions[3 * p + c] = (0..<3).reduce(0) { $0 + w[$1] * mesh.vertices[3 * v[$1] + c] }
                n[c] = (0..<3).reduce(0) { $0 + w[$1] * mesh.normals[3 * v[$1] + c] }
            }
            let length = (n * n).sum().squareRoot()
            if length > 1e-6 { for c in 0..<3 { normals[3 * p + c] = n[c] / length } }
            if !mesh.part.isEmpty { parts[p] = Int16(mesh.part[v[0]]) }
        }
        self.positions = positions
        self.normals = normals
        self.parts = parts
    }

    /// As a picture: each component n becomes 127.5 (n + 1); 128 128 128 beside the islands.
    public func normalImage() throws -> RGBImage { try Reconstruction.normalImage(normals, width: side, height: side) }
}

/// Unit normals [h,w,3] as a picture: each component n becomes 127.5 (n + 1), so 128 where there is none.
func normalImage(_ normals: [Float], width: Int, height: Int) throws -> RGBImage {
    var image = try RGBImage(width: width, height: height)
    for i in normals.indices { image.pixels[i] = UInt8(max(0, min(255, (127.5 * (normals[i] + 1)).rounded()))) }
    return image
}
