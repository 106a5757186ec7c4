import Numerics

/// How much each term counts. Landmark and prior terms are in units of squared deviations (a maximum a
/// posteriori fit); the photometric weight is the number of independent observations the picture counts for
/// (see `PhotometricLoss`); the perceptual term is a mean over features, hence its large weight.
public struct FitWeights: Sendable, Equatable {
    public var photometric: Float = 0
    public var perceptual: Float = 0
    public var landmarks: Float = 1
    /// How much more precisely the gaps of eyelids and inner lips are known than two points with independent errors would
    /// tell (0: gaps do not count beside the points); relative to `landmarks`.
    public var openings: Float = 0
    /// Precision of identity about zero, and about the inverse network's estimate.
    public var identity: Float = 1
    public var identityStart: Float = 0
    /// Precision of expression about zero, one-sided pull to zero, and precision about the estimate.
    public var expression: Float = 1
    public var expressionOneSided: Float = 0.3
    public var expressionStart: Float = 0
    /// Squared distance of w+ from the mean w and of its rows from each other, per row and element.
    public var wMean: Float = 0
    public var wSpread: Float = 0
    public var noise: Float = 0
    public var noiseCorrelation: Float = 0
    public var albedoSmoothness: Float = 0
    public var albedo: Float = 0
    public init() {}

    /// Every weight under the name it has in a schedule file.
    static let fields: [(name: String, path: WritableKeyPath<FitWeights, Float> & Sendable)] = [
        ("photometric", \.photometric), ("perceptual", \.perceptual), ("landmarks", \.landmarks), ("openings", \.openings),
        ("identity", \.identity), ("identity_start", \.identityStart), ("expression", \.expression),
        ("expression_one_sided", \.expressionOneSided), ("expression_start", \.expressionStart),
        ("w_mean", \.wMean), ("w_spread", \.wSpread), ("noise", \.noise), ("noise_correlation", \.noiseCorrelation),
        ("albedo_smoothness", \.albedoSmoothness), ("albedo", \.albedo),
    ]
}

public enum Optimiser: String, Sendable, CaseIterable {
    /// Levenberg-Marquardt on landmarks and priors (geometry blocks only).
    case gaussNewton = "gauss_newton"
    case adam
    case lbfgs
}

/// One stage of a fit: what moves, under which energy, by which method, for how long.
public struct FitStage: Sendable, Equatable {
    public var name: String
    public var optimiser: Optimiser
    public var iterations: Int
    public var blocks: [ParameterBlock]
    public var weights: FitWeights
    /// Step size of each block for Adam, natural scale for L-BFGS; `defaultStep` where absent.
    public var stepSizes: [ParameterBlock: Float] = [:]
    /// Stop when the energy falls by less than this share over ten iterations (0: never).
    public var tolerance: Float = 0
    /// Whether the gradient includes what moving outlines do to the picture.
    public var silhouettes = false
    /// The picture is compared at no more than so many pixels a side: a larger one is halved until it is, and the renderer
    /// stops at that level. Geometry and rough looks need few pixels, which cost little. Nil: all of it.
    public var pictureLimit: Int?
    /// In what GAR's convolutions multiply, where the processor can; no other renderer looks at it.
    public var precision = ProductPrecision.single

    public init(
        name: String, optimiser: Optimiser, iterations: Int, blocks: [ParameterBlock], weights: FitWeights,
        stepSizes: [ParameterBlock: Float] = [:], tolerance: Float = 0, silhouettes: Bool = false,
        pictureLimit: Int? = nil, precision: ProductPrecision = .single
    ) {
        self.name = name
        self.optimiser = optimiser
        self.iterations = iterations
        self.blocks = blocks
        self.weights = weights
        self.stepSizes = stepSizes
        self.tolerance = tolerance
        self.silhouettes = silhouettes
        self.pictureLimit = pictureLimit
        self.precision = precision
    }

    public func step(_ block: ParameterBlock) -> Float { stepSizes[block] ?? Self.defaultStep(block) }

    /// The step of each number of a block that begins at `range.lowerBound`. A scale's is what moves the edge of a head as far as a
    /// shift of as many mm.
    func steps(_ block: ParameterBlock, _ range: Range<Int>) -> [(range: Range<Int>, rate: Float)] {
        let step = step(block)
        guard block == .similarity else { return [(range, step)] }
        let scale = range.lowerBound + 1
        return [(range.lowerBound..<scale, step / Self.radiusMM), (scale..<range.upperBound, step)]
    }

    private static var radiusMM: Float { 100 }

    /// The least side of a picture that a stage can ask for.
    static let leastPicture = 16

    /// Side of the picture that the stage compares, out of one of `size`.
    func pictureSize(_ size: Int) -> Int {
        var side = size
        while let pictureLimit, side > pictureLimit, side % 2 == 0, side / 2 >= Self.leastPicture { side /= 2 }
        return side
    }

    static func defaultStep(_ block: ParameterBlock) -> Float {
        switch block {
        case .identity: 0.03
        case .expression: 0.01
        case .rotation: 0.005
        case .similarity: 0.1
        case .wPlus: 0.03
        case .noise: 0.02
        case .albedo: 0.02
        case .light: 0.02
        }
    }
}
