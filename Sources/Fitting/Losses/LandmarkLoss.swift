import FaceModel
import Numerics

/// Where the 68 points were seen, in the aligned frame.
public struct LandmarkObservations: Sendable {
    /// (68, 2), millimetres in the aligned frame: x right, y up, model origin at zero.
    public var positions: [Float]
    /// One weight per point, the inverse of its expected error in mm (0: not seen).
    public var weights: [Float]
    /// True where they are as people mark them, the jaw on the visible contour, rather than the head model's own points.
    public var areAnnotated: Bool
    public init(positions: [Float], weights: [Float], areAnnotated: Bool) {
        self.positions = positions
        self.weights = weights
        self.areAnnotated = areAnnotated
    }
}

/// Robust (Cauchy) distance of the projected points from the observed ones, and of the gaps between some of them:
/// sum of c^2 log(1 + (w |r| / c)^2), r in mm.
struct LandmarkLoss<T: Scalar> {
    /// Residuals beyond `c` expected errors lose influence.
    let c: T = 4

    /// `points` (68, 2) in the same frame as the observations; `openings`: see `FitWeights`. Adds the gradient to
    /// `gradient` (68, 2).
    func evaluate(
        points: UnsafePointer<T>, observed: LandmarkObservations, openings: T, factor: T, gradient: UnsafeMutablePointer<T>
    ) -> T {
        var energy: T = 0
        func residual(_ l: Int, _ axis: Int) -> T { points[2 * l + axis] - T(observed.positions[2 * l + axis]) }
        /// Energy of a residual, and what its gradient is to be multiplied with.
        func robust(_ w: T, _ rx: T, _ ry: T) -> T {
            let q = w * w * (rx * rx + ry * ry) / (c * c)
            energy += c * c * T.logarithm(1 + q)
            return 2 * factor * w * w / (1 + q)
        }
        for l in 0..<68 {
            let w = T(observed.weights[l])
            if w == 0 { continue }
            let rx = residual(l, 0), ry = residual(l, 1), s = robust(w, rx, ry)
            gradient[2 * l] += s * rx
            gradient[2 * l + 1] += s * ry
        }
        for (upper, lower) in Openings.pairs {
            let w = Openings.weight(T(observed.weights[upper]), T(observed.weights[lower]), precision: openings)
            if w == 0 { continue }
            let rx = residual(upper, 0) - residual(lower, 0), ry = residual(upper, 1) - residual(lower, 1), s = robust(w, rx, ry)
            gradient[2 * upper] += s * rx
            gradient[2 * upper + 1] += s * ry
            gradient[2 * lower] -= s * rx
            gradient[2 * lower + 1] -= s * ry
        }
        return energy * factor
    }
}
