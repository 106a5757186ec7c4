import FaceModel
import Numerics

extension ReconstructionResult {
    /// The head as binary glTF: the neutral face, the expressions as morph targets, those of the photo switched on.
    /// - Parameter texture: a PNG file.
    public func glb(texture: [UInt8], animation: TrackAnimation? = nil) throws -> [UInt8] {
        let head = models.head, angles = anglesInDegrees
        // Differences of evaluated heads, so that any kind of model will do.
        var rest = [Float](repeating: 0, count: 3 * head.vertexCount), moved = rest
        var coefficients = [Float](repeating: 0, count: head.expressionCount)
        head.vertices(identity: identity, expression: coefficients, into: &rest)
        let targets = (0..<head.expressionCount).map { k in
            coefficients[k] = 1
            head.vertices(identity: identity, expression: coefficients, into: &moved)
            coefficients[k] = 0
            return (name: expressionNames[k], displacements: zip(moved, rest).map { $0 - $1 }, weight: expression[k])
        }
        return try GLBFile.encode(
            neutral, layout: models.textureLayout, texture: texture, targets: targets, animation: animation,
            extras: [
                (
                    "pose_degrees",
                    .object([("yaw", .number(angles.yaw)), ("pitch", .number(angles.pitch)), ("roll", .number(angles.roll))])
                )
            ])
    }
}
