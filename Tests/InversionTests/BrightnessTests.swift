import Inversion
import Numerics
import Testing

@Suite struct BrightnessTests {
    @Test func brightened() throws {
        let picture = try RGBImage(width: 2, height: 1, pixels: [10, 20, 30, 0, 40, 200])
        #expect(picture.meanBrightness == 50)
        #expect(try picture.brightened(to: 100, from: 50).pixels == [20, 40, 60, 0, 80, 255])
        // A black picture stays black.
        let black = try RGBImage(width: 3, height: 2, fill: 0)
        #expect(try black.brightened(to: 110, from: black.meanBrightness) == black)
    }
}
