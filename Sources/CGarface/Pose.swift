import FaceModel
import GarfaceHeader

private let degree = Float.pi / 180

/// An angle in degrees, in (-180, 180] after rounding too.
func degrees(_ radians: Double) -> Float {
    let angle = Float(radians * 180 / .pi)
    return angle <= -180 ? 180 : min(angle, 180)
}

/// The rotation of three angles in degrees, checked.
func rotation(_ yaw: Float, _ pitch: Float, _ roll: Float) throws -> [Float] {
    for (angle, name) in [(yaw, "yaw"), (pitch, "pitch"), (roll, "roll")] where !angle.isFinite {
        throw invalid("\(name): is \(angle), expected degrees")
    }
    return Rotation.matrix(yaw: yaw * degree, pitch: pitch * degree, roll: roll * degree)
}

@_cdecl("gar_pose_matrix")
public func garPoseMatrix(
    _ yaw: Float, _ pitch: Float, _ roll: Float, _ matrix: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let matrix = try required(matrix, "matrix")
        for (k, value) in try rotation(yaw, pitch, roll).enumerated() { matrix[k] = value }
    }
}

@_cdecl("gar_pose_angles")
public func garPoseAngles(
    _ matrix: UnsafePointer<Float>?, _ yaw: UnsafeMutablePointer<Float>?, _ pitch: UnsafeMutablePointer<Float>?,
    _ roll: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let matrix = try finite(matrix, 9, "matrix")
        let yaw = try required(yaw, "yaw"), pitch = try required(pitch, "pitch"), roll = try required(roll, "roll")
        let r = (0..<9).map { matrix[$0] }
        for i in 0..<3 {
            for j in i..<3 {
                let dot = r[3 * i] * r[3 * j] + r[3 * i + 1] * r[3 * j + 1] + r[3 * i + 2] * r[3 * j + 2]
                guard abs(dot - (i == j ? 1 : 0)) < 1e-2 else {
                    throw invalid("matrix: is not a rotation (rows \(i) and \(j) have the product \(dot))")
                }
            }
        }
        let determinant =
            r[0] * (r[4] * r[8] - r[5] * r[7]) - r[1] * (r[3] * r[8] - r[5] * r[6]) + r[2] * (r[3] * r[7] - r[4] * r[6])
        guard determinant > 0 else {
            throw invalid("matrix: is a reflection (its determinant is \(determinant)), not a rotation")
        }
        let angles = Rotation.decompose(r.map { Double($0) })
        yaw.pointee = degrees(angles.yaw)
        pitch.pointee = degrees(angles.pitch)
        roll.pointee = degrees(angles.roll)
    }
}
