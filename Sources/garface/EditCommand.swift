import ArgumentParser
import Numerics
import Reconstruction

struct EditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Change a reconstructed face and render it again: pose, expression, identity, look.",
        discussion: """
            Turned, with an open mouth, put back into the photo:

              garface edit out/parameters.safetensors --yaw 15 --expression jawOpen=0.5 \\
                --into photo.png --output turned.png

            Without --into the picture is GAR's render alone, which replaces a file of the
            same name only if that is a render too (by its size). Expressions by their names in
            parameters.json, or ARKit's; a name without _L or _R means both sides.
            --expression-gain 0 is the face at rest, --identity-gain 1.5 a caricature.

            Half way to another person, geometry only, then look only:

              garface edit a/parameters.safetensors --mix-identity b/parameters.safetensors:0.5 \\
                --into a.png --output mixed.png
              garface edit a/parameters.safetensors --mix-look b/parameters.safetensors:0.5 \\
                --output mixed.png

            A strip of nine pictures, and frames for a film:

              garface edit out/parameters.safetensors --into photo.png \\
                --sweep yaw=-20:20:9 --strip strip.png
              garface edit out/parameters.safetensors --into photo.png \\
                --sweep jawOpen=0:0.7:25,yaw=0:10 --frames frames

            Frames of an earlier sweep in that folder (listed in its frames.json) are
            replaced; a picture that no sweep wrote is not, and one in the way is refused.

            --result writes parameters, meshes and pictures of the edited face as reconstruct
            does, to be looked at, or edited again. Several faces of one photo: give all their
            parameters; each is changed in the same way.
            """)

    @Argument(help: "parameters.safetensors of a reconstruction; several are faces of one photo.")
    var parameters: [String]

    @Option(name: [.short, .long], help: ArgumentHelp("The picture to write: .png, .jpg or .jpeg.", valueName: "file"))
    var output: String?

    @Option(help: ArgumentHelp("The photo of the face: the edited face is put back into it.", valueName: "photo"))
    var into: String?

    @Option(parsing: .unconditional, help: "Degrees, positive when the head turns to its left.")
    var yaw: Double?

    @Option(parsing: .unconditional, help: "Degrees, positive when the head looks up.")
    var pitch: Double?

    @Option(parsing: .unconditional, help: "Degrees in the photo, positive counter-clockwise.")
    var roll: Double?

    @Option(parsing: .unconditional, help: ArgumentHelp("Degrees added to yaw, pitch and roll.", valueName: "yaw,pitch,roll"))
    var turn: String?

    @Option(help: ArgumentHelp("Expressions and their coefficients, as jawOpen=0.6,mouthSmile=0.3.", valueName: "name=number"))
    var expression: [String] = []

    @Option(parsing: .unconditional, help: "Times the expression: 0 at rest, above 1 exaggerated.")
    var expressionGain: Float = 1

    @Option(parsing: .unconditional, help: "Times the identity: 0 the mean face, above 1 a caricature.")
    var identityGain: Float = 1

    @Option(help: ArgumentHelp("Mix in another face's identity; half way unless a share is given.", valueName: "file[:share]"))
    var mixIdentity: String?

    @Option(help: ArgumentHelp("Mix in another face's expression.", valueName: "file[:share]"))
    var mixExpression: String?

    @Option(help: ArgumentHelp("Mix in another face's look (w+).", valueName: "file[:share]"))
    var mixLook: String?

    @Option(help: "Seeds a random look (z) instead of the reconstructed one.")
    var lookSeed: UInt64?

    @Option(help: ArgumentHelp("Mix in a random look: of z with --look-seed, of w+ without.", valueName: "seed[:share]"))
    var mixLookSeed: String?

    @Option(help: ArgumentHelp("The rows of w+ that the other look takes part in, coarse to fine.", valueName: "first:end"))
    var mixRows: String?

    @Option(parsing: .unconditional, help: "How far a random look may go from the mean: 0 the mean, 1 anywhere.")
    var truncation: Float = 0.7

    @Option(parsing: .unconditional, help: "Times the distance of the look from the mean; 0.7 calms it down in other poses.")
    var lookGain: Float = 1

    @Option(parsing: .unconditional, help: "How much of the photo's detail goes along, 0 to 1.")
    var detail: Float = 1

    @Option(parsing: .unconditional, help: ArgumentHelp(
        "Run something from one value to another: yaw, pitch, roll, an expression, or the gains identity, expression, look and the "
            + "shares mix-identity, mix-expression, mix-look. Several, with commas, run together.", valueName: "name=from:to:count"))
    var sweep: String?

    @Option(help: ArgumentHelp("The pictures of the sweep side by side.", valueName: "file"))
    var strip: String?

    @Option(help: ArgumentHelp("The pictures of the sweep as frame_0001.png, ... in this folder.", valueName: "folder"))
    var frames: String?

    @Option(help: ArgumentHelp("A folder for parameters, meshes and pictures of the edited face.", valueName: "folder"))
    var result: String?

    @Option(help: ArgumentHelp("Which files --result writes, as for reconstruct; standard unless given.", valueName: "names"))
    var files: String?

    @OptionGroup(title: "Models") var models: ModelOptions

    func validate() throws {
        guard !parameters.isEmpty else { throw ValidationError("Give the parameters.safetensors of a reconstruction.") }
        if output == nil && strip == nil && frames == nil && result == nil {
            throw ValidationError("Say what to write: --output, --result, or --sweep with --strip or --frames.")
        }
        if sweep == nil && (strip != nil || frames != nil) { throw ValidationError("--strip and --frames go with --sweep.") }
        if sweep != nil {
            guard strip != nil || frames != nil else { throw ValidationError("--sweep goes with --strip, --frames or both.") }
            guard output == nil && result == nil else { throw ValidationError("--output and --result are of one edit, not of a --sweep.") }
        }
        for (name, number) in [("truncation", truncation), ("detail", detail)] where !(0...1).contains(number) {
            throw ValidationError("--\(name) must be 0 to 1.")
        }
        if parameters.count > 1 && into == nil { throw ValidationError("Several faces go with --into, the photo they are in.") }
        if parameters.count > 1 && sweep != nil { throw ValidationError("--sweep goes with one face.") }
        for (name, file) in [("output", output), ("strip", strip)] {
            guard let file else { continue }
            do { try ImageFile.checkEnding(file) } catch let error as GarfaceError {
                throw ValidationError("--\(name) \(error.message).")
            }
            if let into, FileAccess.isSame(file, into) { throw ValidationError("--\(name) would take the place of the photo \(into).") }
        }
        if mixLook != nil && mixLookSeed != nil { throw ValidationError("Give --mix-look or --mix-look-seed, not both.") }
        if mixRows != nil && mixLook == nil && mixLookSeed == nil {
            throw ValidationError("--mix-rows goes with --mix-look or --mix-look-seed.")
        }
        if expression.contains(where: { $0.allSatisfy { $0.isWhitespace || $0 == "," } }) {
            throw ValidationError("--expression is empty; expected name=number, such as jawOpen=0.6.")
        }
        _ = try angles()
        _ = try rows()
        if files != nil && result == nil { throw ValidationError("--files goes with --result.") }
        _ = try outputSelection(files ?? "standard")
    }

    private func angles() throws -> (yaw: Double, pitch: Double, roll: Double) {
        guard let turn else { return (0, 0, 0) }
        let numbers = turn.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
        guard numbers.count == 3, let yaw = numbers[0], let pitch = numbers[1], let roll = numbers[2] else {
            throw ValidationError("--turn must be three numbers of degrees: yaw,pitch,roll.")
        }
        return (yaw, pitch, roll)
    }

    private func rows() throws -> Range<Int>? {
        guard let mixRows else { return nil }
        let numbers = mixRows.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count == 2, let first = numbers[0], let end = numbers[1], first >= 0, first <= end else {
            throw ValidationError("--mix-rows must be two whole numbers, first:end, such as 4:12.")
        }
        return first..<end
    }

    /// What stands before the last colon, and the number after it; a half where there is none.
    private func share(_ text: String, _ option: String) throws -> (of: String, share: Float) {
        guard let colon = text.lastIndex(of: ":") else { return (text, 0.5) }
        guard let share = Float(text[text.index(after: colon)...]) else {
            throw GarfaceError(.invalidArgument, "\(option) \(text): expected a number after the colon, such as 0.5")
        }
        return (String(text[..<colon]), share)
    }

    private func edit() throws -> FaceEdit {
        var edit = FaceEdit()
        (edit.yaw, edit.pitch, edit.roll) = (yaw, pitch, roll)
        edit.turn = try angles()
        for text in expression { try edit.setExpressions(parsing: text) }
        (edit.expressionGain, edit.identityGain, edit.lookGain) = (expressionGain, identityGain, lookGain)
        func face(_ text: String, _ option: String) throws -> (FaceParameters, Float) {
            let other = try share(text, option)
            return (try SavedParameters(file: SafetensorsFile(path: other.of)).parameters, other.share)
        }
        if let mixIdentity { (edit.identityOf, edit.identityShare) = try face(mixIdentity, "--mix-identity") }
        if let mixExpression { (edit.expressionOf, edit.expressionShare) = try face(mixExpression, "--mix-expression") }
        if let mixLook { (edit.lookOf, edit.lookShare) = try face(mixLook, "--mix-look") }
        if let mixLookSeed {
            let other = try share(mixLookSeed, "--mix-look-seed")
            guard let seed = UInt64(other.of) else {
                throw GarfaceError(.invalidArgument, "--mix-look-seed \(mixLookSeed): expected seed:share, such as 3:0.5")
            }
            (edit.otherLookSeed, edit.lookShare) = (seed, other.share)
        }
        edit.lookRows = try rows()
        edit.lookSeed = lookSeed
        (edit.truncation, edit.detail) = (truncation, detail)
        return edit
    }

    func run() throws {
        useDefaultThreadCount()
        let edit = try edit(), sweep = try sweep.map { try EditSweep(parsing: $0) }
        let selection = try outputSelection(files ?? "standard")
        let names = ResultNames(selection: selection, numbered: parameters.count > 1)
        if let into, let result { try names.check(photo: into, folder: result) }
        let loaded = try models.load()
        if into == nil, let gar = loaded.gar {
            try PictureInTheWay.check(output: output, strip: strip, side: gar.configuration.size)
        }
        let photo = try into.map { try ImageFile.read($0) }
        // Folders that cannot be written are known before the work.
        let folder = try result.map { try OutputFolder($0) }
        defer { folder?.discard() }
        let film = try sweep.flatMap { sweep in try frames.map { try SweepFolder($0, count: sweep.count, photo: into) } }
        defer { film?.discard() }
        Interruption.watch()

        var picture = photo
        for (i, file) in parameters.enumerated() {
            let saved = try SavedParameters(file: SafetensorsFile(path: file)).result(loaded, photo: picture)
            let editor = try FaceEditor(saved.result, photo: saved.photo)
            if let sweep {
                let row = try editor.sweep(sweep, of: edit, inPhoto: photo != nil, progress: { _, _ in !Interruption.isRequested }) {
                    try film?.add($0, $1)
                }
                if let strip { try ImageFile.write(row, to: strip) }
                try film?.commit()
                if let warning = try editor.warning(of: sweep, of: edit) { complain("garface: warning: \(warning)") }
                return
            }
            if let warning = try editor.warning(of: edit) {
                complain("garface: warning: \(parameters.count > 1 ? "face \(i + 1): " : "")\(warning)")
            }
            guard photo != nil || result != nil else {
                if let output { try ImageFile.write(editor.render(edit), to: output) }
                return
            }
            let face = try editor.apply(edit)
            if let folder {
                try face.result.add(to: folder, photo: face.photo, selection: selection, prefix: names.prefix(i)) {
                    // A texture of the photo shows more than one of the edited picture, as long as the look is the same.
                    try face.keepsLook ? Texture(saved.result, photo: saved.photo) : Texture(face.result, photo: face.photo)
                }
            }
            picture = face.photo
            if let output, photo == nil, let render = face.result.render { try ImageFile.write(render, to: output) }
        }
        if Interruption.isRequested { throw GarfaceError(.cancelled, "the edit was cancelled") }
        if let output, photo != nil, let picture { try ImageFile.write(picture, to: output) }
        try folder?.commit(removing: names.contains)
    }
}
