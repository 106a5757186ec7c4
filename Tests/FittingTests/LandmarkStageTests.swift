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
                positions: observed, weights: Array(repeating: 2, count: 68), jawFollowsContour: false),
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
                    positions: observed, weights: Array(repeating: 1, count: 68), jawFollowsContour: contour),
                start: FitState(
                    identity: Array(repeating: 0, count: head.identityCount),
                    expression: Array(repeating: 0, count: head.expressionCount)))
            let fitter = try Fitter(
                models: FitModels(head: head, gar: nil, inverse: nil), renderer: .none, problem: problem)
            return try fitter.run(.standard(.none)).history.last!.terms.landmarks
        }
        #expect(try residual(contour: true) < 0.7 * residual(contour: false))
    }
}
