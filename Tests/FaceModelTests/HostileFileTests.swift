import FaceModel
import Numerics
import Testing

/// A tiny model file whose parts a test may damage.
struct TinyHead {
    var kind = "head-model"
    var version = "1"
    var prior = "unit-interval"
    var names = "[\"jawOpen\",\"mouthClose\"]"
    var mean: ([Int], [Float]) = ([4, 3], [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1])
    var identity: ([Int], [Float]) = ([1, 4, 3], Array(repeating: 0.5, count: 12))
    var expression: ([Int], [Float]) = ([2, 4, 3], Array(repeating: 0.25, count: 24))
    var triangles: ([Int], [Int32]) = ([2, 3], [0, 1, 2, 0, 2, 3])
    var part: ([Int], [Int32]) = ([4], [0, 0, 1, 1])
    var landmarkTriangles: ([Int], [Int32]) = ([68, 3], Array(repeating: [0, 1, 2], count: 68).flatMap { $0 })
    var landmarkWeights: ([Int], [Float]) = ([68, 3], Array(repeating: [0.5, 0.25, 0.25], count: 68).flatMap { $0 })
    var samples: ([Int], [Int32])?
    var annotated: ([Int32], [Float])?
    var without = ""

    func file() throws -> SafetensorsFile {
        let json = """
            {"kind":"\(kind)","version":\(version),"expression_prior":"\(prior)","expression_names":\(names),\
            "part_names":["skin","eye"]}
            """
        var writer = SafetensorsWriter(metadata: ["garface": json])
        for (name, (shape, values)) in [
            ("mean", mean), ("identity", identity), ("expression", expression), ("landmark_barycentrics", landmarkWeights),
        ] where name != without {
            writer.add(name, Tensor(shape, values))
        }
        writer.add("triangles", triangles.0, triangles.1)
        writer.add("part", part.0, part.1)
        writer.add("landmark_triangles", landmarkTriangles.0, landmarkTriangles.1)
        if let annotated {
            if !annotated.0.isEmpty { writer.add("annotated_triangles", [68, annotated.0.count / 68], annotated.0) }
            writer.add("annotated_barycentrics", Tensor([68, annotated.1.count / 68], annotated.1))
        }
        if let samples { writer.add("expression_samples", samples.0, samples.1) }
        return try SafetensorsFile(bytes: writer.bytes(), name: "tiny.safetensors")
    }
}

@Suite struct HostileFileTests {
    /// The error of loading a damaged file: it must name the file and the given word.
    func refused(_ kind: GarfaceError.Kind, _ word: String, _ damage: (inout TinyHead) -> Void) throws {
        var tiny = TinyHead()
        damage(&tiny)
        let file = try tiny.file()
        do {
            _ = try HeadModel<Float>(file: file)
            Issue.record("accepted, though \(word) was damaged")
        } catch let error as GarfaceError {
            #expect(error.kind == kind, "\(error)")
            #expect(error.message.contains("tiny.safetensors") && error.message.contains(word), "\(error)")
        }
    }

    @Test func theUndamagedFileLoads() throws {
        let m = try HeadModel<Double>(file: TinyHead().file())
        var v = [Double](repeating: 0, count: 12)
        m.vertices(identity: [2], expression: [1, 0], into: &v)
        #expect(v[0] == 1.25 && v[3] == 2.25)
        #expect(m.expressionPrecision == [1, 1] && m.expressionSamples.isEmpty)
        // No contour can be traced on four vertices: the points keep their places.
        let lines = ContourLines(m)
        #expect(lines.embedding(v, rotation: Rotation.matrix(yaw: 0.5, pitch: 0, roll: 0)).count == 68)
        var random = RandomGenerator(seed: 1)
        let e = m.sampleExpression(&random)
        #expect(e.allSatisfy { $0 >= 0 && $0 <= 1 })
    }

    @Test func wrongKindAndVersion() throws {
        try refused(.wrongModelKind, "head-model") { $0.kind = "gar" }
        try refused(.wrongModelKind, "version") { $0.version = "3" }
        try refused(.malformedFile, "expression_prior") { $0.prior = "guess" }
        try refused(.malformedFile, "expression_names") { $0.names = "[1,2]" }
        try refused(.malformedFile, "names") { $0.names = "[\"jawOpen\"]" }
    }

    @Test func geometries() throws {
        try refused(.malformedFile, "geometry") { $0.version = "2" }
        try refused(.malformedFile, "geometry") { $0.version = "2,\"geometry\":\"round\"" }
        try refused(.malformedFile, "geometry") { $0.version = "1,\"geometry\":\"bilinear\"" }
        try refused(.malformedFile, "cross") { $0.version = "2,\"geometry\":\"bilinear\"" }
        try refused(.malformedFile, "joint_names") { $0.version = "2,\"geometry\":\"skinned\"" }
        try refused(.malformedFile, "joint_names") { $0.version = "2,\"geometry\":\"skinned\",\"joint_names\":[\"root\"]" }
    }

