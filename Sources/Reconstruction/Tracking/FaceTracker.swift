import FaceModel
import Fitting
import Glibc
import Inversion
import Numerics

/// Follows one face through a sequence of frames.
///
/// Each frame is looked at where the face was in the frame before; where it is not there (by the inverse network's face
/// probability, or because its points do not lie on a head), it is searched in the whole frame. The identity is settled over
/// the first frames together and held. Pose, camera and expression are smoothed over time, with a lag of so many frames.
/// One thread at a time.
public final class FaceTracker {
    public let models: ReconstructionModels
    public let options: TrackerOptions
    /// Coefficients of the person; nil before they are settled.
    public private(set) var identity: [Float]?
    /// The frames given out so far, where they are kept.
    public private(set) var frames: [TrackedFrame] = []
    public private(set) var width = 0, height = 0
    private let reconstructor: Reconstructor
    private let jobOptions: ReconstructionOptions
    private var smoother, eyeSmoother: FixedLagSmoother
    /// Whether the next gaze has nothing to do with the ones before.
    private var eyesRestart = false
    /// Of the model's eyeballs, mm.
    private var eyeRadius: Float = 0
    private let lag: Int
    private var count = 0
    private var lastTime = -Double.infinity
    private var isFinished = false
    /// Where the face was in the frame before; nil where it is lost or not found yet.
    private var lastFrame: Similarity?
    private var lastWPlus: [Float] = []
    private var lastSeen = -Double.infinity
    /// Pixels per millimetre when the face was first seen: shifts are smoothed in that unit.
    private var unit = 0.0
    /// Frames that wait for the identity.
    private var pending: [Sight] = []
    /// Frames in the smoother that are not given out yet.
    private var waiting: [TrackedFrame] = []
    /// The frame that shows the face best, for the texture.
    private var best: (worth: Double, sight: Sight)?

    /// A frame, and the face in it.
    private struct Sight {
        var index: Int
        var time: Double
        var probability = 0.0
        var place: Reconstructor.Place?
        var job: FaceJob?
    }

    /// Frames at most that wait for the identity, where the face keeps getting lost.
    private static let mostPending = 1000
    /// After a longer absence, seconds, the motion before says nothing any more.
    private static let longestGap = 0.4

    public init(_ models: ReconstructionModels, options: TrackerOptions = .init()) throws {
        try options.check(models)
        self.models = models
        self.options = options
        reconstructor = try Reconstructor(models)
        var jobOptions = ReconstructionOptions()
        jobOptions.renderer = options.renderer
        // A frame without a face is nothing unusual, and has little time.
        jobOptions.looksForTinyFaces = false
        jobOptions.looksForTurnedFaces = false
        self.jobOptions = jobOptions
        lag = options.smoothing > 0 ? options.lag : 0
        identity = options.identity
        smoother = FixedLagSmoother(
            TrackChannels.all(expressions: models.head.expressionCount, noise: max(1e-3, options.smoothing)), lag: lag)
        eyeSmoother = FixedLagSmoother(TrackChannels.eyes(noise: max(1e-3, options.smoothing)), lag: lag)
    }

    /// Takes the next frame and gives out those that are ready: none while the identity is not settled, then as many at
    /// once; after that the one `lag` frames back.
    /// - Parameters:
    ///   - image: nil for a frame that cannot be looked at: it has no face, and the face is looked for where it was before.
    ///   - time: seconds, growing from frame to frame; nil counts on by the frames per second.
    public func push(_ image: RGBImage?, time: Double? = nil) throws -> [TrackedFrame] {
        guard !isFinished else { throw GarfaceError(.invalidArgument, "tracker: is finished; a new sequence needs a new one") }
        if let image {
            if width == 0 {
                (width, height) = (image.width, image.height)
            } else if (image.width, image.height) != (width, height) {
                throw GarfaceError(
                    .invalidArgument,
                    "tracker: frame \(count) has \(image.width) x \(image.height) pixels, those before \(width) x \(height)")
            }
        }
        let moment = time ?? (count == 0 ? 0 : lastTime + 1 / options.framesPerSecond)
        guard moment.isFinite, abs(moment) < 1e9, moment > lastTime else {
            throw GarfaceError(.invalidArgument, "tracker: the time of frame \(count), \(moment) s, is not after the one before, \(lastTime) s")
        }
        let sight = try image.map { try look($0, time: moment) } ?? Sight(index: count, time: moment)
        count += 1
        lastTime = moment
        if identity == nil {
            // Before the first sight there is nothing to wait for.
            if sight.job == nil && pending.isEmpty { return try through(sight) }
            pending.append(sight)
            guard pending.count(where: { $0.job != nil }) >= options.identityFrames || pending.count >= Self.mostPending else {
                return []
            }
            return try settle()
        }
        return try through(sight)
    }

