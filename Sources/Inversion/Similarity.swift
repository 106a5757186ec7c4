import Glibc

/// Where the aligned frame lies in a photo: a square of `size` photo pixels (230 mm of the head model's space),
/// centred at (`centreX`, `centreY`) and turned by `roll` radians, positive counter-clockwise in the picture.
///
/// It maps aligned NDC (x right, y up, the square being [-1, 1]) to photo pixels (centres at integers, v down):
/// `(u, v) = centre + size/2 * (x cos r - y sin r, -(x sin r + y cos r))`.
public struct Similarity: Sendable, Equatable {
    public var centreX: Double
    public var centreY: Double
    public var size: Double
    public var roll: Double

    public init(centreX: Double, centreY: Double, size: Double, roll: Double = 0) {
        self.centreX = centreX
        self.centreY = centreY
        self.size = size
        self.roll = roll
    }

    /// Aligned NDC to photo pixels.
    public func photo(x: Double, y: Double) -> (u: Double, v: Double) {
        let h = size / 2, c = cos(roll), s = sin(roll)
        return (centreX + h * (x * c - y * s), centreY - h * (x * s + y * c))
    }

    /// Photo pixels to aligned NDC.
    public func ndc(u: Double, v: Double) -> (x: Double, y: Double) {
        let h = size / 2, c = cos(roll), s = sin(roll)
        let du = (u - centreX) / h, dv = (centreY - v) / h
        return (du * c + dv * s, dv * c - du * s)
    }

    /// Whether it is finite and of a size that can be sampled.
    public var isUsable: Bool {
        centreX.isFinite && centreY.isFinite && roll.isFinite && size.isFinite && size > 1 && size < 1e6
            && abs(centreX) < 1e6 && abs(centreY) < 1e6
    }

    /// The frame of a head seen inside this one: a model point p, rotated by yaw and pitch to q, appears at
    /// NDC `(e^logScale * Rz(roll) q + (tx, ty)) / half` less the frame's centre; the result shows it with
    /// roll, scale and shift removed.
    public func composed(
        roll turn: Double, logScale: Double, tx: Double, ty: Double, halfMM: Double, centreYMM: Double
    ) -> Similarity {
        let scale = exp(logScale)
        let x = tx - scale * sin(turn) * centreYMM
        let y = ty + scale * cos(turn) * centreYMM
        let centre = photo(x: x / halfMM, y: (y - centreYMM) / halfMM)
        return Similarity(centreX: centre.u, centreY: centre.v, size: size * scale, roll: wrapAngle(roll + turn))
    }

    /// The weak-perspective camera, in photo pixels, of a head posed inside this frame by
    /// `s * Rz(roll) q + (tx, ty)`: `u = scale * (R p).x + t.x`, `v = -scale * (R p).y + t.y`, where R has the roll
    /// of the frame and of the pose.
    public func camera(
        logScale: Double, tx: Double, ty: Double, halfMM: Double, centreYMM: Double
    ) -> (scale: Double, tx: Double, ty: Double) {
        let origin = photo(x: tx / halfMM, y: (ty - centreYMM) / halfMM)
        return (exp(logScale) * size / (2 * halfMM), origin.u, origin.v)
    }
}

/// The same angle within (-pi, pi].
public func wrapAngle(_ angle: Double) -> Double {
    guard angle.isFinite else { return 0 }
    return atan2(sin(angle), cos(angle))
}
