import Glibc

/// What one piece of work took: wall-clock seconds of every repeat, and the processor time of the least.
struct Timing {
    let seconds: [Double]
    let cpuSeconds: Double

    var median: Double { quantile(0.5) }
    var best: Double { seconds[0] }
    /// Half of the repeats lie within this share of the median.
    var spread: Double { median > 0 ? (quantile(0.75) - quantile(0.25)) / median : 0 }

    private func quantile(_ q: Double) -> Double {
        let at = q * Double(seconds.count - 1)
        let low = Int(at)
        let high = min(low + 1, seconds.count - 1)
        return seconds[low] + (at - Double(low)) * (seconds[high] - seconds[low])
    }
}

/// Times a closure: one call to warm up, then repeats until both a number of them and a time are reached.
struct BenchClock {
    var leastRepeats = 5
    var leastSeconds = 0.5

    func time(_ work: () throws -> Void) rethrows -> Timing {
        try work()
        var wall: [Double] = []
        var cpu = Double.infinity
        let start = Self.now(CLOCK_MONOTONIC)
        while wall.count < leastRepeats || (Self.now(CLOCK_MONOTONIC) - start < leastSeconds && wall.count < 10_000) {
            let (w, c) = (Self.now(CLOCK_MONOTONIC), Self.now(CLOCK_PROCESS_CPUTIME_ID))
            try work()
            wall.append(Self.now(CLOCK_MONOTONIC) - w)
            cpu = min(cpu, Self.now(CLOCK_PROCESS_CPUTIME_ID) - c)
        }
        return Timing(seconds: wall.sorted(), cpuSeconds: cpu)
    }

    static func now(_ clock: clockid_t) -> Double {
        var t = timespec()
        clock_gettime(clock, &t)
        return Double(t.tv_sec) + 1e-9 * Double(t.tv_nsec)
    }
}
