import Numerics

/// A rectangle of photo pixels: map pixel (i, j) shows photo pixel `(x, y) + ((i, j) + 0.5) * step - 0.5`.
public struct PhotoWindow: Sendable, Equatable {
    public var x, y: Double
    /// Photo pixels per map pixel.
    public var step: Double
    public var width, height: Int

    public init(x: Double = 0, y: Double = 0, step: Double = 1, width: Int, height: Int) {
        self.x = x
        self.y = y
        self.step = step
        self.width = width
        self.height = height
    }

    /// The whole photo, reduced by a whole number so that no side exceeds `side`.
    public init(photoWidth: Int, photoHeight: Int, side: Int = 2048) {
        let step = max(1, (max(photoWidth, photoHeight) + side - 1) / side)
        self.init(step: Double(step), width: (photoWidth + step - 1) / step, height: (photoHeight + step - 1) / step)
    }
}

/// Normals and depth of the head as the camera sees it, on a window of the photo.
public struct SurfaceMaps: Sendable {
    public let window: PhotoWindow
    /// [h,w,3] unit normals in camera space (x right, y up, z towards the viewer); zero beside the head.
    public private(set) var normals: [Float]
    /// [h,w] mm towards the viewer, 0 at the model's origin; NaN beside the head.
    public private(set) var depth: [Float]

    /// - Parameters:
    ///   - mesh: in camera space, mm.
    ///   - scale, tx, ty: `u = scale * x + tx`, `v = -scale * y + ty` in photo pixels.
    public init(_ mesh: Mesh, scale: Double, tx: Double, ty: Double, window: PhotoWindow) throws {
        self.init(try HeadRaster(mesh, scale: scale, tx: tx, ty: ty, window: window))
    }

    init(_ raster: HeadRaster) {
        let buffer = raster.buffer, mesh = raster.mesh
        window = raster.window
        let count = window.width * window.height
        var normals = [Float](repeating: 0, count: 3 * count)
        var depth = [Float](repeating: .nan, count: count)
        for i in 0..<count where buffer.ids[i] >= 0 {
            let t = 3 * Int(buffer.ids[i])
            var n = SIMD3<Float>()
            for k in 0..<3 {
                let v = 3 * Int(mesh.triangles[t + k])
                n += buffer.barycentrics[3 * i + k] * SIMD3(mesh.normals[v], mesh.normals[v + 1], mesh.normals[v + 2])
            }
            let length = (n * n).sum().squareRoot()
            if length > 1e-6 { n /= length }
            for k in 0..<3 { normals[3 * i + k] = n[k] }
            depth[i] = buffer.depth[i]
        }
        self.normals = normals
        self.depth = depth
    }

    /// Whether the head covers map pixel `i` (row-major).
    public func covers(_ i: Int) -> Bool { !depth[i].isNaN }

    /// The share of the window that the head covers.
    public var coverage: Double { Double(depth.count { !$0.isNaN }) / Double(depth.count) }

    /// As a picture: each component n becomes 127.5 (n + 1); 128 128 128 beside the head.
    public func normalImage() throws -> RGBImage {
        try Reconstruction.normalImage(normals, width: window.width, height: window.height)
    }

    /// As 16-bit samples: `32768 + 100 mm`, so mm = (sample - 32768) / 100; 0 beside the head.
    public func depthSamples() -> [UInt16] {
        depth.map { $0.isNaN ? 0 : UInt16(max(1, min(65535, (32768 + 100 * $0).rounded()))) }
    }
}
