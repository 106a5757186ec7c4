import Inversion
import Numerics

extension ReconstructionResult {
    /// Millimetres from the tip of the nose within which the head counts as face.
    private static let faceRadius: Float = 85
    private static let noseTip = 30
    /// Pixels a side of the picture on which the share is counted.
    private static let shareSide = 128

    /// How much of the face, as the photo shows it, something else covers: 0 to 1, by area in the photo.
    public var coveredShare: Double {
        guard let covering else { return 0 }
        let nose = SIMD2(staticLandmarks[2 * Self.noseTip], staticLandmarks[2 * Self.noseTip + 1])
        let reach = Double(Self.faceRadius) * camera.scale
        let window = PhotoWindow(
            x: nose.x + 0.5 - reach, y: nose.y + 0.5 - reach, step: 2 * reach / Double(Self.shareSide), width: Self.shareSide,
            height: Self.shareSide)
        guard let raster = try? raster(window) else { return 0 }
        let positions = raster.positions(shaped.vertices), tip = (0..<3).map { Float(landmarks3D[3 * Self.noseTip + $0]) }
        var covered = 0.0, face = 0.0
        for i in 0..<raster.buffer.pixelCount where raster.buffer.ids[i] >= 0 {
            let (u, v) = window.photo(i)
            guard u > -0.5, v > -0.5, u < Double(photoWidth) - 0.5, v < Double(photoHeight) - 0.5 else { continue }
            let square = (0..<3).reduce(Float()) { $0 + (positions[3 * i + $1] - tip[$1]) * (positions[3 * i + $1] - tip[$1]) }
            guard square < Self.faceRadius * Self.faceRadius else { continue }
            face += 1
            covered += Double(covering.value(u: u, v: v))
        }
        return face > 0 ? covered / face : 0
    }

    /// [h,w], 0 free to 1: how far something else covers what those pixels of `photoWindow` show of the head; 0 beside it.
    public func coveredMap() throws -> [Float] {
        let window = photoWindow
        guard let covering else { return [Float](repeating: 0, count: window.width * window.height) }
        let buffer = try raster().buffer
        return (0..<buffer.pixelCount).map { i in
            guard buffer.ids[i] >= 0 else { return 0 }
            let (u, v) = window.photo(i)
            return covering.value(u: u, v: v)
        }
    }
}

extension PhotoWindow {
    /// The photo's place that pixel i shows the middle of.
    fileprivate func photo(_ i: Int) -> (u: Double, v: Double) {
        (x + (Double(i % width) + 0.5) * step - 0.5, y + (Double(i / width) + 0.5) * step - 0.5)
    }
}
