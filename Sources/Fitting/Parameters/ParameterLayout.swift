/// Where each block lies in the flat vector of unknowns.
public struct ParameterLayout: Sendable, Equatable {
    public let sizes: [ParameterBlock: Int]
    public let offsets: [ParameterBlock: Int]
    public let count: Int

    public init(
        identity: Int, expression: Int, wPlus: Int = 0, noise: Int = 0, albedo: Int = 0, light: Int = 0
    ) {
        let sizes: [ParameterBlock: Int] = [
            .identity: identity, .expression: expression, .rotation: 3, .similarity: 3,
            .wPlus: wPlus, .noise: noise, .albedo: albedo, .light: light,
        ]
        var offsets: [ParameterBlock: Int] = [:]
        var next = 0
        for block in ParameterBlock.allCases {
            offsets[block] = next
            next += sizes[block]!
        }
        self.sizes = sizes
        self.offsets = offsets
        count = next
    }

    public func range(_ block: ParameterBlock) -> Range<Int> {
        let start = offsets[block] ?? 0
        return start..<start + (sizes[block] ?? 0)
    }
}
