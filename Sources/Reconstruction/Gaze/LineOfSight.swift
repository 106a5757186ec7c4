import FaceModel
import Glibc
import Inversion
import Numerics

/// How far the model's eyeballs are turned so that their irises lie where the photo has them, radians: to the head's left, and up.
public struct EyeTurn: Sendable, Equatable {
    public var yaw: Float, pitch: Float

    public init(yaw: Float, pitch: Float) { (self.yaw, self.pitch) = (yaw, pitch) }
}

/// The axes of the model's eyeballs around which a photo shows their irises.
struct LineOfSight: Sendable {
    /// Of all eyeballs together.
    let turn: EyeTurn
    /// Of the eyeballs, mm.
    let radius: Float
    /// [eyeballs] unit vectors in the head's axes; each eyeball's own, as heads are not quite where the photo has them.
    let axes: [SIMD3<Float>]
    /// Whether it is more than a guess: where eyes are shut, or glasses mirror, something dark is always found.
    let isSure: Bool

    /// Looking straight ahead, irises lie this much outward of the middle of the model's eyeballs, and this much above it, as
    /// portraits that look into the camera say (MODEL_CARD.md); each way of fitting has its own habit with eyes.
    private static let outward = radians(3)
    private static func level(_ renderer: ReconstructionRenderer) -> Float {
        switch renderer {
        case .gar: return radians(10.3)
        case .sphericalHarmonics: return radians(5.3)
        case .landmarksOnly, .startOnly: return radians(7.8)
        }
    }
    /// How far the model's eyeballs turn: people's look 55 degrees aside, 33 up and 38 down, further than they comfortably do.
    private static let aside = radians(24), up = radians(15), down = radians(18)
    /// What a turn of half a radian must explain to be believed; up and down twice that.
    private static let prior: Float = 0.2
    /// How far one eye's own axis may be from the common one, and steps of the search.
    private static let apart = radians(9), coarse = radians(6)
    /// Sure: so much is explained, of so many pixels of each eye, by irises so much darker than the white, on which both eyes agree.
    private static let sure: Float = 0.35, pixels = 150, contrast: Float = 0.1, agreement = radians(12)
    /// Below this there is nothing that could be an iris.
    private static let least: Float = 0.1

    /// - Parameters:
    ///   - eyeballs: of the head, which in its own axes has this shape [V,3].
    ///   - covering: what covers the face in the photo.
    ///   - renderer: by which it was fitted.
    /// - Returns: nil where nothing in the eyes can be an iris.
    init?(
        _ eyeballs: [Eyeball], shape: [Float], triangles: [Int32], camera: Camera<Double>, photo: RGBImage,
        covering: FaceCovering?, renderer: ReconstructionRenderer
    ) {
        let spheres = eyeballs.map { $0.sphere(shape) }
        let sights = EyeSight.all(
            eyeballs, centres: spheres.map(\.centre), shape: shape, triangles: triangles, camera: camera, photo: photo, covering: covering)
        let total = Float(sights.reduce(0) { $0 + $1.count })
        guard total > 0 else { return nil }
        let axis = Self.axes(spheres.map(\.centre), renderer)
        func match(_ t: EyeTurn) -> Float {
            sights.indices.reduce(0) { $0 + Float(sights[$1].count) * sights[$1].match(axis($1, t)) } / total
        }
        func improbable(_ t: EyeTurn) -> Float { 4 * Self.prior * (t.yaw * t.yaw + 2 * t.pitch * t.pitch) }

        var best = EyeTurn(yaw: 0, pitch: 0), highest = -Float.infinity, weight: Float = 1
        func consider(_ t: EyeTurn) {
            let value = match(t) - weight * improbable(t)
            if value > highest { (best, highest) = (t, value) }
        }
        for yaw in stride(from: -Self.aside, through: Self.aside, by: Self.coarse) {
            for pitch in stride(from: -Self.down, through: Self.up, by: Self.coarse) { consider(EyeTurn(yaw: yaw, pitch: pitch)) }
        }
        // Where it is roughly is believed for what is likely, where exactly for what is seen alone.
        for (step, believed) in [(2, true), (4, true), (2, false), (4, false), (8, false), (16, false)] as [(Float, Bool)] {
            let from = best, step = Self.coarse / step
            if !believed { (weight, highest) = (0, match(best)) }
            for (a, b) in [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)] as [(Float, Float)] {
                let turn = EyeTurn(yaw: from.yaw + a * step, pitch: from.pitch + b * step)
                if abs(turn.yaw) <= Self.aside && (-Self.down...Self.up).contains(turn.pitch) { consider(turn) }
            }
        }
        let found = match(best)
        guard found > Self.least else { return nil }

        // Each eye alone, near the common axis.
        let own = sights.indices.map { e in
            stride(from: -Self.apart, through: Self.apart, by: Self.coarse / 4).map { best.yaw + $0 }.max {
                let (a, b) = (EyeTurn(yaw: $0, pitch: best.pitch), EyeTurn(yaw: $1, pitch: best.pitch))
                return sights[e].match(axis(e, a)) - improbable(a) < sights[e].match(axis(e, b)) - improbable(b)
            } ?? best.yaw
        }
        turn = best
        radius = spheres.reduce(Float(0)) { $0 + $1.radius } / Float(spheres.count)
        axes = sights.indices.map { axis($0, EyeTurn(yaw: sights[$0].count > Self.pixels ? own[$0] : best.yaw, pitch: best.pitch)) }
        let differences = own.map { abs($0 - own[0]) }
        // Where the search ends the iris may lie beyond.
        let isWithin = abs(best.yaw) < 0.99 * Self.aside && best.pitch < 0.99 * Self.up && best.pitch > -0.99 * Self.down
        isSure = isWithin && found > Self.sure && sights.count > 1 && sights.allSatisfy { $0.count > Self.pixels }
            && zip(sights, axes).allSatisfy { $0.shows($1, contrast: Self.contrast) } && (differences.max() ?? 0) < Self.agreement
    }

    /// The axes of eyeballs that look straight ahead.
    static func straightAhead(_ eyeballs: [Eyeball], shape: [Float], _ renderer: ReconstructionRenderer) -> [SIMD3<Float>] {
        let axis = axes(eyeballs.map { $0.sphere(shape).centre }, renderer)
        return eyeballs.indices.map { axis($0, EyeTurn(yaw: 0, pitch: 0)) }
    }

    /// The axis of an eyeball, of several with these centres, that is turned by so much.
    private static func axes(_ centres: [SIMD3<Float>], _ renderer: ReconstructionRenderer) -> (Int, EyeTurn) -> SIMD3<Float> {
        // The eyes' own side, of the line between them.
        let middle = centres.reduce(Float(0)) { $0 + $1.x } / Float(max(1, centres.count)), level = level(renderer)
        let sides = centres.map { $0.x > middle ? Float(1) : $0.x < middle ? -1 : 0 }
        return { e, turn in
            let yaw = turn.yaw + outward * sides[e], pitch = turn.pitch + level
            return SIMD3(sinf(yaw) * cosf(pitch), sinf(pitch), cosf(yaw) * cosf(pitch))
        }
    }

    private static func radians(_ degrees: Float) -> Float { degrees * .pi / 180 }
}
