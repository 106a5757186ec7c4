import FaceModel
import Glibc
import Inversion
import Numerics
import Testing

@Suite struct AlignmentTests {
    /// The 68 points of the mean head where people mark them in a photo, and the 5 made of them.
    private func seen(
        _ model: HeadModel<Double>, yaw: Double, pitch: Double, roll: Double = 0
    ) -> (all: [Double], five: [Double]) {
        let frame = Similarity(centreX: 310, centreY: 205, size: 180, roll: roll)
        var points = [Double](repeating: 0, count: 204)
        model.annotatedLandmarks.positions(model.mean.pointer, into: &points)
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
        return (photo, mean(36..<42) + mean(42..<48) + Array(photo[60..<62] + photo[96..<98] + photo[108..<110]))
    }

    /// The mean head's landmarks, posed and projected through a known frame, lead back to that frame.
    @Test(arguments: [(0.0, 0.0, 0.0), (0.5, 0.1, 0.4), (-0.7, -0.2, -0.6), (0.35, 0.3, 3.0)])
    func findsTheFrame(yaw: Double, pitch: Double, roll: Double) throws {
        let model = try HeadModel<Double>.embedded()
        let alignment = PointAlignment(model)
        let (photo, five) = seen(model, yaw: yaw, pitch: pitch, roll: roll)
        for (result, slack) in [(try alignment.align(points68: photo), 1.0), (try alignment.align(points5: five), 4.0)] {
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

    /// Points that form no face are refused with their order; faces in any pose are not.
    @Test func tellsFacesFromOtherPoints() throws {
        let model = try HeadModel<Double>.embedded()
        let alignment = PointAlignment(model)
        func sentence(_ points: [Double]) -> String {
            do {
                _ = try points.count == 10 ? alignment.align(points5: points) : alignment.align(points68: points)
                return ""
            } catch { return "\(error)" }
        }
        func mapped(_ points: [Double], _ change: (Double, Double) -> (Double, Double)) -> [Double] {
            var result: [Double] = []
            for i in 0..<points.count / 2 {
                let (u, v) = change(points[2 * i], points[2 * i + 1])
                result.append(u)
                result.append(v)
            }
            return result
        }
        func reordered(_ points: [Double], _ order: [Int]) -> [Double] {
            var result: [Double] = []
            for i in order { result += points[2 * i..<2 * i + 2] }
            return result
        }
        for yaw in stride(from: -1.5, through: 1.5, by: 0.5) {
            for pitch in [-0.7, 0, 0.7] {
                let face = seen(model, yaw: yaw, pitch: pitch, roll: 2.5 * yaw)
                #expect(sentence(face.all) == "" && sentence(face.five) == "")
            }
        }
        var rng = RandomGenerator(seed: 3)
        for yaw in [-0.8, 0.0, 0.4] {
            let face = seen(model, yaw: yaw, pitch: 0.1, roll: 0.3)
            for points in [face.all, face.five] {
                let count = points.count / 2
                let order = count == 68 ? "36-41 right eye" : "right eye centre"
                for wrong in [mapped(points) { (640 - $0, $1) }, mapped(points) { ($1, $0) }, mapped(points) { ($0, -$1) }] {
                    #expect(sentence(wrong).contains("mirrored face") && sentence(wrong).contains(order))
                }
                let line = mapped(points) { u, _ in (u, 90 + 0.5 * u + 0.01 * rng.normal()) }
                #expect(sentence(line).contains("lie on a line") && sentence(line).contains(order))
                let heap = mapped(points) { _, _ in (100 + 0.3 * rng.normal(), 100 + 0.3 * rng.normal()) }
                #expect(sentence(heap).contains("pixels, which is no face"))
            }
            var order = Array(0..<68)
            for i in order.indices.reversed() { order.swapAt(i, Int(rng.uniform() * Double(i + 1))) }
            #expect(sentence(reordered(face.all, order)).contains("form no face"))
            #expect(sentence(reordered(face.all, (0..<68).map { ($0 + 17) % 68 })).contains("form no face"))
            // Eyes above, mouth below, taken for each other.
            #expect(sentence(reordered(face.five, [3, 4, 2, 0, 1])) != "")
        }
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
