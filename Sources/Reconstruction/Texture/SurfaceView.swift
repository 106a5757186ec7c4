import FaceModel
import Numerics
import Rasterizer

/// A picture of the head, and where in it every vertex lies: what a texture is gathered from.
struct SurfaceView {
    /// [3,S,S], 0 to 1.
    private let planes: [Float]
    private let side: Int
    /// [V] pixels of the picture, centres at whole numbers.
    let places: [SIMD2<Float>]
    /// [V] how far the picture is to be trusted, 0 to 1: seen, not at a grazing angle, inside the photo, away from outlines.
    let confidence: [Float]
    /// [V] whether the vertex is not hidden, at whatever angle.
    let isSeen: [Bool]

    /// Facing the viewer less than the first (cosine) counts nothing, more than the second fully.
    private static let grazing: Float = 0.35, facing: Float = 0.75

    /// - Parameters:
    ///   - planes: [3,side,side] in -1 to 1.
    ///   - inside: [side,side], 1 where the picture is known; nil for everywhere.
    ///   - ndc: [V,3] the mesh in the picture's square, x right, y up, z towards the viewer, one scale.
    ///   - normals: [V,3] in camera space.
    init(planes: [Float], side: Int, inside: [Float]?, ndc: [Float], normals: [Float], mesh: Mesh, neighbours: VertexNeighbours) {
        self.planes = planes.map { max(0, min(1, ($0 + 1) / 2)) }
        self.side = side
        let count = mesh.vertexCount
        let buffer = RasterBuffer<Float>(width: Self.rasterSide, height: Self.rasterSide)
        rasterize(vertices: ndc, vertexCount: count, triangles: mesh.triangles, into: buffer)
        isSeen = buffer.visibility(ndc, count: count, tolerance: 0.015)
        let half = Float(side) / 2
        places = (0..<count).map { SIMD2((1 + ndc[3 * $0]) * half - 0.5, (1 - ndc[3 * $0 + 1]) * half - 0.5) }
        var weight = [Float](repeating: 0, count: count)
        for v in 0..<count where isSeen[v] {
            let x = Int(max(0, min(Float(side - 1), places[v].x.rounded()))), y = Int(max(0, min(Float(side - 1), places[v].y.rounded())))
            let t = max(0, min(1, (normals[3 * v + 2] - Self.grazing) / (Self.facing - Self.grazing)))
            weight[v] = t * t * (3 - 2 * t) * (inside.map { $0[y * side + x] } ?? 1)
        }
        // A vertex beside a hidden one may show what hides it, one near the outline what is behind the head.
        // Eyes and teeth are small and meshed finely: most of what is seen of them is near an edge.
        let inner = neighbours.least(neighbours.least(weight))
        let isSkin = mesh.isSkin
        var eroded = (0..<count).map { isSkin[$0] ? inner[$0] : weight[$0] }
        eroded = neighbours.mean(neighbours.mean(eroded))
        confidence = zip(eroded, weight).map { min($0, $1) }
    }

    /// Fine enough for the mesh, whatever the picture's size.
    private static let rasterSide = 768

    /// Bilinear; the edge is continued.
    func colour(_ place: SIMD2<Float>) -> SIMD3<Float> {
        let limit = Float(side - 1)
        guard place.x.isFinite, place.y.isFinite else { return .zero }
        let x = max(0, min(limit, place.x)), y = max(0, min(limit, place.y))
        let i = Int(x), j = Int(y), right = i + 1 < side ? 1 : 0, below = j + 1 < side ? side : 0
        let fx = x - Float(i), fy = y - Float(j)
        let area = side * side, at = j * side + i
        var result = SIMD3<Float>()
        for c in 0..<3 {
            let p = c * area + at
            let upper = planes[p] * (1 - fx) + planes[p + right] * fx
            let lower = planes[p + below] * (1 - fx) + planes[p + below + right] * fx
            result[c] = upper * (1 - fy) + lower * fy
        }
        return result
    }
}
