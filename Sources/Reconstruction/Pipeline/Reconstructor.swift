import FaceModel
import Fitting
import Glibc
import Inversion
import Numerics
import Rasterizer
import Renderer

/// Everything a reconstruction needs that does not change: immutable, shared by any number of threads.
public struct ReconstructionModels: Sendable {
    public let head: HeadModel<Float>
    public let gar: GAR<Float>?
    public let inverse: InverseNetwork<Float>
    public let detector: FaceDetector
    let fit: FitModels
    let points: PointAlignment
    private let madeLayout = MadeOnce<TextureLayout>()
    private let madeMirrorImage = MadeOnce<MirrorImage?>()
    private let madeEyeballs = MadeOnce<[Eyeball]>()
    private let madeOpenEnd = MadeOnce<OpenEnd?>()

    /// Made when it is first asked for.
    public var textureLayout: TextureLayout { madeLayout.value { head.textureLayout() } }

    var mirrorImage: MirrorImage? { madeMirrorImage.value { MirrorImage(head) } }

    var openEnd: OpenEnd? { madeOpenEnd.value { OpenEnd(head) } }

    var eyeballs: [Eyeball] { madeEyeballs.value { Eyeball.all(of: head) } }

    /// Throws where the models do not belong together.
    public init(head: HeadModel<Float>, gar: GAR<Float>?, inverse: InverseNetwork<Float>, detector: FaceDetector) throws {
        // The network's coefficients are the default head's. A head of another family starts from its mean face; pose,
        // landmarks and w+ are of the picture, and hold for any head.
        let speaksOfHead = inverse.identityCount <= head.identityCount && inverse.expressionCount == head.expressionCount
        guard head.family != nil || speaksOfHead else {
            throw GarfaceError(
                .wrongModelKind,
                "\(inverse.source) and \(head.source) do not fit together: the inverse network gives "
                    + "\(inverse.identityCount) identity and \(inverse.expressionCount) expression coefficients, the head model "
                    + "has \(head.identityCount) and \(head.expressionCount)")
        }
        guard head.landmarks.count == 68 else {
            throw GarfaceError(.wrongModelKind, "\(head.source): has \(head.landmarks.count) landmarks; 68 are needed")
        }
        if let gar {
            guard gar.configuration.latentSize == inverse.latentSize, inverse.wRows == 1 || inverse.wRows == gar.styleCount else {
                throw GarfaceError(
                    .wrongModelKind,
                    "\(inverse.source) and \(gar.source) do not fit together: the inverse network gives \(inverse.wRows) "
                        + "row\(inverse.wRows == 1 ? "" : "s") of w+ of latent size \(inverse.latentSize), the renderer has "
                        + "\(gar.styleCount) of latent size \(gar.configuration.latentSize)")
            }
        }
        self.head = head
        self.gar = gar
        self.inverse = inverse
        self.detector = detector
        fit = FitModels(head: head, gar: gar, inverse: inverse)
        points = PointAlignment(head, halfMM: fit.frame.half, centreYMM: fit.frame.centreY)
    }
}

/// Photo in, faces out: finds and aligns, starts from the inverse network, refines through a renderer.
///
/// One photo at a time per object; several objects may share models on several threads.
public final class Reconstructor {
    public let models: ReconstructionModels
    let aligner: Aligner<Float>

    /// Part done, 0 to 1, and the step's name; false cancels.
    public typealias Progress = (Float, String) -> Bool

    public init(_ models: ReconstructionModels) throws {
        useDefaultThreadCount()
        self.models = models
        aligner = try Aligner(models.inverse, halfMM: models.fit.frame.half, centreYMM: models.fit.frame.centreY)
    }

