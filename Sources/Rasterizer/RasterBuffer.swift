import Numerics

/// Unspecialised, element by element, this took a tenth of the time that a texture takes.
@_specialize(where T == Float)
@_specialize(where T == Double)
private func filled<T: Scalar>(_ count: Int, with value: T) -> UnsafeMutablePointer<T> {
    let memory = UnsafeMutablePointer<T>.allocate(capacity: count)
    memory.initialize(repeating: value, count: count)
    return memory
}

/// What lies under every pixel centre: triangle, barycentrics, depth. Row-major, top row first.
///
/// Pixel i of w has its centre at x = (2 i + 1) / w - 1, row j of h at y = 1 - (2 j + 1) / h.
public final class RasterBuffer<T: Scalar> {
    public let width, height: Int
    /// Triangle index `[h*w]`, -1 outside.
    public let ids: UnsafeMutablePointer<Int32>
    /// `[h*w*3]`, zero outside.
    public let barycentrics: UnsafeMutablePointer<T>
    /// NDC z `[h*w]`, larger is nearer; -infinity outside.
    public let depth: UnsafeMutablePointer<T>
    /// Working memory of the fast path, allocated once: depth in double, and vertices in pixel coordinates.
    let zBuffer: UnsafeMutablePointer<Double>
    var screen: UnsafeMutablePointer<Double>
    var screenCapacity = 0
    /// Two rows of pixel numbers.
    let steps: UnsafeMutablePointer<Int32>

    public var pixelCount: Int { width * height }

    /// The caller has checked outside sizes: both sides of 1 to 16384.
    public init(width: Int, height: Int) {
        precondition(width > 0 && height > 0 && width <= 16_384 && height <= 16_384, "raster: sides of 1 to 16384")
        self.width = width
        self.height = height
        let n = width * height
        ids = .allocate(capacity: n)
        ids.initialize(repeating: -1, count: n)
        barycentrics = filled(3 * n, with: 0)
        depth = filled(n, with: -.infinity)
        zBuffer = .allocate(capacity: n)
        zBuffer.initialize(repeating: 0, count: n)
        screen = .allocate(capacity: 1)
        steps = .allocate(capacity: 2 * width)
    }

    deinit {
        ids.deallocate()
        barycentrics.deallocate()
        depth.deallocate()
        zBuffer.deallocate()
        screen.deallocate()
        steps.deallocate()
    }

    func reserveScreen(_ vertexCount: Int) {
        guard vertexCount > screenCapacity else { return }
        screen.deallocate()
        screen = .allocate(capacity: 3 * vertexCount)
        screen.initialize(repeating: 0, count: 3 * vertexCount)
        screenCapacity = vertexCount
    }

    /// Pictures smaller than this, in pixels, are no work for several threads.
    private static var leastShared: Int { 64 * 64 }

    /// Calls `work` with ranges of rows that make up the picture, on several threads where that was asked for.
    func inRows(_ work: (Range<Int>) -> Void) {
        inRanges(height, least: pixelCount < Self.leastShared ? height : 1, work)
    }

    /// Calls `work` for two halves of a job: on two threads for one each where that was asked for, or once for both.
    func inHalves(_ work: (_ first: Bool, _ second: Bool) -> Void) {
        if pixelCount < Self.leastShared || partCount() == 1 { return work(true, true) }
        inParts(2) { work($0 == 0, $0 == 1) }
    }

    /// How many pixels are covered.
    public var coveredCount: Int { (0..<pixelCount).reduce(0) { $0 + (ids[$1] >= 0 ? 1 : 0) } }
}
