import Glibc
import Numerics

/// Where both eyes look, against the head: degrees to its left and up, 0 straight ahead.
public struct Gaze: Sendable, Equatable {
    public let yaw, pitch: Double
    /// Of the model's eyeballs, which are larger than people's and turn less for the same iris.
    public let turn: EyeTurn

    /// Mm from the centre of a person's eye to its iris, as portraits that look into the camera say (MODEL_CARD.md).
    private static let irisDepth = 7.8

    /// - Parameter radius: of the model's eyeballs, mm.
    init(_ turn: EyeTurn, radius: Float) {
        func degrees(_ angle: Float) -> Double {
            asin(max(-1, min(1, sin(Double(angle)) * max(1, Double(radius) / Self.irisDepth)))) * 180 / .pi
        }
        self.turn = turn
        yaw = degrees(turn.yaw)
        pitch = degrees(turn.pitch)
    }

    /// The unit vector along it in camera space, x right, y up, z towards the viewer, of a head with this rotation [9].
    func direction(_ rotation: [Double]) -> [Double] {
        let y = yaw * .pi / 180, p = pitch * .pi / 180, own = [sin(y) * cos(p), sin(p), cos(y) * cos(p)]
        return (0..<3).map { i in (0..<3).reduce(0) { $0 + rotation[3 * i + $1] * own[$1] } }
    }

    var json: JSONValue { .object([("yaw", .number(yaw)), ("pitch", .number(pitch))]) }
}
