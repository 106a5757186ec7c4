import FaceModel
import Numerics

/// Several photos of one person as one energy: the sum of theirs. Unknowns: the identity, which all share, then photo by
/// photo everything else. What is believed of the identity about zero is believed once, not once for every photo.
package final class JointObjective: StageEnergy {
    package let photos: [FitObjective<Float>]
    package let identityCount: Int
    /// Of one photo's unknowns, identity included; that block comes first in it.
    package let layout: ParameterLayout
    package let count: Int
    private let unknowns: Tensor<Float>
    private let gradient: Tensor<Float>
    package private(set) var lastTerms = EnergyTerms()

    package init(_ photos: [FitObjective<Float>]) {
        self.photos = photos
        layout = photos[0].layout
        identityCount = layout.range(.identity).count
        precondition(layout.range(.identity).lowerBound == 0, "identity comes first")
        count = identityCount + photos.count * (layout.count - identityCount)
        unknowns = Tensor([max(1, layout.count)])
        gradient = Tensor([max(1, layout.count)])
    }

    private var ownCount: Int { layout.count - identityCount }

    package func ranges(_ block: ParameterBlock) -> [Range<Int>] {
        let range = layout.range(block)
        return block == .identity
            ? [range] : photos.indices.map { k in range.lowerBound + k * ownCount..<range.upperBound + k * ownCount }
    }

    /// The energy of a photo with weights of the whole.
    package static func share(_ weights: FitWeights, of count: Int) -> FitWeights {
        var own = weights
        own.identity /= Float(max(1, count))
        return own
    }

    /// The unknowns of photo k, in its own layout.
    package func gather(_ p: UnsafePointer<Float>, _ k: Int, into own: UnsafeMutablePointer<Float>) {
        own.update(from: p, count: identityCount)
        (own + identityCount).update(from: p + identityCount + k * ownCount, count: ownCount)
    }

    package func scatter(_ own: UnsafePointer<Float>, _ k: Int, into p: UnsafeMutablePointer<Float>) {
        p.update(from: own, count: identityCount)
        (p + identityCount + k * ownCount).update(from: own + identityCount, count: ownCount)
    }

    package func evaluate(
        _ p: UnsafePointer<Float>, weights: FitWeights, active: Set<ParameterBlock>, gradient g: UnsafeMutablePointer<Float>
    ) -> Float {
        let own = Self.share(weights, of: photos.count)
        var sum = EnergyTerms()
        g.update(repeating: 0, count: identityCount)
        for (k, photo) in photos.enumerated() {
            gather(p, k, into: unknowns.pointer)
            _ = photo.evaluate(unknowns.pointer, weights: own, active: active, gradient: gradient.pointer)
            for i in 0..<identityCount { g[i] += gradient.pointer[i] }
            (g + identityCount + k * ownCount).update(from: gradient.pointer + identityCount, count: ownCount)
            sum += photo.terms.value
        }
        lastTerms = sum
        return Float(sum.total)
    }

    package var freezeCoverage: Bool {
        get { photos[0].freezeCoverage }
        set { for photo in photos { photo.freezeCoverage = newValue } }
    }
}