    /// Gives out what is left.
    public func finish() throws -> [TrackedFrame] {
        guard !isFinished else { return [] }
        var out = pending.isEmpty ? [] : try settle()
        for k in waiting.indices { out.append(smoothed(waiting[k], back: waiting.count - 1 - k)) }
        keep(Array(out.suffix(waiting.count)))
        waiting = []
        isFinished = true
        return out
    }

    // MARK: one frame

    private func look(_ image: RGBImage, time: Double) throws -> Sight {
        var sight = Sight(index: count, time: time)
        if let lastFrame, let place = try reread(image, near: lastFrame) {
            sight.probability = probability(place.estimate.faceLogit)
            if sight.probability >= options.leastFaceProbability {
                try take(try reconstructor.closeUp(image, place, moving: true), image, &sight)
            }
        }
        if sight.job == nil {
            do {
                var search = jobOptions
                if count == 0, let face = options.face {
                    search.face = face
                    try search.check(width: image.width, height: image.height)
                }
                if let place = try reconstructor.locate(image, search).first {
                    sight.probability = probability(place.estimate.faceLogit)
                    try take(place, image, &sight)
                }
            } catch let error as GarfaceError where error.kind == .noFace {}
        }
        lastFrame = sight.job?.frame
        return sight
    }

    /// The reading in the frame where the face was; once more where it has moved so far that a second look is worth it.
    private func reread(_ image: RGBImage, near frame: Similarity) throws -> Reconstructor.Place? {
        guard frame.isUsable, frame.size <= 4 * Double(max(image.width, image.height)) else { return nil }
        let estimate = try reconstructor.aligner.estimate(image, frame)
        let far = abs(estimate.tx) + abs(estimate.ty) > 12 || abs(estimate.logScale) > 0.08 || abs(estimate.roll) > 0.12
        guard far else { return Reconstructor.Place(frame: frame, estimate: estimate, start: .detector, box: nil) }
        let (moved, again) = try reconstructor.aligner.align(image, from: frame, passes: 2)
        return Reconstructor.Place(frame: moved, estimate: again, start: .detector, box: nil)
    }

    /// Fits the head to the points that were read; keeps it if they lie on it.
    private func take(_ place: Reconstructor.Place, _ image: RGBImage, _ sight: inout Sight) throws {
        var job = FaceJob(models: models, photo: image, frame: place.frame, estimate: place.estimate, options: jobOptions)
        try fitPoints(&job)
        guard try job.pointResidual() <= options.largestResidualMM else { return }
        sight.place = place
        sight.job = job
    }

    private func fitPoints(_ job: inout FaceJob) throws {
        var stage = FitStage.landmarkStage()
        if let identity {
            job.believe(identity: identity, precision: 1, isReading: false)
            stage.blocks.removeAll { $0 == .identity }
        }
        if options.renderer != .startOnly {
            stage.tolerance = 1e-4
            try job.runLandmarks(stage)
        }
        job.recentre()
    }

