import FaceModel
import Glibc
import Inversion
import Numerics
import Rasterizer

/// What a photo shows of one eyeball, ready to be compared with irises.
struct EyeSight {
    /// [n] directions from the eyeball's centre, in the head's axes, one for each pixel that shows it.
    private var x: [Float] = [], y: [Float] = [], z: [Float] = []
    /// [n] how red the pixels are, less what an even change across the eye explains; and that change, of unit length.
    private var red: [Float] = [], across: [Float] = []
    private var variance: Float = 0
    var count: Int { x.count }

    /// Pixels from one side of both eyes to the other, and how much of them lies between the eyes' centres.
    private static let side = 192, between: Float = 0.55
    /// Of the reds, the share above which they are catch-lights.
    private static let dull: Float = 0.9
    /// Half the angle of an iris seen from the middle of the model's eyeballs, and how soft its edge is.
    private static let iris: Float = 22 * .pi / 180, softness: Float = 4 * .pi / 180
    /// How near its middle an iris is seen that shows it.
    private static let middle: Float = 3.5 * .pi / 180
    /// The least share of the pixels that iris and white both have.
    private static let least: Float = 0.005

    /// What the photo shows of each eyeball.
    /// - Parameters:
    ///   - centres: of the eyeballs.
    ///   - shape: [V,3] in the head's axes, and the head's triangles.
    ///   - covering: what covers the face in the photo.
    static func all(
        _ eyeballs: [Eyeball], centres: [SIMD3<Float>], shape: [Float], triangles: [Int32], camera: Camera<Double>, photo: RGBImage,
        covering: FaceCovering?
    ) -> [EyeSight] {
        let none = [EyeSight](repeating: EyeSight(), count: eyeballs.count)
        guard let first = centres.first else { return none }
        let middle = centres.reduce(.zero, +) / Float(centres.count)
        let apart = centres.map { ($0 - first).length }.max() ?? 0
        var pixel = [0.0, 0.0]
        camera.project([Double(middle.x), Double(middle.y), Double(middle.z)], count: 1, into: &pixel)
        let frame = Similarity(centreX: pixel[0], centreY: pixel[1], size: camera.scale * Double(max(apart, 30) / between))
        guard frame.isUsable else { return none }

        let crop = Tensor<Float>([3, side, side]), inside = Tensor<Float>([side, side])
        warp(photo, frame, into: crop, mask: inside)
        covering?.exclude(from: inside, of: frame)
        let buffer = RasterBuffer<Float>(width: side, height: side)
        rasterize(
            vertices: camera.ndc(shape, in: frame), vertexCount: shape.count / 3, triangles: triangles, into: buffer)
        var ballOf = [Int32: Int](minimumCapacity: 4096)
        for (e, ball) in eyeballs.enumerated() { for v in ball.vertices { ballOf[Int32(v)] = e } }
        var sights = none
        for p in 0..<side * side where buffer.ids[p] >= 0 && inside.pointer[p] > 0.5 {
            let t = 3 * Int(buffer.ids[p])
            let v = (triangles[t], triangles[t + 1], triangles[t + 2])
            guard let e = ballOf[v.0], ballOf[v.1] == e, ballOf[v.2] == e else { continue }
            let w = buffer.barycentrics + 3 * p
            let place = w[0] * vertex(Int(v.0), of: shape) + w[1] * vertex(Int(v.1), of: shape) + w[2] * vertex(Int(v.2), of: shape)
            sights[e].add((place - centres[e]).unit, red: crop.pointer[p], across: Float(p % side))
        }
        for e in sights.indices { sights[e].settle() }
        return sights
    }

    private mutating func add(_ direction: SIMD3<Float>, red value: Float, across place: Float) {
        x.append(direction.x)
        y.append(direction.y)
        z.append(direction.z)
        red.append(value)
        across.append(place)
    }

    /// Takes catch-lights off, and what changes evenly from one corner of the eye to the other.
    private mutating func settle() {
        guard count > 1 else { return }
        let limit = red.sorted()[Int(Float(count - 1) * Self.dull)]
        red = red.map { min($0, limit) }
        func centred(_ values: [Float]) -> [Float] {
            let mean = values.reduce(0, +) / Float(count)
            return values.map { $0 - mean }
        }
        red = centred(red)
        variance = red.reduce(0) { $0 + $1 * $1 }
        across = centred(across)
        let length = across.reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard length > 0 else { return }
        across = across.map { $0 / length }
        let slope = zip(red, across).reduce(0) { $0 + $1.0 * $1.1 }
        red = zip(red, across).map { $0 - slope * $1 }
    }

    /// How much of what the eye shows an iris around this axis explains, 0 to 1: a disc darker than what is around it.
    func match(_ axis: SIMD3<Float>) -> Float {
        guard count > 1, variance > 0 else { return 0 }
        let outer = cosf(Self.iris + Self.softness), inner = cosf(Self.iris - Self.softness)
        let slope = 1 / (inner - outer)
        var sum: Float = 0, squares: Float = 0, sloped: Float = 0, product: Float = 0
        for i in 0..<count {
            let cosine = x[i] * axis.x + y[i] * axis.y + z[i] * axis.z
            let disc = max(0, min(1, (cosine - outer) * slope))
            sum += disc
            squares += disc * disc
            sloped += disc * across[i]
            product += disc * red[i]
        }
        // The disc, too, less its mean and its even change.
        let own = squares - sum * sum / Float(count) - sloped * sloped
        guard product < 0, own > Self.least * Float(count) else { return 0 }
        return product * product / own / variance
    }
}

extension EyeSight {
    /// Whether an iris around this axis shows its middle, and is darker than the white by so much (of 2).
    func shows(_ axis: SIMD3<Float>, contrast: Float) -> Bool {
        var nearest: Float = -1, dark: Float = 0, inside: Float = 0, light: Float = 0
        for i in 0..<count {
            let cosine = x[i] * axis.x + y[i] * axis.y + z[i] * axis.z
            nearest = max(nearest, cosine)
            if cosine > cosf(Self.iris) {
                dark += red[i]
                inside += 1
            } else {
                light += red[i]
            }
        }
        guard inside > 0, inside < Float(count) else { return false }
        return nearest > cosf(Self.middle) && light / (Float(count) - inside) - dark / inside > contrast
    }
}

extension Camera<Double> {
    /// [V,3] of model space in the square of a frame of the photo that stands upright: x right, y up, one scale.
    func ndc(_ vertices: [Float], in frame: Similarity) -> [Float] {
        let size = 2 * scale / frame.size, r = rotation.map { Float(size * $0) }
        let x = Float(2 * (tx - frame.centreX) / frame.size), y = Float(2 * (frame.centreY - ty) / frame.size)
        var result = vertices
        for v in 0..<vertices.count / 3 {
            let p = vertex(v, of: vertices)
            result[3 * v] = r[0] * p.x + r[1] * p.y + r[2] * p.z + x
            result[3 * v + 1] = r[3] * p.x + r[4] * p.y + r[5] * p.z + y
            result[3 * v + 2] = r[6] * p.x + r[7] * p.y + r[8] * p.z
        }
        return result
    }
}
