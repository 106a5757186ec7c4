import FaceModel
import Fitting
import Inversion
import Numerics
import Renderer

/// One face on its way through the fit: its frame in the photo and the state inside it.
struct FaceJob {
    let models: ReconstructionModels
    let photo: RGBImage
    let options: ReconstructionOptions
    private(set) var frame: Similarity
    /// The frame in which the inverse network read its landmarks.
    private let readingFrame: Similarity
    let estimate: InverseEstimate
    private(set) var state: FitState
    /// The state as the inverse network gave it.
    private(set) var believed: FitState
    /// How sure the belief in the identity is, beside that of a single reading.
    private var identityPrecision: Float = 1
    private var identityIsReading = true
    private var history: [FitRecord] = []
    private var outcomes: [StageOutcome] = []
    private var picture: [Float] = []
    /// What covers the face, which no renderer is asked to draw; looked for before the first stage that looks at the picture.
    private var covering: FaceCovering?
    private var hasLookedForCovering = false

    /// Where no more than this of the face is seen a renderer would make anything of the rest.
    private static let leastVisible: Float = 0.15

    /// Side of the crop that the fit works on.
    private var size: Int { models.gar?.configuration.size ?? 128 }
    private var aligned: AlignedFrame { models.fit.frame }

    init(
        models: ReconstructionModels, photo: RGBImage, frame: Similarity, estimate: InverseEstimate,
        options: ReconstructionOptions
    ) {
        self.models = models
        self.photo = photo
        self.options = options
        self.frame = frame
        readingFrame = frame
        self.estimate = estimate
        state = FitState(
            identity: [Float](repeating: 0, count: models.head.identityCount),
            expression: [Float](repeating: 0, count: models.head.expressionCount))
        if models.head.family == nil {
            for (i, a) in estimate.identity.enumerated() { state.identity[i] = Float(a) }
            state.expression = estimate.expression.map { Float($0) }
        }
        state.yaw = Float(estimate.yaw)
        state.pitch = Float(estimate.pitch)
        state.roll = Float(estimate.roll)
        state.logScale = Float(estimate.logScale)
        state.shiftX = Float(estimate.tx)
        state.shiftY = Float(estimate.ty)
        if let gar = models.gar {
            state.wPlus = estimate.wPlus(meanW: gar.meanW.array.map { Double($0) }, styleCount: gar.styleCount).map { Float($0) }
        }
        believed = state
    }

    /// The frame in which the head is upright and centred.
    private var upright: Similarity { frame.upright(pose, aligned) }

    /// Takes roll, scale and shift out of the head's pose and into the frame; false where there is no such frame.
    @discardableResult
    mutating func recentre() -> Bool {
        let moved = upright
        guard moved.isUsable, moved.size <= Self.largestFrame * Double(max(photo.width, photo.height)) else { return false }
        frame = moved
        (state.roll, state.logScale, state.shiftX, state.shiftY) = (0, 0, 0, 0)
        return true
    }

    /// Side of the largest frame, in sides of the photo: beyond it the photo would be a few pixels of the crop.
    private static let largestFrame = 64.0

    /// GAR draws the head upright and centred, and its picture is of the frame that follows: without that frame there is no result.
    private mutating func follow() throws {
        let covers = recentre() && abs(frame.centreX) < frame.size + Double(photo.width) && abs(frame.centreY) < frame.size + Double(photo.height)
        if !covers { throw GarfaceError(.numericalFailure, "fit: the head has left the photo; give points, or take smaller steps") }
    }

    /// Begins where a face was left: the network's reading keeps to the landmarks and to what is believed.
    mutating func begin(from saved: FaceParameters) {
        state.identity = saved.identity
        state.expression = saved.expression
        (state.yaw, state.pitch, state.roll) = (Float(saved.pose.yaw), Float(saved.pose.pitch), Float(saved.pose.roll))
        (state.logScale, state.shiftX, state.shiftY) = (Float(saved.pose.logScale), Float(saved.pose.tx), Float(saved.pose.ty))
        if !saved.wPlus.isEmpty { state.wPlus = saved.wPlus }
        state.noise = saved.noise
    }

    private mutating func lookForCovering() throws {
        if hasLookedForCovering { return }
        covering = try FaceCovering(models.inverse, photo, frame: upright)
        hasLookedForCovering = true
    }

    /// Runs stages in the present frame.
    mutating func run(_ stages: [FitStage], _ renderer: FitRenderer, _ report: (Float, String) throws -> Void) throws {
        if renderer == .gar { try follow() }
        if renderer != .none { try lookForCovering() }
        let fitter = try Fitter(models: models.fit, renderer: renderer, problem: problem(renderer, moves: !stages.isEmpty))
        take(try Self.reporting(report) { try fitter.run(FitSchedule(stages: stages), progress: $0) })
        if renderer == .gar { try follow() }
    }

