/// Levenberg-Marquardt's way down, for landmarks of one photo and of several.
///
/// Up to six dampings are tried an iteration. The pose settles before the shape may move, and the jaw's points on the visible
/// contour are chosen anew every few iterations.
struct DampedDescent {
    let stage: FitStage

    static let contourPeriod = 4

    /// - Parameters:
    ///   - evaluate: the energy of a state.
    ///   - moveContour: chooses the contour's points anew; false where there is nothing to choose.
    ///   - linearise: around a state; what it returns gives the state after a damped step, nil where the equations are singular.
    func run<State>(
        _ state: inout State, evaluate: (State) -> EnergyTerms, moveContour: (inout State) -> Bool,
        linearise: (State) -> (_ damping: Double, _ shapeHeld: Bool) -> State?, record: (Int, EnergyTerms) throws -> Void
    ) throws -> StageOutcome {
        var evaluation = evaluate(state)
        let start = evaluation.total
        var done = 0, reason = StageOutcome.Reason.finished
        var damping = 1e-2
        let rigidOnly = stage.blocks.contains(.rotation) ? 3 : 0
        for iteration in 0..<stage.iterations {
            if iteration > 0 && iteration % Self.contourPeriod == 0 && moveContour(&state) { evaluation = evaluate(state) }
            let step = linearise(state)
            var accepted = false
            let before = evaluation.total
            for _ in 0..<6 {
                guard let trial = step(damping, iteration < rigidOnly) else {
                    damping *= 10
                    continue
                }
                let terms = evaluate(trial)
                if terms.total.isFinite && terms.total < evaluation.total {
                    state = trial
                    evaluation = terms
                    damping = max(damping / 3, 1e-7)
                    accepted = true
                    break
                }
                damping = min(damping * 4, 1e8)
            }
            try record(iteration, evaluation)
            done = iteration + 1
            if iteration > rigidOnly + Self.contourPeriod {
                if !accepted {
                    reason = .noDescent
                    break
                }
                if (before - evaluation.total) / max(before, 1e-12) < Double(stage.tolerance) {
                    reason = .tolerance
                    break
                }
            }
        }
        return StageOutcome(stage: stage.name, iterations: done, reason: reason, first: start, last: evaluation.total)
    }
}
