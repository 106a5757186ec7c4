import FaceModel
import Fitting
import Inversion
import Numerics
import Renderer
import Testing

@Suite struct FitterTests {
    /// A picture that the chain itself makes, and a start some way off.
    static func selfRender() throws -> (models: FitModels, problem: FitProblem, truth: FitState) {
        let head = try HeadModel<Float>.embedded(), gar = try FitSupport.gar(Float.self)
        let models = FitModels(head: head, gar: gar, inverse: try FitSupport.inverse(Float.self))
        var truth = FitSupport.state(head: head, gar: gar, seed: 21)
        truth.noise = []
        let n = gar.configuration.size
        var problem = FitProblem(
            target: Array(repeating: 0, count: 3 * n * n), inside: Array(repeating: 1, count: n * n), landmarks: nil, start: truth)
        let objective = try FitObjective<Float>(
            head: head, gar: gar, perceptualNetwork: nil, frame: models.frame, problem: problem)
        let parameters: Tensor<Float> = FitSupport.flat(truth, objective.layout)
        problem.target = withExtendedLifetime(parameters) { objective.renderedPicture(parameters.pointer) }
        problem.start.yaw += 0.05
        problem.start.shiftX += 2
        problem.start.wPlus = []
        return (models, problem, truth)
    }

    static func joint(_ optimiser: Optimiser, _ iterations: Int) -> FitSchedule {
        var stage = FitStage.garJoint()
        stage.optimiser = optimiser
        stage.iterations = iterations
        return FitSchedule(stages: [stage])
    }

    @Test(arguments: [Optimiser.adam, .lbfgs]) func lowersTheEnergyOfItsOwnPicture(optimiser: Optimiser) throws {
        let (models, problem, _) = try Self.selfRender()
        let fitter = try Fitter(models: models, renderer: .gar, problem: problem)
        let result = try fitter.run(Self.joint(optimiser, 40))
        let first = result.history.first!.terms, last = result.history.last!.terms
        // The energy is a multiple of the logarithm of the difference: halving it takes off log 2.
        let halved = Double(FitStage.garJoint().weights.photometric) * 0.69
        #expect(last.photometric < first.photometric - halved, "\(first.photometric) -> \(last.photometric)")
        #expect(last.total < first.total)
        let outcome = try #require(result.outcomes.first)
        #expect(outcome.iterations == result.history.count && outcome.stage == "joint" && !outcome.hasDiverged)
        #expect(abs(outcome.first - first.total) < 1e-3 * abs(first.total))
        #expect(result.picture.count == problem.target.count)
    }

    /// In a picture of half the side, and then in the whole one.
    @Test func fitsCoarselyFirst() throws {
        let (models, problem, _) = try Self.selfRender()
        var schedule = Self.joint(.adam, 60)
        schedule.stages[0].name = "coarse"
        schedule.stages[0].pictureLimit = 32
        schedule.stages += Self.joint(.adam, 5).stages
        // Shape is held: with random weights it takes the picture's place, and the pose hardly moves.
        for i in schedule.stages.indices {
            schedule.stages[i].blocks = [.wPlus, .rotation, .similarity]
            schedule.stages[i].stepSizes[.rotation] = 0.02
        }
        let result = try Fitter(models: models, renderer: .gar, problem: problem).run(schedule)
        #expect(result.outcomes.map(\.stage) == ["coarse", "joint"])
        #expect(result.outcomes[0].last < result.outcomes[0].first - Double(schedule.stages[0].weights.photometric) * 0.3)
        #expect(abs(result.state.yaw - problem.start.yaw) > 0.005)
        #expect(result.picture.count == problem.target.count)
    }

