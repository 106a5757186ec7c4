/// How coefficients become vertices.
public enum HeadGeometry: String, Sendable {
    /// `mean + identity basis * a + expression basis * b`.
    case linear
    /// The same, and a displacement for every product of an identity and an expression coefficient.
    case bilinear
    /// The linear head, then turned at its joints: the last expression coefficients are the turns.
    case skinned
}
