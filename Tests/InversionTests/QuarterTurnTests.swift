import Glibc
import Inversion
import Numerics
import Testing

@Suite struct QuarterTurnTests {
    let picture = try! RGBImage(width: 5, height: 3, pixels: (0..<45).map { UInt8($0) })

    @Test func fourQuartersAreNone() throws {
        #expect(try picture.turned(quarters: 4) == picture)
        var turned = picture
        for _ in 0..<4 { turned = try turned.turned(quarters: 1) }
        #expect(turned == picture)
        #expect(try picture.turned(quarters: 1).turned(quarters: 1) == picture.turned(quarters: 2))
        #expect(try picture.turned(quarters: 3) == picture.turned(quarters: -1))
    }

    /// Clockwise: the left edge comes to the top.
    @Test func direction() throws {
        let turned = try picture.turned(quarters: 1)
        #expect(turned.width == 3 && turned.height == 5)
        #expect(turned.pixels[turned.offset(2, 0)] == picture.pixels[picture.offset(0, 0)])
        #expect(turned.pixels[turned.offset(0, 4)] == picture.pixels[picture.offset(4, 2)])
    }

    /// What a box is on in the turned photo it is on in the photo, and an upright box is turned back with it.
    @Test(arguments: 0..<4) func boxes(quarters: Int) throws {
        let turned = try picture.turned(quarters: quarters)
        for y in 0..<turned.height {
            for x in 0..<turned.width {
                let box = FaceBox(centreX: Double(x), centreY: Double(y), size: 2, roll: 0.2, score: 0.7)
                let before = box.beforeTurn(quarters: quarters, width: picture.width, height: picture.height)
                #expect(
                    picture.pixels[picture.offset(Int(before.centreX), Int(before.centreY))] == turned.pixels[turned.offset(x, y)])
                #expect(before.size == 2 && before.score == 0.7)
                #expect(abs(wrapAngle(before.roll - 0.2 - Double(quarters) * .pi / 2)) < 1e-12)
            }
        }
        // The box's upward direction in the photo, turned clockwise, is that in the turned photo.
        let up = FaceBox(centreX: 1, centreY: 1, size: 2, roll: 0, score: 1)
            .beforeTurn(quarters: quarters, width: 5, height: 3).similarity
        let top = up.photo(x: 0, y: 1), direction = (top.u - up.centreX, top.v - up.centreY)
        let expected = [(0.0, -1.0), (-1, 0), (0, 1), (1, 0)][quarters]
        #expect(abs(direction.0 - expected.0) < 1e-12 && abs(direction.1 - expected.1) < 1e-12)
    }

    /// Pixel centres are whole numbers: the middle of a picture stays its middle, its left edge its left edge.
    @Test func scaling() {
        let middle = FaceBox(centreX: 4.5, centreY: 2, size: 3, roll: 0.1, score: 0.5).scaled(2, 2)
        #expect(middle.centreX == 9.5 && middle.centreY == 4.5 && middle.size == 6 && middle.roll == 0.1)
        #expect(FaceBox(centreX: -0.5, centreY: 0, size: 1, roll: 0, score: 1).scaled(3, 1).centreX == -0.5)
    }
}
