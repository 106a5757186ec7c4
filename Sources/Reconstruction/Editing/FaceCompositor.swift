import FaceModel
import Glibc
import Inversion
import Numerics

/// Puts an edited face into the photo it came from.
///
/// The surface carries the photo's colours to where the edit moves it, changed by what GAR says is different; where the photo
/// never showed the surface GAR's picture is taken, its colours corrected by what is known around. Hair and background, which
/// have no surface, are drawn along and come to rest at some distance from the head, and so is what covers the face. An edit
/// that changes nothing gives back the photo; away from the head it is the photo in any case.
struct FaceCompositor {
    let source: PhotographedHead
    /// Of both faces, in the photo.
    let frame: Similarity
    /// Millimetres of the frame.
    let aligned: AlignedFrame

    /// What the face has become.
    struct Edited {
        var mesh: Mesh
        var camera: Camera<Double>
        /// GAR's picture of it, in the plane as the photo has it: a turned picture is another one for GAR.
        var render: BicubicPicture
        /// From the photo to there, radians, counter-clockwise about where the camera has the model's origin.
        var upright: Double
        /// 0 the look as it was, 1 another one.
        var lookChange: Float
        /// How much of the photo's detail goes along.
        var detail: Float
    }

    /// Frame sides that an edit reaches, and beyond the head, mm.
    private static let reach = 1.7, reachMM: Float = 80
    /// Cells of the grid for what changes slowly, and samples of a cell a side.
    private static let cells = 160, samples = 3
    /// What GAR may change in brightness and in colour on skin that it shows before and after: beyond, it errs.
    private static let brightness: Float = 0.15, tint: Float = 0.04
    /// Pixels that are worked on at a time.
    private static let stripPixels = 1 << 19
    /// Pixels of a millimetre below which edges of eyes and mouth are refined, and places a side of such a pixel.
    private static let finePixelsPerMM: Float = 8, places = 3

    func composite(_ photo: RGBImage, _ edited: Edited) throws -> RGBImage {
        let scene = try Scene(self, edited)
        let top = scene.grid, side = top.step * Double(top.width)
        let left = max(0, Int(top.x.rounded(.down))), right = min(photo.width, Int((top.x + side).rounded(.up)))
        let first = max(0, Int(top.y.rounded(.down))), last = min(photo.height, Int((top.y + side).rounded(.up)))
        var result = photo
        guard left < right, first < last else { return result }
        let width = right - left, rows = max(1, Self.stripPixels / width)
        for y in stride(from: first, to: last, by: rows) {
            let height = min(rows, last - y)
            let window = PhotoWindow(x: Double(left), y: Double(y), width: width, height: height)
            func set(_ i: Int, _ colour: SIMD3<Float>) {
                let o = photo.offset(left + i % width, y + i / width)
                for c in 0..<3 { result.pixels[o + c] = UInt8(max(0, min(255, (255 * colour[c]).rounded()))) }
            }
            var inner = [Bool](repeating: false, count: width * height), changed = inner
            try scene.forPixels(window) { i, shade in
                inner[i] = shade.isInner
                guard let colour = shade.colour else { return }
                set(i, colour)
                let o = photo.offset(left + i % width, y + i / width)
                changed[i] = (0..<3).contains { result.pixels[o + $0] != photo.pixels[o + $0] }
            }
            if scene.pixelsPerMM < Self.finePixelsPerMM { try refine(scene, window, inner: inner, where: changed, set) }
        }
        return result
    }

