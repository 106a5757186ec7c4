import FaceModel
import Glibc
import Numerics

/// Whether given points can be a face at all, so that a wrong order is told and not fitted.
///
/// What is compared is the share of the points' spread that the mean head's points, in their best pose, leave
/// unexplained: 0 for the mean head itself, near 1 for points in random order. On the 337 annotated photographs of AFW it
/// is at most 0.065 (68 points) and 0.075 (5 points), strong yaw included; mirrored ones leave at least 0.177 and 0.197,
/// shuffled 68 points 0.83.
struct PointPlausibility {
    /// More than this left unexplained is no face.
    static let noFace = 0.2
    /// More than this, where the mirrored points leave less than half of it, is a mirrored face. Full profiles, which are
    /// much like their mirror image, are taken as they are.
    static let mirrored = 0.12
    /// The least ratio of the points' extents across and along their longest line. Photographs have at least 0.48, full
    /// profiles of random heads 0.22.
    static let flattest = 0.12
    /// The least extent, pixels; boxes and faces have the same limit.
    static let leastExtent = 4.0

    /// The model's points seen from a grid of poses, each less its mean, row by row; with their summed squares.
    private let views: [(points: [SIMD2<Double>], square: Double)]
    private let weights: [Double]
    private let order: String

    /// Points of weight 0 are not looked at; some weight is above 0.
    init(_ model: [SIMD3<Double>], weights: [Double], order: String) {
        let total = weights.reduce(0, +)
        let weights = weights.map { $0 / total }
        self.weights = weights
        self.order = order
        var views: [(points: [SIMD2<Double>], square: Double)] = []
        for yawStep in -9...9 {
            for pitchStep in -6...6 {
                let r = Rotation.matrix(yaw: Double(yawStep) * .pi / 18, pitch: Double(pitchStep) * .pi / 18, roll: 0.0)
                let right = SIMD3<Double>(r[0], r[1], r[2]), up = SIMD3<Double>(r[3], r[4], r[5])
                let flat = Self.centred(model.map { SIMD2((right * $0).sum(), (up * $0).sum()) }, weights)
                views.append((flat, Self.square(flat, weights)))
            }
        }
        self.views = views
    }

    /// Throws where `points`, (u, v) pairs in photo pixels, form no face in the order expected.
    func check(_ points: [Double]) throws {
        let count = weights.count
        let given = (0..<count).map { SIMD2(points[2 * $0], -points[2 * $0 + 1]) }
        let seen = zip(given, weights).filter { $0.1 > 0 }.map(\.0)
        func refuse(_ what: String) -> GarfaceError {
            let which = seen.count == count ? "the \(count) points" : "the \(seen.count) points that count, of \(count),"
            return GarfaceError(.invalidArgument, "landmarks: \(which) \(what); expected in this order: \(order)")
        }
        let low = seen.reduce(seen[0]) { pointwiseMin($0, $1) }, high = seen.reduce(seen[0]) { pointwiseMax($0, $1) }
        guard (high - low).max() >= Self.leastExtent else {
            let extent = ((high - low).max() * 100).rounded() / 100
            throw refuse(
                "span \(extent) pixels, which is no face (at least \(Int(Self.leastExtent)) are needed; shares of the photo's sides "
                    + "have to be multiplied by them)")
        }
        let centred = Self.centred(given, weights)
        guard flatness(centred) >= Self.flattest else { throw refuse("lie on a line") }
        let straight = unexplained(centred)
        let turned = unexplained(centred.map { SIMD2(-$0.x, $0.y) })
        if straight > Self.mirrored && turned < 0.5 * straight {
            throw refuse(
                "form a mirrored face (left and right are exchanged, or u and v are, or v counts upwards instead of downwards)")
        }
        if straight > Self.noFace { throw refuse("form no face") }
    }

    /// The share of the points' spread that no pose of the model, scaled, rolled and shifted, explains.
    private func unexplained(_ points: [SIMD2<Double>]) -> Double {
        let spread = Self.square(points, weights)
        var best = 1.0
        for view in views {
            var dot = 0.0, cross = 0.0
            for i in points.indices {
                let p = view.points[i], q = points[i]
                dot += weights[i] * (p * q).sum()
                cross += weights[i] * (p.x * q.y - p.y * q.x)
            }
            best = min(best, 1 - (dot * dot + cross * cross) / (view.square * spread))
        }
        return best
    }

    /// The ratio of the standard deviations along the two principal axes, the smaller over the larger.
    private func flatness(_ points: [SIMD2<Double>]) -> Double {
        var xx = 0.0, xy = 0.0, yy = 0.0
        for (w, p) in zip(weights, points) {
            xx += w * p.x * p.x
            xy += w * p.x * p.y
            yy += w * p.y * p.y
        }
        let mean = (xx + yy) / 2, reach = hypot((xx - yy) / 2, xy)
        return mean + reach > 0 ? (max(0, mean - reach) / (mean + reach)).squareRoot() : 0
    }

    private static func centred(_ points: [SIMD2<Double>], _ weights: [Double]) -> [SIMD2<Double>] {
        let mean = zip(weights, points).reduce(SIMD2<Double>()) { $0 + $1.0 * $1.1 }
        return points.map { $0 - mean }
    }

    private static func square(_ points: [SIMD2<Double>], _ weights: [Double]) -> Double {
        zip(weights, points).reduce(0) { $0 + $1.0 * ($1.1 * $1.1).sum() }
    }
}
