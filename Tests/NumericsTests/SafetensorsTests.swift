import Foundation
import Numerics
import Testing

/// A safetensors file put together by hand, so that it can be wrong.
func rawFile(_ header: String, data: [UInt8], claimedHeader: UInt64? = nil) -> [UInt8] {
    let text = Array(header.utf8)
    return withUnsafeBytes(of: (claimedHeader ?? UInt64(text.count)).littleEndian) { Array($0) } + text + data
}

func message(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch { return (error as? GarfaceError)?.message ?? "not a GarfaceError" }
}

@Suite struct SafetensorsTests {
    @Test func roundTrip() throws {
        var writer = SafetensorsWriter(metadata: ["garface": "{\"kind\":\"test\"}", "note": "quote \" and ä"])
        let a = Tensor<Float>([2, 3], [1, -2.5, 3e-20, .infinity, 0, 6])
        writer.add("a", a)
        writer.add("i", [4], [1, -1, .max, .min])
        writer.add("empty", Tensor<Float>([0, 5]))
        let file = try SafetensorsFile(bytes: writer.bytes(), name: "memory")
        #expect(file.metadata["garface"] == "{\"kind\":\"test\"}")
        #expect(file.metadata["note"] == "quote \" and ä")
        #expect(file.names == ["a", "i", "empty"])
        #expect((try file.tensor("a") as Tensor<Float>).array == a.array)
        #expect((try file.tensor("a", shape: [2, 3]) as Tensor<Double>).array[1] == -2.5)
        #expect(try file.integers("i") == [1, -1, .max, .min])
        #expect((try file.tensor("empty") as Tensor<Float>).count == 0)
        #expect(message { _ = try file.tensor("a", shape: [3, 2]) as Tensor<Float> } ==
            "memory: tensor \"a\": expected shape [3, 2], found [2, 3]")
        #expect(message { _ = try file.tensor("b") as Tensor<Float> }?.contains("\"b\" is missing") == true)
        #expect(message { _ = try file.integers("a") } != nil)
    }

    @Test func everyNumberFormat() throws {
        // 1.5, -2, the smallest subnormal half, -inf, 65504, -0
        let halves: [UInt16] = [0x3E00, 0xC000, 0x0001, 0xFC00, 0x7BFF, 0x8000]
        let brains: [UInt16] = [0x3FC0, 0xC000]
        var data: [UInt8] = []
        for v in halves + brains { data += [UInt8(v & 255), UInt8(v >> 8)] }
        withUnsafeBytes(of: Double(-0.1)) { data += Array($0) }
        data += [255, 3]
        withUnsafeBytes(of: Int64(-7)) { data += Array($0) }
        let header = """
            {"h":{"dtype":"F16","shape":[6],"data_offsets":[0,12]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[12,16]},\
            "d":{"dtype":"F64","shape":[],"data_offsets":[16,24]},"u":{"dtype":"U8","shape":[2],"data_offsets":[24,26]},\
            "l":{"dtype":"I64","shape":[1],"data_offsets":[26,34]}}
            """
        let file = try SafetensorsFile(bytes: rawFile(header, data: data), name: "m")
        let h: [Float] = (try file.tensor("h") as Tensor<Float>).array
        #expect(h == [1.5, -2, 0x1p-24, -.infinity, 65504, 0])
        #expect(h[5].sign == .minus)
        #expect((try file.tensor("b") as Tensor<Double>).array == [1.5, -2])
        #expect((try file.tensor("d") as Tensor<Double>).array == [-0.1])
        #expect((try file.tensor("u") as Tensor<Float>).array == [255, 3])
        #expect(try file.integers("u") == [255, 3])
        #expect(try file.integers("l") == [-7])
        // every finite half against the exact value
        var everyHalf: [UInt8] = []
        for bits in 0..<UInt16(0x7C00) { everyHalf += [UInt8(bits & 255), UInt8(bits >> 8)] }
        let all = try SafetensorsFile(
            bytes: rawFile("{\"x\":{\"dtype\":\"F16\",\"shape\":[31744],\"data_offsets\":[0,63488]}}", data: everyHalf), name: "m")
        let values = (try all.tensor("x") as Tensor<Float>).array
        var wrong = 0
        for bits in 0..<0x7C00 {
            let exponent = bits >> 10
            let fraction = Float(bits & 0x3FF)
            let exact = exponent == 0 ? fraction * 0x1p-24 : (1 + fraction / 1024) * Float(sign: .plus, exponent: exponent - 15, significand: 1)
            if values[bits] != exact { wrong += 1 }
        }
        #expect(wrong == 0)
    }

    private static let hostileFiles: [(String, [UInt8])] = [
        ("short", [1, 2, 3]),
        ("huge header", rawFile("{}", data: [], claimedHeader: .max)),
        ("header past the end", rawFile("{}", data: [], claimedHeader: 100)),
        ("no JSON", rawFile("hello", data: [])),
        ("an array", rawFile("[]", data: [])),
        ("deep", rawFile(String(repeating: "[", count: 100_000), data: [])),
        ("twice", rawFile("{\"a\":{},\"a\":{}}", data: [])),
        ("no dtype", rawFile("{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", data: [0, 0, 0, 0])),
        ("odd dtype", rawFile("{\"a\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,4]}}", data: [0, 0, 0, 0])),
        ("negative", rawFile("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", data: [0, 0, 0, 0])),
        ("overflow", rawFile(
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],\"data_offsets\":[0,0]}}", data: [])),
        ("overflow hidden by zero", rawFile(
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967297,0],\"data_offsets\":[0,0]}}", data: [])),
        ("outside", rawFile("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", data: [0, 0, 0, 0])),
        ("reversed", rawFile("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", data: [0, 0, 0, 0])),
        ("fraction", rawFile("{\"a\":{\"dtype\":\"F32\",\"shape\":[0.5],\"data_offsets\":[0,2]}}", data: [0, 0])),
        ("size", rawFile("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", data: [0, 0, 0, 0])),
        ("overlap", rawFile(
            "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}",
            data: [0, 0, 0, 0])),
        ("gap", rawFile("{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}", data: [0, 0, 0, 0])),
        ("trailing", rawFile("{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", data: [0, 0, 0, 0])),
    ]

    @Test func hostile() {
        for (what, bytes) in Self.hostileFiles {
            do {
                _ = try SafetensorsFile(bytes: bytes, name: "bad.safetensors")
                Issue.record("\(what) was accepted")
            } catch {
                #expect(error is GarfaceError)
                #expect("\(error)".hasPrefix("bad.safetensors: "), "\(what): \(error)")
            }
        }
    }

    @Test func anyTruncationOrFlippedByteIsAnErrorOrAFile() throws {
        var writer = SafetensorsWriter(metadata: ["k": "v"])
        writer.add("a", Tensor<Float>([3], [1, 2, 3]))
        writer.add("b", [2], [4, 5])
        let good = writer.bytes()
        for n in 0..<good.count { #expect(throws: GarfaceError.self) { try SafetensorsFile(bytes: Array(good[..<n]), name: "x") } }
        var rng = RandomGenerator(seed: 5)
        for _ in 0..<3000 {
            var bad = good
            for _ in 0..<(1 + rng.next() % 3) { bad[Int(rng.next() % UInt64(bad.count))] = UInt8(truncatingIfNeeded: rng.next()) }
            if let file = try? SafetensorsFile(bytes: bad, name: "x") {
                for name in file.names { _ = try? file.tensor(name) as Tensor<Float> }
            }
        }
    }

    @Test func filesOnDisk() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("garface-\(UInt64.random(in: 0 ... .max))").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/a.bin"
        try FileAccess.write(path, [1, 2, 3])
        try FileAccess.write(path, [4, 5])
        #expect(try FileAccess.read(path) == [4, 5])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.bin"])
        #expect(kind { _ = try FileAccess.read(path, limit: 1) } == .tooLarge)
        #expect(kind { _ = try FileAccess.read(folder + "/none") } == .fileNotFound)
        #expect(kind { _ = try FileAccess.read(folder) } == .fileUnreadable)
        #expect(kind { try FileAccess.write(folder + "/none/b", [1]) } == .fileUnwritable)
        #expect(kind { try FileAccess.write([(folder + "/c", [1]), (folder + "/none/b", [1])]) } == .fileUnwritable)
        #expect(!FileAccess.names(in: folder).contains { $0.hasPrefix("c") })
        #expect(FileAccess.isSame(folder + "/new", folder + "/./new") && !FileAccess.isSame(folder + "/new", folder + "/other"))
        #expect(kind { try FileAccess.write("", [1]) } == .invalidArgument)
        #expect(kind { _ = try SafetensorsFile(path: path) } == .malformedFile)
    }

    private func kind(_ body: () throws -> Void) -> GarfaceError.Kind? {
        do {
            try body()
            return nil
        } catch { return (error as? GarfaceError)?.kind }
    }
}
