/// The points of MediaPipe's face mesh (468, or 478 with the irises) as the 68 landmarks.
///
/// `vertices` says which mesh point stands for which landmark: the correspondence in common use. The mesh's points are not
/// quite the head model's own: its jaw points slide along the jaw by up to 12 mm, its brows lie lower, its inner mouth
/// corners further out. `offsets` is where they lie relative to the head model's own landmarks (x to the subject's left, y
/// up, model mm): the mean over head models fitted to 12,000 photographs that such a detector had labelled, the same ones
/// the inverse network was trained with. The numbers are symmetric, as the mesh is.
public enum MeshDetectorPoints {
    public static let counts: Set<Int> = [468, 478]

    /// Mesh points in the order of the 68 landmarks.
    static let vertices: [Int] = [
        162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,  // jaw
        71, 63, 105, 66, 107,  // right brow
        336, 296, 334, 293, 301,  // left brow
        168, 197, 5, 4,  // nose bridge
        75, 97, 2, 326, 305,  // nose base
        33, 160, 158, 133, 153, 144,  // right eye
        362, 385, 387, 263, 373, 380,  // left eye
        61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,  // outer lip
        78, 82, 13, 312, 308, 317, 14, 87,  // inner lip
    ]

    /// (x, y) in mm, in the order of the 68 landmarks.
    static let offsets: [SIMD2<Double>] = [
        // Jaw
        SIMD2(4.78, 3.53), SIMD2(2.45, -3.72), SIMD2(0.06, 0.73), SIMD2(3.20, -11.36), SIMD2(1.00, -2.98),
        SIMD2(-4.40, 6.81), SIMD2(0.95, 2.48), SIMD2(3.48, -0.22), SIMD2(0.00, 2.79), SIMD2(-3.48, -0.22),
        SIMD2(-0.95, 2.48), SIMD2(4.40, 6.81), SIMD2(-1.00, -2.98), SIMD2(-3.20, -11.36), SIMD2(-0.06, 0.73),
        SIMD2(-2.45, -3.72), SIMD2(-4.78, 3.53),
        // Right brow
        SIMD2(-1.62, 2.21), SIMD2(0.87, -2.35), SIMD2(-1.24, -1.37), SIMD2(-3.01, -0.89), SIMD2(-1.82, -0.18),
        // Left brow
        SIMD2(1.82, -0.18), SIMD2(3.01, -0.89), SIMD2(1.24, -1.37), SIMD2(-0.87, -2.35), SIMD2(1.62, 2.21),
        // Nose bridge
        SIMD2(0.00, 3.57), SIMD2(0.00, -0.15), SIMD2(0.00, -3.39), SIMD2(0.00, 0.48),
        // Nose base
        SIMD2(-0.68, 1.73), SIMD2(-1.60, 0.33), SIMD2(0.00, 0.77), SIMD2(1.60, 0.33), SIMD2(0.68, 1.73),
        // Right eye
        SIMD2(0.12, 0.58), SIMD2(0.33, 0.38), SIMD2(-0.42, -0.15), SIMD2(0.52, 0.39), SIMD2(-0.46, -0.29),
        SIMD2(1.44, -0.12),
        // Left eye
        SIMD2(-0.52, 0.39), SIMD2(0.42, -0.15), SIMD2(-0.33, 0.38), SIMD2(-0.12, 0.58), SIMD2(-1.44, -0.12),
        SIMD2(0.46, -0.29),
        // Outer lip
        SIMD2(-1.94, -0.06), SIMD2(0.71, 0.34), SIMD2(-0.81, -0.35), SIMD2(0.00, -0.70), SIMD2(0.81, -0.35),
        SIMD2(-0.71, 0.34), SIMD2(1.94, -0.06), SIMD2(-1.66, -1.54), SIMD2(-1.13, -0.23), SIMD2(0.00, 0.23),
        SIMD2(1.13, -0.23), SIMD2(1.66, -1.54),
        // Inner lip
        SIMD2(-2.52, 0.20), SIMD2(3.35, -0.45), SIMD2(0.00, -0.24), SIMD2(-3.35, -0.45), SIMD2(2.52, 0.20),
        SIMD2(-3.45, 0.07), SIMD2(0.00, 0.83), SIMD2(3.45, 0.07),
    ]

    /// A jaw point of the mesh is less sure than another: how far it slides differs from face to face.
    public static let jawConfidence = 1.0 / 3

    /// The 68 of them, (u, v) pairs in the unit of `points`; as the mesh has them, offset and all.
    static func chosen(_ points: [Double]) -> [Double] { vertices.flatMap { [points[2 * $0], points[2 * $0 + 1]] } }
}
