import FaceModel
import Glibc

/// What an eyeball looks like where the photo does not show it: rings of one colour around the line of sight (pupil, iris, white),
/// whose colours are those of the rings' seen parts, of both eyes together. Eyes of which nothing is seen are brown and look straight ahead.
struct EyeAppearance {
    /// One eyeball: its line of sight, its vertices' directions from its centre, in the head's own axes, and what the photo shows.
    private struct Eye {
        let axis: SIMD3<Float>
        var directions: [Int: SIMD3<Float>] = [:]
        var samples: [Sample] = []
        /// What its light adds to the rings' colours.
        var tint = SIMD3<Float>()

        /// Of a direction with the line of sight.
        func angle(_ direction: SIMD3<Float>) -> Float { acosf(max(-1, min(1, (direction * axis).sum()))) }
    }

    /// What nobody has seen.
    struct Plain {
        let white, iris, pupil: SIMD3<Float>
    }

    private struct Sample {
        var angle: Float
        var colour: SIMD3<Float>
        var weight: Float
        var brightness: Float { (colour * SIMD3(0.3, 0.59, 0.11)).sum() }
    }

    private let rings: [SIMD3<Float>]
    private let eyes: [Eye]
    /// Of vertices.
    private let eyeOf: [Int: Int]

    private static let degree = Float.pi / 180
    /// Width of a ring, and how far rings reach.
    private static let width: Float = 3 * degree, reach: Float = 66 * degree
    /// Of what is open of the eyes, the share that tells what they look like.
    private static let told: Float = 0.5
    /// Iris below, white above; and the pupil of an eye that is made up.
    private static let edge: Float = 24 * degree, pupil: Float = 9 * degree

    /// - Parameters:
    ///   - shape: [V,3] in the head's own axes.
    ///   - sight: where the irises lie; nil where that cannot be told, as behind dark glasses.
    ///   - straightAhead: the axes of eyes that look there.
    ///   - plain: the colours of eyes of which nothing is seen.
    /// - Returns: nil where there are no eyes.
    init?(
        _ eyeballs: [Eyeball], shape: [Float], sight: LineOfSight?, straightAhead: [SIMD3<Float>], view: SurfaceView, plain: Plain
    ) {
        if eyeballs.isEmpty { return nil }
        var eyes: [Eye] = [], eyeOf: [Int: Int] = [:], open: Float = 0
        for (e, ball) in eyeballs.enumerated() {
            let centre = ball.sphere(shape).centre
            var eye = Eye(axis: sight?.axes[e] ?? straightAhead[e])
            for v in ball.vertices {
                eye.directions[v] = (vertex(v, of: shape) - centre).unit
                eyeOf[v] = e
            }
            for v in ball.triangles {
                let weight = min(view.confidence[v[0]], view.confidence[v[1]], view.confidence[v[2]])
                let a = view.places[v[0]], b = view.places[v[1]], c = view.places[v[2]]
                let area = abs((b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x))
                if (0..<3).allSatisfy({ view.isSeen[v[$0]] }) { open += area }
                guard weight > 0 else { continue }
                let direction = (0..<3).reduce(SIMD3<Float>()) { $0 + eye.directions[v[$1]]! }
                eye.samples.append(
                    Sample(angle: eye.angle(direction.unit), colour: view.colour((a + b + c) / 3), weight: weight * area))
            }
            eyes.append(eye)
        }
        let samples = eyes.flatMap(\.samples)
        let total = samples.reduce(0) { $0 + $1.weight }
        // Of eyes that are shut or covered a sliver says nothing.
        guard total > 0, sight != nil || total > Self.told * open else {
            (rings, self.eyes, self.eyeOf) = (Self.madeUp(plain), eyes, eyeOf)
            return
        }
        // Where no iris can be told (behind glasses, say) an eye goes on in its mean colour.
        let mean = samples.reduce(SIMD3<Float>()) { $0 + $1.weight * $1.colour } / total
        var rings = sight == nil ? [mean, mean] : Self.colours(samples, plain: plain.white)
        // A catch-light in a ring, and what lids shade, are not all round.
        rings = rings.indices.map { k in (rings[max(0, k - 1)] + 2 * rings[k] + rings[min(rings.count - 1, k + 1)]) / 4 }
        for e in eyes.indices {
            var sum = SIMD3<Float>(), own: Float = 0
            for s in eyes[e].samples {
                sum += s.weight * (s.colour - Self.ring(rings, s.angle))
                own += s.weight
            }
            // Half of it where a fifth of what is seen is this eye's.
            eyes[e].tint = sum / (own + 0.2 * total)
        }
        (self.rings, self.eyes, self.eyeOf) = (rings, eyes, eyeOf)
    }

    /// The colour at a place inside a triangle, of its vertices and their weights; nil where that is no eye.
    func colour(_ v: SIMD3<Int>, _ w: SIMD3<Float>) -> SIMD3<Float>? {
        guard let e = eyeOf[v[0]], let a = eyes[e].directions[v[0]], let b = eyes[e].directions[v[1]],
            let c = eyes[e].directions[v[2]]
        else { return nil }
        return Self.ring(rings, eyes[e].angle((w[0] * a + w[1] * b + w[2] * c).unit)) + eyes[e].tint
    }

    private static func madeUp(_ plain: Plain) -> [SIMD3<Float>] {
        (0..<Int(reach / width) + 1).map { k in
            let angle = (Float(k) + 0.5) * width
            return angle < pupil ? plain.pupil : angle < edge - width / 2 ? plain.iris : plain.white
        }
    }

    /// The middle colour of each ring. Rings of which nothing is seen are as the next one of iris, or of white.
    private static func colours(_ samples: [Sample], plain: SIMD3<Float>) -> [SIMD3<Float>] {
        let count = Int(reach / width) + 1
        var members = [[Sample]](repeating: [], count: count)
        for s in samples where s.angle < reach { members[Int(s.angle / width)].append(s) }
        let most = members.map { $0.reduce(0) { $0 + $1.weight } }.max() ?? 0
        let known: [SIMD3<Float>?] = members.map { ring in
            let total = ring.reduce(0) { $0 + $1.weight }
            guard total > 0.02 * most else { return nil }
            // Catch-lights leave the middle one alone.
            var below: Float = 0
            for s in ring.sorted(by: { $0.brightness < $1.brightness }) {
                below += s.weight
                if below >= total / 2 { return s.colour }
            }
            return ring.last?.colour
        }
        let edge = Int(edge / width)
        return (0..<count).map { k in
            let same = k < edge ? 0..<edge : edge..<count
            let nearest = same.filter { known[$0] != nil }.min { abs($0 - k) < abs($1 - k) }
            return nearest.flatMap { known[$0] } ?? plain
        }
    }

    private static func ring(_ rings: [SIMD3<Float>], _ angle: Float) -> SIMD3<Float> {
        let at = max(0, min(Float(rings.count - 1), angle / width - 0.5))
        let k = min(rings.count - 2, Int(at)), share = at - Float(k)
        return rings[k] + share * (rings[k + 1] - rings[k])
    }
}
