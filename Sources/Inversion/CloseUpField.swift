import Numerics

/// What a network that reads close-ups is shown of an aligned frame.
public struct CloseUpField: Sendable, Equatable {
    /// The square, in NDC of the aligned frame: half its side, and the height of its centre.
    public let half, centreY: Double

    init(_ network: NetworkFile) throws {
        guard let half = network.description["field"]?["half"]?.double, let centreY = network.description["field"]?["centre_y"]?.double,
            (0.05...2).contains(half), (-2...2).contains(centreY)
        else {
            throw GarfaceError(.malformedFile, "\(network.name): field must give half (0.05 to 2) and centre_y (-2 to 2)")
        }
        self.half = half
        self.centreY = centreY
    }

    /// The square of a photo where the aligned frame lies at `frame`.
    public func of(_ frame: Similarity) -> Similarity {
        let centre = frame.photo(x: 0, y: centreY)
        return Similarity(centreX: centre.u, centreY: centre.v, size: frame.size * half, roll: frame.roll)
    }
}
