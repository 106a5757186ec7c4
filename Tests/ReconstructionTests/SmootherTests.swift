import Glibc
import Numerics
import Reconstruction
import Testing

@Suite struct SmootherTests {
    /// The most probable values and velocities of one channel given all measurements, by the normal equations of the whole
    /// sequence: what a forward and backward pass must give at every time.
    private func whole(_ z: [Double?], _ times: [Double], _ channel: FixedLagSmoother.Channel) -> [Double] {
        let n = 2 * z.count, q = channel.agility * channel.agility, r = channel.noise * channel.noise
        var a = [Double](repeating: 0, count: n * n), b = [Double](repeating: 0, count: n)
        // The first value is measured with noise r and has no prior of its own; the velocity has.
        a[1 * n + 1] += 1 / (0.25 * q)
        for (k, value) in z.enumerated() {
            if let value {
                a[2 * k * n + 2 * k] += 1 / r
                b[2 * k] += value / r
            }
            if k + 1 == z.count { continue }
            let dt = times[k + 1] - times[k]
            // Inverse of q [dt^3/3, dt^2/2; dt^2/2, dt].
            let w = [12 / (q * dt * dt * dt), -6 / (q * dt * dt), -6 / (q * dt * dt), 4 / (q * dt)]
            // The change that was not expected: (x' - x - dt v, v' - v).
            let rows = [[-1.0, -dt, 1, 0], [0, -1, 0, 1]]
            for i in 0..<4 {
                for j in 0..<4 {
                    for p in 0..<2 {
                        for s in 0..<2 { a[(2 * k + i) * n + 2 * k + j] += rows[p][i] * w[2 * p + s] * rows[s][j] }
                    }
                }
            }
        }
        // Gaussian elimination with pivots.
        for c in 0..<n {
            let pivot = (c..<n).max { abs(a[$0 * n + c]) < abs(a[$1 * n + c]) }!
            for j in 0..<n { a.swapAt(c * n + j, pivot * n + j) }
            b.swapAt(c, pivot)
            for i in c + 1..<n {
                let f = a[i * n + c] / a[c * n + c]
                for j in c..<n { a[i * n + j] -= f * a[c * n + j] }
                b[i] -= f * b[c]
            }
        }
        for c in stride(from: n - 1, through: 0, by: -1) {
            for j in c + 1..<n { b[c] -= a[c * n + j] * b[j] }
            b[c] /= a[c * n + c]
        }
        return (0..<z.count).map { b[2 * $0] }
    }

    @Test func isTheMostProbablePath() {
        let channel = FixedLagSmoother.Channel(noise: 0.3, agility: 2)
        var random = RandomGenerator(seed: 3)
        var times: [Double] = [], z: [Double?] = []
        for k in 0..<14 {
            times.append(0.04 * Double(k) + 0.01 * random.uniform())
            z.append(k == 6 || k == 7 ? nil : sin(2 * times[k]) + 0.3 * random.normal())
        }
        for lag in [0, 1, 4, 13] {
            var smoother = FixedLagSmoother([channel, channel], lag: lag)
            for k in z.indices {
                smoother.add(z[k].map { [$0, -$0] }, time: times[k])
                guard k >= lag else { continue }
                let expected = whole(Array(z[0...k]), Array(times[0...k]), channel)
                let found = smoother.values(back: lag)!
                #expect(abs(found[0] - expected[k - lag]) < 1e-8, "lag \(lag), frame \(k)")
                #expect(abs(found[1] + found[0]) < 1e-12)
            }
        }
    }

    @Test func startsAnewAfterACut() {
        var smoother = FixedLagSmoother([.init(noise: 1, agility: 1)], lag: 3)
        #expect(smoother.values(back: 0) == nil)
        smoother.add(nil, time: 0)
        #expect(smoother.isEmpty)
        for k in 1..<5 { smoother.add([0], time: Double(k)) }
        smoother.add([100], time: 5, restart: true)
        smoother.add([100], time: 6)
        #expect(abs(smoother.values(back: 0)![0] - 100) < 1e-9 && abs(smoother.values(back: 1)![0] - 100) < 1e-9)
        #expect(abs(smoother.values(back: 2)![0]) < 1e-9)
    }
}
