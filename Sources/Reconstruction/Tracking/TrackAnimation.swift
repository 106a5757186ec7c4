import FaceModel
import Glibc
import Numerics

/// A track as glTF animates it: seconds, turns as quaternions, places in metres, weights of the morph targets.
///
/// The frames' camera is weak perspective, which knows sizes but no distances. Here it becomes a pinhole camera at the origin
/// that looks along -z, with a focal length of `focalRatio` of the picture's longer side: the head is put where that camera
/// sees it at the size and place of the frames.
public struct TrackAnimation: Sendable {
    public static let focalRatio = 1.2
    public var times: [Float] = []
    /// [frames, 4] x, y, z, w.
    public var rotations: [Float] = []
    /// [frames, 3] metres.
    public var translations: [Float] = []
    /// [frames, expressions].
    public var weights: [Float] = []
    /// The turns of both eyes at the times when they were seen, [times, 4] x, y, z, w.
    public var eyeTimes: [Float] = []
    public var eyeRotations: [Float] = []
    /// The camera's vertical field of view, radians, and its width over its height.
    public var fieldOfView: Double
    public var aspect: Double

    /// Frames without the face have no key: between its neighbours the head moves evenly.
    public init(_ frames: [TrackedFrame], width: Int, height: Int) throws {
        guard width > 0, height > 0 else { throw GarfaceError(.noFace, "glb: there are no frames") }
        let focal = Self.focalRatio * Double(max(width, height))
        fieldOfView = 2 * atan(Double(height) / 2 / focal)
        aspect = Double(width) / Double(height)
        let start = frames.first { $0.isFound }?.time ?? 0
        var last = SIMD4<Double>(0, 0, 0, 1)
        for frame in frames where frame.isFound {
            let scale = frame.scale
            times.append(Float(frame.time - start))
            var q = Self.quaternion(Rotation.matrix(yaw: frame.yaw, pitch: frame.pitch, roll: frame.roll))
            // Of the two that mean the same turn the nearer one, so that players do not go the long way round.
            if (q * last).sum() < 0 { q = -q }
            last = q
            for k in 0..<4 { rotations.append(Float(q[k])) }
            translations += [
                Float((frame.tx - Double(width - 1) / 2) / scale / 1000), Float(-(frame.ty - Double(height - 1) / 2) / scale / 1000),
                Float(-focal / scale / 1000),
            ]
            weights += frame.expression
            if let gaze = frame.gaze {
                eyeTimes.append(Float(frame.time - start))
                eyeRotations += gaze.turn.quaternion
            }
        }
        guard !times.isEmpty else { throw GarfaceError(.noFace, "glb: no face was found in any frame") }
    }

    /// Whether its numbers are as many as they must be, and finite.
    func fits(_ targets: Int) -> Bool {
        let n = times.count
        return n > 0 && rotations.count == 4 * n && translations.count == 3 * n && weights.count == n * targets
            && eyeRotations.count == 4 * eyeTimes.count
            && (times + rotations + translations + weights + eyeTimes + eyeRotations).allSatisfy(\.isFinite)
            && zip(times, times.dropFirst()).allSatisfy { $0 < $1 }
    }

    /// x, y, z, w of a rotation matrix.
    static func quaternion(_ r: [Double]) -> SIMD4<Double> {
        let trace = r[0] + r[4] + r[8]
        var q: SIMD4<Double>
        if trace > 0 {
            let s = 2 * (trace + 1).squareRoot()
            q = SIMD4((r[7] - r[5]) / s, (r[2] - r[6]) / s, (r[3] - r[1]) / s, s / 4)
        } else if r[0] > r[4] && r[0] > r[8] {
            let s = 2 * max(0, 1 + r[0] - r[4] - r[8]).squareRoot()
            q = SIMD4(s / 4, (r[1] + r[3]) / s, (r[2] + r[6]) / s, (r[7] - r[5]) / s)
        } else if r[4] > r[8] {
            let s = 2 * max(0, 1 + r[4] - r[0] - r[8]).squareRoot()
            q = SIMD4((r[1] + r[3]) / s, s / 4, (r[5] + r[7]) / s, (r[2] - r[6]) / s)
        } else {
            let s = 2 * max(0, 1 + r[8] - r[0] - r[4]).squareRoot()
            q = SIMD4((r[2] + r[6]) / s, (r[5] + r[7]) / s, s / 4, (r[3] - r[1]) / s)
        }
        return q / (q * q).sum().squareRoot()
    }
}
