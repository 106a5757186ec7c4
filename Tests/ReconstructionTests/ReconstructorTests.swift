import FaceModel
import Glibc
import Inversion
import Numerics
import Reconstruction
import Testing

let root = String(#filePath.dropLast("Tests/ReconstructionTests/ReconstructorTests.swift".count))

/// The pipeline with an untrained inverse network: what the user says must suffice.
@Suite(.serialized) struct ReconstructorTests {
    private static let shared = Result {
        let networks = root + "Tests/InversionTests/Resources/"
        return try ReconstructionModels(
            head: .embedded(), gar: nil,
            inverse: InverseNetwork(file: SafetensorsFile(path: networks + "inverse.random.safetensors")),
            detector: FaceDetector(file: SafetensorsFile(path: networks + "face_detector.random.safetensors")))
    }

    private func models() throws -> ReconstructionModels { try Self.shared.get() }

    /// A head of known shape seen by a known camera: its 68 points and the camera.
    private func truth(_ head: HeadModel<Float>) throws -> (points: [Double], camera: Camera<Double>, mesh: Mesh) {
        var rng = RandomGenerator(seed: 9)
        var identity = [Float](repeating: 0, count: head.identityCount)
        for i in 0..<20 { identity[i] = Float(rng.normal()) }
        let mesh = try Mesh(head, identity: identity, expression: [Float](repeating: 0, count: head.expressionCount))
        let camera = Camera(rotation: Rotation.matrix(yaw: 0.35, pitch: -0.1, roll: 0.25), scale: 1.4, tx: 260.0, ty: 210.0)
        let place = ContourLines(head).embedding(mesh.vertices, rotation: camera.rotation.map { Float($0) })
        var points = [Float](repeating: 0, count: 204)
        place.positions(mesh.vertices, into: &points)
        var pixels = [Double](repeating: 0, count: 136)
        camera.project(points.map { Double($0) }, count: 68, into: &pixels)
        return (pixels, camera, mesh)
    }

    @Test func fitsGivenPoints() throws {
        let models = try models()
        let truth = try truth(models.head)
        let photo = try RGBImage(width: 512, height: 400, fill: 120)
        var options = ReconstructionOptions()
        options.renderer = .landmarksOnly
        options.points68 = truth.points
        var parts: [Float] = []
        let results = try Reconstructor(models).reconstruct(photo, options: options) { part, _ in
            parts.append(part)
            return true
        }
        let result = try #require(results.first)
        #expect(results.count == 1 && result.start == .points68)
        #expect(parts.count > 3 && parts.last == 1 && zip(parts, parts.dropFirst()).allSatisfy { $0 <= $1 })
        var sum = 0.0
        for i in 0..<68 {
            sum += hypot(result.landmarks[2 * i] - truth.points[2 * i], result.landmarks[2 * i + 1] - truth.points[2 * i + 1])
        }
        #expect(sum / 68 < 3, "mean distance \(sum / 68) pixels")
        let angles = result.anglesInDegrees
        #expect(abs(angles.yaw - 0.35 * 180 / .pi) < 6 && abs(angles.roll - 0.25 * 180 / .pi) < 3)
        #expect(abs(log(result.camera.scale / truth.camera.scale)) < 0.1)

        // The reported camera, landmarks and meshes tell one story.
        var pixels = [Double](repeating: 0, count: 136)
        result.camera.project(result.landmarks3D, count: 68, into: &pixels)
        #expect(zip(pixels, result.staticLandmarks).allSatisfy { abs($0 - $1) < 1e-9 })
        let r = result.camera.rotation
        let maps = try result.maps()
        #expect(maps.window == PhotoWindow(width: 512, height: 400))
        // The nose tip, a point of the posed mesh, is seen at its own depth.
        let nose = (0..<3).map { k in (0..<3).reduce(0.0) { $0 + r[3 * k + $1] * result.landmarks3D[90 + $1] } }
        let u = Int(result.staticLandmarks[60].rounded()), v = Int(result.staticLandmarks[61].rounded())
        #expect(abs(Double(maps.depth[v * 512 + u]) - nose[2]) < 2)
        #expect(maps.coverage > 0.1 && maps.coverage < 0.6)
    }

    @Test func writesEveryFile() throws {
        let models = try models()
        let truth = try truth(models.head)
        let photo = try RGBImage(width: 512, height: 400, fill: 120)
        var options = ReconstructionOptions()
        options.renderer = .landmarksOnly
        options.points68 = truth.points
        let result = try #require(try Reconstructor(models).reconstruct(photo, options: options).first)
        let place = try TemporaryFolder()
        try result.write(to: place.path + "/out", photo: photo)
        let names = namesIn(place.path + "/out")
        #expect(
            names == [
                "crop.png", "depth.png", "head.glb", "head_coloured.ply", "head_neutral.obj", "head_neutral.ply",
                "head_posed.obj", "head_posed.ply", "head_textured.mtl", "head_textured.obj", "input.png", "landmarks.json",
                "landmarks.pts", "landmarks_static.pts", "normals.png", "overlay.png", "parameters.json",
                "parameters.safetensors", "parts.png", "texture.png", "uv_normals.png", "uv_parts.png", "uv_visibility.png",
            ])
        // Every name a result may have is known, so that what an earlier one left goes.
        try result.write(to: place.path + "/all", photo: photo, selection: .all)
        let known = ResultNames(selection: .all, numbered: false)
        #expect(namesIn(place.path + "/all").count == names.count + 8 && namesIn(place.path + "/all").allSatisfy(known.contains))

        let saved = try SavedParameters(file: SafetensorsFile(path: place.path + "/out/parameters.safetensors"))
        #expect(saved.parameters.identity == result.identity && saved.parameters.expression == result.expression && saved.parameters.wPlus.isEmpty)
        let json = try JSONValue(parsing: FileAccess.read(place.path + "/out/parameters.json"))
        #expect(json["camera"]?["scale_px_per_mm"]?.double == result.camera.scale)
        #expect(json["identity"]?.array?.count == 80 && json["expression"]?["jawOpen"]?.double != nil)
        #expect((json["losses"]?.array?.count ?? 0) > 1)
        let points = try LandmarkFile.parse(pts: FileAccess.read(place.path + "/out/landmarks.pts"), name: "pts")
        #expect(zip(points, result.landmarks).allSatisfy { abs($0 - $1) < 1e-3 })
        let sheet = try ImageFile.read(place.path + "/out/overlay.png")
        #expect(sheet.width > 4 * sheet.height * 9 / 10)
        let normals = try ImageFile.read(place.path + "/out/normals.png")
        #expect(normals.width == 512 && normals.height == 400)

        // Nothing is left where one file cannot be written.
        #expect(errorKind { try result.write(to: "/proc/out", photo: photo) } == .fileUnwritable)
    }

    @Test func cancels() throws {
        let models = try models()
        var options = ReconstructionOptions()
        options.renderer = .landmarksOnly
        options.points68 = try truth(models.head).points
        let photo = try RGBImage(width: 512, height: 400, fill: 120)
        for limit in [0, 1, 3] {
            var calls = 0
            let kind = errorKind {
                _ = try Reconstructor(models).reconstruct(photo, options: options) { _, _ in
                    calls += 1
                    return calls <= limit
                }
            }
            #expect(kind == .cancelled)
            #expect(calls == limit + 1)
        }
    }

    @Test func refusesBadOptions() throws {
        let models = try models()
        let reconstructor = try Reconstructor(models)
        let photo = try RGBImage(width: 512, height: 400, fill: 120)
        let points = try truth(models.head).points
        func kind(_ change: (inout ReconstructionOptions) -> Void) -> GarfaceError.Kind? {
            var options = ReconstructionOptions()
            options.renderer = .startOnly
            change(&options)
            return errorKind { _ = try reconstructor.reconstruct(photo, options: options) }
        }
        #expect(
            kind {
                $0.renderer = .gar; $0.points68 = points
            } == .invalidArgument)
        #expect(kind { $0.points68 = points.map { _ in .nan } } == .invalidArgument)
        #expect(kind { $0.points68 = points.map { $0 + 2000 } } == .invalidArgument)
        #expect(kind { $0.points68 = points.map { _ in 100 } } == .invalidArgument)
        #expect(kind { $0.points68 = [1, 2] } == .invalidArgument)
        #expect(kind { $0.points5 = [1e300, 0, 1, 1, 2, 2, 3, 3, 4, 4] } == .invalidArgument)
        #expect(kind { $0.rectangle = FaceRectangle(left: .nan, top: 0, width: 50, height: 50) } == .invalidArgument)
        #expect(kind { $0.rectangle = FaceRectangle(left: 600, top: 0, width: 50, height: 50) } == .invalidArgument)
        #expect(kind { $0.rectangle = FaceRectangle(left: 6, top: 0, width: -50, height: 50) } == .invalidArgument)
        #expect(
            kind {
                $0.points68 = points; $0.points5 = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
            } == .invalidArgument)
        #expect(
            kind {
                $0.maximumFaces = 0; $0.points68 = points
            } == .invalidArgument)
        #expect(
            kind {
                $0.threads = -3; $0.points68 = points
            } == .invalidArgument)
        #expect(kind { $0.points68 = points } == nil)
        #expect(kind { $0.rectangle = FaceRectangle(left: 150, top: 120, width: 200, height: 200) } == nil)
    }

    @Test func smallestPictures() throws {
        var options = ReconstructionOptions()
        options.renderer = .startOnly
        let reconstructor = try Reconstructor(models())
        for (w, h) in [(1, 1), (1, 300), (7, 7)] {
            let kind = errorKind { _ = try reconstructor.reconstruct(RGBImage(width: w, height: h), options: options) }
            #expect(kind == .noFace)
        }
    }
}
