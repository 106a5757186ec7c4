import FaceModel
import Glibc

/// What an eyeball looks like where the photo does not show it: rings of one colour around the line of sight (pupil, iris, white),
/// whose colours are those of the rings' seen parts, of both eyes together.
struct EyeAppearance {
    /// One eyeball: its triangles, its vertices' directions from its centre, in the head's own axes, and where the photo shows it.
    private struct Eye {
        var triangles: [SIMD3<Int>]
        var directions: [Int: SIMD3<Float>]
        var samples: [Sample] = []
        /// What its light adds to the rings' colours.
        var tint = SIMD3<Float>()
    }

    private struct Sample {
        var direction, colour: SIMD3<Float>
        var weight: Float
        var brightness: Float { (colour * SIMD3(0.3, 0.59, 0.11)).sum() }
    }

    /// Unit vector in the head's axes: where both eyes look (the photo's, not the mesh's).
    let gaze: SIMD3<Float>
    private let rings: [SIMD3<Float>]
    private let eyes: [Eye]
    /// Of vertices.
    private let eyeOf: [Int: Int]

    private static let degree = Float.pi / 180
    /// Width of a ring, and how far rings reach.
    private static let width: Float = 3 * degree, reach: Float = 66 * degree
    /// Surely iris below the first, white between the others, whichever the head's eyeballs are; they are larger than people's.
    private static let iris: Float = 18 * degree, white: ClosedRange<Float> = 26 * degree...48 * degree
    /// How far eyes look aside, and up or down.
    private static let aside: Float = 36, upDown: Float = 21
    /// Below this difference of brightness there is no iris to be told from the white.
    private static let leastContrast: Float = 0.08

    /// - Parameters:
    ///   - vertices: [V,3] in the head's own axes, x to its left, y up, z forward.
    ///   - plain: the colour of whites of which nothing is seen.
    /// - Returns: nil where nothing of any eye is seen.
    init?(_ mesh: Mesh, vertices: [Float], view: SurfaceView, plain: SIMD3<Float>) {
        var eyes = Self.eyeballs(mesh, vertices)
        var eyeOf: [Int: Int] = [:]
        for e in eyes.indices {
            for v in eyes[e].directions.keys { eyeOf[v] = e }
            for v in eyes[e].triangles {
                let weight = min(view.confidence[v[0]], view.confidence[v[1]], view.confidence[v[2]])
                guard weight > 0 else { continue }
                let a = view.places[v[0]], b = view.places[v[1]], c = view.places[v[2]]
                let area = abs((b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x))
                let direction = (0..<3).reduce(SIMD3<Float>()) { $0 + eyes[e].directions[v[$1]]! }
                eyes[e].samples.append(
                    Sample(direction: Self.unit(direction), colour: view.colour((a + b + c) / 3), weight: weight * area))
            }
        }
        let samples = eyes.flatMap(\.samples)
        let total = samples.reduce(0) { $0 + $1.weight }
        guard total > 0 else { return nil }
        let sight = Self.lineOfSight(samples), gaze = sight ?? SIMD3(0, 0, 1)
        // Where no iris can be told (behind glasses, say) an eye goes on in its mean colour.
        let mean = samples.reduce(SIMD3<Float>()) { $0 + $1.weight * $1.colour } / total
        var rings = sight == nil ? [mean, mean] : Self.colours(samples, around: gaze, plain: plain)
        // A catch-light in a ring, and what lids shade, are not all round.
        rings = rings.indices.map { k in (rings[max(0, k - 1)] + 2 * rings[k] + rings[min(rings.count - 1, k + 1)]) / 4 }
        for e in eyes.indices {
            var sum = SIMD3<Float>(), own: Float = 0
            for s in eyes[e].samples {
                sum += s.weight * (s.colour - Self.ring(rings, s.direction, gaze))
                own += s.weight
            }
            // Half of it where a fifth of what is seen is this eye's.
            eyes[e].tint = sum / (own + 0.2 * total)
        }
        (self.gaze, self.rings, self.eyes, self.eyeOf) = (gaze, rings, eyes, eyeOf)
    }

    /// The colour at a place inside a triangle, of its vertices and their weights; nil where that is no eye.
    func colour(_ v: SIMD3<Int>, _ w: SIMD3<Float>) -> SIMD3<Float>? {
        guard let e = eyeOf[v[0]], let a = eyes[e].directions[v[0]], let b = eyes[e].directions[v[1]],
            let c = eyes[e].directions[v[2]]
        else { return nil }
        return Self.ring(rings, Self.unit(w[0] * a + w[1] * b + w[2] * c), gaze) + eyes[e].tint
    }

    /// Of how many vertices an eyeball is made at least, and how far their distances from its middle may vary.
    private static let fewest = 12, roundness: Float = 0.15

