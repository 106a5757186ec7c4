import FaceModel
import Numerics

/// The photo around a face, twice as fine as and wider than the target picture, so that the target can be taken anew where the fit moves it.
public struct PhotoSurroundings: Sendable {
    /// (4, side, side): RGB in [-1, 1], and 1 where the photo is known.
    public let values: [Float]
    public let side: Int

    /// Of a target of that many pixels a side: 5/4 of its width, the edges of its pixels upon edges of pixels.
    public static func side(target: Int) -> Int {
        2 * target + max(4, target / 8 * 4)
    }

    public init(values: [Float], side: Int) {
        precondition(values.count == 4 * side * side)
        self.values = values
        self.side = side
    }

    /// Means of 2 x 2 pixels.
    package func halved() -> PhotoSurroundings {
        var half = [Float](repeating: 0, count: 4 * (side / 2) * (side / 2))
        halve(values, 4, side, &half)
        return PhotoSurroundings(values: half, side: side / 2)
    }
}

/// The target picture of a head that is kept upright, centred and at its own scale, as a renderer wants it that was trained on such pictures:
/// not the head moves over the photo but the photo under the head.
///
/// A pose (roll, log scale, shift) says where the head is in the aligned frame. The target shows at q (mm) what the frame has at
/// e^logScale Rz(roll) q + shift.
package final class MovingPhoto<T: Scalar> {
    /// (3, S, S) and (S, S), after `move`.
    package let target: Tensor<T>
    package let inside: Tensor<T>
    private let side: Int
    /// (n, n, 4): the means of 2 x 2 pixels of the surroundings, as large as the target's pixels and twice as close together.
    private let source: Tensor<T>
    private let sourceSide: Int
    private let frame: AlignedFrame
    /// Derivatives of the target by roll, log scale and shift x and y, (4, 3, S, S).
    private let slopes: Tensor<T>
    /// Whether the last place was one.
    package private(set) var isPlaced = true
    private var place: (roll: T, logScale: T, tx: T, ty: T)?

    package init(_ surroundings: PhotoSurroundings, side: Int, frame: AlignedFrame) {
        self.side = side
        self.frame = frame
        let wide = surroundings.side, n = wide - 1
        precondition(wide > 2 * side && wide % 2 == 0, "surroundings: twice as fine as the target, and wider")
        sourceSide = n
        source = Tensor([n, n, 4])
        let source = source
        surroundings.values.withUnsafeBufferPointer { v in
            for y in 0..<n {
                for x in 0..<n {
                    for c in 0..<4 {
                        let i = (c * wide + y) * wide + x
                        source.pointer[4 * (y * n + x) + c] = T(0.25 * (v[i] + v[i + 1] + v[i + wide] + v[i + wide + 1]))
                    }
                }
            }
        }
        target = Tensor([3, side, side])
        inside = Tensor([side, side])
        slopes = Tensor([4, 3, side, side])
    }

    /// Takes the target where a head of this pose stands; false where it is there already.
    package func move(to pose: HeadPose<T>) -> Bool {
        let place = (roll: pose.roll, logScale: pose.logScale, tx: pose.tx, ty: pose.ty)
        // A place that is no number cannot be sampled.
        isPlaced = place.roll.isFinite && place.logScale.isFinite && place.tx.isFinite && place.ty.isFinite
        if !isPlaced { return false }
        if let before = self.place, before == place { return false }
        self.place = place
        let s = T.exponential(place.logScale), c = s * T.cosine(place.roll), n = s * T.sine(place.roll)
        let half = T(frame.half), centreY = T(frame.centreY)
        let density = T(side) / half
        inRanges(side, least: 32) { rows in
            sampleKernel(
                source.pointer, sourceSide, side, rows, half: half, centreY: centreY, density: density, cosine: c, sine: n,
                shiftX: place.tx, shiftY: place.ty, target.pointer, inside.pointer, slopes.pointer)
        }
        return true
    }

    /// The gradient by roll, log scale and shift, given the one by the target (3, S, S).
    package func gradient(_ dTarget: UnsafePointer<T>) -> (roll: T, logScale: T, tx: T, ty: T) {
        let n = 3 * side * side
        func along(_ k: Int) -> T { place == nil ? 0 : T.dot(n, dTarget, slopes.pointer + k * n) }
        return (along(0), along(1), along(2), along(3))
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
private func sampleKernel<T: Scalar>(
    _ source: UnsafePointer<T>, _ n: Int, _ side: Int, _ rows: Range<Int>, half: T, centreY: T, density: T, cosine: T, sine: T,
    shiftX: T, shiftY: T, _ target: UnsafeMutablePointer<T>, _ inside: UnsafeMutablePointer<T>, _ slopes: UnsafeMutablePointer<T>
) {
    let pixels = side * side, middle = T(n - 1) / 2, last = T(n - 1), pitch = 2 * half / T(side)
    for j in rows {
        let qy = half - (T(j) + 0.5) * pitch + centreY
        for i in 0..<side {
            let k = j &* side &+ i, qx = (T(i) + 0.5) * pitch - half
            // From the head's place on.
            let x = cosine * qx - sine * qy, y = sine * qx + cosine * qy
            let u = middle + density * (x + shiftX), v = middle - density * (y + shiftY - centreY)
            // Beyond its edge the photo goes on as at the edge, and is not known.
            let cu = max(0, min(last, u)), cv = max(0, min(last, v)), known: T = u == cu && v == cv ? 1 : 0
            let x0 = min(n &- 2, Int(cu)), y0 = min(n &- 2, Int(cv)), fx = cu - T(x0), fy = cv - T(y0)
            let p = source + 4 &* (y0 &* n &+ x0), q = p + 4 &* n
            for c in 0..<4 {
                let top = p[c &+ 4] - p[c], bottom = q[c &+ 4] - q[c]
                let across = top + fy * (bottom - top), down = (q[c] - p[c]) + fx * (bottom - top)
                let value = p[c] + fx * top + fy * down
                if c == 3 {
                    inside[k] = value * known
                } else {
                    let dx = known * density * across, dy = -known * density * down, to = c &* pixels &+ k
                    target[to] = value
                    slopes[to] = dy * x - dx * y
                    slopes[3 &* pixels &+ to] = dx * x + dy * y
                    slopes[6 &* pixels &+ to] = dx
                    slopes[9 &* pixels &+ to] = dy
                }
            }
        }
    }
}