    /// What lies between lips and lids that nearly meet is thinner than a pixel: there a pixel is the mean of several places.
    private func refine(
        _ scene: Scene, _ window: PhotoWindow, inner: [Bool], where changed: [Bool], _ set: (Int, SIMD3<Float>) -> Void
    ) throws {
        let w = window.width, h = window.height, n = Self.places
        let edges = inner.indices.filter { i in
            let x = i % w, y = i / w
            return changed[i]
                && (max(0, y - 1)...min(h - 1, y + 1)).contains { b in
                    (max(0, x - 1)...min(w - 1, x + 1)).contains { inner[b * w + $0] != inner[i] }
                }
        }
        guard let left = edges.map({ $0 % w }).min(), let right = edges.map({ $0 % w }).max(), let top = edges.first.map({ $0 / w }),
            let bottom = edges.last.map({ $0 / w })
        else { return }
        let isEdge = Set(edges), across = right - left + 1, rows = max(1, Self.stripPixels / (across * n * n))
        for first in stride(from: top, through: bottom, by: rows) {
            let down = min(rows, bottom + 1 - first)
            var sums = [SIMD3<Float>](repeating: .zero, count: across * down), counts = [Int](repeating: 0, count: across * down)
            let fine = PhotoWindow(
                x: window.x + Double(left), y: window.y + Double(first), step: 1 / Double(n), width: across * n, height: down * n)
            try scene.forPixels(fine) { i, shade in
                let cell = i / (across * n) / n * across + i % (across * n) / n
                guard let colour = shade.colour else { return }
                sums[cell] += colour
                counts[cell] += 1
            }
            for cell in sums.indices where counts[cell] == n * n {
                let i = (first + cell / across) * w + left + cell % across
                if isEdge.contains(i) { set(i, sums[cell] / Float(n * n)) }
            }
        }
    }

    /// What a pixel becomes.
    fileprivate struct Shade {
        /// The photo drawn along, and the face laid over it with this weight. Nil where nothing changes.
        var drawn = SIMD3<Float>(), face = SIMD3<Float>(), weight: Float = 0, changes = false
        /// Eye, teeth or the inside of the mouth.
        var isInner = false
        var colour: SIMD3<Float>? { changes ? drawn + weight * (face - drawn) : nil }
    }

