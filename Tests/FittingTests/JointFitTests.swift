import FaceModel
import Fitting
import Inversion
import Numerics
import Renderer
import Testing

/// Several photos of one person: one identity, everything else photo by photo.
@Suite(.serialized) struct JointFitTests {
    /// Three photos of one person, by their points.
    private static func points(head: HeadModel<Float>, noise: Double = 0.3) -> (problems: [FitProblem], identity: [Float]) {
        var random = RandomGenerator(seed: 4)
        let identity = head.sampleIdentity(&random)
        var problems: [FitProblem] = []
        for (k, yaw) in [Float(-0.5), 0.05, 0.6].enumerated() {
            var truth = FitSupport.state(head: head, gar: nil, seed: UInt64(10 + k))
            truth.identity = identity
            (truth.yaw, truth.pitch) = (yaw, 0.1 * Float(k) - 0.1)
            var seen = FitSupport.landmarks(truth, head: head)
            for i in seen.indices { seen[i] += Float(noise * random.normal()) }
            let start = FitState(
                identity: [Float](repeating: 0, count: head.identityCount),
                expression: [Float](repeating: 0, count: head.expressionCount))
            problems.append(
                FitProblem(
                    target: [], inside: [],
                    landmarks: LandmarkObservations(
                        positions: seen, weights: [Float](repeating: 1, count: 68), areAnnotated: false), start: start))
        }
        return (problems, identity)
    }

    private static func stage() -> FitStage {
        var stage = FitStage.landmarkStage()
        stage.iterations = 60
        stage.tolerance = 0
        (stage.weights.identityStart, stage.weights.expressionStart) = (0, 0)
        stage.weights.openings = 4
        return stage
    }

    /// The step that eliminates each photo's own unknowns is the step of the whole system.
    @Test func stepIsThatOfTheWholeSystem() throws {
        let head = try HeadModel<Float>.embedded()
        let (problems, _) = Self.points(head: head)
        var stage = Self.stage()
        stage.weights = JointObjective.share(stage.weights, of: problems.count)
        let photos = problems.map { problem in
            let energy = LandmarkEnergy(head: head, stage: stage, problem: problem, observed: problem.landmarks!)
            var state = problem.start
            state.expression = state.expression.map { _ in 0.2 }
            return JointLandmarkGaussNewton.Photo(
                energy: energy, observed: problem.landmarks!, x: energy.unknowns(of: state),
                points: PointModel(head, at: head.landmarks))
        }
        let equations = photos.map { $0.energy.normalEquations($0.x, $0.points) }
        let damping = 0.1
        let steps = try #require(JointLandmarkGaussNewton.solve(photos, equations, damping: damping, shapeHeld: false))
        // The residual of the damped normal equations, identity summed over the photos.
        let ni = head.identityCount, n = photos[0].energy.count
        var shared = [Double](repeating: 0, count: ni), worst = 0.0
        for ((h, g), d) in zip(equations, steps) {
            for i in 0..<n {
                var r = -g[i] + damping * h[i * n + i] * d[i]
                for j in 0..<n { r += h[i * n + j] * d[j] }
                if i >= 6 && i < 6 + ni { shared[i - 6] += r } else { worst = max(worst, abs(r)) }
            }
        }
        let scale = equations.flatMap(\.gradient).map(abs).max()!
        #expect(worst < 1e-6 * scale && shared.allSatisfy { abs($0) < 1e-6 * scale })
        #expect(steps.allSatisfy { Array($0[6..<6 + ni]) == Array(steps[0][6..<6 + ni]) })
    }

