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

    /// Names and values, in the order they are written to files.
    public var named: [(name: String, value: Double)] {
        [
            ("total", total), ("photometric", photometric), ("perceptual", perceptual), ("landmarks", landmarks),
            ("identity", identity), ("expression", expression), ("style", style), ("noise", noise), ("albedo", albedo),
        ]
    }
}

/// What one iteration of one stage cost.
public struct FitRecord: Sendable {
    public let stage: String
    public let iteration: Int
    public let terms: EnergyTerms
}
