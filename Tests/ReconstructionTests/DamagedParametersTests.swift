import Numerics
import Reconstruction
import Testing

/// parameters.safetensors comes back from disks and mails: thousands of damaged copies, in the same order every time.
@Suite struct DamagedParametersTests {
    private func parameters() -> [UInt8] {
        var writer = SafetensorsWriter(metadata: ["garface": "{\"kind\":\"reconstruction\",\"version\":1}"])
        writer.add("identity", Tensor<Float>([3], [0.5, -1, 2]))
        writer.add("expression", Tensor<Float>([2], [0, 1]))
        writer.add("frame_pose", Tensor<Float>([6], [0.1, 0.2, 0, 0, 3, 4]))
        writer.add("frame", Tensor<Float>([4], [100, 120, 200, 0.1]))
        writer.add("w_plus", Tensor<Float>([2, 4], [1, 2, 3, 4, 5, 6, 7, 8]))
        writer.add("noise", Tensor<Float>([3], [1, 0, 1]))
        return writer.bytes()
    }

    @Test func theSoundFileIsRead() throws {
        let saved = try SavedParameters(file: SafetensorsFile(bytes: parameters(), name: "sound")).parameters
        #expect(saved.identity == [0.5, -1, 2] && saved.wRows == 2 && saved.wPlus.count == 8 && saved.noise.count == 3)
    }

    @Test func damagedCopies() throws {
        let sound = parameters()
        let words: [UInt32] = [0, 1, .max, 0x7f80_0000, 0x7fc0_0000, 0xff7f_ffff, 0x8000_0000, 0x3939_3939]
        var random = RandomGenerator(seed: 11)
        func below(_ n: Int) -> Int { min(n - 1, Int(random.uniform() * Double(n))) }
        var read = 0, refused = 0
        for trial in 0..<6000 {
            var bytes = sound
            for _ in 0...below(3) {
                let at = below(bytes.count)
                switch below(6) {
                case 0: bytes.removeSubrange(at...)
                case 1: bytes.insert(UInt8(below(256)), at: at)
                case 2: bytes[at] ^= 1 << UInt8(below(8))
                case 3:
                    if let digit = bytes.indices.first(where: { $0 >= at && (48...57).contains(bytes[$0]) }) {
                        bytes[digit] = UInt8(48 + below(10))
                    }
                case 4: bytes[at] = Array("{}[]\":,-e9 ".utf8)[below(11)]
                default:
                    let word = words[below(words.count)]
                    for k in 0..<4 where at + k < bytes.count { bytes[at + k] = UInt8(truncatingIfNeeded: word >> UInt32(8 * k)) }
                }
                if bytes.isEmpty { break }
            }
            do {
                let saved = try SavedParameters(file: SafetensorsFile(bytes: bytes, name: "damaged")).parameters
                let numbers = saved.identity + saved.expression + saved.wPlus + saved.noise
                #expect(numbers.allSatisfy { $0.isFinite }, "trial \(trial)")
                #expect(saved.wRows == 0 ? saved.wPlus.isEmpty : saved.wPlus.count % saved.wRows == 0, "trial \(trial)")
                read += 1
            } catch let error as GarfaceError {
                #expect(error.kind == .malformedFile || error.kind == .wrongModelKind, "trial \(trial): \(error)")
                refused += 1
            }
        }
        #expect(read > 100 && refused > 1000)
    }
}
