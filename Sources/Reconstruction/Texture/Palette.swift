/// The colours that a surface has, as a mean and a spread in brightness and in two opponent colours.
struct Palette {
    private var mean = SIMD3<Float>(), spread = SIMD3<Float>(repeating: .infinity)

    /// Even a surface of one colour varies by this much.
    private static let least = SIMD3<Float>(0.1, 0.03, 0.03)

    /// Without any weight every colour is as good as another.
    init(_ colours: [SIMD3<Float>], weights: [Float]) {
        let total = weights.reduce(0, +)
        guard total > 0 else { return }
        for (colour, w) in zip(colours, weights) { mean += w / total * Self.opponent(colour) }
        var variance = SIMD3<Float>()
        for (colour, w) in zip(colours, weights) {
            let d = Self.opponent(colour) - mean
            variance += w / total * d * d
        }
        spread = pointwiseMax(variance.squareRoot(), Self.least)
    }

    /// 1 for colours within one and a half times the spread, falling to 0 at two and three quarters.
    func trust(_ colour: SIMD3<Float>) -> Float {
        let d = (Self.opponent(colour) - mean) / spread
        let distance = (d * d).sum().squareRoot()
        return max(0, min(1, (2.75 - distance) / 1.25))
    }

    private static func opponent(_ c: SIMD3<Float>) -> SIMD3<Float> {
        SIMD3(0.3 * c.x + 0.59 * c.y + 0.11 * c.z, c.x - c.y, (c.x + c.y) / 2 - c.z)
    }
}
