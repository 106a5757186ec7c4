import FaceModel
import Inversion
import Numerics
import Rasterizer
import Renderer

/// The whole chain: unknowns -> posed head -> normal maps -> renderer -> losses, and the gradient back.
///
/// Workspaces are allocated in `init`; `evaluate` asks for no memory, but where annotated points slide along the contour. Generic so
/// that the gradient can be checked in double precision.
public final class FitObjective<T: Scalar> {
    public let layout: ParameterLayout
    public let terms = TermsBox()
    let head: PosedHead<T>
    let picture: (any PictureMaker<T>)?
    private let contour: ContourLines
    private let problem: Problem
    private let movingPhoto: MovingPhoto<T>?
    private let photometric: PhotometricLoss<T>?
    private let perceptual: PerceptualLoss<T>?
    private let noiseRegularisation: NoiseRegularisation<T>?
    private let faceMask: FaceMask<T>?
    private let landmarkLoss = LandmarkLoss<T>()
    private let dImage: Tensor<T>
    private let masked: Tensor<T>
    private let dMasked: Tensor<T>
    private let featureWorkspace: Tensor<T>
    private let dPoints = Tensor<T>([68, 2])
    private var geometryIsCurrent = false
    /// Whether the perceptual loss has looked at the target where it is.
    private var featuresAreCurrent = false
    /// Keeps triangle ids, mask and contour as they were at the last evaluation (for finite differences).
    public var freezeCoverage = false
    /// Adds to the gradient what moving outlines do (a finite difference with ids held does not see it).
    public var silhouettes = false

    /// What was seen and what is believed beforehand, in this precision.
    struct Problem {
        let target: Tensor<T>
        let inside: Tensor<T>
        let visibleShare: Float
        let observed: LandmarkObservations?
        let identityStart, expressionStart, identityPrecision, expressionStartPrecision, expressionPrecision: [T]
        let boundedExpression: Bool
    }

    /// The chain with GAR (or, without one, landmarks and priors alone), for checking it in any precision.
    public convenience init(
        head: HeadModel<T>, gar: GAR<T>?, perceptualNetwork: InverseNetwork<T>?, frame: AlignedFrame, problem: FitProblem,
        contour: ContourLines? = nil, precision: ProductPrecision = .single
    ) throws {
        let picture = try gar.map { try GARPicture(model: $0, head: head, size: problem.size, precision: precision) }
        try self.init(
            head: PosedHead(head: head, frame: frame, keepsUpright: picture != nil && problem.surroundings != nil), picture: picture,
            perceptualNetwork: perceptualNetwork, contour: contour ?? ContourLines(head), problem: problem)
    }

    /// The chain with the spherical-harmonics baseline.
    public convenience init(
        sphericalHarmonics head: HeadModel<T>, perceptualNetwork: InverseNetwork<T>?, frame: AlignedFrame, problem: FitProblem,
        contour: ContourLines? = nil
    ) throws {
        let side = problem.size
        let target = Tensor<T>([1, 3, side, side]), inside = Tensor<T>([side, side])
        for i in 0..<target.count { target.pointer[i] = T(problem.target[i]) }
        for i in 0..<inside.count { inside.pointer[i] = T(problem.inside[i]) }
        try self.init(
            head: PosedHead(head: head, frame: frame),
            picture: SphericalHarmonicsPicture(head: head, target: target, inside: inside),
            perceptualNetwork: perceptualNetwork, contour: contour ?? ContourLines(head), problem: problem)
    }

    init(
        head: PosedHead<T>, picture: (any PictureMaker<T>)?, perceptualNetwork: InverseNetwork<T>?,
        contour: ContourLines, problem: FitProblem
    ) throws {
        self.head = head
        self.picture = picture
        self.contour = contour
        let size = picture?.size ?? 0
        layout = ParameterLayout(
            identity: head.head.identityCount, expression: head.head.expressionCount,
            wPlus: picture?.count(of: .wPlus) ?? 0, noise: picture?.count(of: .noise) ?? 0,
            albedo: picture?.count(of: .albedo) ?? 0, light: picture?.count(of: .light) ?? 0)
        let n = size * size
        let target = Tensor<T>([3, size, size]), inside = Tensor<T>([size, size])
        for i in 0..<min(3 * n, problem.target.count) { target.pointer[i] = T(problem.target[i]) }
        for i in 0..<min(n, problem.inside.count) { inside.pointer[i] = T(problem.inside[i]) }
        func filled(_ a: [Float], _ count: Int, _ value: T) -> [T] {
            (0..<count).map { $0 < a.count ? T(a[$0]) : value }
        }
        let ni = head.head.identityCount, ne = head.head.expressionCount
        self.problem = Problem(
            target: target, inside: inside, visibleShare: problem.visibleShare, observed: problem.landmarks,
            identityStart: filled(problem.identityCentre.isEmpty ? problem.start.identity : problem.identityCentre, ni, 0),
            expressionStart: filled(problem.expressionCentre.isEmpty ? problem.start.expression : problem.expressionCentre, ne, 0),
            identityPrecision: filled(problem.identityPrecision, ni, 1),
            expressionStartPrecision: filled(problem.expressionPrecision, ne, 1),
            expressionPrecision: head.head.expressionPrecision,
            boundedExpression: head.head.expressionPrior == .unitInterval)
        movingPhoto =
            head.keepsUpright ? problem.surroundings.map { MovingPhoto($0, side: size, frame: head.frame) } : nil
        photometric = size > 0 ? PhotometricLoss(size: size) : nil
        if size > 0, let features = perceptualNetwork?.features {
            let levels = max(1, features.levelCount - Self.levelsLeftOut)
            perceptual = try PerceptualLoss(
                features, height: size, width: size, levelWeights: (0..<features.levelCount).map { $0 < levels ? 1 / T(levels) : 0 },
                largestSide: perceptualNetwork?.inputSize)
        } else {
            perceptual = nil
        }
        noiseRegularisation = picture.map { NoiseRegularisation(sides: $0.noiseSides) }
        faceMask = picture.map { FaceMask(head: head.head, size: $0.size) }
        dImage = Tensor([3, max(1, size), max(1, size)])
        masked = Tensor([3, max(1, size), max(1, size)])
        dMasked = Tensor([3, max(1, size), max(1, size)])
        featureWorkspace = Tensor([1, 3, max(1, size), max(1, size)])
    }

