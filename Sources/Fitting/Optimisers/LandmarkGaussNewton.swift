import FaceModel
import Numerics

/// Levenberg-Marquardt on the robust landmark distance and the priors, in double precision.
///
/// Unknowns: yaw, pitch, roll, log scale, shift (mm), identity, expression; expression stays in [0, 1] by an
/// active set. Only the 68 embedded points are evaluated.
struct LandmarkGaussNewton {
    let head: HeadModel<Float>
    let contour: ContourLines

    static let identityLimit = 4.0

    func run(
        stage: FitStage, problem: FitProblem, state: inout FitState,
        record: (Int, EnergyTerms) throws -> Void
    ) throws -> StageOutcome {
        guard let observed = problem.landmarks else {
            return StageOutcome(stage: stage.name, iterations: 0, reason: .noLandmarks, first: 0, last: 0)
        }
        let energy = LandmarkEnergy(head: head, stage: stage, problem: problem, observed: observed)
        var at = (x: energy.unknowns(of: state), points: PointModel(head, at: embedding(for: state, observed)))
        let outcome = try DampedDescent(stage: stage).run(
            &at, evaluate: { energy.evaluate($0.x, $0.points) },
            moveContour: { at in
                guard observed.areAnnotated else { return false }
                energy.write(at.x, to: &state)
                at.points = PointModel(head, at: embedding(for: state, observed))
                return true
            },
            linearise: { at in
                let (hessian, gradient) = energy.normalEquations(at.x, at.points)
                return { damping, shapeHeld in
                    energy.solve(hessian, gradient, at: at.x, damping: damping, shapeHeld: shapeHeld).map {
                        (energy.stepped(at.x, by: $0, limit: Self.identityLimit), at.points)
                    }
                }
            }, record: record)
        energy.write(at.x, to: &state)
        return outcome
    }

    func embedding(for s: FitState, _ observed: LandmarkObservations) -> LandmarkEmbedding {
        if !observed.areAnnotated { return head.landmarks }
        let vertices = Tensor<Float>([head.vertexCount, 3])
        head.vertices(identity: s.identity, expression: s.expression, into: vertices.pointer)
        return contour.embedding(vertices.pointer, rotation: Rotation.matrix(yaw: s.yaw, pitch: s.pitch, roll: s.roll))
    }
}
