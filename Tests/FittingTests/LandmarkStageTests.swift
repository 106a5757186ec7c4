import FaceModel
import Fitting
import Numerics
import Testing

@Suite struct LandmarkStageTests {
    /// Points made from a known head: the fit finds the points again, and pose with them.
    @Test(arguments: [UInt64(1), 2, 3]) func recoversPose(seed: UInt64) throws {
        let head = try HeadModel<Float>.embedded()
        let truth = FitSupport.state(head: head, gar: nil, seed: seed)
        let observed = FitSupport.landmarks(truth, head: head)
        let start = FitState(
            identity: Array(repeating: 0, count: head.identityCount),
            expression: Array(repeating: 0, count: head.expressionCount))
        let problem = FitProblem(
            target: [], inside: [],
            landmarks: LandmarkObservations(
                positions: observed, weights: Array(repeating: 2, count: 68), areAnnotated: false),
            start: start)
        let fitter = try Fitter(
            models: FitModels(head: head, gar: nil, inverse: nil), renderer: .none, problem: problem)
        let result = try fitter.run(.standard(.none))
        let found = FitSupport.landmarks(result.state, head: head)
        var square: Float = 0
        for i in 0..<136 { square += (found[i] - observed[i]) * (found[i] - observed[i]) / 68 }
        #expect(square.squareRoot() < 1, "rms of the points, mm")
        #expect(abs(result.state.yaw - truth.yaw) < 0.06)
        #expect(abs(result.state.roll - truth.roll) < 0.03)
        let energies = result.history.map(\.terms.total)
        #expect(zip(energies, energies.dropFirst()).allSatisfy { $1 <= $0 + 1e-9 }, "the energy never rises")
        #expect(result.state.expression.allSatisfy { $0 >= 0 && $0 <= 1 })
    }

    /// On a turned head annotated along its outline, the contour version explains the points better.
    @Test func contourFollowsTheOutline() throws {
        let head = try HeadModel<Float>.embedded()
        var truth = FitSupport.state(head: head, gar: nil, seed: 4)
        truth.yaw = 0.6
        let vertices = Tensor<Float>([head.vertexCount, 3])
        head.vertices(identity: truth.identity, expression: truth.expression, into: vertices.pointer)
        let outline = ContourLines(head).embedding(
            vertices.pointer, rotation: Rotation.matrix(yaw: truth.yaw, pitch: truth.pitch, roll: truth.roll))
        let observed = FitSupport.landmarks(truth, head: head, embedding: outline)
        func residual(contour: Bool) throws -> Double {
            let problem = FitProblem(
                target: [], inside: [],
                landmarks: LandmarkObservations(
                    positions: observed, weights: Array(repeating: 1, count: 68), areAnnotated: contour),
                start: FitState(
                    identity: Array(repeating: 0, count: head.identityCount),
                    expression: Array(repeating: 0, count: head.expressionCount)))
            let fitter = try Fitter(
                models: FitModels(head: head, gar: nil, inverse: nil), renderer: .none, problem: problem)
            return try fitter.run(.standard(.none)).history.last!.terms.landmarks
        }
        #expect(try residual(contour: true) < 0.7 * residual(contour: false))
    }

    private static func problem(_ observed: [Float], head: HeadModel<Float>, weight: Float) -> FitProblem {
        FitProblem(
            target: [], inside: [],
            landmarks: LandmarkObservations(
                positions: observed, weights: Array(repeating: weight, count: 68), areAnnotated: false),
            start: FitState(
                identity: Array(repeating: 0, count: head.identityCount),
                expression: Array(repeating: 0, count: head.expressionCount)))
    }

    /// The right-hand side of the normal equations is half the downhill gradient of the energy.
    @Test func normalEquationsDescend() throws {
        let head = try HeadModel<Float>.embedded()
        let truth = FitSupport.state(head: head, gar: nil, seed: 6)
        var stage = FitStage.landmarkStage()
        stage.weights.openings = 5
        let problem = Self.problem(FitSupport.landmarks(truth, head: head), head: head, weight: 0.4)
        let energy = LandmarkEnergy(head: head, stage: stage, problem: problem, observed: problem.landmarks!)
        let points = PointModel(head, at: head.landmarks), x = energy.unknowns(of: FitSupport.state(head: head, gar: nil, seed: 7))
        let gradient = energy.normalEquations(x, points).gradient
        let scale = gradient.map(abs).max()!
        for i in 0..<energy.count {
            func at(_ change: Double) -> Double {
                var moved = x
                moved[i] += change
                return energy.evaluate(moved, points).total
            }
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5
            #expect(abs(slope + 2 * gradient[i]) < 1e-5 * scale, "unknown \(i)")
        }
    }

    /// A shut eye seen with doubtful points: gaps that count for themselves shut the fit's eye as well.
    @Test func openingsShutTheEye() throws {
        let head = try HeadModel<Float>.embedded()
        var truth = FitState(
            identity: Array(repeating: 0, count: head.identityCount), expression: Array(repeating: 0, count: head.expressionCount))
        for (k, name) in head.expressionNames.enumerated() where name.hasPrefix("eyeBlink") { truth.expression[k] = 1 }
        let observed = FitSupport.landmarks(truth, head: head)
        func gap(openings: Float) throws -> Float {
            var stage = FitStage.landmarkStage()
            stage.weights.openings = openings
            let found = try Fitter.landmarks(
                models: FitModels(head: head, gar: nil, inverse: nil),
                problem: Self.problem(observed, head: head, weight: 0.2), stage: stage
            ).state
            let p = FitSupport.landmarks(found, head: head)
            return p[2 * 37 + 1] - p[2 * 41 + 1]
        }
        let wanted = observed[2 * 37 + 1] - observed[2 * 41 + 1], without = try gap(openings: 0), with = try gap(openings: 30)
        #expect(abs(with - wanted) < 0.5 * abs(without - wanted), "\(with) and \(without) mm, \(wanted) wanted")
    }
}
