import ArgumentParser
import Fitting
import Numerics
import Reconstruction

struct BatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "batch",
        abstract: "Reconstruct many photos, several at a time, each into a folder of its own.",
        discussion: """
            A folder with all below it, or a list with a path in each line, # opens a comment
            (- reads the list from standard input):

              garface batch photos --output out
              garface batch list.txt --output out --files parameters,glb
              find . -name '*.jpg' | garface batch - --output out

            The result of photos/a/b.jpg is in out/a/b.jpg. The same command again goes on
            where it was ended (Ctrl-C, a crash): photos whose result is whole are not done
            again, unless the photo or the options have changed. A result is whole when all
            of its files have the sizes in its batch.json. out/manifest.csv and
            out/manifest.json say of every photo of the last run what became of it.

            Exit code 7: done, but some photos failed.
            """)

    @Argument(help: "Photos (PNG, JPEG), folders, or text files that list photos; - is a list from standard input.")
    var inputs: [String]

    @Option(name: [.short, .long], help: ArgumentHelp("The folder for the results; made if need be.", valueName: "folder"))
    var output: String

    @Option(help: ArgumentHelp("As for reconstruct: gar, sh, landmarks, start.", valueName: "name"))
    var renderer = ReconstructCommand.RendererName.gar

    @Flag(help: "Reconstruct every face of each photo, not the largest only.")
    var allFaces = false

    @Option(help: ArgumentHelp("Stages of the fit as JSON instead of the standard ones.", valueName: "file"))
    var schedule: String?

    @Option(help: ArgumentHelp("Which files, as for reconstruct.", valueName: "names"))
    var files = "standard"

    @Option(parsing: .unconditional, help: "Seeds every random choice.")
    var seed: UInt64 = 0

    @Option(name: [.short, .long], parsing: .unconditional, help: "Photos at a time; one per core unless given.")
    var jobs: Int?

    @Flag(help: "Leave photos alone that failed before.")
    var keepFailures = false

    @Flag(name: [.short, .long], help: "No progress and no summary; failures are still said.")
    var quiet = false

    @OptionGroup(title: "Models") var models: ModelOptions

    func validate() throws {
        _ = try outputSelection(files)
        if inputs.isEmpty { throw ValidationError("Give photos, folders or lists.") }
        if let jobs, !(1...256).contains(jobs) { throw ValidationError("--jobs must be 1 to 256.") }
        if inputs.contains("-") && inputs.count > 1 { throw ValidationError("- stands alone.") }
    }

    func run() throws {
        var options = BatchOptions()
        options.reconstruction.renderer = renderer.core
        options.reconstruction.maximumFaces = allFaces ? 1000 : 1
        options.reconstruction.seed = seed
        if let schedule {
            options.reconstruction.schedule = try FitSchedule(parsing: FileAccess.read(schedule, limit: 1 << 20))
        }
        options.selection = try outputSelection(files)
        options.threads = jobs ?? 0
        options.retriesFailures = !keepFailures
        let photos =
            try inputs == ["-"]
            ? BatchPhoto.listed(StandardInput.all(limit: BatchPhoto.largestList), name: "standard input")
            : BatchPhoto.collect(inputs, output: output)
        guard !photos.isEmpty else { throw GarfaceError(.fileNotFound, "standard input: lists no photo; give a path in each line") }
        Interruption.watch()
        useDefaultThreadCount()
        let job = try Batch(models: models.load(), photos: photos, output: output, options: options)
        let bar = ProgressBar(quiet: quiet)
        defer { bar.finish() }
        let summary = try job.run { through, total, record in
            if let record = record?.record, let failure = record.failure {
                bar.finish()
                // Most sentences name the photo themselves.
                warn((failure.message.hasPrefix(record.photo) ? "" : "\(record.photo): ") + failure.message)
            }
            return bar.update(Float(through) / Float(max(1, total)), "\(through) of \(total) photos")
        }
        bar.finish()
        if !quiet {
            print(
                "\(summary.done) of \(summary.records.count) photos done"
                    + (summary.wereThere > 0 ? " (\(summary.wereThere) before)" : "")
                    + (summary.failed > 0 ? ", \(summary.failed) failed" : "") + "; see \(output)/manifest.csv")
            if summary.others > 0 {
                print("\(summary.others) photos of the manifest before are not in this one; their results are still in \(output)")
            }
        }
        if summary.failed > 0 { throw ExitCode(7) }
    }
}
