import Fitting
import Inversion
import Numerics

/// A fit that is run stage by stage: the face is found, aligned and read once, then any schedule can be run on it, again
/// and again, and a result be taken at any point. One thread at a time.
public final class FitSession {
    private let models: ReconstructionModels
    private let options: ReconstructionOptions
    private let place: Reconstructor.Place
    private var job: FaceJob
    private var clock: Stopwatch
    private var headHasMoved = false

    /// The standard stages of a renderer; none for the bare start.
    public static func standardSchedule(_ renderer: ReconstructionRenderer) -> FitSchedule {
        renderer == .startOnly ? FitSchedule(stages: []) : .standard(renderer.fitRenderer)
    }

    /// Finds (or takes from the options), aligns and reads one face.
    public init(_ models: ReconstructionModels, photo: RGBImage, options: ReconstructionOptions = .init()) throws {
        var options = options
        options.maximumFaces = 1
        try options.check(width: photo.width, height: photo.height)
        if options.renderer == .gar && models.gar == nil {
            throw GarfaceError(.invalidArgument, "options: the renderer gar was asked for but no renderer weights are loaded")
        }
        options = try options.withLandmarksOfMesh(models.points)
        var clock = Stopwatch()
        guard let place = try Reconstructor(models).locate(photo, options).first else {
            throw GarfaceError(.noFace, "no face was found in the picture")
        }
        clock.mark("finding")
        self.models = models
        self.options = options
        self.place = place
        self.clock = clock
        job = FaceJob(models: models, photo: photo, frame: place.frame, estimate: place.estimate, options: options)
    }

    /// Begins from a face that was fitted before, in its photo; where it is and what points the options give is all that is
    /// looked at of the photo before the first stage.
    public init(from result: ReconstructionResult, photo: RGBImage, options: ReconstructionOptions = .init()) throws {
        let models = result.models
        var options = options
        (options.rectangle, options.face, options.points5) = (nil, nil, nil)
        options.maximumFaces = 1
        try options.check(width: photo.width, height: photo.height)
        if options.renderer == .gar && models.gar == nil {
            throw GarfaceError(.invalidArgument, "options: the renderer gar was asked for but no renderer weights are loaded")
        }
        guard photo.width == result.photoWidth, photo.height == result.photoHeight else {
            throw GarfaceError(
                .invalidArgument,
                "fit: the picture has \(photo.width) x \(photo.height) pixels, the photo of the face had \(result.photoWidth) x "
                    + "\(result.photoHeight)")
        }
        let saved = result.parameters
        try saved.check(models, name: "fit")
        options = try options.withLandmarksOfMesh(models.points)
        var clock = Stopwatch()
        let place = try Reconstructor(models).place(photo, at: saved.frame)
        clock.mark("reading")
        self.models = models
        self.options = options
        self.place = place
        self.clock = clock
        job = FaceJob(models: models, photo: photo, frame: place.frame, estimate: place.estimate, options: options)
        job.begin(from: saved)
    }

    /// Runs stages from where the fit stands; nil takes the options' schedule or the renderer's standard one.
    /// A stage that is cancelled or fails leaves the fit where the stages before it ended.
    public func run(_ schedule: FitSchedule? = nil, progress: Reconstructor.Progress? = nil) throws {
        let schedule = schedule ?? options.schedule ?? Self.standardSchedule(options.renderer)
        try schedule.check(options.renderer.fitRenderer)
        let stages = schedule.stages
        let report = ProgressReport(progress)
        let total = Float(max(1, stages.reduce(0) { $0 + $1.iterations }))
        var done: Float = 0
        for stage in stages {
            let isLandmarkStage = stage.optimiser == .gaussNewton
            // The renderers want the head upright and centred in the frame; landmark stages move it there.
            if headHasMoved && !isLandmarkStage {
                job.recentre()
                headHasMoved = false
            }
            let share = Float(stage.iterations)
            try job.run([stage], isLandmarkStage ? .none : options.renderer.fitRenderer) {
                try report((done + $0 * share) / total, $1)
            }
            headHasMoved = headHasMoved || isLandmarkStage
            done += share
        }
        clock.mark("stages")
    }

    /// The face as the fit stands.
    public func result() throws -> ReconstructionResult {
        try job.result(
            start: place.start, box: place.box, faceProbability: probability(place.estimate.faceLogit), clock: clock)
    }
}
