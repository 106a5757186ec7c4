import Numerics

/// Where a head's surface lies in its texture: islands without overlap, cut open at seams.
///
/// A mesh vertex on a seam has several texture vertices; every texture vertex belongs to one mesh vertex. Coordinates run
/// from 0 to 1, u to the right and v up, (0, 0) being the lower left corner of the picture. Triangles keep their order and
/// orientation, so a texture is not mirrored.
public struct TextureLayout: Sendable {
    /// [U,2].
    public let coordinates: [Float]
    /// [F,3] texture vertices, in the order of the mesh's triangles and their corners.
    public let triangles: [Int32]
    /// [U] the mesh vertex of each texture vertex.
    public let vertex: [Int32]

    public var count: Int { vertex.count }

    /// Takes a layout from outside. Throws where it does not fit the mesh, naming the tensors of a head-model file.
    public init(coordinates: [Float], triangles: [Int32], mesh: [Int32], name: String) throws {
        func malformed(_ what: String) -> GarfaceError { GarfaceError(.malformedFile, "\(name): \(what)") }
        let count = coordinates.count / 2
        guard triangles.count == mesh.count else {
            throw malformed("tensor \"uv_triangles\" must have as many triangles as \"triangles\"")
        }
        guard coordinates.allSatisfy({ $0 >= 0 && $0 <= 1 }) else { throw malformed("tensor \"uv\" must lie between 0 and 1") }
        var vertex = [Int32](repeating: -1, count: count)
        for (corner, t) in triangles.enumerated() {
            guard t >= 0, Int(t) < count else { throw malformed("tensor \"uv_triangles\" names row \(t) of \"uv\", which has \(count)") }
            let known = vertex[Int(t)]
            guard known < 0 || known == mesh[corner] else {
                throw malformed("row \(t) of \"uv\" belongs to the vertices \(known) and \(mesh[corner]); a row belongs to one")
            }
            vertex[Int(t)] = mesh[corner]
        }
        guard !vertex.contains(-1) else { throw malformed("tensor \"uv\" has rows that no triangle uses") }
        self.coordinates = coordinates
        self.triangles = triangles
        self.vertex = vertex
    }

    /// Unwraps a mesh: every connected part becomes an island, the largest one on top, the others in rows below.
    ///
    /// - Parameters:
    ///   - vertices: `[V,3]`, y up, z to the front: seams run along the back.
    ///   - focus: a point around which the texture is finer (the nose tip).
    public init(unwrapping vertices: [Float], triangles: [Int32], focus: SIMD3<Double>?) {
        let points = (0..<vertices.count / 3).map { (i: Int) -> SIMD3<Double> in
            SIMD3<Double>(Double(vertices[3 * i]), Double(vertices[3 * i + 1]), Double(vertices[3 * i + 2]))
        }
        var islands = connectedParts(triangles, vertexCount: points.count).map {
            Island(part: $0, triangles: triangles, points: points, focus: focus)
        }
        let cells = packed(islands.map(\.size))
        var start: Int32 = 0
        var coordinates: [Float] = [], vertex: [Int32] = []
        var corners = [Int32](repeating: 0, count: triangles.count)
        for i in islands.indices {
            for p in islands[i].coordinates {
                let q = cells[i].origin + p * cells[i].size
                coordinates += [Float(max(0, min(1, q.x))), Float(max(0, min(1, q.y)))]
            }
            vertex += islands[i].vertex
            for (k, t) in islands[i].part.enumerated() {
                for c in 0..<3 { corners[3 * t + c] = start + islands[i].corners[3 * k + c] }
            }
            start += Int32(islands[i].vertex.count)
            islands[i].coordinates = []
        }
        self.coordinates = coordinates
        self.triangles = corners
        self.vertex = vertex
    }
}

extension HeadModel {
    /// The layout that the model's file brings, or else the mean head unwrapped.
    public func textureLayout() -> TextureLayout {
        if let ownTextureLayout { return ownTextureLayout }
        var points = [T](repeating: 0, count: 3 * landmarks.count)
        landmarks.positions(mean.pointer, into: &points)
        let nose = 3 * ContourLines.noseTip
        let focus =
            landmarks.count > ContourLines.noseTip
            ? SIMD3(Double(points[nose]), Double(points[nose + 1]), Double(points[nose + 2])) : nil
        return TextureLayout(unwrapping: mean.array.map { Float($0) }, triangles: triangles, focus: focus)
    }
}