    /// The network's last levels, maps of 4 to 12 pixels a side, hold nearly all of its weights and most of the loss's time: fits are as good
    /// without them.
    private static var levelsLeftOut: Int { 2 }

    /// A class so that a caller can read the last evaluation's terms without copying.
    public final class TermsBox { public fileprivate(set) var value = EnergyTerms() }

    /// Fills the appearance unknowns with the renderer's own beginning, for the geometry in `p`.
    public func initialiseAppearance(_ p: UnsafeMutablePointer<T>) {
        guard let picture else { return }
        head.forward(p, layout: layout, withNormals: true)
        picture.initialise(p, layout: layout, head: head)
        geometryIsCurrent = false
    }

    /// The picture at `p`, (3, S, S) in [-1, 1]; empty without a renderer.
    public func renderedPicture(_ p: UnsafePointer<T>) -> [T] {
        guard let picture else { return [] }
        head.forward(p, layout: layout, withNormals: true)
        picture.geometryChanged(head, freezeCoverage: false)
        picture.render(p, layout: layout)
        geometryIsCurrent = false
        return picture.image.array
    }

    /// Call when geometry unknowns were changed by someone else than the active blocks.
    public func invalidateGeometry() { geometryIsCurrent = false }

    /// The energy at `p`; fills `g` (all of it, zero in blocks that are not active).
    public func evaluate(
        _ p: UnsafePointer<T>, weights w: FitWeights, active: Set<ParameterBlock>, gradient g: UnsafeMutablePointer<T>
    ) -> T {
        g.update(repeating: 0, count: layout.count)
        var t = EnergyTerms()
        let geometryActive = active.contains { $0.isGeometry }
        let seen = picture != nil && (w.photometric > 0 || w.perceptual > 0)
        if geometryActive || !geometryIsCurrent {
            head.forward(p, layout: layout, withNormals: seen)
            head.clearGradients()
            if seen, let picture {
                if movingPhoto?.move(to: head.pose) == true { featuresAreCurrent = false }
                picture.geometryChanged(head, freezeCoverage: freezeCoverage)
                if !freezeCoverage { faceMask?.update(picture.raster, inside: inside) }
            }
            geometryIsCurrent = seen || picture == nil
        }
        if seen, let picture {
            pictureTerms(picture, p, w, active, geometryActive, g, &t)
            // A head that is nowhere has no photo under it.
            if let movingPhoto, !movingPhoto.isPlaced { t.photometric = .nan }
        }
        if let observed = problem.observed, w.landmarks > 0, geometryActive {
            landmarkTerms(observed, w, &t)
        }
        priorTerms(p, w, active, g, &t)
        if geometryActive { head.backward(layout: layout, active: active, gradient: g) }
        for block in ParameterBlock.allCases where !active.contains(block) {
            let range = layout.range(block)
            (g + range.lowerBound).update(repeating: 0, count: range.count)
        }
        terms.value = t
        return T(t.total)
    }

    private var target: Tensor<T> { movingPhoto?.target ?? problem.target }
    private var inside: Tensor<T> { movingPhoto?.inside ?? problem.inside }

    /// Looks at the target anew where it has moved.
    private func takeFeatures(_ perceptual: PerceptualLoss<T>) {
        if featuresAreCurrent { return }
        maskKernel(target.pointer, inside.pointer, inside.count, masked.pointer)
        perceptual.setTarget(masked.pointer, mask: inside.pointer)
        featuresAreCurrent = true
    }

