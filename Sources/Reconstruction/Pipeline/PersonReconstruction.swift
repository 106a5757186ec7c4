import FaceModel
import Fitting
import Inversion
import Numerics

/// Several photos of one person, reconstructed together: one identity; expression, pose, w+ or light photo by photo.
public struct PersonReconstruction: Sendable {
    /// Beyond this many photos at once the working memory of the renderer, which every photo has of its own, grows large.
    public static let mostPhotos = 64

    /// A result for each photo; nil where no face was found.
    public let results: [ReconstructionResult?]
    /// Why there is no result, for the photos without one.
    public let failures: [GarfaceError?]
    /// What the photos share: coefficients of unit variance.
    public var identity: [Float] { results.lazy.compactMap { $0 }.first?.identity ?? [] }
}

extension Reconstructor {
    /// Reconstructs one person from several photos.
    ///
    /// In each photo the most prominent face is taken, or the one of `faces`. Photos without a face are reported in the result; an
    /// error of kind `noFace` is thrown where there is none in any. Of the options, those that say where a face is are not
    /// looked at.
    public func reconstruct(
        person photos: [RGBImage], faces: [FaceBox?] = [], options given: ReconstructionOptions = .init(),
        progress: Progress? = nil
    ) throws -> PersonReconstruction {
        guard (1...PersonReconstruction.mostPhotos).contains(photos.count) else {
            throw GarfaceError(
                .invalidArgument, "person: \(photos.count) photos, expected 1 to \(PersonReconstruction.mostPhotos)")
        }
        var options = given
        options.maximumFaces = 1
        (options.rectangle, options.points5, options.points68, options.meshPoints, options.face) = (nil, nil, nil, nil, nil)
        options.pointConfidences = nil
        if options.renderer == .gar && models.gar == nil {
            throw GarfaceError(.invalidArgument, "options: the renderer gar was asked for but no renderer weights are loaded")
        }
        if options.schedule?.stages.isEmpty == true { options.renderer = .startOnly }
        if let threads = options.threads { setThreadCount(threads) }
        let report = ProgressReport(progress)
        var places = [Place?](repeating: nil, count: photos.count), failures = [GarfaceError?](repeating: nil, count: photos.count)
        var clock = Stopwatch()
        for (k, photo) in photos.enumerated() {
            try report(0.05 * Float(k) / Float(photos.count), "finding the face")
            var own = options
            if k < faces.count { own.face = faces[k] }
            try own.check(width: photo.width, height: photo.height)
            do { places[k] = try locate(photo, own).first } catch let error as GarfaceError where error.kind == .noFace {
                failures[k] = error
            }
        }
        clock.mark("finding")
        let found = photos.indices.filter { places[$0] != nil }
        guard !found.isEmpty else {
            throw GarfaceError(.noFace, "no face was found in any of the \(photos.count) pictures; if there is one, say where")
        }
        var jobs = found.map { k in
            FaceJob(models: models, photo: photos[k], frame: places[k]!.frame, estimate: places[k]!.estimate, options: options)
        }
        FaceJob.combineIdentities(of: &jobs)
        try FaceJob.refine(together: &jobs, options) { try report(0.05 + 0.95 * $0, $1) }
        clock.mark("refinement")
        var results = [ReconstructionResult?](repeating: nil, count: photos.count)
        for (job, k) in zip(jobs, found) {
            let place = places[k]!
            results[k] = try job.result(
                start: place.start, box: place.box, faceProbability: probability(place.estimate.faceLogit), clock: clock)
        }
        try report(1, "done")
        return PersonReconstruction(results: results, failures: failures)
    }
}

extension FaceJob {
    /// Every photo begins from the mean of all readings of the identity, each counting as much as the inverse network is
    /// sure of it, and believes in that mean; together the beliefs weigh as much as one reading for every photo.
    static func combineIdentities(of jobs: inout [FaceJob]) {
        let weights = jobs.map(\.readingPrecision)
        let total = weights.reduce(0, +)
        guard total > 0, total.isFinite else { return }
        var mean = [Double](repeating: 0, count: jobs[0].state.identity.count)
        for (job, weight) in zip(jobs, weights) {
            for i in mean.indices { mean[i] += weight / total * Double(job.believed.identity[i]) }
        }
        for k in jobs.indices {
            jobs[k].believe(
                identity: mean.map { Float($0) }, precision: Float(weights[k] / total * Double(jobs.count)), isReading: true)
        }
    }

    /// The inverse network states its doubt for the 68 points, not for the coefficients: the mean inverse variance of the
    /// points inside the face stands for how well it reads this photo.
    private var readingPrecision: Double {
        let sigmas = estimate.landmarkSigma.dropFirst(17)
        let variance = sigmas.reduce(0) { $0 + $1 * $1 } / Double(max(1, sigmas.count))
        return variance > 0 && variance.isFinite ? 1 / variance : 1
    }

    /// The stages of the options on all photos together: landmark stages first, then each frame follows its head.
    static func refine(
        together jobs: inout [FaceJob], _ options: ReconstructionOptions, _ report: (Float, String) throws -> Void
    ) throws {
        var stages = (options.renderer == .startOnly ? FitSchedule(stages: []) : options.schedule ?? .standard(options.renderer.fitRenderer)).stages
        let total = Float(max(1, stages.reduce(0) { $0 + $1.iterations }))
        var done: Float = 0
        while let first = stages.first, first.optimiser == .gaussNewton {
            stages.removeFirst()
            try run(together: &jobs, [first], .none) { try report((done + $0 * Float(first.iterations)) / total, $1) }
            done += Float(first.iterations)
        }
        if !stages.isEmpty && done > 0 { for k in jobs.indices { jobs[k].recentre() } }
        guard !stages.isEmpty || (options.renderer == .startOnly && jobs[0].models.gar != nil) else { return }
        let left = total - done
        try run(together: &jobs, stages, options.renderer == .startOnly ? .gar : options.renderer.fitRenderer) {
            try report((done + $0 * left) / total, $1)
        }
    }
}
