import FaceModel
import Numerics

extension ReconstructionResult {
    /// The head as binary glTF: the neutral face, the expressions as morph targets, those of the photo switched on.
    /// - Parameter texture: a PNG file.
    public func glb(texture: [UInt8], animation: TrackAnimation? = nil) throws -> [UInt8] {
        let head = models.head
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
        var extras = [("pose_degrees", poseJSON)]
        if let gaze { extras.append(("gaze_degrees", gaze.json)) }
        return try GLBFile.encode(
            neutral, layout: models.textureLayout, texture: texture,
            heights: models.openEnd?.heights(neutral.vertices), targets: targets, eyes: eyes,
            camera: GLBCamera(camera, width: photoWidth, height: photoHeight), animation: animation, extras: extras)
    }

    /// The eyeballs of a head that has two, as the texture shows them.
    private var eyes: [GLBEye] {
        let balls = models.eyeballs.map { ($0, $0.sphere(neutral.vertices).centre) }.sorted { $0.1.x < $1.1.x }
        guard balls.count == 2 else { return [] }
        return zip(["eye_right", "eye_left"], balls).map { name, ball in
            GLBEye(name: name, vertices: ball.0.vertices, centre: ball.1, turn: gaze?.turn ?? EyeTurn(yaw: 0, pitch: 0))
        }
    }
}
