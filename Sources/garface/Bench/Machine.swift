import Glibc
import Numerics

/// What this machine calls its processor.
enum Processor {
    static var name: String {
        guard let text = try? FileAccess.read("/proc/cpuinfo") else { return "unknown processor" }
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") where line.hasPrefix("model name") {
            if let colon = line.firstIndex(of: ":") {
                return line[line.index(after: colon)...].drop { $0 == " " }.description
            }
        }
        return "unknown processor"
    }
}

/// The arithmetic this machine can do, as a large matrix product shows it.
enum MatrixProductPeak {
    static func flopsPerSecond(_ clock: BenchClock) -> Double {
        let n = 1024
        let a = Tensor<Float>([n, n]), b = Tensor<Float>([n, n]), c = Tensor<Float>([n, n])
        var rng = RandomGenerator(seed: 1)
        rng.fillNormal(a)
        rng.fillNormal(b)
        let timing = clock.time { Float.gemm(false, false, n, n, n, 1, a.pointer, n, b.pointer, n, 0, c.pointer, n) }
        return 2 * Double(n * n * n) / timing.best
    }
}
