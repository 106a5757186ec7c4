import Numerics
import Reconstruction
import Testing

/// The picture behind the PNG fixtures.
private func expectedPNG(_ x: Int, _ y: Int) -> (Int, Int, Int) { (x * 19, y * 28, (x + y) * 11) }

/// The picture behind the JPEG fixtures, 48 x 32.
private func expectedJPEG(_ x: Int, _ y: Int) -> (Int, Int, Int) { (40 + x * 4, 30 + y * 6, 90) }

private func worst(_ image: RGBImage, _ expected: (Int, Int) -> (Int, Int, Int)) -> Int {
    var worst = 0
    for y in 0..<image.height {
        for x in 0..<image.width {
            let o = image.offset(x, y), e = expected(x, y)
            worst = max(
                worst, abs(Int(image.pixels[o]) - e.0), abs(Int(image.pixels[o + 1]) - e.1), abs(Int(image.pixels[o + 2]) - e.2))
        }
    }
    return worst
}

@Suite struct ImageFileTests {
    @Test(arguments: ["rgb.png", "interlaced.png"])
    func plainPNG(name: String) throws {
        let image = try ImageFile.decode(resource("images/" + name), name: name)
        #expect(image.width == 13 && image.height == 9)
        #expect(worst(image, expectedPNG) == 0)
    }

