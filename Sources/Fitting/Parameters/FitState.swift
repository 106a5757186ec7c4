import Numerics

/// Everything a fit knows about one face: geometry in the aligned frame, and appearance.
public struct FitState: Sendable {
    /// Identity coefficients, unit variance.
    public var identity: [Float]
    /// Expression coefficients in [0, 1].
    public var expression: [Float]
    /// Radians; R = Rz(roll) Rx(-pitch) Ry(yaw).
    public var yaw: Float = 0
    public var pitch: Float = 0
    public var roll: Float = 0
    /// Natural logarithm of the head's scale in the aligned frame (0: as the model is).
    public var logScale: Float = 0
    /// Shift in the aligned frame, mm, x to the picture's right and y up.
    public var shiftX: Float = 0
    public var shiftY: Float = 0
    /// GAR style rows (rows, latent size), row after row; empty without GAR.
    public var wPlus: [Float] = []
    /// GAR noise maps, coarse to fine; empty means zero.
    public var noise: [Float] = []
    /// The spherical-harmonics baseline's albedo (V, 3) and light (9, 3); empty without it.
    public var albedo: [Float] = []
    public var light: [Float] = []

    public init(identity: [Float], expression: [Float]) {
        self.identity = identity
        self.expression = expression
    }

    /// Writes the state into a flat vector; blocks the state does not hold are left as they are.
    package func pack(into p: UnsafeMutablePointer<Float>, layout: ParameterLayout) {
        func put(_ block: ParameterBlock, _ values: [Float]) {
            let range = layout.range(block)
            for (i, v) in values.prefix(range.count).enumerated() { p[range.lowerBound + i] = v }
        }
        put(.identity, identity)
        put(.expression, expression)
        put(.rotation, [yaw, pitch, roll])
        put(.similarity, [logScale, shiftX, shiftY])
        put(.wPlus, wPlus)
        put(.noise, noise)
        put(.albedo, albedo)
        put(.light, light)
    }

    mutating func unpack(from p: UnsafePointer<Float>, layout: ParameterLayout) {
        func get(_ block: ParameterBlock) -> [Float] { layout.range(block).map { p[$0] } }
        identity = get(.identity)
        expression = get(.expression)
        let rotation = get(.rotation), similarity = get(.similarity)
        (yaw, pitch, roll) = (rotation[0], rotation[1], rotation[2])
        (logScale, shiftX, shiftY) = (similarity[0], similarity[1], similarity[2])
        wPlus = get(.wPlus)
        noise = get(.noise)
        albedo = get(.albedo)
        light = get(.light)
    }
}