    private func pictureTerms(
        _ picture: any PictureMaker<T>, _ p: UnsafePointer<T>, _ w: FitWeights, _ active: Set<ParameterBlock>,
        _ geometryActive: Bool, _ g: UnsafeMutablePointer<T>, _ t: inout EnergyTerms
    ) {
        guard let photometric, let faceMask else { return }
        picture.render(p, layout: layout)
        dImage.fill(0)
        if w.photometric > 0 {
            t.photometric = Double(
                photometric.evaluate(
                    image: picture.image.pointer, target: target.pointer, weights: faceMask.weights.pointer,
                    factor: T(problem.visibleShare * w.photometric), gradient: dImage.pointer))
        }
        if w.perceptual > 0, let perceptual {
            let n = picture.size * picture.size
            takeFeatures(perceptual)
            maskKernel(picture.image.pointer, inside.pointer, n, masked.pointer)
            dMasked.fill(0)
            let factor = T(problem.visibleShare * w.perceptual)
            t.perceptual = Double(
                factor * perceptual(masked.pointer, scale: factor, dPicture: dMasked.pointer, workspace: featureWorkspace))
            maskAddKernel(dMasked.pointer, inside.pointer, n, dImage.pointer)
        }
        // What the picture gains by a change the target loses by it: exactly so in the photometric loss, and in the perceptual one, whose
        // features are not linear, the more the more alike the two are.
        if geometryActive, let movingPhoto {
            let d = movingPhoto.gradient(dImage.pointer)
            head.dPlace = (head.dPlace.roll - d.roll, head.dPlace.logScale - d.logScale, head.dPlace.tx - d.tx, head.dPlace.ty - d.ty)
        }
        picture.backward(
            dImage, p, layout: layout, active: active, head: geometryActive ? head : nil, silhouettes: silhouettes, gradient: g)
    }

    private var frozenEmbedding: LandmarkEmbedding?

    private func landmarkTerms(_ observed: LandmarkObservations, _ w: FitWeights, _ t: inout EnergyTerms) {
        let embedding: LandmarkEmbedding
        if freezeCoverage, let frozenEmbedding {
            embedding = frozenEmbedding
        } else {
            embedding =
                observed.areAnnotated
                ? contour.embedding(head.vertices.pointer, rotation: head.pose.rotation) : head.head.landmarks
            frozenEmbedding = embedding
        }
        dPoints.fill(0)
        t.landmarks = Double(
            landmarkLoss.evaluate(
                points: head.points(embedding).pointer, observed: observed, openings: T(w.openings), factor: T(w.landmarks),
                gradient: dPoints.pointer))
        head.pointsBackward(embedding, dPoints)
    }

    private func priorTerms(
        _ p: UnsafePointer<T>, _ w: FitWeights, _ active: Set<ParameterBlock>, _ g: UnsafeMutablePointer<T>,
        _ t: inout EnergyTerms
    ) {
        func at(_ block: ParameterBlock) -> Int { layout.range(block).lowerBound }
        if active.contains(.identity) {
            let i = at(.identity), n = layout.range(.identity).count
            t.identity = Double(
                Priors.quadratic(p + i, centre: nil, precision: nil, count: n, factor: T(w.identity), gradient: g + i)
                    + Priors.quadratic(
                        p + i, centre: problem.identityStart, precision: problem.identityPrecision, count: n,
                        factor: T(w.identityStart), gradient: g + i))
        }
        if active.contains(.expression) {
            let i = at(.expression), n = layout.range(.expression).count
            var e = Priors.quadratic(
                p + i, centre: nil, precision: problem.expressionPrecision, count: n, factor: T(w.expression), gradient: g + i)
            e += Priors.quadratic(
                p + i, centre: problem.expressionStart, precision: problem.expressionStartPrecision, count: n,
                factor: T(w.expressionStart), gradient: g + i)
            if problem.boundedExpression {
                e += Priors.oneSided(p + i, count: n, factor: T(w.expressionOneSided), gradient: g + i)
            }
            t.expression = Double(e)
        }
        if let picture {
            // The less of a face is seen, the less it may differ from others: a renderer can draw a strip of skin by a look that nobody has.
            var own = w
            let visible = max(problem.visibleShare, 0.01)
            own.wMean /= visible * visible
            t.style = Double(picture.stylePrior(p, layout: layout, weights: own, active: active, gradient: g))
            t.albedo = Double(picture.albedoPrior(p, layout: layout, weights: w, active: active, gradient: g))
        }
        if active.contains(.noise), let noiseRegularisation {
            let i = at(.noise)
            t.noise = Double(
                noiseRegularisation.evaluate(
                    noise: p + i, size: T(w.noise), correlation: T(w.noiseCorrelation), gradient: g + i))
        }
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
private func maskKernel<T: Scalar>(
    _ a: UnsafePointer<T>, _ m: UnsafePointer<T>, _ n: Int, _ out: UnsafeMutablePointer<T>
) {
    for c in 0..<3 { for i in 0..<n { out[c * n + i] = a[c * n + i] * m[i] } }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
private func maskAddKernel<T: Scalar>(
    _ a: UnsafePointer<T>, _ m: UnsafePointer<T>, _ n: Int, _ out: UnsafeMutablePointer<T>
) {
    for c in 0..<3 { for i in 0..<n { out[c * n + i] += a[c * n + i] * m[i] } }
}
