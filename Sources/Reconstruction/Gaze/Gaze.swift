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

    var json: JSONValue { .object([("yaw", .number(yaw)), ("pitch", .number(pitch))]) }
}