    @Test func convertedPNG() throws {
        let grey = try ImageFile.decode(resource("images/grey.png"), name: "grey")
        #expect(worst(grey) { x, _ in (x * 19, x * 19, x * 19) } == 0)
        let deep = try ImageFile.decode(resource("images/grey16.png"), name: "grey16")
        #expect(
            worst(deep) { x, _ in
                let v = Int((Double(x) * 5000 / 257).rounded())
                return (v, v, v)
            } <= 1)
        let palette = try ImageFile.decode(resource("images/palette.png"), name: "palette")
        #expect(worst(palette, expectedPNG) < 60)
        let alpha = try ImageFile.decode(resource("images/alpha.png"), name: "alpha")
        #expect(
            worst(alpha) { x, y in
                let e = expectedPNG(x, y), a = Double(x * 21) / 255
                func over(_ v: Int) -> Int { Int((Double(v) * a + 255 * (1 - a)).rounded()) }
                return (over(e.0), over(e.1), over(e.2))
            } <= 1)
    }

    @Test func onePixel() throws {
        let image = try ImageFile.decode(resource("images/one.png"), name: "one")
        #expect(image.pixels == [10, 200, 30])
        #expect(try ImageFile.decode(ImageFile.encodePNG(image), name: "again") == image)
    }

    @Test(.enabled(if: ImageFile.hasJPEG), arguments: ["base.jpg", "progressive.jpg"] + (1...8).map { "exif\($0).jpg" })
    func jpegUpright(name: String) throws {
        let image = try ImageFile.decode(resource("images/" + name), name: name)
        #expect(image.width == 48 && image.height == 32)
        #expect(worst(image, expectedJPEG) < 14)
    }

    @Test(.enabled(if: ImageFile.hasJPEG)) func jpegColours() throws {
        let grey = try ImageFile.decode(resource("images/grey.jpg"), name: "grey")
        #expect(
            worst(grey) { x, y in
                let e = expectedJPEG(x, y), v = Int(0.299 * Double(e.0) + 0.587 * Double(e.1) + 0.114 * Double(e.2))
                return (v, v, v)
            } < 14)
        let cmyk = try ImageFile.decode(resource("images/cmyk.jpg"), name: "cmyk")
        #expect(worst(cmyk, expectedJPEG) < 24)
    }

    @Test(.enabled(if: !ImageFile.hasJPEG)) func withoutJPEG() throws {
        let bytes = try resource("images/base.jpg")
        #expect(errorKind { _ = try ImageFile.decode(bytes, name: "photo.jpg") } == .unsupportedFormat)
    }

    @Test func roundTrips() throws {
        var rng = RandomGenerator(seed: 1)
        for (w, h) in [(1, 1), (7, 3), (64, 33), (300, 2)] {
            let image = try RGBImage(width: w, height: h, pixels: (0..<3 * w * h).map { _ in UInt8(rng.uniform() * 256) })
            #expect(try ImageFile.decode(ImageFile.encodePNG(image), name: "png") == image)
            if ImageFile.hasJPEG {
                let flat = try RGBImage(width: w, height: h, fill: 117)
                let back = try ImageFile.decode(ImageFile.encodeJPEG(flat, quality: 95), name: "jpeg")
                #expect(back.width == w && back.height == h && worst(back) { _, _ in (117, 117, 117) } <= 2)
            }
        }
    }

    /// The samples of a 16-bit file come back through the 8-bit reader as their upper byte, so the order is right.
    @Test func grey16() throws {
        let samples: [UInt16] = [0, 0x1234, 0xff00, 0x8001]
        let image = try ImageFile.decode(ImageFile.encodePNG(gray16: samples, width: 2, height: 2), name: "depth")
        for (i, s) in samples.enumerated() { #expect(abs(Int(image.pixels[3 * i]) - Int((Double(s) / 257).rounded())) <= 1) }
        #expect(errorKind { _ = try ImageFile.encodePNG(gray16: samples, width: 3, height: 2) } == .invalidArgument)
    }

    /// Every truncation is an error: nobody gets half a grey picture.
    @Test(arguments: ["rgb.png", "interlaced.png", "palette.png", "base.jpg", "progressive.jpg", "exif6.jpg"])
    func truncated(name: String) throws {
        if name.hasSuffix("jpg") && !ImageFile.hasJPEG { return }
        let bytes = try resource("images/" + name)
        for count in 0..<bytes.count {
            let kind = errorKind { _ = try ImageFile.decode(Array(bytes[..<count]), name: name) }
            #expect(
                kind == .malformedFile || kind == .unsupportedFormat,
                "\(count) of \(bytes.count) bytes: \(String(describing: kind))")
        }
    }

    /// Whatever bits flip, there is a picture of a checked size or an error.
    @Test(arguments: ["rgb.png", "alpha.png", "palette.png", "base.jpg", "progressive.jpg", "exif6.jpg", "cmyk.jpg"])
    func flippedBits(name: String) throws {
        let bytes = try resource("images/" + name)
        var rng = RandomGenerator(seed: 7)
        var errors = 0
        for _ in 0..<1500 {
            var damaged = bytes
            for _ in 0..<Int(rng.uniform(1, 5)) {
                damaged[Int(rng.uniform() * Double(bytes.count))] ^= 1 << UInt8(rng.uniform() * 8)
            }
            do {
                let image = try ImageFile.decode(damaged, name: name)
                #expect(image.pixels.count == 3 * image.width * image.height)
            } catch is GarfaceError {
                errors += 1
            }
        }
        #expect(errors > 0)
    }

    @Test func foreignFiles() throws {
        for text in ["", "GIF89a.....", "hello, this is text", "RIFF....WEBPVP8 "] {
            let kind = errorKind { _ = try ImageFile.decode(Array(text.utf8), name: "x") }
            #expect(kind == (text.isEmpty ? .malformedFile : .unsupportedFormat))
        }
        #expect(errorKind { _ = try ImageFile.read("/nonexistent/photo.png") } == .fileNotFound)
        #expect(errorKind { _ = try ImageFile.read("/tmp") } == .fileUnreadable)
    }

    /// A declared size beyond the limit, or beyond what so few bytes can hold, is refused before anything is allocated.
    @Test func hugeDeclaredSizes() throws {
        func png(width: UInt32, height: UInt32) throws -> [UInt8] {
            var bytes = try resource("images/rgb.png")
            for (at, value) in [(16, width), (20, height)] {
                for i in 0..<4 { bytes[at + i] = UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * i)) }
            }
            let crc = crc32(bytes[12..<29])
            for i in 0..<4 { bytes[29 + i] = UInt8(truncatingIfNeeded: crc >> UInt32(24 - 8 * i)) }
            return bytes
        }
        let large = try png(width: 20_000, height: 20_000)
        do {
            _ = try ImageFile.decode(large, name: "large.png")
            Issue.record("a picture of 20,000 x 20,000 pixels was read")
        } catch let error as GarfaceError {
            #expect(error.kind == .tooLarge)
            #expect(error.message.contains("20000 x 20000") && error.message.contains("100 megapixels"))
        }
        #expect(errorKind { _ = try ImageFile.decode(png(width: 0x7fff_ffff, height: 0x7fff_ffff), name: "x") } == .tooLarge)
        #expect(errorKind { _ = try ImageFile.decode(png(width: 1, height: 16_385), name: "x") } == .tooLarge)
        #expect(errorKind { _ = try ImageFile.decode(png(width: 9_000, height: 9_000), name: "x") } == .malformedFile)
        #expect(errorKind { _ = try ImageFile.decode(png(width: 0, height: 5), name: "x") } == .malformedFile)

        guard ImageFile.hasJPEG else { return }
        var jpeg = try resource("images/base.jpg")
        let frame = try #require((0..<jpeg.count - 1).first { jpeg[$0] == 0xff && jpeg[$0 + 1] == 0xc0 })
        jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0x4e, 0x20, 0x4e, 0x20])  // 20,000 x 20,000
        #expect(errorKind { _ = try ImageFile.decode(jpeg, name: "x") } == .tooLarge)
        jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0x23, 0x28, 0x23, 0x28])  // 9,000 x 9,000
        #expect(errorKind { _ = try ImageFile.decode(jpeg, name: "x") } == .malformedFile)
    }
}

private func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var crc: UInt32 = 0xffff_ffff
    for byte in bytes {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0xedb8_8320 : crc >> 1 }
    }
    return ~crc
}
