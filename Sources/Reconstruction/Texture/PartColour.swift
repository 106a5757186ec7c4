/// What parts of a head look like where no picture shows them.
enum PartColour {
    /// sRGB, 0 to 1, under the light of a bright photo. Skin is the model's own matter: nil.
    static func of(_ part: String) -> SIMD3<Float>? {
        let name = part.lowercased()
        if name.contains("teeth") || name.contains("tooth") { return SIMD3(0.86, 0.82, 0.74) }
        if isEye(name) { return SIMD3(0.80, 0.76, 0.74) }
        if name.contains("gum") || name.contains("tongue") { return SIMD3(0.66, 0.36, 0.36) }
        if name.contains("mouth") || name.contains("socket") { return SIMD3(0.36, 0.16, 0.16) }
        return nil
    }

    /// Of eyes: the commonest brown.
    static let iris = SIMD3<Float>(0.30, 0.21, 0.16), pupil = SIMD3<Float>(0.07, 0.06, 0.06)

    /// Eyeballs; brows, lashes and lids are named after eyes, too.
    static func isEye(_ part: String) -> Bool {
        let name = part.lowercased()
        return name.contains("eye") && !["brow", "lash", "lid", "socket"].contains { name.contains($0) }
    }
}

extension Mesh {
    /// The colour of each vertex's part, [V]; nil for skin.
    var partColours: [SIMD3<Float>?] { perPart(nil, PartColour.of) }

    /// [V]
    var isSkin: [Bool] { perPart(true) { PartColour.of($0) == nil } }

    /// [V]
    var isEye: [Bool] { perPart(false, PartColour.isEye) }

    /// What is said of a part's name, for each vertex, [V]; `otherwise` for those of no part.
    private func perPart<Value>(_ otherwise: Value, _ value: (String) -> Value) -> [Value] {
        let values = partNames.map(value)
        return (0..<vertexCount).map { v in
            guard v < part.count, Int(part[v]) < values.count else { return otherwise }
            return values[Int(part[v])]
        }
    }
}
