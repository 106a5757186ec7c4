import Glibc
import Inversion
import Numerics
import Testing

@Suite struct CloseUpTests {
    private static let file = "close_up.random.safetensors"
    /// A reading before, of the inverse network in the same file.
    private let estimate: InverseEstimate

    init() throws {
        let network = try InverseNetwork<Float>(file: resource(Self.file))
        let input: Tensor<Float> = try resource("inverse.random.cases.safetensors").tensor("input")
        var read = try network.run(input, context: network.context())
        (read.roll, read.logScale, read.tx, read.ty) = (0.2, 0.1, 12, -7)
        estimate = read
    }

    private let frame = Similarity(centreX: 80, centreY: 60, size: 90)

    private func photo() throws -> RGBImage {
        try RGBImage(width: 160, height: 120, pixels: (0..<160 * 120 * 3).map { UInt8(truncatingIfNeeded: $0 &* 37 / 11) })
    }

    /// Against PyTorch, from the same file; what the close-up does not read stays.
    @Test(arguments: ConvolutionPath.available)
    func agrees(path: ConvolutionPath) throws {
        let closeUp = try #require(try InverseNetwork<Float>(file: resource(Self.file), path: path).closeUp)
        let cases = try resource("close_up.random.cases.safetensors")
        func expected(_ name: String) throws -> [Double] { try (cases.tensor("output." + name) as Tensor<Double>).array }
        let again = try closeUp.run(cases.tensor("input"), after: estimate, context: closeUp.context())
        #expect(relativeError(again.identity, try expected("identity")) < 1e-4)
        #expect(relativeError(again.expression, try expected("expression").map { max(0, min(1, $0)) }) < 1e-4)
        let pose = try expected("pose")
        #expect(relativeError([again.yaw, again.pitch, again.roll], Array(pose[0..<3])) < 1e-4)
        #expect(relativeError([again.logScale, again.tx, again.ty], [max(-1.5, min(1.5, pose[3])), pose[4], pose[5]]) < 1e-4)
        #expect(relativeError(again.landmarks, try expected("landmarks")) < 1e-4)
        #expect(relativeError(again.landmarkSigma.map { log($0) }, try expected("landmark_log_sigma")) < 1e-4)
        #expect(again.wOffset == estimate.wOffset && again.faceLogit == estimate.faceLogit)
    }

    /// The field is the part of the frame that the file names, turned with it.
    @Test func fieldFollowsTheFrame() throws {
        let closeUp = try #require(try InverseNetwork<Float>(file: resource(Self.file)).closeUp)
        let frame = Similarity(centreX: 210, centreY: 180, size: 300, roll: 0.4)
        let field = closeUp.field.of(frame)
        for (x, y) in [(0.0, 0.0), (1, 1), (-1, 0.5)] {
            let inField = field.photo(x: x, y: y), inFrame = frame.photo(x: 0.7 * x, y: 0.7 * y - 0.2)
            #expect(abs(inField.u - inFrame.u) < 1e-9 && abs(inField.v - inFrame.v) < 1e-9)
        }
    }

    /// The frame moves to where the reading before puts the head, on request alone, and not out of the photo.
    @Test func framesMove() throws {
        let photo = try photo()
        let aligner = try Aligner(InverseNetwork<Float>(file: resource(Self.file)))
        #expect(try aligner.closeUp(photo, frame, estimate, moving: false).frame == frame)
        let moved = try aligner.closeUp(photo, frame, estimate, moving: true)
        #expect(moved.frame == frame.composed(roll: 0.2, logScale: 0.1, tx: 12, ty: -7, halfMM: 115, centreYMM: 5))
        var misled = estimate
        misled.tx = 1e7
        #expect(try aligner.closeUp(photo, frame, misled, moving: true).frame == frame)
        let without = try Aligner(InverseNetwork<Float>(file: resource("inverse.random.safetensors")))
        let same = try without.closeUp(photo, frame, estimate, moving: true)
        #expect(same.frame == frame && same.estimate.identity == estimate.identity)
    }

    /// What comes out is the mean of both readings, each point where it lies in the photo.
    @Test(arguments: [false, true]) func readingsAreAveraged(moving: Bool) throws {
        let photo = try photo()
        let network = try InverseNetwork<Float>(file: resource(Self.file))
        let closeUp = try #require(network.closeUp)
        let (place, mean) = try Aligner(network).closeUp(photo, frame, estimate, moving: moving)
        let crop = Tensor<Float>([1, 3, closeUp.inputSize, closeUp.inputSize])
        warp(photo, closeUp.field.of(place), into: crop)
        let again = try closeUp.run(crop, after: estimate, context: closeUp.context())
        func halves(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { ($0 + $1) / 2 } }
        #expect(relativeError(mean.identity, halves(estimate.identity, again.identity)) < 1e-12)
        #expect(relativeError(mean.expression, halves(estimate.expression, again.expression)) < 1e-12)
        #expect(relativeError([mean.yaw, mean.pitch], halves([estimate.yaw, estimate.pitch], [again.yaw, again.pitch])) < 1e-12)
        // In the moved frame the reading before has the head upright and centred.
        let before = moving ? [0, 0, 0, 0] : [estimate.roll, estimate.logScale, estimate.tx, estimate.ty]
        let pose = [mean.roll, mean.logScale, mean.tx, mean.ty]
        #expect(relativeError(pose, halves(before, [again.roll, again.logScale, again.tx, again.ty])) < 1e-12)
        for k in 0..<68 {
            func point(_ read: InverseEstimate, _ frame: Similarity) -> [Double] {
                let p = frame.photo(x: read.landmarks[2 * k], y: read.landmarks[2 * k + 1])
                return [p.u, p.v]
            }
            #expect(relativeError(point(mean, place), halves(point(estimate, frame), point(again, place))) < 1e-9)
            func pixels(_ read: InverseEstimate, _ frame: Similarity) -> Double { read.landmarkSigma[k] * frame.size }
            #expect(abs(pixels(mean, place) - (pixels(estimate, frame) + pixels(again, place)) / 2) < 1e-9)
        }
        #expect(mean.wOffset == estimate.wOffset && mean.faceLogit == estimate.faceLogit)
    }

    @Test func refusesWrongFiles() throws {
        func kind(_ from: String, _ to: String, drop: String? = nil) throws -> GarfaceError.Kind? {
            try refusal(of: Self.file, from, to, drop: drop)
        }
        #expect(try kind("\"version\": 1", "\"version\": 1") == nil)
        #expect(try kind("\"half\": 0.7", "\"half\": 0") == .malformedFile)
        #expect(try kind("\"centre_y\": -0.2", "\"centre_y\": \"low\"") == .malformedFile)
        #expect(try kind("\"field\"", "\"yield\"") == .malformedFile)
        #expect(try kind("close-up-network", "inverse-network") == .wrongModelKind)
        #expect(try kind("\"version\": 1", "\"version\": 2") == .wrongModelKind)
        #expect(try kind("\"input_size\": 28", "\"input_size\": 48") == .malformedFile)
        #expect(try kind("\"identity\": [80]", "\"identity\": [79]") == .malformedFile)
        #expect(try kind("\"version\": 1", "\"version\": 1", drop: "close_up.layers.1.bias") == .malformedFile)
    }
}
