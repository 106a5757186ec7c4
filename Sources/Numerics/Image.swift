/// An 8-bit RGB picture: row-major, top-left first, three bytes per pixel, no padding between rows.
public struct RGBImage: Sendable, Equatable {
    public let width: Int
    public let height: Int
    /// `3 * width * height` bytes.
    public var pixels: [UInt8]

    /// The longest side and the largest number of pixels any picture may have.
    public static let maximumSide = 16_384
    public static let maximumPixelCount = 1 << 28

    /// Throws when the size is not one a picture may have, before anything is allocated.
    public static func checkSize(width: Int, height: Int) throws {
        guard width > 0, height > 0 else {
            throw GarfaceError(.invalidArgument, "image of \(width) x \(height) pixels: both sides must be at least 1")
        }
        guard width <= maximumSide, height <= maximumSide, width * height <= maximumPixelCount else {
            throw GarfaceError(
                .tooLarge,
                "image of \(width) x \(height) pixels: accepted are \(maximumSide) a side and \(maximumPixelCount) in all")
        }
    }

    /// A picture of one colour.
    public init(width: Int, height: Int, fill: UInt8 = 0) throws {
        try Self.checkSize(width: width, height: height)
        self.width = width
        self.height = height
        pixels = [UInt8](repeating: fill, count: 3 * width * height)
    }

    public init(width: Int, height: Int, pixels: [UInt8]) throws {
        try Self.checkSize(width: width, height: height)
        guard pixels.count == 3 * width * height else {
            throw GarfaceError(
                .invalidArgument,
                "image of \(width) x \(height) pixels: expected \(3 * width * height) bytes of RGB, found \(pixels.count)")
        }
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    /// Index of the red byte of pixel (x, y).
    @inlinable public func offset(_ x: Int, _ y: Int) -> Int { 3 * (y * width + x) }
}

/// How the normal maps of a renderer's training set, and so of its use, are sampled.
public enum NormalSampling: String, Sendable {
    /// One sample at each pixel centre, rasterised anew at every resolution (the published way).
    case point
    /// The average over the pixel's area, which keeps lips and eyelids from aliasing at small sizes.
    case area
}
