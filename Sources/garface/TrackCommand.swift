import ArgumentParser
import Glibc
import Numerics
import Reconstruction

struct TrackCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "track",
        abstract: "Follow a face through the frames of a film: curves and an animated GLB.",
        discussion: """
            Frames from ffmpeg, through a pipe:

              ffmpeg -i film.mp4 -f rawvideo -pix_fmt rgb24 - |
                garface track --size 640x480 --fps 25 --output out -

            or the pictures of a folder in the order of their names, or of a list:

              garface track frames --output out

            out/track.csv has a row for each frame (found or not, pose in degrees, camera,
            expressions by name, 68 points), track.safetensors the same as arrays, which
            track.json describes; track.glb is the head with its expressions and its motion.

            A picture that is damaged or of another size counts as a frame without a face,
            with a warning. Where the frames end badly (in the middle of one), what came
            before is written all the same and the exit code is 4; so it is on Ctrl-C, with 6.

            The identity is settled from the first frames together (--identity-frames) and
            held. Pose and expression are smoothed; a frame's numbers know of the --lag
            frames after it. --curves - writes the rows to standard output as they are ready.
            """)

    enum RendererName: String, ExpressibleByArgument, CaseIterable {
        case gar, landmarks, start
        var core: ReconstructionRenderer {
            switch self {
            case .gar: .gar
            case .landmarks: .landmarksOnly
            case .start: .startOnly
            }
        }
    }

    @Argument(help: "A folder of pictures, a text file that lists them, or - for raw RGB frames (rgb24) on standard input.")
    var input: String

    @Option(name: [.short, .long], help: ArgumentHelp("The folder for the results; made if need be.", valueName: "folder"))
    var output: String?

    @Option(help: ArgumentHelp("Of raw frames: width and height.", valueName: "WxH"))
    var size: String?

    @Option(parsing: .unconditional, help: "Frames per second.")
    var fps = 25.0

    @Option(parsing: .unconditional, help: "How many frames later a frame is given out; 0: at once.")
    var lag = 3

    @Option(parsing: .unconditional, help: "How many of the first frames settle the identity.")
    var identityFrames = 10

    @Option(parsing: .unconditional, help: "How much is smoothed; 0: nothing.")
    var smoothing = 1.0

    @Option(help: ArgumentHelp("landmarks; gar (refines every frame, seconds each); start (no fit).", valueName: "name"))
    var renderer = RendererName.landmarks

    @Option(help: ArgumentHelp("Which files: a list of csv, arrays, glb, all.", valueName: "names"))
    var files = "all"

    @Option(help: ArgumentHelp("Also write the rows of track.csv to a file as they are ready; - is standard output.", valueName: "file"))
    var curves: String?

    @Option(parsing: .unconditional, help: "Threads to work on a frame, 1 to 256; 1 unless given.")
    var threads: Int?

    @Flag(name: [.short, .long], help: "No progress and no summary.")
    var quiet = false

    @OptionGroup(title: "Models") var models: ModelOptions

    func validate() throws {
        if output == nil && curves == nil { throw ValidationError("Give --output, --curves or both.") }
        if (input == "-") != (size != nil) { throw ValidationError("--size goes with raw frames on standard input, -.") }
        _ = try frameSize()
        _ = try selection()
        if let threads, !(1...256).contains(threads) { throw ValidationError("--threads must be 1 to 256.") }
        guard fps.isFinite, fps >= 0.01, fps <= 10000 else { throw ValidationError("--fps must be 0.01 to 10000.") }
        guard (0...TrackerOptions.mostLag).contains(lag) else { throw ValidationError("--lag must be 0 to \(TrackerOptions.mostLag).") }
        guard (1...TrackerOptions.mostIdentityFrames).contains(identityFrames) else {
            throw ValidationError("--identity-frames must be 1 to \(TrackerOptions.mostIdentityFrames).")
        }
        guard smoothing >= 0, smoothing <= 100 else { throw ValidationError("--smoothing must be 0 to 100.") }
    }

    private func frameSize() throws -> (width: Int, height: Int)? {
        guard let size else { return nil }
        let numbers = size.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count == 2, let width = numbers[0], let height = numbers[1], (16...16384).contains(width),
            (16...16384).contains(height)
        else { throw ValidationError("--size must be a width and a height from 16 to 16384: 640x480.") }
        return (width, height)
    }

    private func selection() throws -> TrackSelection {
        try files.split(separator: ",", omittingEmptySubsequences: false).reduce(into: []) { chosen, word in
            guard let known = TrackSelection.named.first(where: { $0.name == word }) else {
                throw ValidationError(
                    "--files knows no \"\(word)\"; expected a list of \(TrackSelection.named.map(\.name).joined(separator: ", ")).")
            }
            chosen.formUnion(known.files)
        }
    }

    func run() throws {
        var options = TrackerOptions()
        (options.renderer, options.lag, options.identityFrames) = (renderer.core, lag, identityFrames)
        (options.framesPerSecond, options.smoothing, options.keepsFrames) = (fps, smoothing, output != nil)
        let source = try FrameSource(input, size: try frameSize())
        // What cannot be written is known before the work.
        let folder = try output.map { try OutputFolder($0) }
        defer { folder?.discard() }
        let stream = try curves.map { try CurveStream($0) }
        Interruption.watch()
        if let threads { setThreadCount(threads) } else { useDefaultThreadCount() }
        let models = try models.load()
        let tracker = try FaceTracker(models, options: options)
        let bar = ProgressBar(quiet: quiet)
        defer { bar.finish() }
        try stream?.write(TrackTable.header(models.head))
        var count = 0, unusable = 0, found = 0
        var ending: GarfaceError?
        func give(_ frames: [TrackedFrame]) throws {
            for frame in frames {
                found += frame.isFound ? 1 : 0
                try stream?.write(TrackTable.row(frame, models.head))
            }
        }
        // Ctrl-C ends the film here: what was seen is written.
        while !Interruption.isRequested {
            let frame: FrameSource.Frame?
            do { frame = try source.next() } catch let error as GarfaceError {
                ending = error
                break
            }
            guard let frame else { break }
            switch frame {
            case .image(let image): try give(tracker.push(image))
            case .unusable(let reason):
                unusable += 1
                bar.finish()
                if unusable <= 5 { warn("\(reason); taken as a frame without a face") }
                try give(tracker.push(nil))
            }
            count += 1
            _ = bar.update(source.total.map { Float(count) / Float(max(1, $0)) } ?? 0, "frame \(count)")
        }
        try give(tracker.finish())
        bar.finish()
        if unusable > 5 { warn("\(unusable) of \(count) pictures cannot be used") }
        guard count > unusable else {
            if Interruption.isRequested { throw GarfaceError(.cancelled, "cancelled before the first frame") }
            throw ending ?? GarfaceError(.malformedFile, "\(input): holds no frame" + (unusable > 0 ? " that can be used" : ""))
        }
        // The program that hands over the frames gets Ctrl-C too, and may end in the middle of one.
        if Interruption.isRequested { ending = nil }
        if let folder {
            // Without a face there is no head to animate; the curves say so all the same.
            var files = try selection()
            if found == 0 { files.remove(.glb) }
            if !files.isEmpty {
                try tracker.add(to: folder, selection: files)
                try folder.commit(removing: { $0 == "track.glb" })
            }
        }
        if let ending {
            throw GarfaceError(
                ending.kind, ending.message + "; the \(count) frames before are written" + (output.map { " to \($0)" } ?? ""))
        }
        if Interruption.isRequested {
            throw GarfaceError(.cancelled, "interrupted after \(count) frames; these are written" + (output.map { " to \($0)" } ?? ""))
        }
        guard found > 0 else { throw GarfaceError(.noFace, "no face was found in any of the \(count) frames") }
        if !quiet && curves != "-" {
            print("\(found) of \(count) frames show the face" + (output.map { "; written to \($0)" } ?? ""))
        }
    }
}
