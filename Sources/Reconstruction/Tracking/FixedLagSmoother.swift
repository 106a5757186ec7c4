import Numerics

/// Numbers measured at successive times, made smooth with a stated delay.
///
/// Every channel moves at a velocity that changes at random (white acceleration) and is measured with noise. A Kalman filter
/// runs forward; what it held of the last frames is kept, and the value `lag` frames ago is smoothed backwards
/// (Rauch-Tung-Striebel) from all that has been measured up to now. A lag of 0 is the causal filter.
package struct FixedLagSmoother {
    package struct Channel: Sendable {
        /// Standard deviation of a measurement.
        package var noise: Double
        /// Spectral density of the acceleration's root: the velocity's deviation after a second.
        package var agility: Double

        package init(noise: Double, agility: Double) { (self.noise, self.agility) = (noise, agility) }
    }

    /// Means and covariances of all channels at one time: value and velocity.
    private struct Belief {
        var x, v, xx, xv, vv: [Double]
        init(_ count: Int) {
            let zero = [Double](repeating: 0, count: count)
            (x, v, xx, xv, vv) = (zero, zero, zero, zero, zero)
        }
    }

    private struct Moment {
        var time: Double
        var predicted, filtered: Belief
        /// Seconds since the moment before.
        var step: Double
        /// Nothing before has to do with it.
        var isFirst: Bool
    }

    package let channels: [Channel]
    package let lag: Int
    private var moments: [Moment] = []

    package init(_ channels: [Channel], lag: Int) {
        self.channels = channels
        self.lag = lag
    }

    package var isEmpty: Bool { moments.isEmpty }

    /// What is expected at a time, before it is measured; nil at the start.
    package func prediction(at time: Double) -> [Double]? {
        moments.last.map { last in channels.indices.map { last.filtered.x[$0] + (time - last.time) * last.filtered.v[$0] } }
    }

    /// - Parameters:
    ///   - values: nil where nothing was seen.
    ///   - doubt: how many times noisier than usual the measurement is.
    ///   - restart: forgets what was before.
    package mutating func add(_ values: [Double]?, time: Double, doubt: Double = 1, restart: Bool = false) {
        let n = channels.count
        guard let last = moments.last, !restart else {
            guard let values else { return }
            var belief = Belief(n)
            for (i, channel) in channels.enumerated() {
                let r = doubt * channel.noise
                (belief.x[i], belief.xx[i]) = (values[i], r * r)
                // Of the first velocity nothing is known but that it is one that a quarter of a second can bring about.
                belief.vv[i] = 0.25 * channel.agility * channel.agility
            }
            append(Moment(time: time, predicted: belief, filtered: belief, step: 0, isFirst: true))
            return
        }
        let dt = max(1e-6, time - last.time)
        var predicted = last.filtered
        for (i, channel) in channels.enumerated() {
            let q = channel.agility * channel.agility
            predicted.x[i] += dt * predicted.v[i]
            predicted.xx[i] += dt * (2 * predicted.xv[i] + dt * predicted.vv[i]) + q * dt * dt * dt / 3
            predicted.xv[i] += dt * predicted.vv[i] + q * dt * dt / 2
            predicted.vv[i] += q * dt
        }
        var filtered = predicted
        if let values {
            for (i, channel) in channels.enumerated() {
                let r = doubt * channel.noise, s = predicted.xx[i] + r * r
                let gain = (predicted.xx[i] / s, predicted.xv[i] / s), surprise = values[i] - predicted.x[i]
                filtered.x[i] += gain.0 * surprise
                filtered.v[i] += gain.1 * surprise
                filtered.vv[i] -= gain.1 * predicted.xv[i]
                filtered.xv[i] -= gain.0 * predicted.xv[i]
                filtered.xx[i] -= gain.0 * predicted.xx[i]
            }
        }
        append(Moment(time: time, predicted: predicted, filtered: filtered, step: dt, isFirst: false))
    }

    private mutating func append(_ moment: Moment) {
        moments.append(moment)
        if moments.count > lag + 1 { moments.removeFirst() }
    }

    /// The values `back` moments ago (at most the lag), from all that is known now; nil where there was nothing yet.
    package func values(back: Int) -> [Double]? {
        let target = moments.count - 1 - back
        guard moments.indices.contains(target) else { return nil }
        // Backwards from the last moment of the run that the target belongs to.
        var end = target
        while end + 1 < moments.count, !moments[end + 1].isFirst { end += 1 }
        var x = moments[end].filtered.x, v = moments[end].filtered.v
        for k in stride(from: end - 1, through: target, by: -1) {
            let now = moments[k].filtered, next = moments[k + 1].predicted, dt = moments[k + 1].step
            for i in channels.indices {
                let determinant = next.xx[i] * next.vv[i] - next.xv[i] * next.xv[i]
                guard determinant > 0 else { continue }
                // Gain: P F^T Q^-1, Q being the predicted covariance.
                let a = now.xx[i] + dt * now.xv[i], b = now.xv[i], c = now.xv[i] + dt * now.vv[i], d = now.vv[i]
                let ex = x[i] - next.x[i], ev = v[i] - next.v[i]
                let ux = (next.vv[i] * ex - next.xv[i] * ev) / determinant, uv = (next.xx[i] * ev - next.xv[i] * ex) / determinant
                x[i] = now.x[i] + a * ux + b * uv
                v[i] = now.v[i] + c * ux + d * uv
            }
        }
        return x
    }
}
