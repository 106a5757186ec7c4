import FaceModel
import Glibc
import Inversion
import Numerics
import Reconstruction
import Testing

/// With the networks that the library carries, on the sample photo and on pictures without a face.
@Suite(.serialized) struct EmbeddedModelsTests {
    private static let models = Result {
        try ReconstructionModels(head: .embedded(), gar: nil, inverse: .embedded(), detector: .embedded())
    }

    private func reconstructor() throws -> Reconstructor { try Reconstructor(Self.models.get()) }

    private func astronaut() throws -> RGBImage { try ImageFile.read(root + "examples/data/astronaut.png") }

    /// Where her eyes (corners 36 39 42 45) and mouth corners (48 54) are, read off the photo by eye.
    private let marked = [(36, 193.0, 101.0), (39, 212, 103), (42, 237, 104), (45, 258, 105), (48, 203, 140), (54, 247, 139)]

    private func worst(_ landmarks: [Double], shiftX: Double = 0, shiftY: Double = 0, scale: Double = 1) -> Double {
        marked.map { i, u, v in
            hypot((landmarks[2 * i] - shiftX) / scale - u, (landmarks[2 * i + 1] - shiftY) / scale - v)
        }.max() ?? .infinity
    }

    @Test func findsTheAstronaut() throws {
        var options = ReconstructionOptions()
        options.renderer = .landmarksOnly
        let result = try #require(try reconstructor().reconstruct(astronaut(), options: options).first)
        #expect(result.start == .detector && result.faceProbability > 0.95)
        #expect(worst(result.landmarks) < 12, "\(worst(result.landmarks)) pixels")
        let angles = result.anglesInDegrees
        #expect(abs(angles.yaw) < 20 && abs(angles.pitch) < 20 && abs(angles.roll) < 10)
    }

    /// Small in a larger scene, and turned: the same points, moved.
    @Test(arguments: [(900, 700, 300, 350), (1600, 1200, 1000, 40)])
    func findsHerInAScene(width: Int, height: Int, left: Int, top: Int) throws {
        let small = try resized(astronaut(), width: 300, height: 300)
        var scene = try RGBImage(width: width, height: height)
        for y in 0..<height {
            for x in 0..<width {
                for c in 0..<3 { scene.pixels[scene.offset(x, y) + c] = UInt8((x + 2 * y + 40 * c) / 12 % 200 + 20) }
            }
        }
        for y in 0..<300 where top + y < height {
            for x in 0..<300 {
                for c in 0..<3 { scene.pixels[scene.offset(left + x, top + y) + c] = small.pixels[small.offset(x, y) + c] }
            }
        }
        var options = ReconstructionOptions()
        options.renderer = .landmarksOnly
        let result = try #require(try reconstructor().reconstruct(scene, options: options).first)
        #expect(worst(result.landmarks, shiftX: Double(left), shiftY: Double(top), scale: 300.0 / 512) < 15)
    }

    @Test func usesWhatIsGiven() throws {
        let photo = try astronaut()
        let reconstructor = try reconstructor()
        var options = ReconstructionOptions()
        options.renderer = .landmarksOnly
        options.rectangle = FaceRectangle(left: 178, top: 78, width: 92, height: 102)
        let boxed = try #require(try reconstructor.reconstruct(photo, options: options).first)
        #expect(boxed.start == .box && boxed.box == nil && worst(boxed.landmarks) < 15)
        options.rectangle = nil
        options.points5 = [203, 101, 247, 103, 224, 126, 203, 140, 247, 139]
        let five = try #require(try reconstructor.reconstruct(photo, options: options).first)
        #expect(five.start == .points5 && worst(five.landmarks) < 15)
    }

    /// A flat picture, noise, a gradient, stripes: an error that says so, never a guess.
    @Test(arguments: 0..<4)
    func noFace(kind: Int) throws {
        var rng = RandomGenerator(seed: 6)
        var picture = try RGBImage(width: 320, height: 240, fill: 130)
        for y in 0..<240 {
            for x in 0..<320 {
                for c in 0..<3 {
                    let value: Double
                    switch kind {
                    case 1: value = 255 * rng.uniform()
                    case 2: value = Double(x) * 0.7 + Double(c * 10)
                    case 3: value = (x / 9 + y / 31) % 2 == 0 ? 40 : 215
                    default: value = 130
                    }
                    picture.pixels[picture.offset(x, y) + c] = UInt8(max(0, min(255, value)))
                }
            }
        }
        let reconstructor = try reconstructor()
        do {
            _ = try reconstructor.reconstruct(
                picture,
                options: {
                    var o = ReconstructionOptions(); o.renderer = .startOnly; return o
                }())
            Issue.record("a face was found where there is none")
        } catch let error as GarfaceError {
            #expect(error.kind == .noFace)
            #expect(error.message.contains("no face") && error.message.contains("320 x 240"))
        }
    }

    /// On either side and upside down she is found as well, and read as the same face.
    @Test(arguments: 1..<4) func turnedPhotos(quarters: Int) throws {
        let photo = try astronaut(), reconstructor = try reconstructor()
        var options = ReconstructionOptions()
        options.renderer = .startOnly
        let upright = try #require(try reconstructor.reconstruct(photo, options: options).first)
        let turned = try photo.turned(quarters: quarters)
        let result = try #require(try reconstructor.reconstruct(turned, options: options).first)
        #expect(abs(wrapAngle(result.frame.roll - upright.frame.roll + Double(quarters) * .pi / 2)) < 0.03)
        #expect(abs(result.frame.size / upright.frame.size - 1) < 0.02)
        #expect(zip(result.expression, upright.expression).allSatisfy { abs($0 - $1) < 0.15 })
        options.looksForTurnedFaces = false
        #expect(throws: GarfaceError.self) { _ = try reconstructor.reconstruct(turned, options: options) }
    }

    /// Two of her: both are found, the larger first; one is returned unless more are asked for.
    @Test func severalFaces() throws {
        let photo = try astronaut()
        let small = try resized(photo, width: 320, height: 320)
        var scene = try RGBImage(width: 840, height: 512, fill: 90)
        for y in 0..<512 {
            for x in 0..<512 { for c in 0..<3 { scene.pixels[scene.offset(x, y) + c] = photo.pixels[photo.offset(x, y) + c] } }
        }
        for y in 0..<320 {
            for x in 0..<320 {
                for c in 0..<3 { scene.pixels[scene.offset(515 + x, 100 + y) + c] = small.pixels[small.offset(x, y) + c] }
            }
        }
        let reconstructor = try reconstructor()
        var options = ReconstructionOptions()
        options.renderer = .startOnly
        #expect(try reconstructor.reconstruct(scene, options: options).count == 1)
        options.maximumFaces = 2
        let both = try reconstructor.reconstruct(scene, options: options)
        #expect(both.count == 2)
        #expect(worst(both[0].landmarks) < 20)
        #expect(both.count < 2 || worst(both[1].landmarks, shiftX: 515, shiftY: 100, scale: 320.0 / 512) < 24)
    }
}
