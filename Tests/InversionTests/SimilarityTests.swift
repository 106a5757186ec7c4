import Glibc
import Inversion
import Numerics
import Testing

@Suite struct SimilarityTests {
    let frame = Similarity(centreX: 100, centreY: 80, size: 60, roll: 0.3)

    @Test func signs() {
        let upright = Similarity(centreX: 10, centreY: 20, size: 8)
        #expect(upright.photo(x: 1, y: 0) == (14, 20))
        #expect(upright.photo(x: 0, y: 1) == (10, 16))  // y up is v down
        // Turned counter-clockwise in the picture, the frame's right edge moves up.
        #expect(frame.photo(x: 1, y: 0).v < 80)
    }

    @Test func inverts() {
        for (x, y) in [(0.0, 0.0), (0.3, -0.9), (-1, 1)] {
            let p = frame.photo(x: x, y: y), q = frame.ndc(u: p.u, v: p.v)
            #expect(abs(q.x - x) < 1e-12 && abs(q.y - y) < 1e-12)
        }
    }

    /// A head posed inside a frame appears, in the composed frame, without roll, scale and shift.
    @Test func composes() {
        let half = 115.0, centreY = 5.0, roll = -0.2, logScale = 0.15, tx = 7.0, ty = -4.0
        let inner = frame.composed(roll: roll, logScale: logScale, tx: tx, ty: ty, halfMM: half, centreYMM: centreY)
        let s = exp(logScale)
        for (X, Y) in [(0.0, 0.0), (60, -30), (-45, 80)] {  // camera-plane millimetres before roll
            let x = s * (X * cos(roll) - Y * sin(roll)) + tx, y = s * (X * sin(roll) + Y * cos(roll)) + ty
            let p = frame.photo(x: x / half, y: (y - centreY) / half)
            let q = inner.photo(x: X / half, y: (Y - centreY) / half)
            #expect(abs(p.u - q.u) < 1e-9 && abs(p.v - q.v) < 1e-9)

            let camera = frame.camera(logScale: logScale, tx: tx, ty: ty, halfMM: half, centreYMM: centreY)
            let turn = frame.roll + roll
            let u = camera.scale * (X * cos(turn) - Y * sin(turn)) + camera.tx
            let v = -camera.scale * (X * sin(turn) + Y * cos(turn)) + camera.ty
            #expect(abs(p.u - u) < 1e-9 && abs(p.v - v) < 1e-9)
        }
    }
}

@Suite struct WarpTests {
    /// A linear picture is sampled exactly, whatever the roll and the reduction.
    @Test(arguments: [(20.0, 0.0), (20.0, 0.7), (90.0, -0.4), (130.0, 0.2)])
    func linearPicture(size: Double, roll: Double) throws {
        var image = try RGBImage(width: 200, height: 180)
        for y in 0..<180 {
            for x in 0..<200 {
                for c in 0..<3 { image.pixels[image.offset(x, y) + c] = UInt8(c == 0 ? x : c == 1 ? y : (x + y) / 2) }
            }
        }
        let frame = Similarity(centreX: 101.3, centreY: 88.6, size: size, roll: roll)
        let crop = Tensor<Double>([1, 3, 16, 16]), mask = Tensor<Double>([16, 16])
        warp(image, frame, into: crop, mask: mask)
        for j in 0..<16 {
            for i in 0..<16 {
                let p = frame.photo(x: Double(2 * i + 1) / 16 - 1, y: 1 - Double(2 * j + 1) / 16)
                let k = j * 16 + i
                #expect(abs(crop[k] - (p.u / 127.5 - 1)) < 1e-4)
                #expect(abs(crop[256 + k] - (p.v / 127.5 - 1)) < 1e-4)
                #expect(abs(crop[512 + k] - ((p.u + p.v) / 255 - 1)) < 0.6 / 127.5)
                #expect(mask[k] == 1)
            }
        }
    }

    /// Stripes finer than the target's pixels come out as their mean: no aliasing.
    @Test func stripesAverage() throws {
        var image = try RGBImage(width: 512, height: 512)
        for y in 0..<512 { for x in 0..<512 where x % 2 == 0 { image.pixels[image.offset(x, y)] = 255 } }
        let crop = Tensor<Float>([1, 3, 32, 32])
        warp(image, Similarity(centreX: 255.5, centreY: 255.5, size: 400, roll: 0.1), into: crop)
        for i in 0..<1024 { #expect(abs(crop[i]) < 0.06) }
    }

    @Test func maskOutside() throws {
        let image = try RGBImage(width: 10, height: 10, fill: 255)
        let crop = Tensor<Float>([1, 3, 8, 8]), mask = Tensor<Float>([8, 8])
        warp(image, Similarity(centreX: -0.5, centreY: 4.5, size: 10), into: crop, mask: mask)
        #expect(mask[0] == 0 && mask[7] == 1 && crop[0] == 1)
        warp(image, Similarity(centreX: .nan, centreY: 0, size: 10), into: crop, mask: mask)
        #expect(mask.array.allSatisfy { $0 == 0 })
    }

    @Test func resizing() throws {
        var image = try RGBImage(width: 9, height: 6)
        for y in 0..<6 { for x in 0..<9 { image.pixels[image.offset(x, y)] = UInt8(10 * x + 20 * y) } }
        let small = try resized(image, width: 3, height: 2)
        for y in 0..<2 {
            for x in 0..<3 { #expect(small.pixels[small.offset(x, y)] == UInt8(10 * (3 * x + 1) + 20 * (3 * y + 1))) }
        }
        #expect(try resized(image, width: 9, height: 6) == image)
        let one = try resized(RGBImage(width: 1, height: 1, fill: 77), width: 5, height: 7)
        #expect(one.pixels.allSatisfy { $0 == 77 })
    }
}
