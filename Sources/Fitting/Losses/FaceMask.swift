import FaceModel
import Numerics
import Rasterizer

/// How much each pixel counts in the photometric loss: fully on the visible face, little on the rest of the head
/// (hair and hats are not the model's) and on the background, not at all outside the photo.
final class FaceMask<T: Scalar> {
    /// (S, S), after `update`.
    let weights: Tensor<T>
    private let size: Int
    private let triangles: [Int32]
    private let vertexWeights: Tensor<T>
    private var levels: [Int: Tensor<T>] = [:]

    /// Millimetres from the nose tip within which a vertex belongs to the face, and where its weight has faded.
    private static var faceRadius: Double { 85 }
    private static var fadedRadius: Double { 110 }
    /// Weight of the background, and of the head outside the face.
    private static var background: Double { 0.1 }
    private static var restOfHead: Double { 0.2 }

    init(head: HeadModel<T>, size: Int) {
        self.size = size
        triangles = head.triangles
        weights = Tensor([size, size])
        vertexWeights = Tensor([head.vertexCount])
        var points = [T](repeating: 0, count: 3 * head.landmarks.count)
        head.landmarks.positions(head.mean.pointer, into: &points)
        let nose = 3 * 30
        for v in 0..<head.vertexCount {
            var square = 0.0
            for c in 0..<3 {
                let d = Double(head.mean.pointer[3 * v + c] - points[nose + c])
                square += d * d
            }
            let t = (Self.fadedRadius - square.squareRoot()) / (Self.fadedRadius - Self.faceRadius)
            let inFace = max(0, min(1, t))
            vertexWeights.pointer[v] = T(Self.restOfHead + (1 - Self.restOfHead) * inFace - Self.background)
        }
        for factor in [1, 2] { levels[factor * size] = Tensor([factor * size, factor * size]) }
    }

    /// `raster` is of the picture's size or twice that; `inside` (S, S) is 1 where the photo is known.
    func update(_ raster: RasterBuffer<T>, inside: Tensor<T>) {
        guard let map = levels[raster.width] else { return }
        raster.interpolate(vertexWeights.pointer, channels: 1, triangles: triangles, into: map.pointer)
        if raster.width == 2 * size {
            halve(map.pointer, 1, 2 * size, weights.pointer)
        } else {
            weights.copy(from: map)
        }
        combineKernel(weights.pointer, inside.pointer, size * size, T(Self.background))
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
private func combineKernel<T: Scalar>(_ w: UnsafeMutablePointer<T>, _ inside: UnsafePointer<T>, _ n: Int, _ background: T) {
    for i in 0..<n { w[i] = inside[i] * (w[i] + background) }
}