    /// Runs stages on several photos of one person at once, each in its present frame.
    static func run(
        together jobs: inout [FaceJob], _ stages: [FitStage], _ renderer: FitRenderer, _ report: (Float, String) throws -> Void
    ) throws {
        for k in jobs.indices {
            if renderer == .gar { try jobs[k].follow() }
            if renderer != .none { try jobs[k].lookForCovering() }
        }
        let fitter = try JointFitter(models: jobs[0].models.fit, renderer: renderer, problems: jobs.map { $0.problem(renderer) })
        let results = try reporting(report) { try fitter.run(FitSchedule(stages: stages), progress: $0) }
        for (k, result) in results.enumerated() {
            jobs[k].take(result)
            if renderer == .gar { try jobs[k].follow() }
        }
    }

    /// A landmark stage without the working memory of a whole fit.
    mutating func runLandmarks(_ stage: FitStage) throws {
        take(try Fitter.landmarks(models: models.fit, problem: problem(.none), stage: stage))
    }

    static func runLandmarks(together jobs: inout [FaceJob], _ stage: FitStage) throws {
        let results = try JointFitter.landmarks(models: jobs[0].models.fit, problems: jobs.map { $0.problem(.none) }, stage: stage)
        for (k, result) in results.enumerated() { jobs[k].take(result) }
    }

    /// Runs a fit that asks by a Boolean whether to go on, and throws what `report` throws.
    private static func reporting<R>(
        _ report: (Float, String) throws -> Void, _ body: (@escaping Fitter.Progress) throws -> R
    ) throws -> R {
        var failure: (any Error)?
        return try withoutActuallyEscaping(report) { report in
            do {
                return try body { part, stage in
                    do { try report(part, stage) } catch {
                        failure = error
                        return false
                    }
                    return true
                }
            } catch {
                throw failure ?? error
            }
        }
    }

    private mutating func take(_ result: FitResult) {
        let kept = state.wPlus
        state = result.state
        if state.wPlus.isEmpty { state.wPlus = kept }
        history += result.history
        outcomes += result.outcomes
        picture = result.picture
    }

    /// Begins from an identity, and believes in it: one that inverse networks read (`isReading`), or one found by fits.
    mutating func believe(identity: [Float], precision: Float, isReading: Bool) {
        state.identity = identity
        believed.identity = identity
        identityPrecision = precision
        identityIsReading = isReading
    }

    /// Begins from a look and an expression of a moment before.
    mutating func begin(expression: [Float], wPlus: [Float]) {
        state.expression = expression
        if !wPlus.isEmpty { state.wPlus = wPlus }
    }

    /// What there is to fit in the present frame, in which a head that no stage `moves` is only drawn.
    private func problem(_ renderer: FitRenderer, moves: Bool = true) -> FitProblem {
        // Points alone need no picture.
        let picture = renderer == .none ? nil : crop(size)
        var problem = FitProblem(
            target: picture?.target.array ?? [], inside: picture?.inside.array ?? [], landmarks: observations(), start: state)
        if let covering { problem.visibleShare = max(0, (1 - covering.share - Self.leastVisible) / (1 - Self.leastVisible)) }
        // Beliefs stay those of the inverse network, whatever the stages before have moved.
        problem.identityCentre = believed.identity
        problem.expressionCentre = believed.expression
        problem.identityPrecision = [Float](repeating: identityPrecision, count: models.head.identityCount)
        if models.head.family == nil {
            weigh(&problem)
        } else {
            // The network knows nothing of this head's coefficients: their own prior alone holds them.
            problem.identityPrecision = [Float](repeating: 0, count: models.head.identityCount)
            problem.expressionPrecision = [Float](repeating: 0, count: models.head.expressionCount)
        }
        if renderer != .gar { problem.start.wPlus = [] }
        if renderer == .gar && moves { problem.surroundings = surroundings() }
        return problem
    }

    /// Lets beliefs count as much as the network is known to be right.
    ///
    /// Its identity is the mean of what can be, already pulled to zero by the prior that the fit brings, too. What the network
    /// itself has seen is an observation of variance v = 1 / (1 / d^2 - 1), d its deviation, at m / (1 - d^2). It knows nothing
    /// of what it takes for no face.
    private func weigh(_ problem: inout FitProblem) {
        let sure = probability(estimate.faceLogit)
        if identityIsReading, let deviation = models.inverse.identityDeviation {
            for (k, d) in deviation.enumerated() where k < problem.identityCentre.count {
                let learnt = 1 - min(1, d * d)
                problem.identityPrecision[k] *= learnt > 0.05 ? Float(sure * learnt / (d * d)) : 0
                problem.identityCentre[k] *= learnt > 0.05 ? Float(1 / learnt) : 0
            }
        }
        if let deviation = models.inverse.expressionDeviation {
            problem.expressionPrecision = deviation.map { Float(sure / ($0 * $0)) }
        }
    }