    /// A frame with the identity known: refined, smoothed, and those that are ready given out.
    private func through(_ sight: Sight) throws -> [TrackedFrame] {
        var frame = TrackedFrame(index: sight.index, time: sight.time)
        frame.faceProbability = sight.probability
        var values: [Double]?, turn: [Double]?
        var doubt = 1.0
        if var job = sight.job {
            frame.isFound = true
            if options.renderer == .gar { try refine(&job) }
            if unit == 0 { unit = job.camera.scale }
            var measured = job.measured(unit: unit)
            // Angles run on where they pass half a turn.
            if let expected = smoother.prediction(at: sight.time) {
                for k in 0..<3 { measured[k] = expected[k] + wrapAngle(measured[k] - expected[k]) }
            }
            (values, doubt) = (measured, job.doubt)
            if let sight = try job.lineOfSight(), sight.isSure {
                turn = [Double(sight.turn.yaw), Double(sight.turn.pitch)]
                eyeRadius = sight.radius
            }
            frame.hasGaze = turn != nil
            let worth = sight.probability - abs(measured[0]) - abs(measured[1]) - 0.2 * doubt
            if best == nil || worth > best!.worth {
                var shown = sight
                shown.job = job
                best = (worth, shown)
            }
        }
        let restart = sight.time - lastSeen > Self.longestGap || leaps(values, sight.time)
        if options.smoothing == 0 {
            var still = FixedLagSmoother(smoother.channels, lag: 0)
            still.add(values, time: sight.time)
            smoother = still
            eyeSmoother = FixedLagSmoother(eyeSmoother.channels, lag: 0)
            eyeSmoother.add(turn, time: sight.time)
        } else if values != nil || !smoother.isEmpty {
            smoother.add(values, time: sight.time, doubt: doubt, restart: restart && values != nil)
            // After a cut nothing of before counts, however late eyes are seen again.
            eyesRestart = eyesRestart || restart
            eyeSmoother.add(turn, time: sight.time, restart: eyesRestart && turn != nil)
            if turn != nil { eyesRestart = false }
        }
        if values != nil { lastSeen = sight.time }
        waiting.append(frame)
        guard waiting.count > lag else { return [] }
        let out = smoothed(waiting.removeFirst(), back: lag)
        keep([out])
        return [out]
    }

    /// Whether the head is where no motion can have brought it: a cut, or another face.
    private func leaps(_ values: [Double]?, _ time: Double) -> Bool {
        guard let values, let expected = smoother.prediction(at: time) else { return false }
        return (0..<3).contains { abs(values[$0] - expected[$0]) > 0.6 } || abs(values[3] - expected[3]) > 0.4
            || hypot(values[4] - expected[4], values[5] - expected[5]) > 100
    }

    private func smoothed(_ frame: TrackedFrame, back: Int) -> TrackedFrame {
        guard frame.isFound, let values = smoother.values(back: back), let identity else { return frame }
        var frame = frame
        if frame.hasGaze, let turn = eyeSmoother.values(back: back) {
            frame.gaze = Gaze(EyeTurn(yaw: Float(turn[0]), pitch: Float(turn[1])), radius: eyeRadius)
        }
        (frame.yaw, frame.pitch, frame.roll) = (values[0], values[1], values[2])
        frame.scale = exp(values[3])
        (frame.tx, frame.ty) = (values[4] * unit, values[5] * unit)
        frame.expression = values[6...].map { Float($0) }
        frame.expression.withUnsafeMutableBufferPointer { if let base = $0.baseAddress { models.head.clampExpression(base) } }
        let camera = Camera(
            rotation: Rotation.matrix(yaw: frame.yaw, pitch: frame.pitch, roll: frame.roll), scale: frame.scale, tx: frame.tx,
            ty: frame.ty)
        let vertices = Tensor<Float>([models.head.vertexCount, 3])
        models.head.vertices(identity: identity, expression: frame.expression, into: vertices.pointer)
        func project(_ embedding: LandmarkEmbedding) -> [Double] {
            var points = [Float](repeating: 0, count: 3 * embedding.count)
            embedding.positions(vertices.pointer, into: &points)
            var pixels = [Double](repeating: 0, count: 2 * embedding.count)
            camera.project(points.map { Double($0) }, count: embedding.count, into: &pixels)
            return pixels
        }
        frame.staticLandmarks = project(models.head.landmarks)
        frame.landmarks = project(models.fit.contour.embedding(vertices.pointer, rotation: camera.rotation.map { Float($0) }))
        return frame
    }

    private func keep(_ out: [TrackedFrame]) { if options.keepsFrames { frames += out } }

    // MARK: the identity

    /// Settles who it is from the frames that waited, and lets them through.
    private func settle() throws -> [TrackedFrame] {
        var jobs = pending.compactMap(\.job)
        let queue = pending
        pending = []
        guard !jobs.isEmpty else { return try queue.flatMap { try through($0) } }
        FaceJob.combineIdentities(of: &jobs)
        if options.renderer != .startOnly { try FaceJob.runLandmarks(together: &jobs, .landmarkStage()) }
        if options.renderer == .gar {
            // The renderer sees a few of them: it takes its time for each.
            let shown = min(4, jobs.count)
            var chosen = (0..<shown).map { jobs[$0 * (jobs.count - 1) / max(1, shown - 1)] }
            try FaceJob.run(together: &chosen, FitSchedule.standard(.gar).stages.filter { $0.optimiser != .gaussNewton }, .gar) { _, _ in }
            jobs = chosen
            lastWPlus = chosen[0].state.wPlus
        }
        identity = jobs[0].state.identity
        return try queue.flatMap { sight in
            var sight = sight
            if var job = sight.job {
                try fitPoints(&job)
                sight.job = job
            }
            return try through(sight)
        }
    }

