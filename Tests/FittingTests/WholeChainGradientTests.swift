import FaceModel
import Fitting
import Inversion
import Numerics
import Renderer
import Testing

/// The gradient of every loss back to every block, in double precision, against central differences with the
/// triangle ids, the mask and the contour held.
@Suite struct WholeChainGradientTests {
    static func everyWeight() -> FitWeights {
        var w = FitWeights()
        w.photometric = 30
        w.perceptual = 3
        w.landmarks = 0.7
        w.openings = 3
        w.identity = 0.4
        w.identityStart = 0.3
        w.expression = 0.6
        w.expressionOneSided = 0.2
        w.expressionStart = 0.5
        w.wMean = 0.8
        w.wSpread = 0.9
        w.noise = 0.7
        w.noiseCorrelation = 5
        w.albedo = 2
        w.albedoSmoothness = 0.1
        return w
    }

    static func problem(size: Int, start: FitState, observed: [Float], contour: Bool) -> FitProblem {
        var random = RandomGenerator(seed: 5)
        let target = (0..<3 * size * size).map { _ in Float(2 * random.uniform() - 1) }
        // A corner of the frame lies outside the photo.
        let inside = (0..<size * size).map { i in Float(i % size < size / 5 && i / size < size / 4 ? 0 : 1) }
        var p = FitProblem(
            target: target, inside: inside,
            landmarks: LandmarkObservations(
                positions: observed.map { $0 + Float(3 * random.normal()) }, weights: (0..<68).map { _ in Float(random.uniform()) },
                areAnnotated: contour),
            start: start)
        p.identityPrecision = (0..<start.identity.count).map { _ in Float(random.uniform()) }
        return p
    }

    /// Relative error of g . d against the central difference along random directions within each block.
    static func check(
        _ objective: FitObjective<Double>, at p: Tensor<Double>, weights: FitWeights = everyWeight(), blocks: [ParameterBlock],
        tolerance: Double
    ) {
        let active = Set(blocks)
        let g = Tensor<Double>([objective.layout.count]), unused = Tensor<Double>([objective.layout.count])
        _ = objective.evaluate(p.pointer, weights: weights, active: active, gradient: g.pointer)
        objective.freezeCoverage = true
        var random = RandomGenerator(seed: 11)
        for block in blocks {
            let range = objective.layout.range(block)
            for _ in 0..<3 {
                let d = range.map { _ in random.normal() }
                var analytic = 0.0
                for (k, i) in range.enumerated() { analytic += g.pointer[i] * d[k] }
                func energy(_ t: Double) -> Double {
                    for (k, i) in range.enumerated() { p.pointer[i] += t * d[k] }
                    let e = objective.evaluate(p.pointer, weights: weights, active: active, gradient: unused.pointer)
                    for (k, i) in range.enumerated() { p.pointer[i] -= t * d[k] }
                    return e
                }
                // Small, so that hardly any leaky ReLU changes side within a step.
                let h = block == .albedo ? 1e-6 : 1e-7
                let numeric = (energy(h) - energy(-h)) / (2 * h)
                let error = abs(numeric - analytic) / max(abs(numeric), abs(analytic), 1e-3)
                #expect(error < tolerance, "\(block): analytic \(analytic), numeric \(numeric)")
            }
        }
    }

    /// At the renderer's own size, and stopped at the level of half of it.
    @Test(arguments: [(false, 64), (true, 64), (true, 32)]) func gar(contour: Bool, size: Int) throws {
        let head = try HeadModel<Double>.embedded(), single = try HeadModel<Float>.embedded()
        let gar = try FitSupport.gar(Double.self), singleGAR = try FitSupport.gar(Float.self)
        let state = FitSupport.state(head: single, gar: singleGAR, seed: 1)
        let observed = FitSupport.landmarks(state, head: single)
        let problem = Self.problem(
            size: size, start: FitSupport.state(head: single, gar: singleGAR, seed: 2), observed: observed, contour: contour)
        let objective = try FitObjective<Double>(
            head: head, gar: gar, perceptualNetwork: try FitSupport.inverse(Double.self), frame: AlignedFrame(), problem: problem)
        Self.check(
            objective, at: FitSupport.flat(state, objective.layout),
            blocks: [.identity, .expression, .rotation, .similarity, .wPlus, .noise], tolerance: 1e-5)
    }

