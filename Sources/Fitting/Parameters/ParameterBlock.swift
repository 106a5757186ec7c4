/// The groups of unknowns a fit can move, each with its own step size and its own switch per stage.
public enum ParameterBlock: String, CaseIterable, Sendable {
    /// 3DMM identity coefficients, unit variance.
    case identity
    /// 3DMM expression coefficients, each in [0, 1].
    case expression
    /// Yaw, pitch and roll of the head inside the aligned frame, radians.
    case rotation
    /// Log scale, then shift x and y (mm), of the head inside the aligned frame.
    case similarity
    /// GAR's style rows, one per modulated convolution.
    case wPlus = "w_plus"
    /// GAR's noise maps, one after the other, coarse to fine.
    case noise
    /// Per-vertex albedo of the spherical-harmonics baseline, (V, 3).
    case albedo
    /// Spherical-harmonics light of the baseline, (9, 3).
    case light

    /// Blocks that move the mesh, so that its normals must be rasterised anew.
    public var isGeometry: Bool {
        switch self {
        case .identity, .expression, .rotation, .similarity: true
        default: false
        }
    }
}
