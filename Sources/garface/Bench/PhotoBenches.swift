import Fitting
import Numerics
import Reconstruction

/// A photo to a result.
enum PhotoBench {
    static func rows(_ models: ModelOptions, photo: RGBImage, share: Double, threads: Int, _ clock: BenchClock) throws -> [BenchRow] {
        let reconstructor = try Reconstructor(models.load())
        func time(_ renderer: ReconstructionRenderer, _ name: String) throws -> BenchRow {
            let options = ReconstructionOptions(renderer, share: share, threads: threads)
            return BenchRow(
                group: "photo of \(photo.width) x \(photo.height) px", name: name,
                timing: try clock.time { _ = try reconstructor.reconstruct(photo, options: options) })
        }
        return [
            try time(.startOnly, "start: find, align, invert"), try time(.landmarksOnly, "landmarks"),
            try time(.gar, "whole: refined through GAR\(FitSchedule.note(share))"),
        ]
    }
}

/// Many photos to results: as many at a time as there are threads, each on one, with working memory of its own.
enum PhotosBench {
    static func rows(
        _ models: ReconstructionModels, photo: RGBImage, share: Double, threads: Int, _ clock: BenchClock
    ) throws -> [BenchRow] {
        setThreadCount(1)
        defer { setThreadCount(threads) }
        let options = ReconstructionOptions(.gar, share: share, threads: nil)
        // A whole fit takes seconds: few repeats do.
        let clock = BenchClock(leastRepeats: 3, leastSeconds: clock.leastSeconds)
        func run(_ workers: [Worker], _ count: Int) throws {
            inThreads(workers.count) { i in
                workers[i].attempt { reconstructor in
                    for _ in stride(from: i, to: count, by: workers.count) {
                        _ = try reconstructor.reconstruct(photo, options: options)
                    }
                }
            }
            for worker in workers { if let error = worker.error { throw error } }
        }
        var one: Double?
        return try [1, 4, 16].map { count in
            let workers = try (0..<min(threads, count)).map { _ in try Worker(Reconstructor(models)) }
            var timing: Timing?
            let memory = try ResidentMemory.peak { timing = try clock.time { try run(workers, count) } }
            var row = BenchRow(
                group: "photos of \(photo.width) x \(photo.height) px to results\(FitSchedule.note(share))",
                name: "\(count) photo\(count == 1 ? "" : "s"), \(workers.count) at a time", timing: timing!, photos: count, memory: memory)
            // As much processor time as that many alone: neither slows the other.
            if let one { row.reference = ("so many one after the other", Double(count) * one) } else { one = timing!.cpuSeconds }
            return row
        }
    }

    /// What a thread works with, and what went wrong on it.
    private final class Worker: @unchecked Sendable {
        private let reconstructor: Reconstructor
        private(set) var error: Error?

        init(_ reconstructor: Reconstructor) { self.reconstructor = reconstructor }

        func attempt(_ work: (Reconstructor) throws -> Void) {
            do { try work(reconstructor) } catch { self.error = error }
        }
    }
}

extension ReconstructionOptions {
    /// The standard schedule with a share of its iterations.
    fileprivate init(_ renderer: ReconstructionRenderer, share: Double, threads: Int?) {
        self.init()
        self.renderer = renderer
        self.threads = threads
        var schedule = FitSession.standardSchedule(renderer)
        for (i, stage) in schedule.stages.enumerated() where stage.optimiser == .adam {
            schedule.stages[i].iterations = max(1, Int((share * Double(stage.iterations)).rounded()))
        }
        self.schedule = schedule
    }
}

extension FitSchedule {
    fileprivate static func note(_ share: Double) -> String {
        share == 1 ? "" : ", \(BenchTable.percent(share)) of the iterations"
    }
}
