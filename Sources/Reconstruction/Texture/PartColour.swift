/// What parts of a head look like where no picture shows them.
enum PartColour {
    /// sRGB, 0 to 1, under the light of a bright photo. Skin is the model's own matter: nil.
    static func of(_ part: String) -> SIMD3<Float>? {
        let name = part.lowercased()
        if name.contains("teeth") || name.contains("tooth") { return SIMD3(0.86, 0.82, 0.74) }
        if name.contains("eye") { return SIMD3(0.80, 0.76, 0.74) }
        if name.contains("gum") || name.contains("tongue") { return SIMD3(0.66, 0.36, 0.36) }
        if name.contains("mouth") || name.contains("socket") { return SIMD3(0.36, 0.16, 0.16) }
        return nil
    }
}

extension Mesh {
    func partName(_ vertex: Int) -> String? {
        guard vertex < part.count, Int(part[vertex]) < partNames.count else { return nil }
        return partNames[Int(part[vertex])]
    }

    func isSkin(_ vertex: Int) -> Bool { partName(vertex).flatMap(PartColour.of) == nil }

    func isEye(_ vertex: Int) -> Bool { partName(vertex)?.lowercased().contains("eye") == true }
}