    /// It descends, and where it ends the derivative of the summed energy by the identity is small; the person is known better
    /// than from one photo.
    @Test func landmarksOfThreePhotos() throws {
        let head = try HeadModel<Float>.embedded()
        let (problems, identity) = Self.points(head: head)
        let models = FitModels(head: head, gar: nil, inverse: nil)
        let stage = Self.stage()
        let joint = try JointFitter.landmarks(models: models, problems: problems, stage: stage)
        #expect(joint.allSatisfy { $0.state.identity == joint[0].state.identity })
        let totals = joint[0].history.map(\.terms.total)
        #expect(zip(totals, totals.dropFirst()).allSatisfy { $1 <= $0 + 1e-9 })
        #expect(joint[0].outcomes[0].last < 0.2 * joint[0].outcomes[0].first)
        func error(_ found: [Float]) -> Double {
            let a = Tensor<Float>([head.vertexCount, 3]), b = Tensor<Float>([head.vertexCount, 3])
            let still = [Float](repeating: 0, count: head.expressionCount)
            head.vertices(identity: identity, expression: still, into: a.pointer)
            head.vertices(identity: found, expression: still, into: b.pointer)
            var sum = 0.0
            for i in 0..<a.count { sum += Double((a.pointer[i] - b.pointer[i]) * (a.pointer[i] - b.pointer[i])) }
            return (sum / Double(head.vertexCount)).squareRoot()
        }
        let single = try problems.map { try Fitter.landmarks(models: models, problem: $0, stage: stage).state.identity }
        let mean = single.map(error).reduce(0, +) / 3
        #expect(error(joint[0].state.identity) < 0.98 * mean, "\(error(joint[0].state.identity)) mm, of single photos \(mean)")

        // Central differences of the sum over the photos, in double precision.
        var own = stage
        own.weights = JointObjective.share(stage.weights, of: problems.count)
        let energies = problems.map { LandmarkEnergy(head: head, stage: own, problem: $0, observed: $0.landmarks!) }
        let points = PointModel(head, at: head.landmarks)
        func total(_ k: Int, _ change: Double) -> Double {
            zip(energies, joint).reduce(0) { sum, pair in
                var x = pair.0.unknowns(of: pair.1.state)
                x[6 + k] += change
                return sum + pair.0.evaluate(x, points).total
            }
        }
        for k in [0, 3, 11, 40] {
            let derivative = (total(k, 1e-4) - total(k, -1e-4)) / 2e-4
            #expect(abs(derivative) < 0.05, "identity \(k): \(derivative)")
        }
    }

    private static func pictures(count: Int) throws -> (models: FitModels, problems: [FitProblem], problem: FitProblem) {
        let head = try HeadModel<Float>.embedded()
        let gar = try FitSupport.gar(Float.self), inverse = try FitSupport.inverse(Float.self)
        let models = FitModels(head: head, gar: gar, inverse: inverse)
        let side = gar.configuration.size
        let identity = FitSupport.state(head: head, gar: gar, seed: 1).identity
        var problems: [FitProblem] = []
        for k in 0..<count {
            var truth = FitSupport.state(head: head, gar: gar, seed: UInt64(1 + k))
            truth.identity = identity
            truth.yaw = 0.3 * Float(k) - 0.2
            let blank = FitProblem(
                target: [Float](repeating: 0, count: 3 * side * side), inside: [Float](repeating: 1, count: side * side), landmarks: nil,
                start: truth)
            let picture = try Fitter(models: models, renderer: .gar, problem: blank).run(FitSchedule(stages: [])).picture
            var start = truth
            start.identity = identity.map { 0.5 * $0 }
            start.yaw += 0.05
            problems.append(
                FitProblem(
                    target: picture, inside: [Float](repeating: 1, count: side * side),
                    landmarks: LandmarkObservations(
                        positions: FitSupport.landmarks(truth, head: head), weights: [Float](repeating: 0.5, count: 68),
                        areAnnotated: false), start: start))
        }
        return (models, problems, problems[0])
    }

