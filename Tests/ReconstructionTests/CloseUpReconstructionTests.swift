import FaceModel
import Inversion
import Numerics
import Reconstruction
import Testing

/// Where an inverse network's file has a close-up network, every way to a face reads through it.
@Suite struct CloseUpReconstructionTests {
    private let models: ReconstructionModels
    private let photo: RGBImage
    private let points68: [Double]

    init() throws {
        let networks = root + "Tests/InversionTests/Resources/"
        models = try ReconstructionModels(
            head: .embedded(), gar: nil, inverse: InverseNetwork(file: SafetensorsFile(path: networks + "close_up.random.safetensors")),
            detector: FaceDetector(file: SafetensorsFile(path: networks + "face_detector.random.safetensors")))
        photo = try RGBImage(width: 320, height: 300, pixels: (0..<320 * 300 * 3).map { UInt8(truncatingIfNeeded: $0 / 7 &* 31) })
        let camera = Camera(rotation: Rotation.matrix(yaw: 0.1, pitch: 0.0, roll: 0.05), scale: 1.1, tx: 160.0, ty: 150.0)
        let vertices = models.head.mean.converted(to: Double.self).array
        var places = [Double](repeating: 0, count: 204), pixels = [Double](repeating: 0, count: 136)
        models.head.annotatedLandmarks.positions(vertices, into: &places)
        camera.project(places, count: 68, into: &pixels)
        points68 = pixels
    }

    private func start(_ change: (inout ReconstructionOptions) -> Void) throws -> ReconstructionResult {
        var options = ReconstructionOptions()
        options.renderer = .startOnly
        change(&options)
        return try #require(try Reconstructor(models).reconstruct(photo, options: options).first)
    }

    private func expect(_ result: ReconstructionResult, _ frame: Similarity, _ estimate: InverseEstimate) {
        #expect(result.parameters.frame == frame)
        #expect(result.parameters.identity == estimate.identity.map { Float($0) })
        #expect(result.parameters.expression == estimate.expression.map { Float($0) })
        #expect(result.parameters.pose.yaw == Double(Float(estimate.yaw)))
    }

    /// Given points say where the face is: the frame stays theirs.
    @Test func givenPointsKeepTheirFrame() throws {
        let result = try start { $0.points68 = points68 }
        let aligner = try Aligner(models.inverse)
        let frame = try PointAlignment(models.head).align(points68: points68).similarity
        let (place, estimate) = try aligner.closeUp(photo, frame, aligner.estimate(photo, frame), moving: false)
        #expect(place == frame)
        expect(result, frame, estimate)
    }

    /// Elsewhere it follows the reading before.
    @Test func theFrameFollowsTheReading() throws {
        let face = FaceBox(centreX: 160, centreY: 150, size: 250, roll: 0, score: 1)
        let result = try start { $0.face = face }
        let aligner = try Aligner(models.inverse)
        let (frame, estimate) = try aligner.align(photo, from: face.similarity)
        let (place, mean) = try aligner.closeUp(photo, frame, estimate, moving: true)
        #expect(place != frame)
        expect(result, place, mean)
        // A fit that is run in stages begins there, too.
        var options = ReconstructionOptions()
        options.renderer = .startOnly
        options.face = face
        try expect(FitSession(models, photo: photo, options: options).result(), place, mean)
    }

    /// A face that was fitted before stays where it was.
    @Test func resumedFacesStay() throws {
        let before = try start { $0.points68 = points68 }
        var options = ReconstructionOptions()
        options.renderer = .startOnly
        let resumed = try FitSession(from: before, photo: photo, options: options).result()
        #expect(resumed.parameters.frame == before.parameters.frame)
        #expect(resumed.parameters.identity == before.parameters.identity)
    }
}
