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

/// The arithmetic this machine can do, as large matrix products show it.
enum MatrixProductPeak {
    private static let side = 1024

    /// With as many threads as the suites have, by the quicker of the two libraries: OpenBLAS takes the kernels of older
    /// processors on one that it does not know.
    static func measure(threads: Int, _ clock: BenchClock) -> (gflops: Double, what: String) {
        let products = [
            ("OpenBLAS", ofOpenBLAS(threads, clock)), ("oneDNN", ofOneDNN(clock)),
        ].compactMap { library, speed in speed.map { (gflops: $0 * 1e-9, what: "\(library)'s matrix product of \(side) x \(side)") } }
        return products.max { $0.gflops < $1.gflops }!
    }

    /// A product for each thread: beside OpenMP, OpenBLAS has one thread only.
    private static func ofOpenBLAS(_ threads: Int, _ clock: BenchClock) -> Double? {
        let n = side
        var rng = RandomGenerator(seed: 1)
        let factors = (0..<threads).map { _ in
            let matrices = (0..<3).map { _ in Tensor<Float>([n, n]) }
            rng.fillNormal(matrices[0])
            rng.fillNormal(matrices[1])
            return matrices
        }
        let timing = clock.time {
            inParts(threads) { part in
                let m = factors[part]
                Float.gemm(false, false, n, n, n, 1, m[0].pointer, n, m[1].pointer, n, 0, m[2].pointer, n)
            }
        }
        return flops * Double(threads) / timing.best
    }

    /// The product as a 1x1 convolution of so many channels and pixels.
    private static func ofOneDNN(_ clock: BenchClock) -> Double? {
        #if GARFACE_ONEDNN
            guard
                let product = try? ConvolutionCeiling(
                    .pointwise, batch: 1, inputChannels: side, outputChannels: side, height: 32, width: side / 32)
            else { return nil }
            let times = (0..<product.algorithmCount).map { k in clock.time { product.run(k, backward: false) }.best }
            return times.min().map { flops / $0 }
        #else
            return nil
        #endif
    }

    private static var flops: Double { 2 * Double(side * side * side) }
}

/// The largest amount of memory that this process had in use at a time.
enum ResidentMemory {
    /// Bytes, while `work` ran; nil where the system does not say.
    static func peak(during work: () throws -> Void) rethrows -> Double? {
        guard let file = fopen("/proc/self/clear_refs", "w") else {
            try work()
            return nil
        }
        // 5: the largest so far is what there is now.
        fputs("5", file)
        fclose(file)
        try work()
        return highest()
    }

    private static func highest() -> Double? {
        guard let file = fopen("/proc/self/status", "r") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 4096)
        while fgets(&line, Int32(line.count), file) != nil {
            let words = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
                .split(whereSeparator: \.isWhitespace)
            if words.first == "VmHWM:", words.count > 1, let kilobytes = Double(words[1]) { return 1024 * kilobytes }
        }
        return nil
    }
}