    private func crop(_ side: Int) -> (target: Tensor<Float>, inside: Tensor<Float>) {
        let target = Tensor<Float>([3, side, side]), inside = Tensor<Float>([side, side])
        warp(photo, frame, into: target, mask: inside)
        covering?.exclude(from: inside, of: frame)
        return (target, inside)
    }

    /// The photo around the crop.
    private func surroundings() -> PhotoSurroundings {
        let side = PhotoSurroundings.side(target: size)
        let rgb = Tensor<Float>([3, side, side]), inside = Tensor<Float>([side, side])
        var wide = frame
        wide.size *= Double(side) / Double(2 * size)
        warp(photo, wide, into: rgb, mask: inside)
        covering?.exclude(from: inside, of: wide)
        return PhotoSurroundings(values: rgb.array + inside.array, side: side)
    }

    /// The points to fit to, in mm of the present frame: those given, or the inverse network's.
    func observations() -> LandmarkObservations {
        func millimetres(_ u: Double, _ v: Double) -> [Float] {
            let p = frame.ndc(u: u, v: v)
            return [Float(p.x * aligned.half), Float(p.y * aligned.half + aligned.centreY)]
        }
        var positions: [Float] = [], weights: [Float] = []
        if let given = options.points68 {
            for i in 0..<68 {
                let confidence = options.pointConfidences?[i] ?? 1
                positions += confidence > 0 ? millimetres(given[2 * i], given[2 * i + 1]) : [0, 0]
                weights.append(Float(confidence / options.pointErrorMM))
            }
            return LandmarkObservations(
                positions: positions, weights: weights, areAnnotated: options.areAnnotated)
        }
        for i in 0..<68 {
            let p = readingFrame.photo(x: estimate.landmarks[2 * i], y: estimate.landmarks[2 * i + 1])
            positions += millimetres(p.u, p.v)
            // The network's own doubt, never below half a millimetre.
            let error = max(0.5, estimate.landmarkSigma[i] * aligned.half * readingFrame.size / frame.size)
            weights.append(Float(1 / error))
        }
        return LandmarkObservations(positions: positions, weights: weights, areAnnotated: false)
    }

    private var pose: HeadPose<Double> {
        HeadPose(
            yaw: Double(state.yaw), pitch: Double(state.pitch), roll: Double(state.roll), logScale: Double(state.logScale),
            tx: Double(state.shiftX), ty: Double(state.shiftY))
    }

    /// The head's camera in the photo.
    var camera: Camera<Double> { frame.camera(pose, aligned) }

    /// Where the photo shows the irises of the head as it is now.
    func lineOfSight() throws -> LineOfSight? {
        let head = models.head
        var shape = [Float](repeating: 0, count: 3 * head.vertexCount)
        head.vertices(identity: state.identity, expression: state.expression, into: &shape)
        func sight(_ covering: FaceCovering?) -> LineOfSight? {
            LineOfSight(
                models.eyeballs, shape: shape, triangles: head.triangles, camera: camera, photo: photo, covering: covering,
                renderer: options.renderer)
        }
        // Only what would be told is worth a look at what covers it.
        let open = sight(nil)
        guard open?.isSure == true, let covering = try covering ?? FaceCovering(models.inverse, photo, frame: upright) else { return open }
        return sight(covering)
    }

    /// Everything that follows from the state.
    func result(
        start: ReconstructionResult.Start, box: FaceBox?, faceProbability: Double, clock: Stopwatch
    ) throws -> ReconstructionResult {
        var clock = clock
        let usesGAR = options.renderer == .gar || options.renderer == .startOnly
        let rows = usesGAR ? (models.gar?.styleCount ?? 0) : 0
        clock.mark("result")
        return try ReconstructionResult(
            FaceParameters(
                identity: state.identity, expression: state.expression, pose: pose, frame: frame, wPlus: rows > 0 ? state.wPlus : [],
                wRows: rows, noise: usesGAR ? state.noise : []),
            models: models, photo: photo, picture: picture, renderer: options.renderer, start: start,
            covering: hasLookedForCovering ? .some(covering) : nil, box: box, faceProbability: faceProbability, history: history,
            stages: outcomes, timing: clock.steps)
    }
}
