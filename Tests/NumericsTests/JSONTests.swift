import Numerics
import Testing

@Suite struct JSONTests {
    @Test func reads() throws {
        let v = try JSONValue(parsing: " {\"a\": [1, -2.5e3, true, false, null], \"b\": {\"c\": \"x\\n\\u00e4\\ud83d\\ude00\"}} ")
        #expect(v["a"]?[1]?.double == -2500)
        #expect(v["a"]?[0]?.int == 1)
        #expect(v["a"]?[1]?.string == nil)
        #expect(v["a"]?[2]?.bool == true)
        #expect(v["b"]?["c"]?.string == "x\nä😀")
        #expect(v["none"] == nil)
        #expect(v["a"]?[9] == nil)
        #expect(try JSONValue(parsing: "0.5").int == nil)
        #expect(try JSONValue(parsing: "1e300").int == nil)
    }

    @Test func writesWhatItReads() throws {
        let text = "{\"z\":[1,2.5,-3e-07],\"a\":{\"s\":\"q\\\"\\\\\\n\\u0001ä\"},\"e\":[],\"o\":{},\"n\":null,\"t\":[true,[\"x\"]]}"
        let v = try JSONValue(parsing: text)
        #expect(v.serialized() == text)
        #expect(try JSONValue(parsing: v.serialized(pretty: true)).serialized() == text)
        #expect(v.serialized(pretty: true).contains("\n  \"a\": {\n"))
        #expect(JSONValue.number(.nan).serialized() == "null")
        let numbers: [Double] = [0.1, 1 / 3, 1e-300, 123456789.125, -0x1p60]
        for x in numbers {
            let back = try JSONValue(parsing: JSONValue.number(x).serialized()).double
            #expect(back == x)
        }
    }

    @Test func hostile() {
        let texts = [
        "", " ", "{", "[", "[1,]", "{\"a\":1,}", "{a:1}", "nul", "01", "1.", "-", "1e", "+1", "1e999", "\"", "\"\\x\"", "\"\\u12\"",
        "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "1 2", "[1 2]", "{\"a\" 1}", "{\"a\":1,\"a\":2}", "\"\u{1}\"",
        String(repeating: "[", count: 1_000_000), String(repeating: "{\"a\":", count: 100_000),
        ]
        for text in texts { #expect(throws: GarfaceError.self) { try JSONValue(parsing: text) } }
    }

    @Test func brokenUTF8() {
        #expect(throws: GarfaceError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
    }
}

@Suite struct RandomTests {
    @Test func knownSequence() {
        // xoshiro256** seeded with SplitMix64(0): the published reference code's first outputs.
        var rng = RandomGenerator(seed: 0)
        #expect([rng.next(), rng.next(), rng.next()] == [0x99EC_5F36_CB75_F2B4, 0xBF6E_1F78_4956_452A, 0x1A5F_849D_4933_E6E0])
    }

    @Test func moments() {
        var rng = RandomGenerator(seed: 1)
        var (sum, square, fourth, uniform) = (0.0, 0.0, 0.0, 0.0)
        let n = 200_000
        for _ in 0..<n {
            let x = rng.normal()
            sum += x
            square += x * x
            fourth += x * x * x * x
            let u = rng.uniform()
            #expect(u >= 0 && u < 1)
            uniform += u
        }
        #expect(abs(sum / Double(n)) < 0.01)
        #expect(abs(square / Double(n) - 1) < 0.02)
        #expect(abs(fourth / Double(n) - 3) < 0.1)
        #expect(abs(uniform / Double(n) - 0.5) < 0.005)
    }
}

@Suite struct ImageTests {
    @Test func sizes() throws {
        #expect(try RGBImage(width: 2, height: 3).pixels.count == 18)
        #expect(throws: GarfaceError.self) { try RGBImage(width: 0, height: 3) }
        #expect(throws: GarfaceError.self) { try RGBImage(width: -1, height: 3) }
        #expect(throws: GarfaceError.self) { try RGBImage(width: 20_000, height: 20_000) }
        #expect(throws: GarfaceError.self) { try RGBImage(width: .max, height: .max) }
        #expect(throws: GarfaceError.self) { try RGBImage(width: 2, height: 2, pixels: [1, 2, 3]) }
    }
}
