import FaceModel
import Inversion
import Numerics
import Rasterizer
import Renderer

/// What a fit returns: where it ended, and what every iteration cost.
public struct FitResult: Sendable {
    public var state: FitState
    public var history: [FitRecord]
    public var outcomes: [StageOutcome]
    /// The last picture (3, S, S) in [-1, 1]; empty where no renderer took part. Where the photo moved under the head
    /// (`FitProblem.surroundings`) it is of the head upright, centred and at its own scale, whatever the state's roll, shift and scale.
    public var picture: [Float]
}

/// The models a fit works with; immutable, shared by any number of fits.
public struct FitModels: Sendable {
    public let head: HeadModel<Float>
    public let gar: GAR<Float>?
    public let inverse: InverseNetwork<Float>?
    public let contour: ContourLines
    public let frame: AlignedFrame

    public init(head: HeadModel<Float>, gar: GAR<Float>?, inverse: InverseNetwork<Float>?) {
        self.head = head
        self.gar = gar
        self.inverse = inverse
        contour = ContourLines(head)
        if let c = gar?.configuration {
            frame = AlignedFrame(half: c.halfMM, centreY: c.centreYMM)
        } else {
            frame = AlignedFrame()
        }
    }
}

/// Runs the stages of a schedule on one face. Any stage can be run alone; the state carries over.
public final class Fitter {
    public let models: FitModels
    public let renderer: FitRenderer
    private let problem: FitProblem
    /// All share one layout of the unknowns.
    private var objectives: [Picture: FitObjective<Float>] = [:]
    /// The one that the running stage minimises.
    private var objective: FitObjective<Float>
    private let unknowns: Tensor<Float>
    private let descent: StageDescent
    private var appearanceIsReady = false
    public private(set) var history: [FitRecord] = []
    /// How every stage so far went.
    public private(set) var outcomes: [StageOutcome] = []

    /// Progress in [0, 1] of the running stage and its name; false cancels.
    public typealias Progress = (Float, String) -> Bool

    /// How the picture that is compared is made: its side (0 without a renderer) and, for GAR, in what convolutions multiply.
    private struct Picture: Hashable {
        var side: Int
        var precision = ProductPrecision.single
    }

    /// Allocates everything the iterations need.
    public init(models: FitModels, renderer: FitRenderer, problem: FitProblem) throws {
        self.models = models
        self.renderer = renderer
        self.problem = problem
        if renderer == .gar && models.gar == nil {
            throw GarfaceError(.invalidArgument, "fit: the GAR renderer was asked for but no GAR weights are loaded")
        }
        switch renderer {
        case .gar: try problem.check(head: models.head, size: models.gar?.configuration.size)
        case .sphericalHarmonics: try problem.check(head: models.head, size: problem.size)
        case .none: try problem.check(head: models.head, size: nil)
        }
        objective = try Self.objective(models, renderer, problem)
        objectives[Picture(side: problem.size)] = objective
        let n = objective.layout.count
        unknowns = Tensor([n])
        descent = StageDescent(count: n)
        state = problem.start
        if renderer == .gar && problem.start.wPlus.isEmpty { objective.initialiseAppearance(unknowns.pointer) }
        state.pack(into: unknowns.pointer, layout: objective.layout)
    }

    /// Where the fit stands.
    public private(set) var state: FitState

    package static func objective(
        _ models: FitModels, _ renderer: FitRenderer, _ problem: FitProblem, precision: ProductPrecision = .single
    ) throws -> FitObjective<Float> {
        try renderer == .sphericalHarmonics
            ? FitObjective(
                sphericalHarmonics: models.head, perceptualNetwork: models.inverse, frame: models.frame, problem: problem,
                contour: models.contour)
            : FitObjective(
                head: models.head, gar: renderer == .gar ? models.gar : nil, perceptualNetwork: models.inverse,
                frame: models.frame, problem: problem, contour: models.contour, precision: precision)
    }

    /// Makes what a stage minimises the present objective; allocates where its picture is of a new size.
    private func take(_ stage: FitStage) throws {
        let picture = Picture(
            side: renderer == .none ? problem.size : stage.pictureSize(problem.size),
            precision: renderer == .gar ? stage.precision : .single)
        if objectives[picture] == nil {
            objectives[picture] = try Self.objective(
                models, renderer, problem.reduced(to: picture.side), precision: picture.precision)
        }
        objective = objectives[picture]!
    }

    public func run(_ schedule: FitSchedule, progress: Progress? = nil) throws -> FitResult {
        let total = Float(max(1, schedule.stages.reduce(0) { $0 + $1.iterations }))
        var done: Float = 0
        for stage in schedule.stages { try take(stage) }      // all memory, before the first iteration
        for stage in schedule.stages {
            let share = Float(stage.iterations)
            try run(stage) { fraction, name in progress?((done + fraction * share) / total, name) ?? true }
            done += share
        }
        objective = objectives[Picture(side: problem.size)]!
        return FitResult(
            state: state, history: history, outcomes: outcomes, picture: objective.renderedPicture(unknowns.pointer))
    }

    /// One stage from where the fit stands.
    public func run(_ stage: FitStage, progress: Progress? = nil) throws {
        func note(_ iteration: Int, _ terms: EnergyTerms) throws {
            history.append(FitRecord(stage: stage.name, iteration: iteration, terms: terms))
            if let progress, !progress(Float(iteration + 1) / Float(max(1, stage.iterations)), stage.name) {
                throw GarfaceError(.cancelled, "fit: cancelled in stage \"\(stage.name)\"")
            }
        }
        try take(stage)
        history.reserveCapacity(history.count + stage.iterations)
        let outcome: StageOutcome
        switch stage.optimiser {
        case .gaussNewton:
            outcome = try LandmarkGaussNewton(head: models.head, contour: models.contour)
                .run(stage: stage, problem: problem, state: &state, record: note)
            state.pack(into: unknowns.pointer, layout: objective.layout)
            objective.invalidateGeometry()
        case .adam, .lbfgs:
            prepareAppearance(stage)
            outcome = try descent.run(stage, objective, unknowns.pointer, project: project, record: note)
        }
        state.unpack(from: unknowns.pointer, layout: objective.layout)
        outcomes.append(outcome)
    }

    /// One landmark stage by itself: it needs none of the memory of a whole fit.
    public static func landmarks(models: FitModels, problem: FitProblem, stage: FitStage) throws -> FitResult {
        try problem.check(head: models.head, size: nil)
        var state = problem.start, history: [FitRecord] = []
        let outcome = try LandmarkGaussNewton(head: models.head, contour: models.contour)
            .run(stage: stage, problem: problem, state: &state) {
                history.append(FitRecord(stage: stage.name, iteration: $0, terms: $1))
            }
        return FitResult(state: state, history: history, outcomes: [outcome], picture: [])
    }

    /// The baseline's light is estimated from the photo once the landmarks have placed the head.
    private func prepareAppearance(_ stage: FitStage) {
        objective.invalidateGeometry()
        objective.silhouettes = stage.silhouettes
        if appearanceIsReady || renderer != .sphericalHarmonics || !problem.start.light.isEmpty { return }
        appearanceIsReady = true
        objective.initialiseAppearance(unknowns.pointer)
    }

    /// Keeps unknowns where they mean something.
    private func project() {
        let p = unknowns.pointer
        models.head.clampExpression(p + objective.layout.range(.expression).lowerBound)
        for i in objective.layout.range(.identity) { p[i] = max(-4, min(4, p[i])) }
    }
}