    /// A few steps through the renderer from where the frame before ended.
    private func refine(_ job: inout FaceJob) throws {
        job.begin(expression: job.state.expression, wPlus: lastWPlus)
        var stage = FitStage.garCoarse()
        stage.name = "frame"
        stage.blocks.removeAll { $0 == .identity }
        stage.iterations = 30
        stage.stepSizes[.expression] = 0.01     // it was there a frame ago
        try job.run([stage], .gar) { _, _ in }
        lastWPlus = job.state.wPlus
    }

    /// The frame that shows the face best, as a result of its own and the photo that it is of.
    func reference() throws -> (result: ReconstructionResult, photo: RGBImage) {
        guard let best, let job = best.sight.job, let place = best.sight.place else {
            throw GarfaceError(.noFace, "no face was found in any of the \(count) frames")
        }
        let result = try job.result(
            start: place.start, box: place.box, faceProbability: best.sight.probability, clock: Stopwatch())
        return (result, job.photo)
    }
}

/// The channels that are smoothed: yaw, pitch, roll, log scale, shift in mm, expressions.
enum TrackChannels {
    /// Noise as measured on renders of known motion; agility such that quick turns and blinks are followed.
    static func all(expressions: Int, noise: Double) -> [FixedLagSmoother.Channel] {
        let degree = Double.pi / 180
        let head: [(Double, Double)] = [
            (1.0 * degree, 200 * degree), (1.0 * degree, 150 * degree), (0.4 * degree, 100 * degree), (0.008, 1), (0.5, 300), (0.5, 300),
        ]
        return (head + Array(repeating: (0.04, 8), count: expressions)).map { .init(noise: noise * $0.0, agility: $0.1) }
    }

    /// Yaw and pitch of the eyeballs, which leap.
    static func eyes(noise: Double) -> [FixedLagSmoother.Channel] {
        Array(repeating: .init(noise: noise * 1.0 * .pi / 180, agility: 400 * .pi / 180), count: 2)
    }
}

extension FaceJob {
    /// Camera and expression as the tracker smooths them; `unit` pixels are about a millimetre.
    func measured(unit: Double) -> [Double] {
        let camera = camera, angles = Rotation.decompose(camera.rotation)
        return [angles.yaw, angles.pitch, angles.roll, log(camera.scale), camera.tx / unit, camera.ty / unit]
            + state.expression.map { Double($0) }
    }

    /// How unsure the inverse network is of its points, beside what it usually is (1.5 mm).
    var doubt: Double {
        let sigmas = estimate.landmarkSigma.dropFirst(17).map { $0 * models.fit.frame.half }.sorted()
        guard !sigmas.isEmpty else { return 1 }
        return max(0.5, min(4, sigmas[sigmas.count / 2] / 1.5))
    }

    /// Root mean square distance of the inner points from the head, mm.
    func pointResidual() throws -> Double {
        let seen = observations()
        var points = [Float](repeating: 0, count: 204)
        let vertices = Tensor<Float>([models.head.vertexCount, 3])
        models.head.vertices(identity: state.identity, expression: state.expression, into: vertices.pointer)
        models.head.landmarks.positions(vertices.pointer, into: &points)
        let r = Rotation.matrix(yaw: state.yaw, pitch: state.pitch, roll: state.roll), s = exp(Double(state.logScale))
        var sum = 0.0
        for l in 17..<68 {
            let p = (points[3 * l], points[3 * l + 1], points[3 * l + 2])
            let x = s * Double(r[0] * p.0 + r[1] * p.1 + r[2] * p.2) + Double(state.shiftX) - Double(seen.positions[2 * l])
            let y = s * Double(r[3] * p.0 + r[4] * p.1 + r[5] * p.2) + Double(state.shiftY) - Double(seen.positions[2 * l + 1])
            sum += x * x + y * y
        }
        return (sum / 51).squareRoot()
    }
}
