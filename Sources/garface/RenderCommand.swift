import ArgumentParser
import FaceModel
import Numerics
import Reconstruction
import Renderer

struct RenderCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "render",
        abstract: "Render a head through GAR: a reconstructed one, or a random one.",
        discussion: """
            A random person with a random look, turned to their left:

              garface render --seed 7 --yaw 25 --output face.png

            A reconstructed face as it was, and seen from another side with another look:

              garface render --parameters out/parameters.safetensors --output again.png
              garface render --parameters out/parameters.safetensors --yaw -30 --look-seed 3 --output other.png

            Style mixing: the coarse layers as they were reconstructed, the fine ones from
            another look, random or reconstructed:

              garface render --parameters out/parameters.safetensors --mix-seed 3 --mix-row 4 --output mixed.png

            --normals also writes the normal map that the renderer saw.
            """)

    @Option(name: [.short, .long], help: ArgumentHelp("The picture to write: .png, .jpg or .jpeg.", valueName: "file"))
    var output: String

    @Option(help: ArgumentHelp("parameters.safetensors of a reconstruction.", valueName: "file"))
    var parameters: String?

    @Option(parsing: .unconditional, help: "Seeds the random person and, unless --look-seed is given, the random look; 0 unless given.")
    var seed: UInt64?

    @Option(help: "Seeds a random look (z); with --parameters it replaces the reconstructed look.")
    var lookSeed: UInt64?

    @Option(parsing: .unconditional, help: "Degrees, positive when the head turns to its left.")
    var yaw: Float?

    @Option(parsing: .unconditional, help: "Degrees, positive when the head looks up.")
    var pitch: Float?

    @Option(parsing: .unconditional, help: "Degrees, positive counter-clockwise.")
    var roll: Float?

    @Option(parsing: .unconditional, help: "How far a random look may go from the mean: 0 the mean, 1 anywhere.")
    var truncation: Float = 0.7

    @Option(help: "Style mixing: seeds a random look that gives the rows of w+ from --mix-row on.")
    var mixSeed: UInt64?

    @Option(help: ArgumentHelp("Style mixing: the same from the parameters.safetensors of a reconstruction.", valueName: "file"))
    var mixParameters: String?

    @Option(help: "The first row of w+ that the other look gives, coarse to fine; the middle one unless given.")
    var mixRow: Int?

    @Option(help: "Seeds noise maps; without it there is none.")
    var noiseSeed: UInt64?

    @Option(help: ArgumentHelp("Also write the normal map.", valueName: "file"))
    var normals: String?

    @OptionGroup(title: "Models") var models: ModelOptions

    func validate() throws {
        for (name, file) in [("output", output), ("normals", normals ?? output)] {
            do { try ImageFile.checkEnding(file) } catch let error as GarfaceError {
                throw ValidationError("--\(name) \(error.message).")
            }
        }
        if let normals, FileAccess.isSame(output, normals) {
            throw ValidationError("--output and --normals name the same file, \(normals).")
        }
        if mixSeed != nil && mixParameters != nil { throw ValidationError("Give --mix-seed or --mix-parameters, not both.") }
        if mixRow != nil && mixSeed == nil && mixParameters == nil {
            throw ValidationError("--mix-row needs the other look: --mix-seed or --mix-parameters.")
        }
        if parameters != nil && seed != nil { throw ValidationError("--seed is of a random person; with --parameters give --look-seed.") }
        guard (0...1).contains(truncation) else { throw ValidationError("--truncation must be 0 to 1.") }
        for (name, angle) in [("yaw", yaw), ("pitch", pitch), ("roll", roll)] {
            if let angle, !(abs(angle) <= 360) { throw ValidationError("--\(name) must be degrees from -360 to 360.") }
        }
    }

    func run() throws {
        useDefaultThreadCount()
        let head = try models.head(), gar = try models.gar()
        let seed = seed ?? 0
        var random = RandomGenerator(seed: seed)
        var identity = head.sampleIdentity(&random), expression = head.sampleExpression(&random)
        var pose = HeadPose<Float>()
        var wPlus: [Float]?, noise: [Float] = []

        if let parameters {
            let saved = try SavedParameters(file: SafetensorsFile(path: parameters)).parameters
            guard saved.identity.count == head.identityCount, saved.expression.count == head.expressionCount else {
                throw GarfaceError(
                    .wrongModelKind,
                    "\(parameters): has \(saved.identity.count) identity and \(saved.expression.count) expression coefficients; "
                        + "the head model has \(head.identityCount) and \(head.expressionCount)")
            }
            (identity, expression, pose) = (saved.identity, saved.expression, HeadPose(saved.pose.array.map { Float($0) }))
            if !saved.wPlus.isEmpty && lookSeed == nil {
                wPlus = try styles(saved, gar, parameters)
                noise = saved.noise
                guard noise.isEmpty || noise.count == gar.noiseShapes.reduce(0, { $0 + $1 * $1 }) else {
                    throw GarfaceError(.wrongModelKind, "\(parameters): its noise is that of another renderer")
                }
            }
        }
        if let noiseSeed { noise = gar.noise(seed: noiseSeed).flatMap(\.array) }
        if let yaw { pose.yaw = yaw * .pi / 180 }
        if let pitch { pose.pitch = pitch * .pi / 180 }
        if let roll { pose.roll = roll * .pi / 180 }

        var look = wPlus ?? gar.randomLook(seed: lookSeed ?? seed, truncation: truncation)
        if let other = try mixedIn(gar) {
            let row = mixRow ?? gar.styleCount / 2, latent = gar.configuration.latentSize
            guard (0...gar.styleCount).contains(row) else {
                throw GarfaceError(.invalidArgument, "--mix-row is \(row); the renderer has rows 0 to \(gar.styleCount)")
            }
            look = Array(look[..<(row * latent)] + other[(row * latent)...])
        }
        let renderer = try FaceRenderer(head: head, gar: gar)
        let size = renderer.side
        let planes: [Float]
        do {
            planes = try renderer.render(identity: identity, expression: expression, pose: pose, wPlus: look, noise: noise)
        } catch let error as GarfaceError where error.kind == .numericalFailure {
            throw GarfaceError(.numericalFailure, "\(parameters ?? "the renderer"): \(error.message)")
        }
        var pictures = [(image: try rgbImage(planes: planes, width: size, height: size), path: output)]
        if let normals { pictures.append((try rgbImage(planes: renderer.normalMap, width: size, height: size), normals)) }
        try ImageFile.write(pictures)
    }

    /// The look that style mixing takes its later rows from.
    private func mixedIn(_ gar: GAR<Float>) throws -> [Float]? {
        if let mixSeed { return gar.randomLook(seed: mixSeed, truncation: truncation) }
        return try mixParameters.map { try styles(SavedParameters(file: SafetensorsFile(path: $0)).parameters, gar, $0) }
    }

    private func styles(_ saved: FaceParameters, _ gar: GAR<Float>, _ name: String) throws -> [Float] {
        guard saved.wRows == gar.styleCount, saved.wPlus.count == gar.styleCount * gar.configuration.latentSize else {
            throw GarfaceError(
                .wrongModelKind,
                "\(name): \(saved.wPlus.isEmpty ? "has no w+; it was made without GAR" : "its w+ is that of another renderer")")
        }
        return saved.wPlus
    }
}
