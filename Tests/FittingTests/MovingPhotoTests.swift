import FaceModel
import Inversion
import Numerics
import Testing

import Fitting

/// The target that moves under an upright head.
@Suite struct MovingPhotoTests {
    /// Smooth colours, known but for a strip at the right.
    static func surroundings(_ target: Int) -> PhotoSurroundings {
        let n = PhotoSurroundings.side(target: target)
        var values = [Float](repeating: 0, count: 4 * n * n)
        for c in 0..<4 {
            for y in 0..<n {
                for x in 0..<n {
                    let (u, v) = (Float(x) / Float(n), Float(y) / Float(n))
                    values[(c * n + y) * n + x] =
                        c == 3 ? (u < 0.9 ? 1 : 0) : 0.5 * Float.sine(7 * u + Float(c)) + 0.3 * Float.cosine(9 * v - 4 * u)
                }
            }
        }
        return PhotoSurroundings(values: values, side: n)
    }

    private func photo(_ u: Double, _ v: Double) -> Double { 127.5 + 60 * Double.sine(u / 25) + 50 * Double.cosine(v / 31 + u / 60) }

    /// Against the photo sampled in the frame that follows the head.
    @Test func targetIsTheCropOfTheFrameThatFollows() throws {
        let width = 600, height = 500, size = 64, aligned = AlignedFrame()
        var pixels: [UInt8] = []
        for y in 0..<height {
            for x in 0..<width {
                pixels += [
                    UInt8(photo(Double(x), Double(y)).rounded()), UInt8(photo(Double(y), Double(x)).rounded()),
                    UInt8((255 - photo(Double(x), 99)).rounded()),
                ]
            }
        }
        let image = try RGBImage(width: width, height: height, pixels: pixels)
        let frame = Similarity(centreX: 290, centreY: 260, size: 300, roll: 0.2)
        let n = PhotoSurroundings.side(target: size)
        let rgb = Tensor<Float>([3, n, n]), mask = Tensor<Float>([n, n])
        var wide = frame
        wide.size *= Double(n) / Double(2 * size)
        warp(image, wide, into: rgb, mask: mask)
        let moving = MovingPhoto<Float>(
            PhotoSurroundings(values: rgb.array + mask.array, side: n), side: size, frame: aligned)
        for pose in [HeadPose<Float>(), .init(yaw: 0.4, pitch: 0.1, roll: 0.07, logScale: 0.05, tx: 6, ty: -4), .init(roll: -0.1, logScale: -0.08, ty: 7)] {
            #expect(moving.move(to: pose))
            #expect(!moving.move(to: pose), "nothing to do twice")
            let followed = frame.composed(
                roll: Double(pose.roll), logScale: Double(pose.logScale), tx: Double(pose.tx), ty: Double(pose.ty), halfMM: aligned.half,
                centreYMM: aligned.centreY)
            let crop = Tensor<Float>([3, size, size]), inside = Tensor<Float>([size, size])
            warp(image, followed, into: crop, mask: inside)
            var worst: Float = 0
            for i in 0..<crop.count { worst = max(worst, abs(crop.pointer[i] - moving.target.pointer[i])) }
            #expect(worst < 0.02, "off by \(worst)")
            #expect(inside.array == moving.inside.array, "all of it is known")
        }
        // Halved, it is that of half the side.
        let small = MovingPhoto<Float>(
            PhotoSurroundings(values: rgb.array + mask.array, side: n).halved(), side: size / 2, frame: aligned)
        let pose = HeadPose<Float>(roll: 0.07, logScale: -0.05, tx: 3, ty: 5), crop = Tensor<Float>([3, size / 2, size / 2])
        _ = small.move(to: pose)
        warp(
            image,
            frame.composed(roll: 0.07, logScale: -0.05, tx: 3, ty: 5, halfMM: aligned.half, centreYMM: aligned.centreY), into: crop)
        for i in 0..<crop.count { #expect(abs(crop.pointer[i] - small.target.pointer[i]) < 0.03) }
    }

    @Test func edgeOfThePhotoIsNotKnown() {
        let size = 32, aligned = AlignedFrame()
        let moving = MovingPhoto<Double>(Self.surroundings(size), side: size, frame: aligned)
        _ = moving.move(to: HeadPose(tx: 60))
        // 60 mm to the right the target's right half lies beyond what is there.
        #expect(moving.inside.pointer[16 * size + size - 1] == 0)
        #expect(moving.inside.pointer[16 * size] == 1)
        #expect(!moving.move(to: HeadPose(tx: .nan)), "a place that is no number is not gone to")
        #expect(moving.target.isFinite && !moving.isPlaced)
        _ = moving.move(to: HeadPose(tx: 60))
        #expect(moving.isPlaced)
    }

    @Test func gradientIsThatOfTheTarget() {
        let size = 32, aligned = AlignedFrame()
        let moving = MovingPhoto<Double>(Self.surroundings(size), side: size, frame: aligned)
        var random = RandomGenerator(seed: 3)
        let d = Tensor<Double>([3, size, size])
        random.fillNormal(d)
        let at = HeadPose<Double>(roll: 0.06, logScale: 0.04, tx: 3, ty: -5)
        _ = moving.move(to: at)
        let g = moving.gradient(d.pointer)
        for (k, analytic) in [(2, g.roll), (3, g.logScale), (4, g.tx), (5, g.ty)] {
            func value(_ h: Double) -> Double {
                var moved = at.array
                moved[k] += h
                _ = moving.move(to: HeadPose(moved))
                return Double.dot(d.count, d.pointer, moving.target.pointer)
            }
            let numeric = (value(1e-6) - value(-1e-6)) / 2e-6
            #expect(abs(numeric - analytic) < 1e-5 * max(1, abs(numeric)), "\(k): \(analytic), numeric \(numeric)")
        }
    }
}
