import Numerics

/// One face to fit: what was seen, and where to begin.
public struct FitProblem: Sendable {
    /// The photo in the aligned frame, (3, S, S) RGB in [-1, 1], S the renderer's size.
    public var target: [Float]
    /// 1 where the photo shows the aligned frame, 0 outside it and where something covers the face, (S, S).
    public var inside: [Float]
    /// The photo around the target; with it GAR's head stays in its place, and what it is compared with is taken from here.
    public var surroundings: PhotoSurroundings?
    /// How much of the face the picture shows, 0 to 1: so much the comparison with it counts. Less than 1 where something covers a part of it.
    public var visibleShare: Float = 1
    public var landmarks: LandmarkObservations?
    /// Where the fit begins.
    public var start: FitState
    /// What is believed of identity and expression beforehand (the inverse network's estimate): the weights
    /// `identityStart` and `expressionStart` hold the fit near it. The start's own where empty.
    public var identityCentre: [Float] = []
    public var expressionCentre: [Float] = []
    /// How sure that is: inverse variances per coefficient; ones where empty.
    public var identityPrecision: [Float] = []
    public var expressionPrecision: [Float] = []

    public init(target: [Float], inside: [Float], landmarks: LandmarkObservations?, start: FitState) {
        self.target = target
        self.inside = inside
        self.landmarks = landmarks
        self.start = start
    }

    /// The same face in a smaller picture: target and mask are means of 2x2 pixels, as often as it takes.
    func reduced(to side: Int) -> FitProblem {
        var result = self, size = size
        while size > side {
            let half = size / 2
            var target = [Float](repeating: 0, count: 3 * half * half), inside = [Float](repeating: 0, count: half * half)
            halve(result.target, 3, size, &target)
            halve(result.inside, 1, size, &inside)
            (result.target, result.inside, size) = (target, inside, half)
            result.surroundings = result.surroundings?.halved()
        }
        return result
    }

    /// Side of the target picture.
    public var size: Int {
        var s = 0
        while s * s < inside.count { s += 1 }
        return s
    }
}
