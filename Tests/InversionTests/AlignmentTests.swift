import FaceModel
import Glibc
import Inversion
import Numerics
import Testing

@Suite struct AlignmentTests {
    /// The mean head's landmarks, posed and projected through a known frame, lead back to that frame.
    @Test(arguments: [(0.0, 0.0, 0.0), (0.5, 0.1, 0.4), (-0.7, -0.2, -0.6), (0.35, 0.3, 3.0)])
    func findsTheFrame(yaw: Double, pitch: Double, roll: Double) throws {
        let model = try HeadModel<Double>.embedded()
        let alignment = PointAlignment(model)
        let frame = Similarity(centreX: 310, centreY: 205, size: 180, roll: roll)
        var points = [Double](repeating: 0, count: 204)
        model.landmarks.positions(model.mean.pointer, into: &points)
        let r = Rotation.matrix(yaw: yaw, pitch: pitch, roll: 0.0)
        var photo: [Double] = []
        for i in 0..<68 {
            let x = r[0] * points[3 * i] + r[1] * points[3 * i + 1] + r[2] * points[3 * i + 2]
            let y = r[3] * points[3 * i] + r[4] * points[3 * i + 1] + r[5] * points[3 * i + 2]
            let p = frame.photo(x: x / 115, y: (y - 5) / 115)
            photo += [p.u, p.v]
        }
        func mean(_ range: Range<Int>) -> [Double] {
            [0, 1].map { k in range.reduce(0.0) { $0 + photo[2 * $1 + k] } / Double(range.count) }
        }
        let five = mean(36..<42) + mean(42..<48) + photo[60..<62] + photo[96..<98] + photo[108..<110]
        for (result, slack) in [(try alignment.align(points68: photo), 1.0), (try alignment.align(points5: Array(five)), 4.0)] {
            #expect(abs(result.similarity.centreX - 310) < 3 * slack)
            #expect(abs(result.similarity.centreY - 205) < 3 * slack)
            #expect(abs(log(result.similarity.size / 180)) < 0.03 * slack)
            #expect(abs(wrapAngle(result.similarity.roll - roll)) < 0.05 * slack)
            #expect(abs(result.yaw - yaw) < 0.1 * slack)
        }
    }

    @Test func refusesUselessPoints() throws {
        let alignment = PointAlignment(try HeadModel<Float>.embedded())
        #expect(errorKind { _ = try alignment.align(points68: [Double](repeating: 50, count: 136)) } == .invalidArgument)
        #expect(errorKind { _ = try alignment.align(points68: [1, 2, 3]) } == .invalidArgument)
        var points = (0..<10).map { Double($0) }
        points[7] = .nan
        #expect(errorKind { _ = try alignment.align(points5: points) } == .invalidArgument)
        points[7] = 1e300
        #expect(errorKind { _ = try alignment.align(points5: points) } == .invalidArgument)
    }

    /// The frame returned is the one that the returned estimate was read in, moved as the pose head says.
    @Test func passesCompose() throws {
        let network = try InverseNetwork<Float>(file: resource("inverse.random.safetensors"))
        var image = try RGBImage(width: 120, height: 100)
        var rng = RandomGenerator(seed: 4)
        for i in image.pixels.indices { image.pixels[i] = UInt8(rng.uniform() * 256) }
        let aligner = try Aligner(network)
        let start = Similarity(centreX: 60, centreY: 50, size: 70, roll: 0.1)
        let first = try aligner.align(image, from: start, passes: 1)
        #expect(first.frame == start)
        let second = try aligner.align(image, from: start, passes: 2)
        let e = first.estimate
        #expect(
            second.frame
                == start.composed(roll: e.roll, logScale: e.logScale, tx: e.tx, ty: e.ty, halfMM: 115, centreYMM: 5))
        let again = try aligner.estimate(image, second.frame)
        #expect(again.landmarks == second.estimate.landmarks)
    }
}
