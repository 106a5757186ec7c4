import ArgumentParser
import Numerics
import Reconstruction

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Time the library's parts on this machine.",
        discussion: """
            Median, spread (half of the repeats lie within it) and best are wall-clock
            times; cpu is the processor time of the quickest repeat, which a busy machine
            disturbs less. Nothing is compared with a limit.

              garface bench                         everything but the layers
              garface bench gar layers --threads 2  some suites
              garface bench --json bench.json       also as JSON

            Suites: load (models to ready), gar (renderer), contexts (several renderers
            at once, each on its own thread), layers (each of its convolutions, beside
            oneDNN's best where this build has oneDNN), head (mesh, normals, landmarks),
            normals (the normal-map pyramid), photo (a whole reconstruction).
            """)

    enum Suite: String, ExpressibleByArgument, CaseIterable { case load, gar, contexts, layers, head, normals, photo }

    @Argument(help: ArgumentHelp("What to time: \(Suite.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "suite"))
    var suites: [Suite] = []

    @Option(help: "Threads for matrix products and convolutions, 1 to 256.")
    var threads = 1

    @Option(help: ArgumentHelp("Pictures rendered at a time in the suite gar, 1 to 64.", valueName: "n"))
    var batch = 1

    @Option(help: ArgumentHelp("Renderers at work at once in the suite contexts, 1 to 64.", valueName: "n"))
    var contexts = 2

    @Option(help: ArgumentHelp("Side of the normal maps in the suite normals: a power of two of 4 to 1024.", valueName: "pixels"))
    var size = 256

    @Option(help: ArgumentHelp("The photo of the suite photo, which is left out without one.", valueName: "file"))
    var photo: String?

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
        guard (0...60).contains(seconds) else { throw ValidationError("--seconds: expected 0 to 60.") }
        if suites.contains(.photo) && photo == nil { throw ValidationError("The suite photo needs --photo.") }
    }

    func run() throws {
        setThreadCount(threads)
        let clock = BenchClock(leastSeconds: seconds)
        let peak = MatrixProductPeak.flopsPerSecond(clock) * 1e-9
        var rows: [BenchRow] = []
        for suite in suites.isEmpty ? Suite.allCases.filter({ $0 != .layers }) : suites {
            switch suite {
            case .load: rows += try LoadBench.rows(models, clock)
            case .gar: rows += try GARBench.rows(models.gar(), batch: batch, clock)
            case .contexts: rows += try ContextsBench.rows(models.gar(), contexts: contexts, clock)
            case .layers: rows += try LayerBench.rows(models.gar().configuration, batch: batch, clock)
            case .head: rows += try HeadBench.rows(models.head(), clock)
            case .normals: rows += try NormalsBench.rows(models.head(), size: size, clock)
            case .photo: if let photo { rows += try PhotoBench.rows(models, photo: ImageFile.read(photo), threads: threads, clock) }
            }
        }
        let build = "convolution \(ConvolutionPath.best.rawValue) (of \(ConvolutionPath.available.map(\.rawValue).joined(separator: ", ")))"
        print("garface \(versionText), \(build), \(threads) thread\(threads == 1 ? "" : "s"), \(Processor.name)")
        print("peak: \(BenchTable.decimal(peak, 0)) GFLOP/s (matrix product of 1024 x 1024, float32)")
        print(BenchTable.text(rows, peak: peak), terminator: "")
        if let json {
            let document = JSONValue.object([
                ("version", .string(versionText)), ("build", .string(build)), ("threads", .number(Double(threads))),
                ("processor", .string(Processor.name)), ("peak_gflops", .number(peak)), ("rows", .array(rows.map(\.json))),
            ])
            try FileAccess.write(json, Array((document.serialized(pretty: true) + "\n").utf8))
        }
    }
}