    /// The faces of a photo, the most prominent first; at least one, or an error of kind `noFace`.
    public func reconstruct(
        _ photo: RGBImage, options: ReconstructionOptions = .init(), progress: Progress? = nil
    ) throws -> [ReconstructionResult] {
        try options.check(width: photo.width, height: photo.height)
        if options.renderer == .gar && models.gar == nil {
            throw GarfaceError(.invalidArgument, "options: the renderer gar was asked for but no renderer weights are loaded")
        }
        var options = try options.withLandmarksOfMesh(models.points)
        if options.schedule?.stages.isEmpty == true { options.renderer = .startOnly }
        if let threads = options.threads { setThreadCount(threads) }
        let report = ProgressReport(progress)
        var clock = Stopwatch()
        try report(0, "finding the face")
        let places = try locate(photo, options)
        clock.mark("finding")
        var results: [ReconstructionResult] = []
        for (i, place) in places.enumerated() {
            let from = 0.05 + 0.95 * Float(i) / Float(places.count), share = 0.95 / Float(places.count)
            results.append(try refine(photo, place, options, clock) { try report(from + share * $0, $1) })
        }
        try report(1, "done")
        return results
    }

    /// The faces of a photo that `reconstruct` would take, the most prominent first; none where there is none.
    public func faces(_ photo: RGBImage, options: ReconstructionOptions = .init()) throws -> [FaceBox] {
        var options = options
        (options.rectangle, options.points5, options.points68, options.meshPoints, options.face) = (nil, nil, nil, nil, nil)
        options.maximumFaces = 1000
        do {
            return try search(photo, options).compactMap(\.box)
        } catch let error as GarfaceError where error.kind == .noFace {
            return []
        }
    }

    /// A face's place in the photo and the inverse network's reading.
    struct Place {
        var frame: Similarity
        var estimate: InverseEstimate
        var start: ReconstructionResult.Start
        var box: FaceBox?
    }

    /// Frame size, relative to the photo's shorter side, from which a face counts as large in a search for one.
    private static let largeFace = 0.2
    /// That down to which a face is looked for where there is no larger one, and the pixels that it must have.
    private static let tinyFace = 0.02, tinyFacePixels = 40.0

    /// The detector's least probability of a face that lies on its side: these searches are three more chances to err.
    private static let turnedFace = 0.8
    /// Its least probability of one of which much is covered, and what the inverse network has to say to that.
    private static let doubtfulFace = 0.1, sureFace = 0.994
    /// Below the first mean brightness of its pixels, of 255, a photo is looked at again at the second one.
    private static let dim = 80.0, lit = 110.0

    /// The faces that are to be reconstructed, each read as closely as the network can; at least one.
    func locate(_ photo: RGBImage, _ options: ReconstructionOptions) throws -> [Place] {
        func located(_ picture: RGBImage) throws -> [Place] {
            try search(picture, options).map { try closeUp(picture, $0, moving: $0.start != .points68) }
        }
        do {
            return try located(photo)
        } catch let missing as GarfaceError where missing.kind == .noFace {
            let mean = photo.meanBrightness
            guard mean < Self.dim else { throw missing }
            do {
                return try located(photo.brightened(to: Self.lit, from: mean))
            } catch let error as GarfaceError where error.kind == .noFace {
                throw missing
            }
        }
    }

    /// The face read again by the close-up network. With `moving` its frame follows the reading before.
    func closeUp(_ photo: RGBImage, _ place: Place, moving: Bool) throws -> Place {
        var place = place
        (place.frame, place.estimate) = try aligner.closeUp(photo, place.frame, place.estimate, moving: moving)
        return place
    }

