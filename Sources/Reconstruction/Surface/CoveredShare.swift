import Glibc
import Inversion

extension ReconstructionResult {
    /// Millimetres from the tip of the nose within which the head counts as face.
    private static let faceRadius: Float = 85
    private static let noseTip = 30

    /// How much of the face, as the photo shows it, something else covers: 0 to 1, by area in the photo.
    public var coveredShare: Double {
        guard let covering else { return 0 }
        let p = posed.vertices, r = camera.rotation.map { Float($0) }
        let tip = (0..<3).map { Float(landmarks3D[3 * Self.noseTip + $0]) }
        let nose = (0..<3).map { r[3 * $0] * tip[0] + r[3 * $0 + 1] * tip[1] + r[3 * $0 + 2] * tip[2] }
        var covered: Float = 0, face: Float = 0
        for t in stride(from: 0, to: posed.triangles.count - 2, by: 3) {
            let a = 3 * Int(posed.triangles[t]), b = 3 * Int(posed.triangles[t + 1]), c = 3 * Int(posed.triangles[t + 2])
            let area = (p[b] - p[a]) * (p[c + 1] - p[a + 1]) - (p[c] - p[a]) * (p[b + 1] - p[a + 1])
            guard area > 0 else { continue }
            let middle = (0..<3).map { (p[a + $0] + p[b + $0] + p[c + $0]) / 3 }
            let distance = (0..<3).reduce(Float()) { $0 + (middle[$1] - nose[$1]) * (middle[$1] - nose[$1]) }
            guard distance < Self.faceRadius * Self.faceRadius else { continue }
            face += area
            covered += area * covering.value(u: camera.scale * Double(middle[0]) + camera.tx, v: camera.ty - camera.scale * Double(middle[1]))
        }
        return face > 0 ? Double(covered / face) : 0
    }

    /// [h,w], 0 free to 1: how far something else covers what those pixels of `photoWindow` show of the head; 0 beside it.
    public func coveredMap() throws -> [Float] {
        let window = photoWindow
        guard let covering else { return [Float](repeating: 0, count: window.width * window.height) }
        let buffer = try raster().buffer
        return (0..<buffer.pixelCount).map { i in
            guard buffer.ids[i] >= 0 else { return 0 }
            let x = Double(i % window.width) + 0.5, y = Double(i / window.width) + 0.5
            return covering.value(u: window.x + x * window.step - 0.5, v: window.y + y * window.step - 0.5)
        }
    }
}
