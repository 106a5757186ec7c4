import Glibc
import Inversion
import Numerics
import Testing

@Suite struct CoveringTests {
    private static let file = "covering.random.safetensors"

    /// Against PyTorch, from the same weights.
    @Test(arguments: ConvolutionPath.available)
    func agrees(path: ConvolutionPath) throws {
        let network = try #require(try InverseNetwork<Float>(file: resource(Self.file), path: path).covering)
        let cases = try resource("covering.random.cases.safetensors")
        let expected: Tensor<Double> = try cases.tensor("output")
        #expect(network.side == 12 && expected.shape == [1, 1, 12, 12])
        let found = try network.run(cases.tensor("input"))
        #expect(relativeError(found.map { Double($0) }, expected.array) < 1e-4)
        let exact = try #require(try InverseNetwork<Double>(file: resource(Self.file), path: .gemm).covering)
        #expect(relativeError(try exact.run(cases.tensor("input")), expected.array) < 1e-5)
        #expect(errorKind { _ = try network.run(Tensor([1, 3, 12, 12])) } == .invalidArgument)
    }

    @Test func refusesWrongFiles() throws {
        func kind(_ from: String, _ to: String, drop: String? = nil) throws -> GarfaceError.Kind? {
            try refusal(of: Self.file, from, to, drop: drop)
        }
        #expect(try kind("\"version\": 1", "\"version\": 1") == nil)
        #expect(try kind("\"half\": 0.7", "\"half\": 0") == .malformedFile)
        #expect(try kind("covering-network", "close-up-network") == .wrongModelKind)
        #expect(try kind("\"version\": 1", "\"version\": 2") == .wrongModelKind)
        // Not all levels fit upon each other then.
        #expect(try kind("\"input_size\": 24", "\"input_size\": 26") == .malformedFile)
        #expect(try kind("\"input_size\": 24", "\"input_size\": 4") == .malformedFile)
        #expect(try kind("\"out\": 7, \"stride\": 1", "\"out\": 7, \"stride\": 2") == .malformedFile)
        for name in ["joins.0.weight", "joins.1.bias", "last.weight", "last.bias", "layers.2.bias"] {
            #expect(try kind("\"version\": 1", "\"version\": 1", drop: "covering." + name) == .malformedFile)
        }
    }

    private let field = Similarity(centreX: 50, centreY: 40, size: 40, roll: 0)

    private func covering(_ logit: (Int, Int) -> Float) -> FaceCovering? {
        FaceCovering(field: field, side: 8, logits: (0..<64).map { logit($0 % 8, $0 / 8) }, margin: 2)
    }

    /// Cells of 5 pixels; between their centres linear, beyond the square as at its edge.
    @Test func placesInThePhoto() throws {
        let left = try #require(covering { x, _ in x < 4 ? 9 : -9 })
        #expect(left.value(u: 35, v: 40) == 1 && left.value(u: 65, v: 40) == 0)
        #expect(abs(left.value(u: 50, v: 30) - 0.5) < 1e-5)
        #expect(abs(left.value(u: 51, v: 55) - 0.3) < 1e-5)
        #expect(left.value(u: 0, v: 40) == 1 && left.value(u: 1e9, v: 40) == 0)
        #expect(left.value(u: 35, v: 10) == 1 && left.value(u: 35, v: 90) == 1 && left.value(u: 65, v: 90) == 0)
        #expect(left.value(u: .nan, v: 40) == 0 && left.value(u: 35, v: .infinity) == 0)
        let top = try #require(covering { _, y in y < 4 ? 9 : -9 })
        #expect(top.value(u: 50, v: 25) == 1 && top.value(u: 50, v: 55) == 0)
    }