    private func search(_ photo: RGBImage, _ options: ReconstructionOptions) throws -> [Place] {
        func aligned(_ frame: Similarity, _ start: ReconstructionResult.Start, passes: Int, box: FaceBox? = nil) throws -> Place {
            let (frame, estimate) = try aligner.align(photo, from: frame, passes: passes)
            return Place(frame: frame, estimate: estimate, start: start, box: box)
        }
        if let points = options.points68 {
            let place = try models.points.align(
                points68: points, confidences: options.pointConfidences, areAnnotated: options.areAnnotated)
            return [try aligned(place.similarity, .points68, passes: 1)]
        }
        if let points = options.points5 {
            let place = try models.points.align(points5: points, confidences: options.pointConfidences)
            return [try aligned(place.similarity, .points5, passes: options.alignmentPasses)]
        }
        if let face = options.face {
            return [try aligned(face.similarity, .detector, passes: options.alignmentPasses, box: face)]
        }
        if let rectangle = options.rectangle {
            return [try aligned(bestFrame(photo, rectangle), .box, passes: options.alignmentPasses + 1)]
        }
        // In the photo, or in a smaller copy of it, turned.
        func searched(
            _ detection: FaceDetectorOptions, least: Double = options.leastFaceProbability, turnedFrom small: RGBImage? = nil, quarters: Int = 0
        ) throws -> [Place] {
            var detection = detection
            detection.maximumCount = min(detection.maximumCount, max(8, 2 * options.maximumFaces))
            var places: [Place] = []
            var boxes = try models.detector.detect(small?.turned(quarters: quarters) ?? photo, options: detection)
            if let small {
                boxes = boxes.map {
                    $0.beforeTurn(quarters: quarters, width: small.width, height: small.height).scaled(
                        Double(photo.width) / Double(small.width), Double(photo.height) / Double(small.height))
                }
            }
            for box in boxes {
                let place = try aligned(box.similarity, .detector, passes: options.alignmentPasses, box: box)
                if probability(place.estimate.faceLogit) >= least { places.append(place) }
            }
            return Array(distinct(places, in: photo).prefix(options.maximumFaces))
        }
        var places: [Place] = []
        // The search's time goes into small faces. Where one face is all that is wanted, large ones are looked for
        // first, and small ones only if there is none.
        var large = options.detector
        large.minimumSize = Self.largeFace
        if options.maximumFaces == 1, options.detector.minimumSize < 0.7 * Self.largeFace { places = try searched(large) }
        if places.isEmpty { places = try searched(options.detector) }
        let tiny = max(Self.tinyFace, Self.tinyFacePixels / Double(max(1, min(photo.width, photo.height))))
        if places.isEmpty, options.looksForTinyFaces, tiny < 0.7 * options.detector.minimumSize {
            var detection = options.detector
            detection.minimumSize = tiny
            places = try searched(detection)
        }
        // Half covered, a face is a doubtful one for the detector; the inverse network knows it by the rest.
        if places.isEmpty, options.detector.threshold == nil {
            var detection = options.detector
            detection.threshold = Self.doubtfulFace
            detection.keepsNested = true
            places = try searched(detection, least: max(options.leastFaceProbability, Self.sureFace))
        }
        // On its sides first: so are photos of phones that have lost their EXIF.
        var turned = options.detector
        turned.threshold = max(turned.threshold ?? models.detector.threshold, Self.turnedFace)
        if places.isEmpty && options.looksForTurnedFaces {
            let small = try models.detector.reducedToSearch(photo)
            for quarters in [1, 3, 2] where places.isEmpty {
                places = try searched(turned, turnedFrom: small, quarters: quarters)
            }
        }
        guard !places.isEmpty else {
            throw GarfaceError(
                .noFace,
                "no face was found in the picture of \(photo.width) x \(photo.height) pixels; if there is one, give its box, or its "
                    + "points; heads of less than about 4 % of its shorter side are not found"
            )
        }
        return places
    }

    /// The inverse network's reading of a frame that is known.
    func place(_ photo: RGBImage, at frame: Similarity) throws -> Place {
        let place = Place(frame: frame, estimate: try aligner.estimate(photo, frame), start: .parameters, box: nil)
        return try closeUp(photo, place, moving: false)
    }