    /// A picture that the renderer made lies turned, shifted and enlarged in the photo: its place is found, and the head that is rendered
    /// stays upright.
    @Test func findsWhereThePhotoShowsTheHead() throws {
        var (models, problem, _) = try Self.selfRender()
        (problem.start.roll, problem.start.logScale, problem.start.shiftX, problem.start.shiftY) = (0, 0, 0, 0)
        let size = problem.size, start = problem.start
        var still = FitStage.garJoint()
        (still.iterations, still.blocks) = (0, [.similarity])
        let made = try Fitter(models: models, renderer: .gar, problem: problem).run(FitSchedule(stages: [still])).picture
        // Where the fine pixel at p lies in that picture: p = s Rz(roll) q + t.
        let (roll, scale, tx, ty) = (Float(0.06), Float(1.05), Float(4), Float(-3))
        let n = PhotoSurroundings.side(target: size), half = Float(models.frame.half), centre = Float(models.frame.centreY)
        var values = [Float](repeating: 0, count: 4 * n * n)
        for j in 0..<n {
            for i in 0..<n {
                let x = (Float(i) + 0.5 - Float(n) / 2) * half / Float(size) - tx
                let y = (Float(n) / 2 - Float(j) - 0.5) * half / Float(size) + centre - ty
                let c = Float.cosine(roll) / scale, s = Float.sine(roll) / scale
                let u = ((c * x + s * y) / half + 1) * Float(size) / 2 - 0.5
                let v = (1 - (c * y - s * x - centre) / half) * Float(size) / 2 - 0.5
                guard u >= 0, v >= 0, u < Float(size - 1), v < Float(size - 1) else { continue }
                let (a, b) = (Int(u), Int(v)), (fx, fy) = (u - Float(Int(u)), v - Float(Int(v)))
                for k in 0..<3 {
                    let at = (k * size + b) * size + a
                    values[(k * n + j) * n + i] =
                        (1 - fy) * ((1 - fx) * made[at] + fx * made[at + 1]) + fy * ((1 - fx) * made[at + size] + fx * made[at + size + 1])
                }
                values[(3 * n + j) * n + i] = 1
            }
        }
        problem.surroundings = PhotoSurroundings(values: values, side: n)
        problem.landmarks = nil
        (still.iterations, still.blocks) = (250, [.similarity, .rotation])
        let found = try Fitter(models: models, renderer: .gar, problem: problem).run(FitSchedule(stages: [still])).state
        #expect(abs(found.roll - roll) < 0.01 && abs(found.logScale - 0.0488) < 0.01, "\(found.roll), \(found.logScale)")
        #expect(abs(found.shiftX - tx) < 0.6 && abs(found.shiftY - ty) < 0.6, "\(found.shiftX), \(found.shiftY)")
        #expect(found.identity == start.identity)
    }

    @Test func sameSeedSameResult() throws {
        let (models, problem, _) = try Self.selfRender()
        let runs = try (0..<2).map { _ in
            try Fitter(models: models, renderer: .gar, problem: problem).run(Self.joint(.adam, 5)).state
        }
        #expect(runs[0].identity == runs[1].identity && runs[0].wPlus == runs[1].wPlus)
    }

    @Test func frozenBlocksStay() throws {
        let (models, problem, _) = try Self.selfRender()
        let fitter = try Fitter(models: models, renderer: .gar, problem: problem)
        var stage = FitStage.garAppearance()
        stage.iterations = 5
        try fitter.run(stage)
        #expect(fitter.state.identity == problem.start.identity && fitter.state.yaw == problem.start.yaw)
        #expect(fitter.state.wPlus != Array(repeating: 0, count: fitter.state.wPlus.count))
    }

    @Test func cancelled() throws {
        let (models, problem, _) = try Self.selfRender()
        let fitter = try Fitter(models: models, renderer: .gar, problem: problem)
        do {
            _ = try fitter.run(Self.joint(.adam, 50)) { fraction, _ in fraction < 0.2 }
            Issue.record("a cancelled fit must throw")
        } catch let error as GarfaceError {
            #expect(error.kind == .cancelled)
        }
        #expect(fitter.history.count < 20)
    }

    @Test func baselineLowersItsEnergy() throws {
        let (models, problem, _) = try Self.selfRender()
        let fitter = try Fitter(models: models, renderer: .sphericalHarmonics, problem: problem)
        var schedule = FitSchedule.standard(.sphericalHarmonics)
        schedule.stages.removeFirst()
        for i in schedule.stages.indices { schedule.stages[i].iterations = 15 }
        let result = try fitter.run(schedule)
        #expect(result.history.last!.terms.photometric < result.history.first!.terms.photometric)
        #expect(result.state.light.contains { $0 != 0 })
    }

    @Test func refusesWhatItCannotIndex() throws {
        let (models, problem, _) = try Self.selfRender()
        func refused(_ change: (inout FitProblem) -> Void, _ renderer: FitRenderer = .gar) {
            var p = problem
            change(&p)
            #expect(throws: GarfaceError.self) { try Fitter(models: models, renderer: renderer, problem: p) }
        }
        refused { $0.target.removeLast() }
        refused { $0.target[5] = .nan }
        refused { $0.inside = [] }
        refused { $0.surroundings = MovingPhotoTests.surroundings(32) }
        refused { $0.start.identity = [] }
        refused { $0.start.yaw = .infinity }
        refused { $0.landmarks = LandmarkObservations(positions: [1], weights: [], areAnnotated: true) }
        refused { $0.landmarks = LandmarkObservations(
            positions: Array(repeating: .nan, count: 136), weights: Array(repeating: 1, count: 68), areAnnotated: true) }
    }
}
