import Glibc
import Numerics

/// What this machine calls its processor.
enum Processor {
    static var name: String {
        // Files of /proc have no size to ask for: they are read line by line.
        guard let file = fopen("/proc/cpuinfo", "r") else { return "unknown processor" }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 4096)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            guard text.hasPrefix("model name"), let colon = text.firstIndex(of: ":") else { continue }
            return String(text[text.index(after: colon)...].drop { $0 == " " }.prefix { $0 != "\n" })
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