    /// One edit: the edited mesh with what its vertices carry, and the fields between.
    fileprivate struct Scene {
        let compositor: FaceCompositor
        let edited: Edited
        let grid: PhotoWindow
        private let attributes: [Float]
        /// 2: photo pixels, from where something is to where it comes from.
        private let flow: GridField
        /// How much of the surroundings the edited head covers.
        private let coverage: GridField
        /// 3: what brings another look's colours to the photo's.
        private var tone: GridField?
        let pixelsPerMM: Float

        init(_ compositor: FaceCompositor, _ edited: Edited) throws {
            typealias A = PhotographedHead.Attribute
            self.compositor = compositor
            self.edited = edited
            let frame = compositor.frame, n = FaceCompositor.cells, m = FaceCompositor.samples
            let side = FaceCompositor.reach * frame.size
            func window(_ count: Int) -> PhotoWindow {
                PhotoWindow(
                    x: frame.centreX + 0.5 - side / 2, y: frame.centreY + 0.5 - side / 2, step: side / Double(count), width: count,
                    height: count)
            }
            grid = window(n)
            pixelsPerMM = Float(frame.size / (2 * compositor.aligned.half))
            attributes = compositor.source.attributes(
                edited: PhotographedHead.places(edited.mesh, edited.camera), pixelsPerMM: pixelsPerMM)

            let fine = window(n * m)
            let after = try HeadRaster(
                edited.mesh, scale: edited.camera.scale, tx: edited.camera.tx, ty: edited.camera.ty, window: fine)
            let before = try compositor.source.raster(fine)
            var carried = [Float](repeating: 0, count: A.count * after.buffer.pixelCount)
            after.buffer.interpolate(attributes, channels: A.count, triangles: after.mesh.triangles, into: &carried)
            var known = [Float](repeating: 0, count: 2 * n * n), weight = [Float](repeating: 0, count: n * n)
            var covered = weight, head = weight
            let part = 1 / Float(m * m)
            for y in 0..<n * m {
                for x in 0..<n * m {
                    let p = y * n * m + x, cell = (y / m) * n + x / m
                    if after.buffer.ids[p] >= 0 { covered[cell] += part }
                    if after.buffer.ids[p] >= 0 || before.ids[p] >= 0 { head[cell] += part }
                    let c = part * max(carried[A.count * p + A.confidence], carried[A.count * p + A.still])
                    weight[cell] += c
                    known[2 * cell] += c * carried[A.count * p]
                    known[2 * cell + 1] += c * carried[A.count * p + 1]
                }
            }
            for cell in 0..<n * n {
                if weight[cell] > 1e-3 {
                    known[2 * cell] /= weight[cell]
                    known[2 * cell + 1] /= weight[cell]
                } else {
                    (known[2 * cell], known[2 * cell + 1], weight[cell]) = (0, 0, 0)
                }
                weight[cell] *= 8
            }
            let cellMM = Float(grid.step) / pixelsPerMM
            let held = chamferDistance(head.map { $0 > 0.5 }, side: n).enumerated().map { cell, distance in
                let i = cell % n, j = cell / n
                return distance * cellMM > FaceCompositor.reachMM || i == 0 || j == 0 || i == n - 1 || j == n - 1
            }
            flow = GridField(membraneOn: n, channels: 2, known: known, weight: weight, held: held)
            coverage = GridField(side: n, channels: 1, values: covered).blurred(times: 6)
            if edited.lookChange > 0 { tone = try matchedTone() }
        }

        /// Another look's colours meet the photo's: at the rim of the face exactly, inside on the whole.
        private func matchedTone() throws -> GridField {
            let n = grid.width
            var known = [Float](repeating: 0, count: 3 * n * n), weight = [Float](repeating: 0, count: n * n)
            try forPixels(grid) { p, shade in
                guard shade.weight > 0.02 else { return }
                for c in 0..<3 { known[3 * p + c] = shade.drawn[c] - shade.face[c] }
                // Hair at the rim says nothing of the skin's tone.
                weight[p] = (shade.weight < 0.5 ? 8 : 0.02) * compositor.source.palette.trust(shade.drawn)
            }
            return GridField(membraneOn: n, channels: 3, known: known, weight: weight, held: nil)
        }

        /// Calls `body` with every pixel of a window of the photo.
        func forPixels(_ window: PhotoWindow, _ body: (Int, Shade) -> Void) throws {
            typealias A = PhotographedHead.Attribute
            let raster = try HeadRaster(
                edited.mesh, scale: edited.camera.scale, tx: edited.camera.tx, ty: edited.camera.ty, window: window)
            var carried = [Float](repeating: 0, count: A.count * raster.buffer.pixelCount)
            raster.buffer.interpolate(attributes, channels: A.count, triangles: raster.mesh.triangles, into: &carried)
            let place = AffinePlace(compositor.frame)
            let rendered = AffinePlace(compositor.frame, edited.camera, turned: edited.upright)
            carried.withUnsafeBufferPointer { carried in
                for p in 0..<raster.buffer.pixelCount {
                    let u = Float(window.x + (Double(p % window.width) + 0.5) * window.step - 0.5)
                    let v = Float(window.y + (Double(p / window.width) + 0.5) * window.step - 0.5)
                    body(p, shade(u, v, place, rendered, carried.baseAddress! + A.count * p))
                }
            }
        }

        /// - Parameters:
        ///   - place, rendered: to GAR's pictures of the face before and after.
        ///   - a: what the surface under the pixel carries; zeros beside the head.
        private func shade(
            _ u: Float, _ v: Float, _ place: AffinePlace, _ rendered: AffinePlace, _ a: UnsafePointer<Float>
        ) -> Shade {
            typealias A = PhotographedHead.Attribute
            let source = compositor.source
            let x = (u + 0.5 - Float(grid.x)) / Float(grid.step) - 0.5, y = (v + 0.5 - Float(grid.y)) / Float(grid.step) - 0.5
            let confidence = max(a[A.confidence], a[A.still])
            let own = SIMD2(a[A.shift], a[A.shift + 1])
            let shift = confidence * own + (1 - confidence) * SIMD2(flow.sample(x, y, 0), flow.sample(x, y, 1))

            var result = Shade()
            result.isInner = max(a[A.foreign], a[A.eye]) > 0.5
            let inFrame = rendered.ndc(u, v)
            let rim = max(0, min(1, (1 - Float(max(abs(inFrame.x), abs(inFrame.y)))) / 0.12))
            if a[A.face] > 0 && rim > 0 {
                result.weight = a[A.face] * smoothStep((coverage.sample(x, y, 0) - 0.5) / 0.45) * rim
            }
            result.changes = result.weight > 0 || max(abs(shift.x), abs(shift.y)) > 1e-3
            guard result.changes else { return result }
            result.drawn = source.photo.colour(u + shift.x, v + shift.y)
            if let covering = source.covering, result.weight > 0 {
                result.weight *= 1 - covering.value(u: Double(u + shift.x), v: Double(v + shift.y))
            }
            guard result.weight > 0 else { return result }

            let look = edited.lookChange, foreign = a[A.foreign], eye = a[A.eye]
            let now = edited.render.colour(inFrame: inFrame)
            let was = source.render.colour(inFrame: place.ndc(u + shift.x, v + shift.y))
            let free = 1 - (1 - foreign) * (1 - look)
            // GAR's eyes are too coarse to tell the photo's how to change.
            let change = (1 - eye * (1 - look)) * (free * (now - was) + (1 - free) * Self.limited(now - was))
            // Made new: GAR's colours, if they are such as this skin has, else the skin's own, or those of the eye.
            var made = now + SIMD3(a[A.correction], a[A.correction + 1], a[A.correction + 2])
            let trust = max(source.palette.trust(made) * (1 - a[A.lid]) * (1 - eye), foreign, look)
            let base = SIMD3(a[A.base], a[A.base + 1], a[A.base + 2])
            made = trust * made + (1 - trust) * base
            let carried = confidence * edited.detail * (1 - look)
            result.face = carried * (result.drawn + change) + (1 - carried) * made
            if let tone { result.face += look * SIMD3(tone.sample(x, y, 0), tone.sample(x, y, 1), tone.sample(x, y, 2)) }
            return result
        }

        /// Changes pass if they are small, and never go beyond the limits.
        private static func limited(_ d: SIMD3<Float>) -> SIMD3<Float> {
            let grey = SIMD3<Float>(repeating: (d * SIMD3(0.3, 0.59, 0.11)).sum()), colour = d - grey
            func soft(_ x: SIMD3<Float>, _ limit: Float) -> SIMD3<Float> { x / (1 + pointwiseMax(x, -x) / limit) }
            return soft(grey, FaceCompositor.brightness) + soft(colour, FaceCompositor.tint)
        }
    }
}

/// Photo pixels to a frame's square, without sines in between.
private struct AffinePlace {
    private let origin, right, down: SIMD2<Double>

    /// - Parameter angle: a turn in the photo before, counter-clockwise about the camera's origin.
    init(_ frame: Similarity, _ camera: Camera<Double>, turned angle: Double) {
        let plain = AffinePlace(frame)
        guard angle != 0 else {
            self = plain
            return
        }
        let c = cos(angle), s = sin(angle)
        // Down is v.
        right = c * plain.right - s * plain.down
        down = s * plain.right + c * plain.down
        origin = plain.origin + camera.tx * (plain.right - right) + camera.ty * (plain.down - down)
    }

    init(_ frame: Similarity) {
        func at(_ u: Double, _ v: Double) -> SIMD2<Double> {
            let p = frame.ndc(u: u, v: v)
            return SIMD2(p.x, p.y)
        }
        origin = at(0, 0)
        right = at(1, 0) - origin
        down = at(0, 1) - origin
    }

    func ndc(_ u: Float, _ v: Float) -> (x: Double, y: Double) {
        let p = origin + Double(u) * right + Double(v) * down
        return (p.x, p.y)
    }
}