    /// The joint energy is the sum, and the identity's gradient the sum of the gradients, to rounding.
    @Test func gradientIsTheSum() throws {
        let (models, problems, _) = try Self.pictures(count: 2)
        let stage = FitStage.garJoint()
        let joint = JointObjective(try problems.map { try Fitter.objective(models, .gar, $0) })
        let p = Tensor<Float>([joint.count]), g = Tensor<Float>([joint.count])
        let own = Tensor<Float>([joint.layout.count]), ownGradient = Tensor<Float>([joint.layout.count])
        for k in problems.indices {
            own.fill(0)
            problems[k].start.pack(into: own.pointer, layout: joint.layout)
            joint.scatter(own.pointer, k, into: p.pointer)
        }
        let active = Set(stage.blocks)
        let energy = joint.evaluate(p.pointer, weights: stage.weights, active: active, gradient: g.pointer)
        var weights = stage.weights
        weights.identity /= 2
        var sum: Float = 0, identity = [Float](repeating: 0, count: joint.identityCount)
        for (k, problem) in problems.enumerated() {
            let objective = try Fitter.objective(models, .gar, problem)
            own.fill(0)
            problem.start.pack(into: own.pointer, layout: joint.layout)
            sum += objective.evaluate(own.pointer, weights: weights, active: active, gradient: ownGradient.pointer)
            for i in identity.indices { identity[i] += ownGradient.pointer[i] }
            let range = joint.ranges(.wPlus)[k], alone = joint.layout.range(.wPlus)
            #expect(zip(range, alone).allSatisfy { g.pointer[$0] == ownGradient.pointer[$1] })
        }
        #expect(abs(energy - sum) < 1e-4 * abs(sum))
        let largest = identity.map(abs).max()!
        #expect(largest > 0 && identity.indices.allSatisfy { abs(g.pointer[$0] - identity[$0]) < 1e-5 * largest })
    }

    @Test(arguments: [Optimiser.adam, .lbfgs]) func picturesOfOnePerson(_ optimiser: Optimiser) throws {
        let (models, problems, _) = try Self.pictures(count: 2)
        var stage = FitStage.garJoint()
        (stage.optimiser, stage.iterations, stage.pictureLimit) = (optimiser, 30, 32)
        // Near the truth and for so few iterations: Adam's first steps, all of one size, must not outweigh what they mend.
        (stage.weights.photometric, stage.weights.wSpread, stage.stepSizes[.identity]) = (1000, 4, 0.1)
        stage.weights.identityStart = 0
        let results = try JointFitter(models: models, renderer: .gar, problems: problems).run(FitSchedule(stages: [stage]))
        #expect(results.count == 2 && results[0].state.identity == results[1].state.identity)
        #expect(results[0].state.identity != problems[0].start.identity)
        #expect(results[0].state.yaw != results[1].state.yaw && results[0].state.wPlus != results[1].state.wPlus)
        #expect(results[0].outcomes[0].last < results[0].outcomes[0].first)
        #expect(results.allSatisfy { $0.picture.count == problems[0].target.count })
    }

    /// With one photo it is the fit of one photo.
    @Test func onePhotoIsTheSingleFit() throws {
        let (models, _, problem) = try Self.pictures(count: 1)
        var stage = FitStage.garJoint()
        (stage.iterations, stage.pictureLimit) = (6, 32)
        let schedule = FitSchedule(stages: [FitStage.landmarkStage(), stage])
        let joint = try JointFitter(models: models, renderer: .gar, problems: [problem]).run(schedule)[0].state
        let single = try Fitter(models: models, renderer: .gar, problem: problem).run(schedule).state
        #expect(zip(joint.identity, single.identity).allSatisfy { abs($0 - $1) < 1e-3 })
        #expect(abs(joint.yaw - single.yaw) < 1e-4 && zip(joint.wPlus, single.wPlus).allSatisfy { abs($0 - $1) < 1e-3 })
    }

    @Test func baselineAndCancelling() throws {
        let (models, problems, _) = try Self.pictures(count: 2)
        var schedule = FitSchedule.standard(.sphericalHarmonics)
        schedule.stages.removeFirst()
        for i in schedule.stages.indices { schedule.stages[i].iterations = 8 }
        let results = try JointFitter(models: models, renderer: .sphericalHarmonics, problems: problems).run(schedule)
        #expect(results[0].state.light != results[1].state.light && results[0].state.identity == results[1].state.identity)
        #expect(throws: GarfaceError.self) {
            _ = try JointFitter(models: models, renderer: .gar, problems: problems).run(.standard(.gar)) { part, _ in part < 0.02 }
        }
        #expect(throws: GarfaceError.self) { try JointFitter(models: models, renderer: .gar, problems: []) }
    }
}
