import ArgumentParser
import FaceModel
import Numerics
import Rasterizer
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

    @Option(help: "Seeds the random person and, unless --look-seed is given, the random look.")
    var seed: UInt64 = 0

    @Option(help: "Seeds a random look (z); with --parameters it replaces the reconstructed look.")
    var lookSeed: UInt64?

    @Option(parsing: .unconditional, help: "Degrees, positive when the head turns to its left.")
    var yaw: Float?

    @Option(parsing: .unconditional, help: "Degrees, positive when the head looks up.")
    var pitch: Float?

    @Option(parsing: .unconditional, help: "Degrees, positive counter-clockwise.")
    var roll: Float?

    @Option(help: "How far a random look may go from the mean: 0 the mean, 1 anywhere.")
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
        guard (0...1).contains(truncation) else { throw ValidationError("--truncation must be 0 to 1.") }
        for (name, angle) in [("yaw", yaw), ("pitch", pitch), ("roll", roll)] {
            if let angle, !(abs(angle) <= 360) { throw ValidationError("--\(name) must be degrees from -360 to 360.") }
        }
    }

    func run() throws {
        useDefaultThreadCount()
        let head = try models.head(), gar = try models.gar()
        let configuration = gar.configuration
        var random = RandomGenerator(seed: seed)
        var identity = head.sampleIdentity(&random), expression = head.sampleExpression(&random)
        var pose = HeadPose<Float>()
        var wPlus: Tensor<Float>?
        var noise = noiseSeed.map { gar.noise(seed: $0) }

        if let parameters {
            let saved = try SavedParameters(file: SafetensorsFile(path: parameters))
            guard saved.identity.count == head.identityCount, saved.expression.count == head.expressionCount else {
                throw GarfaceError(
                    .wrongModelKind,
                    "\(parameters): has \(saved.identity.count) identity and \(saved.expression.count) expression coefficients; "
                        + "the head model has \(head.identityCount) and \(head.expressionCount)")
            }
            (identity, expression, pose) = (saved.identity, saved.expression, saved.pose)
            if !saved.wPlus.isEmpty && lookSeed == nil {
                wPlus = try styles(saved, gar, parameters)
                if noise == nil && !saved.noise.isEmpty { noise = try split(saved.noise, gar, parameters) }
            }
        }
        if let yaw { pose.yaw = yaw * .pi / 180 }
        if let pitch { pose.pitch = pitch * .pi / 180 }
        if let roll { pose.roll = roll * .pi / 180 }

        var styles = wPlus ?? look(gar, seed: lookSeed ?? seed)
        if let other = try mixedIn(gar) {
            let row = mixRow ?? gar.styleCount / 2
            guard (0...gar.styleCount).contains(row) else {
                throw GarfaceError(.invalidArgument, "--mix-row is \(row); the renderer has rows 0 to \(gar.styleCount)")
            }
            styles = gar.wPlus(joining: styles, other, at: row)
        }
        let maps = normalMaps(head, gar, identity: identity, expression: expression, pose: pose)
        let context = try GARContext(gar)
        context.forward(wPlus: styles, normals: maps, noise: noise)
        guard context.image.buffer.allSatisfy(\.isFinite) else {
            throw GarfaceError(
                .numericalFailure, "\(parameters ?? "the renderer"): the numbers are so large that the picture is not finite")
        }
        let size = configuration.size
        var pictures = [(image: try picture(context.image.array, size), path: output)]
        if let normals, let finest = maps.last { pictures.append((try picture(finest.array, size), normals)) }
        try ImageFile.write(pictures)
    }

    /// The look that style mixing takes its later rows from.
    private func mixedIn(_ gar: GAR<Float>) throws -> Tensor<Float>? {
        if let mixSeed { return look(gar, seed: mixSeed) }
        return try mixParameters.map { try styles(SavedParameters(file: SafetensorsFile(path: $0)), gar, $0) }
    }

    private func styles(_ saved: SavedParameters, _ gar: GAR<Float>, _ name: String) throws -> Tensor<Float> {
        let latent = gar.configuration.latentSize
        guard saved.wRows == gar.styleCount, saved.wPlus.count == gar.styleCount * latent else {
            throw GarfaceError(
                .wrongModelKind,
                "\(name): \(saved.wPlus.isEmpty ? "has no w+; it was made without GAR" : "its w+ is that of another renderer")")
        }
        return Tensor([1, gar.styleCount, latent], saved.wPlus)
    }

    private func look(_ gar: GAR<Float>, seed: UInt64) -> Tensor<Float> {
        var random = RandomGenerator(seed: seed)
        let latent = gar.configuration.latentSize
        let z = Tensor<Float>([1, latent], (0..<latent).map { _ in Float(random.normal()) })
        return gar.wPlus(gar.truncate(gar.map(z), psi: truncation))
    }

    private func normalMaps(
        _ head: HeadModel<Float>, _ gar: GAR<Float>, identity: [Float], expression: [Float], pose: HeadPose<Float>
    ) -> [Tensor<Float>] {
        let count = head.vertexCount
        var vertices = [Float](repeating: 0, count: 3 * count)
        var ndc = vertices, vertexNormals = vertices
        head.vertices(identity: identity, expression: expression, into: &vertices)
        let c = gar.configuration
        AlignedFrame(half: c.halfMM, centreY: c.centreYMM).forward(vertices, count: count, pose: pose, into: &ndc)
        let topology = MeshTopology(triangles: head.triangles, vertexCount: count)
        VertexNormals<Float>(topology: topology).forward(ndc, into: &vertexNormals)
        let pyramid = NormalPyramid<Float>(
            size: c.size, sampling: c.normalSampling, triangles: head.triangles, vertexCount: count)
        pyramid.forward(ndc: ndc, normals: vertexNormals)
        return pyramid.maps
    }

    private func split(_ flat: [Float], _ gar: GAR<Float>, _ name: String) throws -> [Tensor<Float>] {
        guard flat.count == gar.noiseShapes.reduce(0, { $0 + $1 * $1 }) else {
            throw GarfaceError(.wrongModelKind, "\(name): its noise is that of another renderer")
        }
        var start = 0
        return gar.noiseShapes.map { side in
            defer { start += side * side }
            return Tensor([1, 1, side, side], flat[start..<start + side * side])
        }
    }

    /// Planes in -1 to 1 as 8-bit RGB.
    private func picture(_ planes: [Float], _ side: Int) throws -> RGBImage {
        let area = side * side
        var pixels = [UInt8](repeating: 0, count: 3 * area)
        for i in 0..<area {
            for c in 0..<3 { pixels[3 * i + c] = UInt8(max(0, min(255, ((planes[c * area + i] + 1) * 127.5).rounded()))) }
        }
        return try RGBImage(width: side, height: side, pixels: pixels)
    }
}
