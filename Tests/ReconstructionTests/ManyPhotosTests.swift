import FaceModel
import Fitting
import Inversion
import Numerics
import Reconstruction
import Testing

/// Batches, persons and trackers with an untrained inverse network: it finds no face, and reads the same of every one.
@Suite(.serialized) struct ManyPhotosTests {
    private static let shared = Result {
        let networks = root + "Tests/InversionTests/Resources/"
        return try ReconstructionModels(
            head: .embedded(), gar: nil,
            inverse: InverseNetwork(file: SafetensorsFile(path: networks + "inverse.random.safetensors")),
            detector: FaceDetector(file: SafetensorsFile(path: networks + "face_detector.random.safetensors")))
    }

    private func models() throws -> ReconstructionModels { try Self.shared.get() }

    /// A photo of stripes.
    private func picture(_ seed: Int) throws -> RGBImage {
        var image = try RGBImage(width: 160, height: 120)
        for i in image.pixels.indices { image.pixels[i] = UInt8((i / 3 * (7 + seed)) % 200) }
        return image
    }

    @Test func listsOfPhotos() throws {
        let text = "a/b.png\r\n\n./c.jpg\n../up/../d.JPG\n/whole/e.png"
        let photos = try BatchPhoto.listed(Array(text.utf8), name: "list")
        #expect(photos.map(\.path) == ["a/b.png", "./c.jpg", "../up/../d.JPG", "/whole/e.png"])
        #expect(photos.map(\.folder) == ["a/b.png", "c.jpg", "__/up/__/d.JPG", "whole/e.png"])
        let folder = try TemporaryFolder()
        for name in ["x.png", "y.jpeg", "z.txt", ".hidden.png"] { try FileAccess.write("\(folder.path)/\(name)", [1]) }
        let found = try BatchPhoto.collect([folder.path], output: "\(folder.path)/out")
        #expect(found.map(\.folder) == ["x.png", "y.jpeg"])
        // Two photos that would share a folder are refused; one that is named twice is taken once.
        #expect(errorKind { _ = try BatchPhoto.collect([folder.path, "/other/../x.png", "x.png"], output: "o") } == .invalidArgument)
        #expect(try BatchPhoto.collect([folder.path, folder.path], output: "o").count == 2)
        #expect(errorKind { _ = try BatchPhoto.collect(["\(folder.path)/none"], output: "o") } == .fileNotFound)
    }

    @Test func batchOfFailures() throws {
        let folder = try TemporaryFolder(), output = folder.path + "/out"
        for k in 0..<3 { try FileAccess.write("\(folder.path)/\(k).png", ImageFile.encodePNG(picture(k))) }
        try FileAccess.write("\(folder.path)/torn.png", [137, 80, 78, 71, 13, 10, 26, 10, 0])
        var options = BatchOptions()
        options.reconstruction.renderer = .landmarksOnly
        options.selection = [.parameters]
        options.threads = 3
        func batch() throws -> Batch {
            try Batch(models: models(), photos: BatchPhoto.collect([folder.path], output: output), output: output, options: options)
        }
        var rows: [Int] = []
        let first = try batch().run { _, total, record in
            if let record { rows.append(record.index) }
            return total == 4
        }
        #expect(first.failed == 4 && first.done == 0 && rows.sorted() == [0, 1, 2, 3])
        #expect(first.records.map { $0.failure?.kind } == [.noFace, .noFace, .noFace, .malformedFile])
        let json = try JSONValue(parsing: FileAccess.read(output + "/manifest.json"))
        #expect(json["failed"]?.int == 4 && json["photos"]?[3]?["error"]?.string == "GAR_MALFORMED_FILE")
        // Known failures are left alone where that is asked for, and tried again otherwise.
        options.retriesFailures = false
        #expect(try batch().run().wereThere == 4)
        options.retriesFailures = true
        #expect(try batch().run().wereThere == 0)
        // Ended over a known failure, before the new photo is begun: workers are never quick enough to finish it first.
        try FileAccess.write("\(folder.path)/new.png", ImageFile.encodePNG(picture(3)))
        options.retriesFailures = false
        #expect(errorKind { _ = try batch().run { _, _, _ in false } } == .cancelled)
        options.reconstruction.points5 = [Double](repeating: 1, count: 10)
        #expect(errorKind { _ = try batch() } == .invalidArgument)
    }