    /// Largest first, one that is doubtful or far from the middle counting for less; places that moved onto the same face become one.
    private func distinct(_ places: [Place], in photo: RGBImage) -> [Place] {
        func prominence(_ place: Place) -> Double {
            let certainty = (place.box?.score ?? 1) * probability(place.estimate.faceLogit)
            let distance = hypot(
                place.frame.centreX - Double(photo.width - 1) / 2, place.frame.centreY - Double(photo.height - 1) / 2)
            let halfSides = distance / (Double(min(photo.width, photo.height)) / 2)
            return place.frame.size * certainty * certainty * exp(-2 * min(1, halfSides * halfSides))
        }
        var kept: [Place] = []
        for place in places.sorted(by: { prominence($0) > prominence($1) }) {
            let known = kept.contains { other in
                hypot(other.frame.centreX - place.frame.centreX, other.frame.centreY - place.frame.centreY)
                    < 0.4 * max(other.frame.size, place.frame.size)
            }
            if !known { kept.append(place) }
        }
        return kept
    }

    /// Rectangles differ from detector to detector: of a few readings of this one, the one that looks most like a face.
    private func bestFrame(_ photo: RGBImage, _ r: FaceRectangle) throws -> Similarity {
        var best: (frame: Similarity, logit: Double)?
        for factor in [1.25, 1.5, 1.8] {
            for rise in [0.0, 0.12] {
                let side = max(r.width, r.height)
                let frame = Similarity(
                    centreX: r.left + r.width / 2 - 0.5, centreY: r.top + r.height / 2 - 0.5 - rise * side, size: factor * side)
                let logit = try aligner.estimate(photo, frame).faceLogit
                if best == nil || logit > best!.logit { best = (frame, logit) }
            }
        }
        guard let best, best.frame.isUsable else {
            throw GarfaceError(.invalidArgument, "options: the face rectangle is of no use")
        }
        return best.frame
    }

    private func refine(
        _ photo: RGBImage, _ place: Place, _ options: ReconstructionOptions, _ started: Stopwatch,
        _ report: (Float, String) throws -> Void
    ) throws -> ReconstructionResult {
        var clock = started
        clock.skip()  // other faces of this photo
        var job = FaceJob(models: models, photo: photo, frame: place.frame, estimate: place.estimate, options: options)
        try report(0, "aligning")
        var stages =
            options.renderer == .startOnly
            ? [] : (options.schedule ?? .standard(options.renderer.fitRenderer)).stages
        let total = Float(max(1, stages.reduce(0) { $0 + $1.iterations }))
        var done: Float = 0
        // Landmark stages move the head inside the frame; the renderers want it upright and centred, so the frame
        // follows before they begin.
        while let first = stages.first, first.optimiser == .gaussNewton {
            stages.removeFirst()
            try job.run([first], .none) { try report((done + $0 * Float(first.iterations)) / total, $1) }
            done += Float(first.iterations)
        }
        if !stages.isEmpty && done > 0 { job.recentre() }
        clock.mark("landmarks")
        // Without stages only the start is rendered.
        if !stages.isEmpty || (options.renderer == .startOnly && models.gar != nil) {
            let left = total - done
            try job.run(stages, options.renderer == .startOnly ? .gar : options.renderer.fitRenderer) {
                try report((done + $0 * left) / total, $1)
            }
        }
        clock.mark("refinement")
        return try job.result(
            start: place.start, box: place.box, faceProbability: probability(place.estimate.faceLogit), clock: clock)
    }
}

func probability(_ logit: Double) -> Double { 1 / (1 + exp(-logit)) }

/// Turns a callback's "false" into an error.
struct ProgressReport {
    let progress: Reconstructor.Progress?
    init(_ progress: Reconstructor.Progress?) { self.progress = progress }
    func callAsFunction(_ part: Float, _ step: String) throws {
        if let progress, !progress(min(1, part), step) { throw GarfaceError(.cancelled, "the work was cancelled") }
    }
}

/// Seconds per step.
struct Stopwatch {
    private(set) var steps: [(step: String, seconds: Double)] = []
    private var last = Stopwatch.now()

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }

    /// What has passed since the last mark belongs to no step.
    mutating func skip() { last = Self.now() }

    mutating func mark(_ step: String) {
        let now = Self.now()
        steps.append((step, now - last))
        last = now
    }
}
