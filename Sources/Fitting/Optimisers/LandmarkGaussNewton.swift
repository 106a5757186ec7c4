import FaceModel
import Numerics

/// Levenberg-Marquardt on the robust landmark distance and the priors, in double precision.
///
/// Unknowns: yaw, pitch, roll, log scale, shift (mm), identity, expression; expression stays in [0, 1] by an
/// active set. Only the 68 embedded points are evaluated; the jaw's points on the visible contour are chosen
/// anew every few iterations.
struct LandmarkGaussNewton {
    let head: HeadModel<Float>
    let contour: ContourLines

    static let identityLimit = 4.0
    static let contourPeriod = 4

    func run(
        stage: FitStage, problem: FitProblem, state: inout FitState,
        record: (Int, EnergyTerms) throws -> Void
    ) throws -> StageOutcome {
        guard let observed = problem.landmarks else {
            return StageOutcome(stage: stage.name, iterations: 0, reason: .noLandmarks, first: 0, last: 0)
        }
        let energy = LandmarkEnergy(head: head, stage: stage, problem: problem, observed: observed)
        var x = energy.unknowns(of: state)
        var points = PointModel(head, at: embedding(for: state, observed))
        var evaluation = energy.evaluate(x, points)
        let start = evaluation.total
        var done = 0, reason = StageOutcome.Reason.finished
        var damping = 1e-2
        let rigidOnly = stage.blocks.contains(.rotation) ? 3 : 0
        for iteration in 0..<stage.iterations {
            if observed.jawFollowsContour && iteration > 0 && iteration % Self.contourPeriod == 0 {
                energy.write(x, to: &state)
                points = PointModel(head, at: embedding(for: state, observed))
                evaluation = energy.evaluate(x, points)
            }
            let (hessian, gradient) = energy.normalEquations(x, points)
            var accepted = false
            let before = evaluation.total
            for _ in 0..<6 {
                // The pose settles before the shape may move.
                guard
                    let step = energy.solve(
                        hessian, gradient, at: x, damping: damping, shapeHeld: iteration < rigidOnly)
                else {
                    damping *= 10
                    continue
                }
                let trial = energy.stepped(x, by: step, limit: Self.identityLimit)
                let terms = energy.evaluate(trial, points)
                if terms.total.isFinite && terms.total < evaluation.total {
                    x = trial
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
        energy.write(x, to: &state)
        return StageOutcome(stage: stage.name, iterations: done, reason: reason, first: start, last: evaluation.total)
    }

    func embedding(for s: FitState, _ observed: LandmarkObservations) -> LandmarkEmbedding {
        if !observed.jawFollowsContour { return head.landmarks }
        let vertices = Tensor<Float>([head.vertexCount, 3])
        head.vertices(identity: s.identity, expression: s.expression, into: vertices.pointer)
        return contour.embedding(vertices.pointer, rotation: Rotation.matrix(yaw: s.yaw, pitch: s.pitch, roll: s.roll))
    }
}
