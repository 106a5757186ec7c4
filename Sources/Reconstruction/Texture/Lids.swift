import FaceModel

/// The skin around the eyes, where an open eye's photo shows lashes and the shadow of the brow, which are not what a closed lid shows.
enum Lids {
    /// How far lids reach beyond the eye, and over how much more they end, mm.
    private static let reach: Float = 8, fading: Float = 4

    /// [V] 1 on lids.
    static func of(_ head: HeadModel<Float>, isSkin: [Bool]) -> [Float] {
        func place(_ v: Int) -> SIMD3<Float> { SIMD3(head.mean.pointer[3 * v], head.mean.pointer[3 * v + 1], head.mean.pointer[3 * v + 2]) }
        // The eyeballs of the mean face: the parts that are called so.
        let eyes = head.partNames.indices.filter { PartColour.isEye(head.partNames[$0]) }.compactMap { part in
            let points = (0..<head.vertexCount).filter { Int(head.part[$0]) == part }.map(place)
            guard !points.isEmpty else { return nil as (centre: SIMD3<Float>, radius: Float)? }
            let centre = points.reduce(.zero, +) / Float(points.count)
            return (centre, points.map { ($0 - centre).length }.max() ?? 0)
        }
        return (0..<head.vertexCount).map { v in
            guard isSkin[v] else { return 0 }
            return eyes.map { 1 - smoothStep(((place(v) - $0.centre).length - $0.radius - reach) / fading) }.max() ?? 0
        }
    }
}