    @Test func jointsAndContour() throws {
        var tiny = TinyGeometry()
        _ = try HeadModel<Float>(file: tiny.skinned())
        func refused(_ word: String, _ damage: (inout TinyGeometry) -> Void) throws {
            tiny = TinyGeometry()
            damage(&tiny)
            let file = try tiny.skinned()
            do {
                _ = try HeadModel<Float>(file: file)
                Issue.record("accepted, though \(word) was damaged")
            } catch let error as GarfaceError {
                #expect(error.kind == .malformedFile && error.message.contains(word), "\(error)")
            }
        }
        try refused("joint_parents") { $0.parents = [0, 0, 1] }
        try refused("joint_parents") { $0.parents = [-1, 2, 0] }
        try refused("joint_parents") { $0.parents = [-1, 0, -5] }
        try refused("skin_weights") { $0.weights[1] += 0.5 }
        try refused("joint_rest") { $0.rest[2] = .nan }
        try refused("contour_triangles") { $0.contour = [0, 9, 1] }
        try refused("contour_barycentrics") { $0.contourWeights = [0.5, 0.5, 0.5] }
    }

    @Test func noMetadataAtAll() throws {
        var writer = SafetensorsWriter()
        writer.add("mean", Tensor<Float>([4, 3]))
        let file = try SafetensorsFile(bytes: writer.bytes(), name: "plain.safetensors")
        #expect(throws: GarfaceError.self) { try HeadModel<Float>(file: file) }
    }

    @Test func shapes() throws {
        try refused(.malformedFile, "mean") { $0.without = "mean" }
        try refused(.malformedFile, "identity") { $0.without = "identity" }
        try refused(.malformedFile, "mean") { $0.mean = ([12], Array(repeating: 0, count: 12)) }
        try refused(.malformedFile, "mean") { $0.mean = ([6, 2], Array(repeating: 0, count: 12)) }
        try refused(.malformedFile, "identity") { $0.identity = ([1, 3, 4], Array(repeating: 0, count: 12)) }
        try refused(.malformedFile, "expression") { $0.expression = ([2, 5, 3], Array(repeating: 0, count: 30)) }
        try refused(.malformedFile, "landmark_triangles") { $0.landmarkTriangles = ([5, 3], Array(repeating: 0, count: 15)) }
        try refused(.malformedFile, "part") { $0.part = ([3], [0, 0, 0]) }
        try refused(.malformedFile, "expression_samples") { $0.samples = ([2, 3], [1, 2, 3, 4, 5, 6]) }
    }

    @Test func values() throws {
        try refused(.malformedFile, "triangles") { $0.triangles.1[4] = 4 }
        try refused(.malformedFile, "triangles") { $0.triangles.1[0] = -1 }
        try refused(.malformedFile, "landmark_triangles") { $0.landmarkTriangles.1[100] = 99 }
        try refused(.malformedFile, "part") { $0.part.1[2] = 2 }
        try refused(.malformedFile, "mean") { $0.mean.1[3] = .nan }
        try refused(.malformedFile, "identity") { $0.identity.1[3] = .infinity }
        try refused(.malformedFile, "landmark_barycentrics") { $0.landmarkWeights.1[5] = 3 }
        try refused(.malformedFile, "expression_samples") { $0.samples = ([1, 2], [300, 0]) }
        try refused(.malformedFile, "annotated_triangles") { $0.annotated = (Array(repeating: 99, count: 204), $0.landmarkWeights.1) }
        try refused(.malformedFile, "annotated_triangles") { $0.annotated = ([], $0.landmarkWeights.1) }
        for wide in [2, 5] {
            try refused(.malformedFile, "annotated_triangles") {
                $0.annotated = (Array(repeating: 0, count: 68 * wide), Array(repeating: 1 / Float(wide), count: 68 * wide))
            }
        }
        try refused(.malformedFile, "annotated_triangles") {
            $0.annotated = (Array(repeating: 4, count: 272), Array(repeating: 0.25, count: 272))
        }
        try refused(.malformedFile, "annotated_barycentrics") {
            $0.annotated = (Array(repeating: 0, count: 272), Array(repeating: 0.5, count: 272))
        }
        try refused(.malformedFile, "annotated_barycentrics") { $0.annotated = ($0.landmarkTriangles.1, Array(repeating: 1, count: 204)) }
    }
}
