import FaceModel
import Numerics

/// Runs stages on several photos of one person at once. They share the identity; expression, pose and appearance are each
/// photo's own. What is minimised is the sum of the photos' energies, the identity's prior about zero counting once; the
/// gradient by the identity is the sum over the photos.
public final class JointFitter {
    public let models: FitModels
    public let renderer: FitRenderer
    private let problems: [FitProblem]
    private var objectives: [Int: JointObjective] = [:]
    private var objective: JointObjective
    private let unknowns: Tensor<Float>
    private let descent: StageDescent
    private var appearanceIsReady = false
    public private(set) var history: [FitRecord] = []
    public private(set) var outcomes: [StageOutcome] = []
    /// Where the fit stands, photo by photo; the identity is the same in all.
    public private(set) var states: [FitState]

    /// Every problem starts from the first one's identity.
    public init(models: FitModels, renderer: FitRenderer, problems: [FitProblem]) throws {
        guard let first = problems.first else { throw GarfaceError(.invalidArgument, "fit: there is no photo") }
        if renderer == .gar && models.gar == nil {
            throw GarfaceError(.invalidArgument, "fit: the GAR renderer was asked for but no GAR weights are loaded")
        }
        var problems = problems
        for k in problems.indices {
            problems[k].start.identity = first.start.identity
            switch renderer {
            case .gar: try problems[k].check(head: models.head, size: models.gar?.configuration.size)
            case .sphericalHarmonics: try problems[k].check(head: models.head, size: first.size)
            case .none: try problems[k].check(head: models.head, size: nil)
            }
        }
        self.models = models
        self.renderer = renderer
        self.problems = problems
        states = problems.map(\.start)
        objective = try Self.objective(models, renderer, problems)
        objectives[first.size] = objective
        unknowns = Tensor([objective.count])
        descent = StageDescent(count: objective.count)
        let own = Tensor<Float>([objective.layout.count])
        for k in problems.indices {
            own.fill(0)
            if renderer == .gar && states[k].wPlus.isEmpty { objective.photos[k].initialiseAppearance(own.pointer) }
            states[k].pack(into: own.pointer, layout: objective.layout)
            objective.scatter(own.pointer, k, into: unknowns.pointer)
        }
    }

    private static func objective(_ models: FitModels, _ renderer: FitRenderer, _ problems: [FitProblem]) throws -> JointObjective {
        JointObjective(try problems.map { try Fitter.objective(models, renderer, $0) })
    }

    private func take(_ stage: FitStage) throws {
        let size = problems[0].size
        let side = renderer == .none ? size : stage.pictureSize(size)
        if objectives[side] == nil {
            objectives[side] = try Self.objective(models, renderer, problems.map { $0.reduced(to: side) })
        }
        objective = objectives[side]!
    }

    /// All stages; the pictures are (3, S, S) in [-1, 1], empty without a renderer.
    public func run(_ schedule: FitSchedule, progress: Fitter.Progress? = nil) throws -> [FitResult] {
        let total = Float(max(1, schedule.stages.reduce(0) { $0 + $1.iterations }))
        var done: Float = 0
        for stage in schedule.stages { try take(stage) }
        for stage in schedule.stages {
            let share = Float(stage.iterations)
            try run(stage) { fraction, name in progress?((done + fraction * share) / total, name) ?? true }
            done += share
        }
        objective = objectives[problems[0].size]!
        let own = Tensor<Float>([objective.layout.count])
        return states.indices.map { k in
            objective.gather(unknowns.pointer, k, into: own.pointer)
            return FitResult(
                state: states[k], history: history, outcomes: outcomes, picture: objective.photos[k].renderedPicture(own.pointer))
        }
    }

    /// One stage from where the fit stands.
    public func run(_ stage: FitStage, progress: Fitter.Progress? = nil) throws {
        func note(_ iteration: Int, _ terms: EnergyTerms) throws {
            history.append(FitRecord(stage: stage.name, iteration: iteration, terms: terms))
            if let progress, !progress(Float(iteration + 1) / Float(max(1, stage.iterations)), stage.name) {
                throw GarfaceError(.cancelled, "fit: cancelled in stage \"\(stage.name)\"")
            }
        }
        try take(stage)
        let own = Tensor<Float>([objective.layout.count])
        let outcome: StageOutcome
        switch stage.optimiser {
        case .gaussNewton:
            outcome = try JointLandmarkGaussNewton(single: LandmarkGaussNewton(head: models.head, contour: models.contour))
                .run(stage: stage, problems: problems, states: &states, record: note)
            for k in states.indices {
                objective.gather(unknowns.pointer, k, into: own.pointer)
                states[k].pack(into: own.pointer, layout: objective.layout)
                objective.scatter(own.pointer, k, into: unknowns.pointer)
                objective.photos[k].invalidateGeometry()
            }
        case .adam, .lbfgs:
            prepareAppearance(stage, own)
            outcome = try descent.run(stage, objective, unknowns.pointer, project: project, record: note)
        }
        for k in states.indices {
            objective.gather(unknowns.pointer, k, into: own.pointer)
            states[k].unpack(from: own.pointer, layout: objective.layout)
        }
        outcomes.append(outcome)
    }

    /// One landmark stage by itself: it needs none of the memory of a whole fit.
    public static func landmarks(models: FitModels, problems: [FitProblem], stage: FitStage) throws -> [FitResult] {
        var states = problems.map(\.start), history: [FitRecord] = []
        for (k, problem) in problems.enumerated() {
            try problem.check(head: models.head, size: nil)
            states[k].identity = states[0].identity
        }
        guard !problems.isEmpty else { return [] }
        let outcome = try JointLandmarkGaussNewton(single: LandmarkGaussNewton(head: models.head, contour: models.contour))
            .run(stage: stage, problems: problems, states: &states) {
                history.append(FitRecord(stage: stage.name, iteration: $0, terms: $1))
            }
        return states.map { FitResult(state: $0, history: history, outcomes: [outcome], picture: []) }
    }

    /// The baseline's light is estimated from each photo once the landmarks have placed the head.
    private func prepareAppearance(_ stage: FitStage, _ own: Tensor<Float>) {
        for (k, photo) in objective.photos.enumerated() {
            photo.invalidateGeometry()
            photo.silhouettes = stage.silhouettes
            if appearanceIsReady || renderer != .sphericalHarmonics || !problems[k].start.light.isEmpty { continue }
            objective.gather(unknowns.pointer, k, into: own.pointer)
            photo.initialiseAppearance(own.pointer)
            objective.scatter(own.pointer, k, into: unknowns.pointer)
        }
        appearanceIsReady = true
    }

    private func project() {
        let p = unknowns.pointer
        for range in objective.ranges(.expression) { models.head.clampExpression(p + range.lowerBound) }
        for range in objective.ranges(.identity) { for i in range { p[i] = max(-4, min(4, p[i])) } }
    }
}
