import FaceModel
import Numerics
import Rasterizer

/// What lies under every texel: a triangle of the mesh and the place in it. Row-major, top row (v = 1) first.
struct TextureMap {
    let side: Int
    let layout: TextureLayout
    private let buffer: RasterBuffer<Float>

    init(layout: TextureLayout, side: Int) {
        self.side = side
        self.layout = layout
        var ndc = [Float](repeating: 0, count: 3 * layout.count)
        for i in 0..<layout.count {
            ndc[3 * i] = 2 * layout.coordinates[2 * i] - 1
            ndc[3 * i + 1] = 2 * layout.coordinates[2 * i + 1] - 1
        }
        buffer = RasterBuffer(width: side, height: side)
        rasterize(vertices: ndc, vertexCount: layout.count, triangles: layout.triangles, into: buffer)
    }

    /// Calls `body` with each covered texel, the mesh vertices of its triangle and their weights.
    func forCovered(_ body: (_ texel: Int, _ vertices: SIMD3<Int>, _ weights: SIMD3<Float>) -> Void) {
        let corners = layout.triangles.map { Int(layout.vertex[Int($0)]) }
        for p in 0..<side * side where buffer.ids[p] >= 0 {
            let t = 3 * Int(buffer.ids[p])
            body(
                p, SIMD3(corners[t], corners[t + 1], corners[t + 2]),
                SIMD3(buffer.barycentrics[3 * p], buffer.barycentrics[3 * p + 1], buffer.barycentrics[3 * p + 2]))
        }
    }
}