    /// The pieces of the mesh that are called eyes and are about as round as one.
    private static func eyeballs(_ mesh: Mesh, _ vertices: [Float]) -> [Eye] {
        func place(_ v: Int) -> SIMD3<Float> { SIMD3(vertices[3 * v], vertices[3 * v + 1], vertices[3 * v + 2]) }
        let isEye = mesh.isEye
        let triangles = stride(from: 0, to: mesh.triangles.count, by: 3).map { mesh.triangles[$0..<$0 + 3] }
            .filter { $0.allSatisfy { isEye[Int($0)] } }.flatMap { $0 }
        return connectedParts(triangles, vertexCount: mesh.vertexCount).compactMap { part in
            let corners = part.map { t in SIMD3(Int(triangles[3 * t]), Int(triangles[3 * t + 1]), Int(triangles[3 * t + 2])) }
            let members = Set(corners.flatMap { [$0[0], $0[1], $0[2]] }).sorted()
            guard members.count >= fewest else { return nil }
            let low = members.map(place).reduce(place(members[0]), pointwiseMin)
            let high = members.map(place).reduce(place(members[0]), pointwiseMax)
            let centre = (low + high) / 2
            let distances = members.map { v in ((place(v) - centre) * (place(v) - centre)).sum().squareRoot() }
            let mean = distances.reduce(0, +) / Float(members.count)
            let variance = distances.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(members.count)
            guard mean > 0, variance.squareRoot() < roundness * mean else { return nil }
            return Eye(triangles: corners, directions: .init(uniqueKeysWithValues: members.map { ($0, unit(place($0) - centre)) }))
        }
    }

    /// The direction around which the iris lies: as much darker within as can be, and rings of one brightness each.
    private static func lineOfSight(_ samples: [Sample]) -> SIMD3<Float>? {
        let total = samples.reduce(0) { $0 + $1.weight }
        guard total > 0 else { return nil }
        let mean = samples.reduce(0) { $0 + $1.weight * $1.brightness } / total
        let spread = (samples.reduce(0) { $0 + $1.weight * ($1.brightness - mean) * ($1.brightness - mean) } / total).squareRoot()
        guard spread > 0.01 else { return nil }
        var best: (score: Float, yaw: Float, pitch: Float)?
        func consider(_ yaw: Float, _ pitch: Float) {
            let axis = direction(yaw: yaw, pitch: pitch)
            var dark: Float = 0, darkWeight: Float = 0, light: Float = 0, lightWeight: Float = 0
            var sums = [Float](repeating: 0, count: Int(reach / width) + 1), weights = sums, squares = sums
            for s in samples {
                let angle = acosf(max(-1, min(1, (s.direction * axis).sum())))
                if angle < iris {
                    dark += s.weight * s.brightness
                    darkWeight += s.weight
                } else if white.contains(angle) {
                    light += s.weight * s.brightness
                    lightWeight += s.weight
                }
                if angle < reach {
                    let k = Int(angle / width)
                    sums[k] += s.weight * s.brightness
                    squares[k] += s.weight * s.brightness * s.brightness
                    weights[k] += s.weight
                }
            }
            guard darkWeight > 0.06 * total, lightWeight > 0.06 * total else { return }
            let contrast = light / lightWeight - dark / darkWeight
            guard contrast > leastContrast else { return }
            var within: Float = 0
            for k in sums.indices where weights[k] > 0 { within += squares[k] - sums[k] * sums[k] / weights[k] }
            // People mostly look straight ahead.
            let turned = (yaw * yaw + 2 * pitch * pitch) / (30 * 30)
            let score = contrast / spread - within / (total * spread * spread) - 0.15 * turned
            if best == nil || score > best!.score { best = (score, yaw, pitch) }
        }
        for yaw in stride(from: -aside, through: aside, by: 3) {
            for pitch in stride(from: -upDown, through: upDown, by: 3) { consider(yaw, pitch) }
        }
        guard let rough = best else { return nil }
        for yaw in [-2, -1, 0, 1, 2] as [Float] {
            for pitch in [-2, -1, 0, 1, 2] as [Float] { consider(rough.yaw + yaw, rough.pitch + pitch) }
        }
        return best.map { direction(yaw: $0.yaw, pitch: $0.pitch) }
    }

    /// The middle colour of each ring. Rings of which nothing is seen are as the next one of iris, or of white.
    private static func colours(_ samples: [Sample], around gaze: SIMD3<Float>, plain: SIMD3<Float>) -> [SIMD3<Float>] {
        let count = Int(reach / width) + 1
        var members = [[Sample]](repeating: [], count: count)
        for s in samples {
            let angle = acosf(max(-1, min(1, (s.direction * gaze).sum())))
            if angle < reach { members[Int(angle / width)].append(s) }
        }
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
        let edge = Int(white.lowerBound / width)
        return (0..<count).map { k in
            let same = k < edge ? 0..<edge : edge..<count
            let nearest = same.filter { known[$0] != nil }.min { abs($0 - k) < abs($1 - k) }
            return nearest.flatMap { known[$0] } ?? plain
        }
    }

    private static func ring(_ rings: [SIMD3<Float>], _ direction: SIMD3<Float>, _ gaze: SIMD3<Float>) -> SIMD3<Float> {
        let at = max(0, min(Float(rings.count - 1), acosf(max(-1, min(1, (direction * gaze).sum()))) / width - 0.5))
        let k = min(rings.count - 2, Int(at)), share = at - Float(k)
        return rings[k] + share * (rings[k + 1] - rings[k])
    }

    /// Degrees, to the head's left and up.
    private static func direction(yaw: Float, pitch: Float) -> SIMD3<Float> {
        let y = yaw * degree, p = pitch * degree
        return SIMD3(sinf(y) * cosf(p), sinf(p), cosf(y) * cosf(p))
    }

    private static func unit(_ v: SIMD3<Float>) -> SIMD3<Float> {
        let length = (v * v).sum().squareRoot()
        return length > 0 ? v / length : v
    }
}
