import Numerics

/// Places of the 17 jaw landmarks by the head's yaw, for models that publish them (FLAME's dynamic landmarks).
public struct ContourTable: Sendable {
    /// Degrees, rising; positive when the subject turns to their left.
    let yaw: [Double]
    /// `[yaw][17]`.
    let places: [[MeshPlace]]

    /// The places for the yaw nearest to that of a rotation, row-major [9].
    func places(rotation: [Double]) -> [MeshPlace] {
        let angle = Rotation.decompose(rotation).yaw * 180 / .pi
        var best = 0
        for i in yaw.indices where abs(yaw[i] - angle) < abs(yaw[best] - angle) { best = i }
        return places[best]
    }
}
