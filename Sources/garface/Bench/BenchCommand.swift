import ArgumentParser
import Glibc
import Numerics
import Reconstruction
import Renderer

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Time the library's parts on this machine.",
        discussion: """
            Median, spread (half of the repeats lie within it) and best are wall-clock
            times; cpu is the processor time that a quarter of the repeats stay below: a
            busy machine disturbs it less. Nothing is compared with a limit.

              garface bench                         what takes seconds
              garface bench gar head --threads 2    some suites
              garface bench layers --configuration published
              garface bench photos --photo photo.png --share 0.1 --threads 2
              garface bench --json bench.json       also as JSON

            Suites: load (models to ready), gar (renderer), contexts (several renderers
            at once, each on its own thread), head (mesh, normals, landmarks), normals
            (the normal-map pyramid, beside plain loops), photo (a whole reconstruction).
            Only by name: sizes (renderers of random weights, 64 to 512 px), layers (each
            of a renderer's convolutions, beside oneDNN's best where this build has
            oneDNN; one thread), photos (1, 4 and 16 whole reconstructions, as many at a
            time as there are threads, each on one, and the memory they take).

            GFLOP/s count the multiplications and additions of convolutions done
            directly. Winograd's ways, which most layers take, need up to 4 times fewer:
            shares of the peak may be that much above 100 %.
            """)

    enum Suite: String, ExpressibleByArgument, CaseIterable {
        case load, gar, sizes, contexts, layers, head, normals, photo, photos

        /// Those that run where none is named.
        static let standard: [Suite] = [.load, .gar, .contexts, .head, .normals, .photo]
    }

    enum Configuration: String, ExpressibleByArgument, CaseIterable { case standard = "default", published }

    @Argument(help: ArgumentHelp("What to time: \(Suite.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "suite"))
    var suites: [Suite] = []

    @Option(help: "Threads for matrix products and convolutions, 1 to 256.")
    var threads = 1

    @Option(help: ArgumentHelp("Pictures rendered at a time in the suites gar, sizes and layers, 1 to 64.", valueName: "n"))
    var batch = 1

    @Option(help: ArgumentHelp("Renderers at work at once in the suite contexts, 1 to 64.", valueName: "n"))
    var contexts = 2

    @Option(help: ArgumentHelp("Side of the normal maps in the suite normals: a power of two of 4 to 1024.", valueName: "pixels"))
    var size = 256

    @Option(
        help: ArgumentHelp(
            "The renderer of the suites gar, contexts and layers: default, or published (256 px, channel multiplier 2, random "
                + "weights).", valueName: "name"))
    var configuration = Configuration.standard

    @Option(help: ArgumentHelp("The photo of the suites photo and photos; photo is left out without one.", valueName: "file"))
    var photo: String?

    @Option(help: ArgumentHelp("Share of the stages' iterations that photo and photos run, above 0 to 1.", valueName: "share"))
    var share = 1.0

    @Option(help: ArgumentHelp("Seconds of repeats for every line, 0 to 60.", valueName: "s"))
    var seconds = 0.5

    @Option(help: ArgumentHelp("A file for the results as JSON.", valueName: "file"))
    var json: String?

    @OptionGroup(title: "Models") var models: ModelOptions

    func validate() throws {
        guard (1...256).contains(threads) else { throw ValidationError("--threads: expected 1 to 256.") }
        guard (1...64).contains(batch) else { throw ValidationError("--batch: expected 1 to 64.") }
        guard (1...64).contains(contexts) else { throw ValidationError("--contexts: expected 1 to 64.") }
        guard (4...1024).contains(size), size & (size - 1) == 0 else {
            throw ValidationError("--size: expected a power of two of 4 to 1024.")
        }
        guard share > 0, share <= 1 else { throw ValidationError("--share: expected a number above 0, at most 1.") }
        guard (0...60).contains(seconds) else { throw ValidationError("--seconds: expected 0 to 60.") }
        for suite in [Suite.photo, .photos] where suites.contains(suite) && photo == nil {
            throw ValidationError("The suite \(suite.rawValue) needs --photo.")
        }
        if suites.contains(.layers) && threads > 1 {
            throw ValidationError(
                "The suite layers compares on one thread: for more, oneDNN wakes them even for a microsecond's work.")
        }
        if configuration == .published && models.garWeights != nil {
            throw ValidationError("--configuration published has random weights: give no --gar-weights.")
        }
    }

    func run() throws {
        if let json { try OutputCheck.file(json) }
        let picture = try photo.map(ImageFile.read)
        setThreadCount(threads)
        let clock = BenchClock(leastSeconds: seconds)
        let peak = MatrixProductPeak.measure(threads: threads, clock)
        var rows: [BenchRow] = []
        for suite in asked {
            switch suite {
            case .load: rows += try LoadBench.rows(models, clock)
            case .gar: rows += try GARBench.rows(gar(), batch: batch, clock)
            case .sizes: rows += try SizesBench.rows(batch: batch, clock)
            case .contexts: rows += try ContextsBench.rows(gar(), contexts: contexts, clock)
            case .layers: rows += try LayerBench.rows(gar().configuration, batch: batch, clock)
            case .head: rows += try HeadBench.rows(models.head(), clock)
            case .normals: rows += try NormalsBench.rows(models.head(), size: size, clock)
            case .photo:
                if let picture { rows += try PhotoBench.rows(models, photo: picture, share: share, threads: threads, clock) }
            case .photos:
                if let picture { rows += try PhotosBench.rows(models.load(), photo: picture, share: share, threads: threads, clock) }
            }
        }
        let build = "convolution \(ConvolutionPath.best.rawValue) (of \(ConvolutionPath.available.map(\.rawValue).joined(separator: ", "))), \(kernelInstructions)"
        let threadsText = "\(threads) thread\(threads == 1 ? "" : "s")"
        print("garface \(versionText), \(build), \(threadsText), \(Processor.name)")
        print("peak: \(BenchTable.decimal(peak.gflops, 0)) GFLOP/s on \(threadsText) (\(peak.what), float32)")
        if rows.contains(where: { $0.flops != nil }) {
            print("GFLOP/s: as if convolved directly; Winograd's ways need up to 4 times fewer, so that shares may exceed 100 %")
        }
        print(BenchTable.text(rows, peak: peak.gflops), terminator: "")
        if let json {
            let document = JSONValue.object([
                ("version", .string(versionText)), ("build", .string(build)), ("threads", .number(Double(threads))),
                ("processor", .string(Processor.name)), ("peak_gflops", .number(peak.gflops)), ("peak_of", .string(peak.what)),
                ("rows", .array(rows.map(\.json))),
            ])
            try FileAccess.write(json, Array((document.serialized(pretty: true) + "\n").utf8))
        }
    }

    /// Each suite once.
    private var asked: [Suite] {
        var seen: Set<Suite> = []
        return (suites.isEmpty ? Suite.standard : suites).filter { seen.insert($0).inserted }
    }

    private func gar() throws -> GAR<Float> {
        try configuration == .published ? RandomGAR.published.made() : models.gar()
    }
}

/// Whether results can be written, before they are made.
private enum OutputCheck {
    static func file(_ path: String) throws {
        var information = stat()
        if stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR {
            throw GarfaceError(.fileUnwritable, "\(path): cannot be written: is a folder")
        }
        unlink(try FileAccess.writeTemporary(path, [], path))
    }
}