    /// The photo moves under a head that stays upright; its surroundings are smooth, as a bilinear sample has no slope at pixels' edges.
    @Test(arguments: [(false, 64), (true, 32)]) func movingPhoto(contour: Bool, size: Int) throws {
        let head = try HeadModel<Double>.embedded(), single = try HeadModel<Float>.embedded()
        let gar = try FitSupport.gar(Double.self), singleGAR = try FitSupport.gar(Float.self)
        let state = FitSupport.state(head: single, gar: singleGAR, seed: 1)
        var problem = Self.problem(
            size: size, start: FitSupport.state(head: single, gar: singleGAR, seed: 2),
            observed: FitSupport.landmarks(state, head: single), contour: contour)
        problem.surroundings = MovingPhotoTests.surroundings(size)
        var weights = Self.everyWeight()
        weights.perceptual = 0      // taken not to change with the target
        let objective = try FitObjective<Double>(
            head: head, gar: gar, perceptualNetwork: nil, frame: AlignedFrame(), problem: problem)
        Self.check(
            objective, at: FitSupport.flat(state, objective.layout), weights: weights,
            blocks: [.identity, .expression, .rotation, .similarity, .wPlus], tolerance: 1e-5)
    }

    @Test func sphericalHarmonics() throws {
        let head = try HeadModel<Double>.embedded(), single = try HeadModel<Float>.embedded()
        var state = FitSupport.state(head: single, gar: nil, seed: 3)
        var random = RandomGenerator(seed: 4)
        state.albedo = (0..<3 * single.vertexCount).map { _ in Float(0.5 + 0.1 * random.normal()) }
        state.light = (0..<27).map { _ in Float(0.3 * random.normal() + 0.3) }
        let observed = FitSupport.landmarks(state, head: single)
        let problem = Self.problem(
            size: 64, start: FitSupport.state(head: single, gar: nil, seed: 2), observed: observed, contour: true)
        let objective = try FitObjective<Double>(
            sphericalHarmonics: head, perceptualNetwork: try FitSupport.inverse(Double.self), frame: AlignedFrame(),
            problem: problem)
        Self.check(
            objective, at: FitSupport.flat(state, objective.layout),
            blocks: [.identity, .expression, .rotation, .similarity, .albedo, .light], tolerance: 1e-5)
    }

    @Test(arguments: [HeadGeometry.bilinear, .skinned]) func otherGeometries(_ geometry: HeadGeometry) throws {
        let file = try OtherGeometries.file(geometry)
        let head = try HeadModel<Double>(file: file), single = try HeadModel<Float>(file: file)
        #expect(head.geometry == geometry)
        let gar = try FitSupport.gar(Double.self), singleGAR = try FitSupport.gar(Float.self)
        var state = FitSupport.state(head: single, gar: singleGAR, seed: 1)
        if geometry == .skinned { state.expression.replaceSubrange(3..., with: [0.3, -0.1, 0.05]) }
        let problem = Self.problem(
            size: 64, start: FitSupport.state(head: single, gar: singleGAR, seed: 2),
            observed: FitSupport.landmarks(state, head: single), contour: true)
        let objective = try FitObjective<Double>(
            head: head, gar: gar, perceptualNetwork: try FitSupport.inverse(Double.self), frame: AlignedFrame(), problem: problem)
        Self.check(
            objective, at: FitSupport.flat(state, objective.layout), blocks: [.identity, .expression, .rotation, .similarity],
            tolerance: 1e-5)
    }
}
