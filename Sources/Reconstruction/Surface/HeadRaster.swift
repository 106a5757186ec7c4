import FaceModel
import Numerics
import Rasterizer

/// Which part of the head each pixel of a photo shows.
struct HeadRaster {
    let window: PhotoWindow
    let buffer: RasterBuffer<Float>
    let mesh: Mesh

    /// - Parameters:
    ///   - mesh: in camera space, mm.
    ///   - scale, tx, ty: `u = scale * x + tx`, `v = -scale * y + ty` in photo pixels.
    init(_ mesh: Mesh, scale: Double, tx: Double, ty: Double, window: PhotoWindow) throws {
        try mesh.check()
        try RGBImage.checkSize(width: window.width, height: window.height)
        self.window = window
        self.mesh = mesh
        // Photo pixel u lies at NDC 2 ((u + 0.5 - x) / step) / width - 1.
        let toX = 2 / (window.step * Double(window.width)), toY = 2 / (window.step * Double(window.height))
        let ax = Float(scale * toX), bx = Float((tx + 0.5 - window.x) * toX - 1)
        let ay = Float(scale * toY), by = Float(1 - (ty + 0.5 - window.y) * toY)
        var ndc = mesh.vertices
        for i in 0..<mesh.vertexCount {
            ndc[3 * i] = ax * ndc[3 * i] + bx
            ndc[3 * i + 1] = ay * ndc[3 * i + 1] + by
        }
        buffer = RasterBuffer<Float>(width: window.width, height: window.height)
        rasterize(vertices: ndc, vertexCount: mesh.vertexCount, triangles: mesh.triangles, into: buffer)
    }

    /// [h,w,3] of `vertices` [V,3]; NaN beside the head.
    func positions(_ vertices: [Float]) -> [Float] {
        var map = [Float](repeating: 0, count: 3 * buffer.pixelCount)
        buffer.interpolate(vertices, channels: 3, triangles: mesh.triangles, into: &map)
        for i in 0..<buffer.pixelCount where buffer.ids[i] < 0 { for k in 0..<3 { map[3 * i + k] = .nan } }
        return map
    }

    /// [h,w] indices into the mesh's `partNames`; -1 beside the head.
    func parts() -> [Int16] {
        (0..<buffer.pixelCount).map { i in
            guard buffer.ids[i] >= 0, !mesh.part.isEmpty else { return -1 }
            return Int16(mesh.part[Int(mesh.triangles[3 * Int(buffer.ids[i])])])
        }
    }
}
