import Inversion
import Numerics

/// A picture of a result, four panels from left to right, each the same part of the photo:
/// photo with landmarks (jaw line green, the rest yellow) and aligned frame; the fitted mesh, lit, over the photo;
/// its normals over the photo; the renderer's picture laid into the photo (the photo again where there is none).
public enum OverlaySheet {
    /// Panels show this many frame sides.
    private static let reach = 1.3
    /// Drawn larger, then averaged down.
    private static let oversampling = 2

    /// - Parameter panel: side of a panel, pixels.
    public static func image(_ result: ReconstructionResult, photo: RGBImage, panel: Int = 360) throws -> RGBImage {
        guard (16...2048).contains(panel) else { throw GarfaceError(.invalidArgument, "overlay: panels of 16 to 2048 pixels") }
        let side = panel * oversampling
        let view = Similarity(centreX: result.frame.centreX, centreY: result.frame.centreY, size: result.frame.size * reach)
        let step = view.size / Double(side)
        let window = PhotoWindow(
            x: view.centreX + 0.5 - view.size / 2, y: view.centreY + 0.5 - view.size / 2, step: step, width: side, height: side)
        let crop = Tensor<Float>([3, side, side])
        warp(photo, view, into: crop)
        let base = try rgbImage(planes: crop.array, width: side, height: side)
        let maps = try result.maps(window)

        let panels = [
            landmarks(result, base, window), shaded(maps, base), normals(maps, base), rendered(result, base, window),
        ]
        let gap = max(2, panel / 60)
        var sheet = Canvas(image: try RGBImage(width: 4 * panel + 5 * gap, height: panel + 2 * gap, fill: 255))
        for (i, picture) in panels.enumerated() {
            sheet.paste(try resized(picture, width: panel, height: panel), x: gap + i * (panel + gap), y: gap)
        }
        return sheet.image
    }

    private static func landmarks(_ result: ReconstructionResult, _ base: RGBImage, _ window: PhotoWindow) -> RGBImage {
        var canvas = Canvas(image: base)
        func place(_ u: Double, _ v: Double) -> (Double, Double) {
            ((u + 0.5 - window.x) / window.step - 0.5, (v + 0.5 - window.y) / window.step - 0.5)
        }
        let unit = Double(window.width) / 720
        let corners = [(-1.0, -1.0), (1, -1), (1, 1), (-1, 1)].map { corner in
            let p = result.frame.photo(x: corner.0, y: corner.1)
            return place(p.u, p.v)
        }
        for i in 0..<4 { canvas.line(corners[i], corners[(i + 1) % 4], radius: unit, [80, 170, 255]) }
        for i in 0..<result.landmarks.count / 2 {
            let p = place(result.landmarks[2 * i], result.landmarks[2 * i + 1])
            canvas.disc(p.0, p.1, radius: 4.2 * unit, [0, 0, 0])
            canvas.disc(p.0, p.1, radius: 3 * unit, i < 17 ? [90, 255, 120] : [255, 225, 60])
        }
        return canvas.image
    }

    private static func shaded(_ maps: SurfaceMaps, _ base: RGBImage) -> RGBImage {
        var canvas = Canvas(image: base)
        let light = SIMD3<Float>(0.35, 0.45, 0.82)
        forCovered(maps) { x, y, n in
            let lambert = max(0, (n * light).sum())
            canvas.blend(x, y, SIMD3(205, 212, 225) * (0.22 + 0.78 * lambert), 0.78)
        }
        return canvas.image
    }

    private static func normals(_ maps: SurfaceMaps, _ base: RGBImage) -> RGBImage {
        var canvas = Canvas(image: base)
        forCovered(maps) { x, y, n in canvas.blend(x, y, (n + 1) * 127.5, 0.9) }
        return canvas.image
    }

    private static func forCovered(_ maps: SurfaceMaps, _ body: (Int, Int, SIMD3<Float>) -> Void) {
        for y in 0..<maps.window.height {
            for x in 0..<maps.window.width {
                let i = y * maps.window.width + x
                guard maps.covers(i) else { continue }
                body(x, y, SIMD3(maps.normals[3 * i], maps.normals[3 * i + 1], maps.normals[3 * i + 2]))
            }
        }
    }

    private static func rendered(_ result: ReconstructionResult, _ base: RGBImage, _ window: PhotoWindow) -> RGBImage {
        guard let render = result.render else { return base }
        var canvas = Canvas(image: base)
        let source = Canvas(image: render)
        for y in 0..<window.height {
            for x in 0..<window.width {
                let p = result.frame.ndc(
                    u: window.x + (Double(x) + 0.5) * window.step - 0.5, v: window.y + (Double(y) + 0.5) * window.step - 0.5)
                guard abs(p.x) < 1, abs(p.y) < 1 else { continue }
                let u = max(0, min(Double(render.width - 1), (p.x + 1) / 2 * Double(render.width) - 0.5))
                let v = max(0, min(Double(render.height - 1), (1 - p.y) / 2 * Double(render.height) - 0.5))
                let i = Int(u), j = Int(v), i1 = min(i + 1, render.width - 1), j1 = min(j + 1, render.height - 1)
                let fx = Float(u - Double(i)), fy = Float(v - Double(j))
                let above = source.pixel(i, j) * (1 - fx) + source.pixel(i1, j) * fx
                let below = source.pixel(i, j1) * (1 - fx) + source.pixel(i1, j1) * fx
                canvas.blend(x, y, above * (1 - fy) + below * fy, 1)
            }
        }
        return canvas.image
    }
}
