import Glibc

/// Seeded random numbers that are the same on every machine.
///
/// The generator is xoshiro256** (Blackman and Vigna), its four words filled from the seed by SplitMix64.
/// `uniform()` takes the top 53 bits; `normal()` is the polar method of Marsaglia, two values per round.
public struct RandomGenerator: RandomNumberGenerator, Sendable {
    private var s: (UInt64, UInt64, UInt64, UInt64)
    private var spare: Double?

    public init(seed: UInt64) {
        var x = seed
        func splitMix() -> UInt64 {
            x &+= 0x9E37_79B9_7F4A_7C15
            var z = x
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
        s = (splitMix(), splitMix(), splitMix(), splitMix())
    }

    public mutating func next() -> UInt64 {
        func rotate(_ v: UInt64, _ k: UInt64) -> UInt64 { (v << k) | (v >> (64 - k)) }
        let result = rotate(s.1 &* 5, 7) &* 9
        let t = s.1 << 17
        s.2 ^= s.0
        s.3 ^= s.1
        s.1 ^= s.2
        s.0 ^= s.3
        s.2 ^= t
        s.3 = rotate(s.3, 45)
        return result
    }

    /// Uniform in [0, 1).
    public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Uniform in [low, high).
    public mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * uniform() }

    /// Gaussian with mean 0 and deviation 1.
    public mutating func normal() -> Double {
        if let v = spare {
            spare = nil
            return v
        }
        while true {
            let a = 2 * uniform() - 1
            let b = 2 * uniform() - 1
            let r = a * a + b * b
            if r > 0 && r < 1 {
                let f = (-2 * log(r) / r).squareRoot()
                spare = b * f
                return a * f
            }
        }
    }

    /// Fills a tensor with Gaussian numbers.
    public mutating func fillNormal<T: Scalar>(_ tensor: Tensor<T>) {
        for i in 0..<tensor.count { tensor.pointer[i] = T(normal()) }
    }
}
