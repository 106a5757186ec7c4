import Numerics

/// What a stage of Adam or L-BFGS minimises, seen as one vector of unknowns.
protocol StageEnergy: AnyObject {
    /// Where the numbers of a block are; in several places where several photos have their own.
    func ranges(_ block: ParameterBlock) -> [Range<Int>]
    /// The energy at `p`; fills `g`, with zero in blocks that are not active.
    func evaluate(
        _ p: UnsafePointer<Float>, weights: FitWeights, active: Set<ParameterBlock>, gradient g: UnsafeMutablePointer<Float>
    ) -> Float
    /// The terms of the last evaluation.
    var lastTerms: EnergyTerms { get }
    /// Keeps triangle ids, mask and contour as they were at the last evaluation.
    var freezeCoverage: Bool { get set }
}

extension FitObjective: StageEnergy where T == Float {
    func ranges(_ block: ParameterBlock) -> [Range<Int>] { [layout.range(block)] }
    var lastTerms: EnergyTerms { terms.value }
}

/// Runs stages of Adam and L-BFGS; holds the memory that their iterations need.
final class StageDescent {
    private let count: Int
    private let gradient: Tensor<Float>
    private let scale: Tensor<Float>
    private let adam: Adam
    private var lbfgs: LBFGS?

    typealias Record = (Int, EnergyTerms) throws -> Void

    init(count: Int) {
        self.count = count
        gradient = Tensor([max(1, count)])
        scale = Tensor([max(1, count)])
        adam = Adam(count: count)
    }

    /// `project` keeps unknowns where they mean something.
    func run(
        _ stage: FitStage, _ objective: any StageEnergy, _ unknowns: UnsafeMutablePointer<Float>, project: () -> Void,
        record: Record
    ) throws -> StageOutcome {
        try stage.optimiser == .adam
            ? runAdam(stage, objective, unknowns, project, record) : runLBFGS(stage, objective, unknowns, project, record)
    }

    /// Where every number is that the stage moves, and its step.
    private func steps(of stage: FitStage, _ objective: any StageEnergy) -> [(range: Range<Int>, rate: Float)] {
        stage.blocks.flatMap { block in objective.ranges(block).flatMap { stage.steps(block, $0) } }
    }

    private func runAdam(
        _ stage: FitStage, _ objective: any StageEnergy, _ unknowns: UnsafeMutablePointer<Float>, _ project: () -> Void,
        _ note: Record
    ) throws -> StageOutcome {
        let active = Set(stage.blocks)
        let ranges = steps(of: stage, objective)
        adam.reset()
        var best: Float = .infinity, sinceBest = 0
        var start: Float?, done = 0, reason = StageOutcome.Reason.finished
        for i in 0..<stage.iterations {
            let energy = objective.evaluate(unknowns, weights: stage.weights, active: active, gradient: gradient.pointer)
            guard energy.isFinite else {
                throw GarfaceError(.numericalFailure, "fit: the energy of stage \"\(stage.name)\" became infinite at iteration \(i)")
            }
            try note(i, objective.lastTerms)
            if start == nil { start = energy }
            done = i + 1
            if stage.tolerance > 0 {
                if energy < best * (1 - stage.tolerance) { (best, sinceBest) = (energy, 0) } else { sinceBest += 1 }
                if sinceBest >= 10 {
                    reason = .tolerance
                    break
                }
            }
            adam.update(
                unknowns, gradient: gradient.pointer, ranges: ranges, ramp: Adam.ramp(step: i, of: stage.iterations))
            project()
        }
        // The last step's energy; the history holds what each iteration began with.
        let end = objective.evaluate(unknowns, weights: stage.weights, active: active, gradient: gradient.pointer)
        guard end.isFinite else {
            throw GarfaceError(.numericalFailure, "fit: the energy of stage \"\(stage.name)\" became infinite at its end")
        }
        return StageOutcome(stage: stage.name, iterations: done, reason: reason, first: Double(start ?? end), last: Double(end))
    }

    private func runLBFGS(
        _ stage: FitStage, _ objective: any StageEnergy, _ unknowns: UnsafeMutablePointer<Float>, _ project: () -> Void,
        _ note: Record
    ) throws -> StageOutcome {
        let active = Set(stage.blocks)
        let solver = lbfgs ?? LBFGS(count: count)
        lbfgs = solver
        solver.reset()
        scale.fill(0)
        for (range, step) in steps(of: stage, objective) {
            for i in range { scale.pointer[i] = step }
        }
        func evaluate() -> Float {
            objective.evaluate(unknowns, weights: stage.weights, active: active, gradient: gradient.pointer)
        }
        // Pixels that change their triangle, the mask and the contour's choice make the energy jump, and a line search
        // stumbles over the smallest jump: they are held during each iteration and chosen anew between iterations.
        defer { objective.freezeCoverage = false }
        var energy = evaluate()
        let start = energy
        var done = 0, reason = StageOutcome.Reason.finished
        for i in 0..<stage.iterations {
            if i > 0 {
                objective.freezeCoverage = false
                energy = evaluate()
            }
            try note(i, objective.lastTerms)
            done = i + 1
            objective.freezeCoverage = true
            guard
                let next = solver.iterate(
                    unknowns, gradient: gradient.pointer, scale: scale.pointer, energy: energy, evaluate: evaluate,
                    project: project)
            else {
                reason = .noDescent
                break
            }
            let gain = (energy - next) / max(abs(energy), 1e-12)
            energy = next
            if gain < stage.tolerance {
                reason = .tolerance
                break
            }
        }
        objective.freezeCoverage = false
        energy = evaluate()
        guard energy.isFinite else {
            throw GarfaceError(.numericalFailure, "fit: the energy of stage \"\(stage.name)\" became infinite")
        }
        return StageOutcome(stage: stage.name, iterations: done, reason: reason, first: Double(start), last: Double(energy))
    }
}
