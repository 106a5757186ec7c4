import FaceModel
import Fitting
import Glibc
import Inversion
import Numerics
import Reconstruction
import Testing

/// Edits of the start on the sample photo: what changes, what stays.
@Suite(.serialized) struct EditTests {
    private struct Face {
        let result: ReconstructionResult
        let photo: RGBImage
    }

    private static let shared = Result {
        let models = try ReconstructionModels(head: .embedded(), gar: .embedded(), inverse: .embedded(), detector: .embedded())
        let photo = try ImageFile.read(root + "examples/data/astronaut.png")
        var options = ReconstructionOptions()
        options.renderer = .startOnly
        return Face(result: try #require(try Reconstructor(models).reconstruct(photo, options: options).first), photo: photo)
    }

    private func editor() throws -> FaceEditor {
        let face = try Self.shared.get()
        return try FaceEditor(face.result, photo: face.photo)
    }

    private func edit(_ change: (inout FaceEdit) throws -> Void) rethrows -> FaceEdit {
        var edit = FaceEdit()
        try change(&edit)
        return edit
    }

    private func difference(_ a: RGBImage, _ b: RGBImage) -> (mean: Double, largest: Int) {
        let d = zip(a.pixels, b.pixels).map { abs(Int($0) - Int($1)) }
        return (Double(d.reduce(0, +)) / Double(d.count), d.max() ?? 0)
    }

    @Test func nothingChangedIsThePhoto() throws {
        let face = try Self.shared.get(), same = try editor().apply(FaceEdit())
        #expect(same.keepsLook && same.result.parameters == face.result.parameters)
        #expect(difference(same.photo, face.photo).mean < 0.02)
        let render = try #require(face.result.render)
        let again = try editor().render(FaceEdit())
        #expect(difference(again, render).largest <= 1)
        // GAR's picture with its colours matched is nearer than without the matching it could be.
        let soft = try editor().apply(edit { $0.detail = 0 }).photo
        #expect(difference(soft, face.photo).mean < 1 && difference(soft, face.photo).largest > 8)
    }

    @Test func changesAddUpInTheirOrder() throws {
        let own = try Self.shared.get().result.parameters
        let names = try Self.shared.get().result.expressionNames
        let open = try #require(names.firstIndex(of: "jawOpen"))
        var other = own
        other.identity = own.identity.map { $0 + 1 }
        other.expression = own.expression.map { _ in 0.5 }
        let change = try edit {
            ($0.identityOf, $0.identityShare, $0.identityGain) = (other, 0.5, 2)
            ($0.expressionOf, $0.expressionShare) = (other, 1)
            try $0.setExpressions(parsing: "jawOpen=0.25, mouthSmile=1")
            $0.yaw = 10
            $0.turn.roll = 7
        }
        let result = try editor().apply(change).result
        for (now, before) in zip(result.identity, own.identity) { #expect(abs(now - 2 * (before + 0.5)) < 1e-5) }
        for (i, name) in names.enumerated() {
            let expected: Float = i == open ? 0.25 : name.hasPrefix("mouthSmile_") ? 1 : 0.5
            #expect(abs(result.expression[i] - expected) < 1e-6, "\(name)")
        }
        let before = try Self.shared.get().result.anglesInDegrees, after = result.anglesInDegrees
        #expect(abs(after.yaw - 10) < 1e-4 && abs(after.pitch - before.pitch) < 1e-4 && abs(after.roll - before.roll - 7) < 1e-4)
        let scale = try Self.shared.get().result.camera.scale
        #expect(result.wPlus == own.wPlus && result.camera.scale == scale)
    }

    /// What holds an eye open gives way to a blink of that eye, by its share, unless it is named.
    @Test func blinksShutWideEyes() throws {
        let names = try Self.shared.get().result.expressionNames
        let all = [Float](repeating: 0.4, count: names.count)
        func after(_ named: String) throws -> [String: Float] {
            let result = try editor().apply(
                edit {
                    $0.expression = all
                    try $0.setExpressions(parsing: named)
                }
            ).result
            return .init(uniqueKeysWithValues: zip(names, result.expression))
        }
        let shut = try after("eyeBlink=1, eyeWide_R=0.3")
        #expect(shut["eyeWide_L"] == 0 && shut["eyeLookUp_L"] == 0 && shut["eyeLookUp_R"] == 0 && shut["eyeWide_R"] == 0.3)
        #expect(shut["eyeBlink_L"] == 1 && shut["eyeSquint_L"] == 0.4 && shut["eyeLookDown_L"] == 0.4)
        let half = try after("eyeBlink_L=0.5")
        #expect(half["eyeWide_L"] == 0.2 && half["eyeWide_R"] == 0.4)
        #expect(try after("jawOpen=1")["eyeWide_L"] == 0.4)
    }

    @Test func namesOfARKit() throws {
        let own = try Self.shared.get().result
        func after(_ named: String) throws -> [String: Float] {
            let edited = try editor().apply(
                edit {
                    $0.expression = [Float](repeating: 0, count: own.expression.count)
                    try $0.setExpressions(parsing: named)
                })
            return .init(uniqueKeysWithValues: zip(own.expressionNames, edited.result.expression).filter { $1 != 0 })
        }
        // Whole names of both, and one name there for a pair here.
        let named = "eyeBlinkLeft=0.5, noseSneerRight=0.7, mouthLeft=0.3, browInnerUp=0.2"
        #expect(
            try after(named) == ["eyeBlink_L": 0.5, "noseSneer_R": 0.7, "mouthLeft": 0.3, "browInnerUp_L": 0.2, "browInnerUp_R": 0.2])
        #expect(throws: GarfaceError.self) { try after("tongueOut=1") }
        #expect(throws: GarfaceError.self) { try after("jawOpenLeft=1") }
    }

    @Test func largeTurnsAreWarnedOf() throws {
        let editor = try editor()
        #expect(try editor.warning(of: edit { $0.turn.yaw = -25 }) == nil)
        #expect(try editor.warning(of: edit { $0.turn = (0, 0, 90) }) == nil)
        #expect(try editor.warning(of: edit { $0.turn.yaw = 359 }) == nil)
        #expect(try editor.warning(of: edit { $0.turn.yaw = -41 })?.contains("41 degrees in yaw") == true)
        #expect(try editor.warning(of: edit { $0.turn = (27, 30, 0) })?.contains("30 degrees in pitch") == true)
        let sweep = try EditSweep(parsing: "yaw=0:60:4")
        #expect(try editor.warning(of: sweep, of: FaceEdit())?.contains("yaw") == true)
        #expect(try editor.warning(of: EditSweep(parsing: "yaw=-10:10:4"), of: FaceEdit()) == nil)
    }

    @Test func sweepsRunTogether() throws {
        let sweep = try EditSweep(parsing: "yaw=-20:20:5,jawOpen=0:1,mix-look=1:0")
        #expect(sweep.count == 5 && sweep.runs.map(\.name) == ["yaw", "jawOpen", "mix-look"])
        let second = sweep.edit(1, of: FaceEdit())
        #expect(second.yaw == -10 && second.expressions.count == 1 && second.expressions[0].value == 0.25 && second.lookShare == 0.75)
        #expect(sweep.edit(4, of: FaceEdit()).yaw == 20 && sweep.edit(0, of: FaceEdit()).yaw == -20)
        for text in ["", "yaw", "yaw=1", "yaw=1:2", "yaw=1:2:x", "yaw=1:2:0", "yaw=1:2:1001", "=1:2:3", "yaw=a:2:3", "yaw=1:2:3,b=1:2:4"] {
            #expect(errorKind { _ = try EditSweep(parsing: text) } == .invalidArgument, "\(text)")
        }
        var frames: [Int] = []
        let strip = try editor().sweep(
            EditSweep(parsing: "yaw=0:10:2"), of: FaceEdit(), inPhoto: false, frame: { i, _ in frames.append(i) })
        #expect(frames == [0, 1] && strip.width == 512 && strip.height == 256)
        #expect(FaceEditor.frameName(0) == "frame_0001.png" && FaceEditor.frameName(999) == "frame_1000.png")
        #expect(FaceEditor.isFrameName("frame_0123.png") && !FaceEditor.isFrameName("frame_x123.png") && !FaceEditor.isFrameName("frame_1.png"))
    }

    /// Numbers as large as they are accepted give a face or a sentence, and never trap.
    @Test func extremesAreRefusedOrSurvive() throws {
        let editor = try editor()
        func kind(_ change: (inout FaceEdit) -> Void) -> GarfaceError.Kind? { errorKind { _ = try editor.apply(edit(change)) } }
        #expect(kind { $0.yaw = .nan } == .invalidArgument)
        #expect(kind { $0.turn.pitch = .infinity } == .invalidArgument)
        #expect(kind { $0.identityGain = 101 } == .invalidArgument)
        #expect(kind { $0.expressions = [("jawOpen", -.infinity)] } == .invalidArgument)
        #expect(kind { $0.identity = [1] } == .invalidArgument)
        #expect(kind { $0.identity = [Float](repeating: -3e38, count: 80) } == .invalidArgument)
        #expect(kind { $0.expression = [Float](repeating: 100.1, count: 55) } == .invalidArgument)
        #expect(kind { $0.lookShare = 0.5 } == .invalidArgument)
        #expect(kind { $0.wPlus = [0] } == .invalidArgument)
        for change in [
            edit { $0.identityGain = 100 }, edit { $0.expressionGain = -100 }, edit { $0.lookGain = 100 }, edit { $0.yaw = 180 },
            edit { $0.pitch = -90 }, edit { ($0.otherLookSeed, $0.lookShare) = (1, 100) },
            edit { $0.expression = [Float](repeating: 100, count: 55) }, edit { $0.identity = [Float](repeating: -100, count: 80) },
        ] {
            let kind = errorKind { _ = try editor.apply(change) }
            #expect(kind == nil || kind == .numericalFailure)
        }
    }

    @Test func savedFacesComeBack() throws {
        let face = try Self.shared.get()
        let saved = try SavedParameters(file: SafetensorsFile(bytes: face.result.safetensors(), name: "saved"))
        #expect(saved.parameters.identity == face.result.identity && saved.photoSize! == (512, 512) && saved.renderer == .startOnly)
        let again = try saved.result(face.result.models, photo: face.photo)
        #expect(zip(again.result.posed.vertices, face.result.posed.vertices).allSatisfy { abs($0 - $1) < 2e-3 })
        #expect(errorKind { _ = try saved.result(face.result.models, photo: RGBImage(width: 511, height: 512)) } == .invalidArgument)
        let fit = try FitSession(from: again.result, photo: face.photo)
        try fit.run(FitSchedule(stages: []))
        let fitted = try fit.result().parameters.identity
        #expect(fitted == face.result.identity)
        // Where the parameters are of no use, a sentence.
        for (name, values) in [("frame", [Float](repeating: .nan, count: 4)), ("frame", [1, 2]), ("frame", [1, 2, -5, 0]), ("frame_pose", [1])] {
            var writer = SafetensorsWriter(metadata: ["garface": #"{"kind": "reconstruction", "version": 1}"#])
            let whole: [(String, [Float])] = [
                ("identity", saved.parameters.identity), ("expression", saved.parameters.expression), ("frame", [100, 100, 50, 0]),
                ("frame_pose", [0, 0, 0, 0, 0, 0]),
            ]
            for (other, numbers) in whole {
                let given = other == name ? values : numbers
                writer.add(other, Tensor<Float>([given.count], given))
            }
            let bytes = writer.bytes()
            #expect(errorKind { _ = try SavedParameters(file: SafetensorsFile(bytes: bytes, name: "bad")) } == .malformedFile, "\(name)")
        }
    }
}