    @Test func personSharesTheIdentity() throws {
        let photos = try (0..<3).map(picture)
        let face = FaceBox(centreX: 80, centreY: 60, size: 90, roll: 0, score: 1)
        var options = ReconstructionOptions()
        options.renderer = .landmarksOnly
        var parts: [Float] = []
        let person = try Reconstructor(models()).reconstruct(person: photos, faces: [face, nil, face], options: options) { part, _ in
            parts.append(part)
            return true
        }
        #expect(person.results.map { $0 != nil } == [true, false, true])
        #expect(person.failures[1]?.kind == .noFace && person.failures[0] == nil)
        #expect(person.results[0]?.identity == person.results[2]?.identity && person.identity == person.results[0]?.identity)
        #expect(person.results[0]?.expression != person.results[2]?.expression)
        #expect(parts.last == 1 && zip(parts, parts.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(errorKind { _ = try Reconstructor(models()).reconstruct(person: photos, options: options) } == .noFace)
        #expect(errorKind { _ = try Reconstructor(models()).reconstruct(person: [], options: options) } == .invalidArgument)
    }

    @Test func trackerWithoutAFace() throws {
        let tracker = try FaceTracker(models())
        for k in 0..<3 {
            // Nothing to wait for: what is not found is said with the lag, no more.
            let out = try tracker.push(picture(k))
            #expect(out.isEmpty)
        }
        let rest = try tracker.finish()
        #expect(rest.map(\.index) == [0, 1, 2] && rest.allSatisfy { !$0.isFound && $0.yaw.isNaN })
        let table = TrackTable.header(tracker.models.head)
        let columns = table.split(separator: ",", omittingEmptySubsequences: false).count
        #expect(TrackTable.row(rest[0], tracker.models.head).split(separator: ",", omittingEmptySubsequences: false).count == columns)
        let folder = try TemporaryFolder()
        #expect(errorKind { try tracker.write(to: folder.path) } == .noFace)
        #expect(folder.contents.isEmpty)
        try tracker.write(to: folder.path, selection: [.csv, .arrays])
        #expect(folder.contents == ["track.csv", "track.json", "track.safetensors"])
        var options = TrackerOptions()
        options.lag = 1000
        #expect(errorKind { _ = try FaceTracker(models(), options: options) } == .invalidArgument)
    }

    @Test func animationPutsTheHeadWhereTheCameraSeesIt() throws {
        var frame = TrackedFrame(index: 0, time: 2)
        (frame.isFound, frame.yaw, frame.pitch, frame.roll) = (true, 0.4, -0.2, 3.0)
        (frame.scale, frame.tx, frame.ty, frame.expression) = (0.5, 100, 40, [0.25])
        var next = frame
        (next.index, next.time, next.roll) = (1, 2.5, 3.4)
        let lost = TrackedFrame(index: 2, time: 3)
        let animation = try TrackAnimation([frame, next, lost], width: 320, height: 240)
        #expect(animation.times == [0, 0.5] && animation.weights == [0.25, 0.25])
        let q = animation.rotations.map { Double($0) }
        var nearness = 0.0
        for k in 0..<4 { nearness += q[k] * q[4 + k] }
        #expect(nearness > 0)
        // The quaternion turns the model's axes as the matrix does.
        let r = Rotation.matrix(yaw: 0.4, pitch: -0.2, roll: 3.0)
        let first = 1 - 2 * (q[1] * q[1] + q[2] * q[2]), second = 2 * (q[0] * q[1] + q[2] * q[3])
        #expect(abs(r[0] - first) < 1e-6)
        #expect(abs(r[3] - second) < 1e-6)
        let focal = 1.2 * 320, p = animation.translations.map { Double($0) }
        let u = focal * p[0] / -p[2] + 159.5, v = -focal * p[1] / -p[2] + 119.5
        #expect(abs(u - 100) < 1e-3)
        #expect(abs(v - 40) < 1e-3)
        #expect(errorKind { _ = try TrackAnimation([lost], width: 320, height: 240) } == .noFace)
    }
}
