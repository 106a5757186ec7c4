/// One face to fit: what was seen, and where to begin.
public struct FitProblem: Sendable {
    /// The photo in the aligned frame, (3, S, S) RGB in [-1, 1], S the renderer's size.
    public var target: [Float]
    /// 1 where the photo covers the aligned frame, 0 outside it, (S, S).
    public var inside: [Float]
    public var landmarks: LandmarkObservations?
    /// The inverse network's estimate; the fit begins here and the `...Start` weights hold it near.
    public var start: FitState
    /// Inverse variance of the start's identity and expression, per coefficient; ones where empty.
    public var identityPrecision: [Float] = []
    public var expressionPrecision: [Float] = []

    public init(target: [Float], inside: [Float], landmarks: LandmarkObservations?, start: FitState) {
        self.target = target
        self.inside = inside
        self.landmarks = landmarks
        self.start = start
    }


    /// Side of the target picture.
    public var size: Int {
        var s = 0
        while s * s < inside.count { s += 1 }
        return s
    }
}