    /// A probability of .3 is a part of a thing where it touches what is certain, and nothing elsewhere.
    @Test func doubtfulParts() throws {
        func seen(_ logit: @escaping (Int, Int) -> Float) throws -> [Float] { try #require(covering(logit)).values }
        let chain = try seen { x, y in y == 4 ? (x < 2 ? 9 : x < 5 ? -0.85 : x == 5 ? -9 : -0.85) : -9 }
        #expect(chain[32...33].allSatisfy { $0 == 1 } && chain[34...36].allSatisfy { abs($0 - 0.375) < 0.01 })
        #expect(chain[37...39].allSatisfy { $0 == 0 } && chain[..<32].allSatisfy { $0 == 0 })
        // Corners touch as well.
        #expect(try seen { x, y in x < 2 && y < 2 ? 9 : x == 2 && y == 2 ? 0 : -9 }[18] > 0.8)
        #expect(covering { _, _ in -0.85 } == nil)
    }

    @Test func turnsWithTheFrame() throws {
        // A quarter turn counter-clockwise in the picture: what was at the left is below.
        let turned = Similarity(centreX: 50, centreY: 40, size: 40, roll: .pi / 2)
        let below = try #require(FaceCovering(field: turned, side: 8, logits: (0..<64).map { $0 % 8 < 4 ? 9 : -9 }, margin: 2))
        #expect(below.value(u: 50, v: 55) == 1 && below.value(u: 50, v: 25) == 0)
    }

    /// Doubt in the middle, and too little to count.
    @Test func noiseIsNothing() throws {
        #expect(covering { _, _ in -9 } == nil)
        #expect(covering { _, _ in -1 } == nil)
        #expect(try #require(covering { _, _ in 0 }).values.allSatisfy { abs($0 - 0.5) < 1e-6 })
        #expect(covering { x, y in x == 3 && y == 3 ? 9 : -9 } != nil)
        #expect(covering { x, y in x == 3 && y == 3 ? -0.6 : -9 } == nil)
    }

    @Test func leavesTheRestOfAMask() throws {
        let covering = try #require(covering { x, _ in x < 4 ? 9 : -9 })
        let mask = Tensor<Float>([4, 4], [Float](repeating: 0.8, count: 16))
        // Twice as wide as what was looked at: its outer rows and columns are beyond it. Edges move out by two of its pixels of 5.
        covering.exclude(from: mask, of: Similarity(centreX: 50, centreY: 40, size: 80, roll: 0))
        for j in 0..<4 {
            for (i, left) in [0, 0, 0.4, 0.8].enumerated() { #expect(abs(mask.pointer[4 * j + i] - Float(left)) < 1e-6, "\(i) \(j)") }
        }
    }

    /// A photo goes in, cut to the field; a file without such a network sees nothing.
    @Test func readsPhotos() throws {
        let photo = try RGBImage(width: 160, height: 120, pixels: (0..<160 * 120 * 3).map { UInt8(truncatingIfNeeded: $0 &* 37 / 11) })
        let inverse = try InverseNetwork<Float>(file: resource(Self.file))
        let network = try #require(inverse.covering)
        let frame = Similarity(centreX: 70, centreY: 60, size: 90, roll: 0.2)
        let crop = Tensor<Float>([1, 3, 24, 24])
        warp(photo, network.field.of(frame), into: crop)
        let logits = try network.run(crop)
        if let seen = try FaceCovering(inverse, photo, frame: frame) {
            #expect(seen.field == network.field.of(frame) && seen.side == 12)
            // Certain above a probability of .65, nothing below .15.
            for (value, logit) in zip(seen.values, logits) { #expect(logit > 0.63 ? value == 1 : logit < -1.75 ? value == 0 : true) }
        } else {
            #expect(logits.allSatisfy { $0 < 0 })
        }
        #expect(try FaceCovering(InverseNetwork<Float>(file: resource("inverse.random.safetensors")), photo, frame: frame) == nil)
        // Where there is no photo nothing covers anything.
        let beside = Similarity(centreX: 400, centreY: 60, size: 90, roll: 0)
        #expect(try FaceCovering(inverse, photo, frame: beside) == nil)
        var always = try RGBImage(width: 160, height: 120)
        always.pixels = photo.pixels.map { 255 - $0 }
        for picture in [photo, always] {
            guard let seen = try FaceCovering(inverse, picture, frame: Similarity(centreX: 0, centreY: 60, size: 90, roll: 0)) else { continue }
            for k in 0..<144 where k % 12 < 5 { #expect(seen.values[k] == 0) }
        }
    }
}
