/// The energy of a fit, term by term, each already times its weight.
public struct EnergyTerms: Sendable {
    public var photometric: Double = 0
    public var perceptual: Double = 0
    public var landmarks: Double = 0
    public var identity: Double = 0
    public var expression: Double = 0
    public var style: Double = 0
    public var noise: Double = 0
    public var albedo: Double = 0
    public init() {}

    public var total: Double { photometric + perceptual + landmarks + identity + expression + style + noise + albedo }

    public static func += (sum: inout EnergyTerms, other: EnergyTerms) {
        sum.photometric += other.photometric
        sum.perceptual += other.perceptual
        sum.landmarks += other.landmarks
        sum.identity += other.identity
        sum.expression += other.expression
        sum.style += other.style
        sum.noise += other.noise
        sum.albedo += other.albedo
    }

    /// Names and values, in the order they are written to files.
    public var named: [(name: String, value: Double)] {
        [
            ("total", total), ("photometric", photometric), ("perceptual", perceptual), ("landmarks", landmarks),
            ("identity", identity), ("expression", expression), ("style", style), ("noise", noise), ("albedo", albedo),
        ]
    }
}

/// How a stage went.
public struct StageOutcome: Sendable {
    /// Why it ended.
    public enum Reason: String, Sendable {
        /// All iterations were done.
        case finished
        /// The energy fell by less than the stage's tolerance.
        case tolerance
        /// No step lowered the energy any further.
        case noDescent = "no descent"
        /// There are no landmarks, and nothing else to fit to.
        case noLandmarks = "no landmarks"
    }
    public let stage: String
    public let iterations: Int
    public let reason: Reason
    /// The energy before the first iteration and after the last.
    public let first, last: Double

    /// Whether it ended with a higher energy than it began with, by more than the jitter of outlines and pixels.
    public var hasDiverged: Bool { last > first + 1e-3 * abs(first) }
}

/// What one iteration of one stage cost.
public struct FitRecord: Sendable {
    public let stage: String
    public let iteration: Int
    public let terms: EnergyTerms
}
