import ArgumentParser
import Fitting
import Inversion
import Numerics
import Reconstruction

struct ReconstructCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconstruct",
        abstract: "Turn a photo into a 3D face: meshes, parameters, landmarks and pictures in a folder.",
        discussion: """
            Nothing but the photo is needed:

              garface reconstruct photo.png --output out

            Every face of a group photo (files named face1_..., face2_...):

              garface reconstruct group.png --output out --all-faces

            Several photos of one person, who then has one identity in all of them (files
            named photo1_..., photo2_..., and person.json):

              garface reconstruct a.jpg b.jpg c.jpg --same-person --output out

            When the face is not found, say where it is: a box around it (left, top,
            width, height in pixels), or points of the face in a file: 5, the 68 of iBUG
            and dlib, or the 468 or 478 of MediaPipe. All but 5 are fitted to as well:

              garface reconstruct photo.png --output out --box 120,80,200,220
              garface reconstruct photo.png --output out --landmarks photo.pts
              garface reconstruct photo.png -o out --landmarks mesh.txt --landmarks-normalised

            The classical renderer, or none, for comparison:

              garface reconstruct photo.png --output out --renderer sh

            Look at overlay.png first: photo with landmarks, mesh, normals, render.
            Meshes are in millimetres; parameters.json has identity, expression, pose,
            camera and the history of every loss. All files are written or none.
            """)

    enum RendererName: String, ExpressibleByArgument, CaseIterable {
        case gar, sh, landmarks, start
        var core: ReconstructionRenderer {
            switch self {
            case .gar: .gar
            case .sh: .sphericalHarmonics
            case .landmarks: .landmarksOnly
            case .start: .startOnly
            }
        }
    }

    @Argument(help: ArgumentHelp(
        "The photo: a PNG file, or a JPEG file if this build reads JPEG. Several with --same-person.", valueName: "photo"))
    var photos: [String]
    private var photo: String { photos[0] }

    @Option(name: [.short, .long], help: ArgumentHelp("The folder for the results; made if need be.", valueName: "folder"))
    var output: String

    @Option(help: ArgumentHelp(
        "What explains the photo: gar (the method), sh (spherical harmonics), landmarks (no renderer), start (no refinement).",
        valueName: "name"))
    var renderer = RendererName.gar

    @Option(help: ArgumentHelp(
        "Points of the face: a .pts file, or lines of u, v and, if known, a confidence from 0 to 1.", valueName: "file"))
    var landmarks: String?

    @Option(help: ArgumentHelp("What the first pixel's centre is in that file: 0, or 1 as in 300-W.", valueName: "0|1"))
    var landmarksOrigin = 0

    @Flag(help: "Points are given in widths and heights of the photo, as MediaPipe does, not in pixels.")
    var landmarksNormalised = false

    @Option(help: ArgumentHelp(
        "The order of the points, where their number does not say it: five (eye centres, nose tip, mouth corners), "
            + "dlib-5, ibug-68 (also dlib's 68), mediapipe.", valueName: "name"))
    var landmarksOrder: LandmarkScheme?

    @Option(parsing: .unconditional, help: ArgumentHelp("A box around the face, pixels.", valueName: "left,top,width,height"))
    var box: String?

    @Flag(help: "Reconstruct every face that is found, not the most prominent only.")
    var allFaces = false

    @Flag(help: "The photos are of one person: one identity; expression, pose and look photo by photo.")
    var samePerson = false

    @Option(help: ArgumentHelp("Stages of the fit as JSON instead of the standard ones; an empty list refines nothing.", valueName: "file"))
    var schedule: String?

    @Option(help: ArgumentHelp(
        "Which files: a list of parameters, landmarks, obj, ply, maps, pictures, overlay, texture, glb, arrays, standard (all but arrays), all.",
        valueName: "names"))
    var files = "standard"

    @Option(parsing: .unconditional, help: "Seeds every random choice.")
    var seed: UInt64 = 0

    /// A second core makes a fit a third quicker; more gain little.
    static let standardThreads = min(2, coreCount())

    @Option(parsing: .unconditional, help: "Threads to work on a photo, 1 to 256; 2 unless given, where there are two cores.")
    var threads: Int?

    @Flag(name: [.short, .long], help: "No progress bar and no summary.")
    var quiet = false

    @OptionGroup(title: "Models") var models: ModelOptions

    func validate() throws {
        if photos.isEmpty { throw ValidationError("Give a photo.") }
        if photos.count > 1 && !samePerson {
            throw ValidationError("Several photos need --same-person; for photos of different people there is garface batch.")
        }
        if samePerson && (box != nil || landmarks != nil || allFaces) {
            throw ValidationError("--same-person takes the most prominent face of each photo; it does not go with --box, --landmarks or --all-faces.")
        }
        if box != nil && landmarks != nil { throw ValidationError("Give --box or --landmarks, not both.") }
        if allFaces && (box != nil || landmarks != nil) {
            throw ValidationError("--all-faces searches the photo; it does not go with --box or --landmarks.")
        }
        if box != nil { _ = try rectangle() }
        _ = try selection()
        if let threads, !(1...256).contains(threads) { throw ValidationError("--threads must be 1 to 256.") }
        if landmarksNormalised && landmarksOrigin != 0 {
            throw ValidationError("--landmarks-origin is of points in pixels; it does not go with --landmarks-normalised.")
        }
        if landmarks == nil && (landmarksNormalised || landmarksOrder != nil || landmarksOrigin != 0) {
            throw ValidationError("--landmarks-origin, --landmarks-normalised and --landmarks-order go with --landmarks.")
        }
        if landmarksOrigin != 0 && landmarksOrigin != 1 { throw ValidationError("--landmarks-origin must be 0 or 1.") }
    }

    private func rectangle() throws -> FaceRectangle? {
        guard let box else { return nil }
        let numbers = box.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
        guard numbers.count == 4, let left = numbers[0], let top = numbers[1], let width = numbers[2], let height = numbers[3],
            [left, top, width, height].allSatisfy(\.isFinite)
        else {
            throw ValidationError("--box must be four numbers: left,top,width,height.")
        }
        guard width >= FaceRectangle.leastSide, height >= FaceRectangle.leastSide else {
            throw ValidationError(
                "--box has a width of \(width) and a height of \(height) pixels; a face needs at least "
                    + "\(FaceRectangle.leastSide) of each. Its numbers are left,top,width,height.")
        }
        return FaceRectangle(left: left, top: top, width: width, height: height)
    }

    func options() throws -> ReconstructionOptions {
        var options = ReconstructionOptions()
        options.renderer = renderer.core
        options.seed = seed
        options.threads = threads
        options.maximumFaces = allFaces ? 1000 : 1
        options.rectangle = try rectangle()
        if let schedule {
            options.schedule = try FitSchedule(parsing: FileAccess.read(schedule, limit: 1 << 20))
        }
        return options
    }

    /// The points of --landmarks in photo pixels, into the options.
    private func addLandmarks(to options: inout ReconstructionOptions, _ image: RGBImage) throws {
        guard let landmarks else { return }
        var given = try LandmarkFile.parse(FileAccess.read(landmarks, limit: LandmarkFile.largestFile), name: landmarks)
        let count = given.pixels.count / 2
        guard LandmarkScheme(count: count) != nil else {
            throw GarfaceError(.malformedFile, "\(landmarks): has \(count) points, expected 5, 68, 468 or 478")
        }
        for i in given.pixels.indices {
            if landmarksNormalised {
                // 0 is the picture's edge, half a pixel before the first centre.
                given.pixels[i] = given.pixels[i] * Double(i % 2 == 0 ? image.width : image.height) - 0.5
            } else {
                given.pixels[i] -= Double(landmarksOrigin)
            }
        }
        try options.setLandmarks(given.pixels, confidences: given.confidences, scheme: landmarksOrder)
    }

    func selection() throws -> OutputSelection { try outputSelection(files) }

    func run() throws {
        if samePerson { return try runPerson() }
        var options = try options()
        let selection = try selection()
        let names = ResultNames(selection: selection, numbered: allFaces)
        try names.check(photo: photo, folder: output)
        let image = try ImageFile.read(photo)
        try addLandmarks(to: &options, image)
        // A folder that cannot be written is known before the work; from here on, a signal is no reason to leave it there.
        Interruption.watch()
        let folder = try OutputFolder(output)
        defer { folder.discard() }
        // Before the models are loaded: convolutions are set up for a thread count.
        setThreadCount(threads ?? Self.standardThreads)
        let bar = ProgressBar(quiet: quiet)
        defer { bar.finish() }
        let results = try Reconstructor(models.load()).reconstruct(image, options: options, progress: bar.update)
        for (i, result) in results.enumerated() {
            try result.add(to: folder, photo: image, selection: selection, prefix: names.prefix(i))
        }
        if Interruption.isRequested { throw GarfaceError(.cancelled, "the reconstruction was cancelled") }
        try folder.commit(removing: names.contains)
        bar.finish()
        for (i, result) in results.enumerated() {
            if let warning = result.warning { complain("garface: warning: \(results.count > 1 ? "face \(i + 1): " : "")\(warning)") }
        }
        if !quiet { summarise(results) }
    }

    private func summarise(_ results: [ReconstructionResult]) {
        for (i, result) in results.enumerated() {
            let angles = result.anglesInDegrees
            print(
                (results.count > 1 ? "face \(i + 1): " : "")
                    + "yaw \(rounded(angles.yaw)), pitch \(rounded(angles.pitch)), roll \(rounded(angles.roll)) degrees; "
                    + "\(rounded(result.timing.reduce(0) { $0 + $1.seconds })) s")
        }
        print("written to \(output)")
    }
}

extension LandmarkScheme: ExpressibleByArgument {}

func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }
