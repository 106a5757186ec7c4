import FaceModel
import Numerics

/// Where the 68 points were seen, in the aligned frame.
public struct LandmarkObservations: Sendable {
    /// (68, 2), millimetres in the aligned frame: x right, y up, model origin at zero.
    public var positions: [Float]
    /// One weight per point, the inverse of its expected error in mm (0: not seen).
    public var weights: [Float]
    /// True where points 0-16 follow the visible contour (hand annotation) rather than fixed skin points.
    public var jawFollowsContour: Bool
    public init(positions: [Float], weights: [Float], jawFollowsContour: Bool) {
        self.positions = positions
        self.weights = weights
        self.jawFollowsContour = jawFollowsContour
    }
}

/// Robust (Cauchy) distance of the projected points from the observed ones:
/// sum of c^2 log(1 + (w |r| / c)^2), r in mm.
struct LandmarkLoss<T: Scalar> {
    /// Residuals beyond `c` expected errors lose influence.
    let c: T = 4

    /// `points` (68, 2) in the same frame as the observations. Adds the gradient to `gradient` (68, 2).
    func evaluate(
        points: [T], observed: LandmarkObservations, factor: T, gradient: inout [T]
    ) -> T {
        var energy: T = 0
        for l in 0..<68 {
            let w = T(observed.weights[l])
            if w == 0 { continue }
            let rx = points[2 * l] - T(observed.positions[2 * l]), ry = points[2 * l + 1] - T(observed.positions[2 * l + 1])
            let q = w * w * (rx * rx + ry * ry) / (c * c)
            energy += c * c * T.logarithm(1 + q)
            let s = 2 * factor * w * w / (1 + q)
            gradient[2 * l] += s * rx
            gradient[2 * l + 1] += s * ry
        }
        return energy * factor
    }
}
