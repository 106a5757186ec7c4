import Glibc

/// What one piece of work took: wall-clock and processor seconds of every repeat, ascending.
struct Timing {
    let seconds, processorSeconds: [Double]

    var median: Double { Self.quantile(0.5, seconds) }
    var best: Double { seconds[0] }
    /// Half of the repeats lie within this share of the median.
    var spread: Double { median > 0 ? (Self.quantile(0.75, seconds) - Self.quantile(0.25, seconds)) / median : 0 }
    /// What a quarter of the repeats stays below: a busy machine disturbs it little, and a clock that jumps, too.
    var cpuSeconds: Double { Self.quantile(0.25, processorSeconds) }

    private static func quantile(_ q: Double, _ values: [Double]) -> Double {
        let at = q * Double(values.count - 1)
        let low = Int(at)
        let high = min(low + 1, values.count - 1)
        return values[low] + (at - Double(low)) * (values[high] - values[low])
    }
}

/// Times a closure: calls to warm up, then repeats until both a number of them and a time are reached. What takes less than a
/// tenth of a millisecond is called several times in a repeat: asking for the processor time takes half a microsecond.
struct BenchClock {
    var leastRepeats = 5
    var leastSeconds = 0.5
    private static let leastRepeat = 1e-4

    func time(_ work: () throws -> Void) rethrows -> Timing {
        try work()
        let first = Self.now(CLOCK_MONOTONIC)
        try work()
        let calls = max(1, min(1000, (Self.leastRepeat / max(1e-9, Self.now(CLOCK_MONOTONIC) - first)).rounded(.up)))
        var wall: [Double] = [], cpu: [Double] = []
        let start = Self.now(CLOCK_MONOTONIC)
        while wall.count < leastRepeats || (Self.now(CLOCK_MONOTONIC) - start < leastSeconds && wall.count < 10_000) {
            let (w, c) = (Self.now(CLOCK_MONOTONIC), Self.now(CLOCK_PROCESS_CPUTIME_ID))
            for _ in 0..<Int(calls) { try work() }
            cpu.append((Self.now(CLOCK_PROCESS_CPUTIME_ID) - c) / calls)
            wall.append((Self.now(CLOCK_MONOTONIC) - w) / calls)
        }
        return Timing(seconds: wall.sorted(), processorSeconds: cpu.sorted())
    }

    static func now(_ clock: clockid_t) -> Double {
        var t = timespec()
        clock_gettime(clock, &t)
        return Double(t.tv_sec) + 1e-9 * Double(t.tv_nsec)
    }
}
