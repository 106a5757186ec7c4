import Numerics

/// One line of a benchmark: what ran, how long it took and, where the arithmetic is known, how fast that is.
struct BenchRow {
    let group: String
    let name: String
    let timing: Timing
    /// Multiplications and additions of one call.
    var flops: Double?
    /// Bytes that one call cannot avoid reading or writing.
    var bytes: Double?
    /// Photos of one call.
    var photos: Int?
    /// The most memory in use at a time, in bytes.
    var memory: Double?
    /// Seconds (processor time) of what it is compared with.
    var reference: (name: String, seconds: Double)?

    var json: JSONValue {
        var members: [(String, JSONValue)] = [
            ("group", .string(group)), ("name", .string(name)), ("median_seconds", .number(timing.median)),
            ("best_seconds", .number(timing.best)), ("spread", .number(timing.spread)),
            ("cpu_seconds", .number(timing.cpuSeconds)), ("repeats", .number(Double(timing.seconds.count))),
        ]
        if let flops { members.append(("gflops", .number(flops / timing.median * 1e-9))) }
        if let bytes { members.append(("gbytes_per_second", .number(bytes / timing.median * 1e-9))) }
        if let photos { members.append(("photos_per_second", .number(Double(photos) / timing.median))) }
        if let memory { members.append(("peak_resident_bytes", .number(memory))) }
        if let reference {
            members.append(("reference", .string(reference.name)))
            members.append(("reference_cpu_seconds", .number(reference.seconds)))
        }
        return .object(members)
    }
}

/// The rows as text.
enum BenchTable {
    static func text(_ rows: [BenchRow], peak: Double?) -> String {
        var lines: [[String]] = []
        var groups: [(Int, String)] = []
        for row in rows {
            if groups.last?.1 != row.group { groups.append((lines.count, row.group)) }
            var cells = [
                "  " + row.name, time(row.timing.median), "+-" + percent(row.timing.spread), time(row.timing.best),
                time(row.timing.cpuSeconds),
            ]
            if let flops = row.flops {
                let rate = flops / row.timing.median * 1e-9
                cells.append(decimal(rate, 0) + " GFLOP/s")
                cells.append(peak.map { percent(rate / $0) + " of peak" } ?? "")
            } else if let bytes = row.bytes {
                cells += [decimal(bytes / row.timing.median * 1e-9, 1) + " GB/s", ""]
            } else if let photos = row.photos {
                cells.append(decimal(Double(photos) / row.timing.median, 2) + " photos/s")
                cells.append(row.memory.map { decimal($0 * 1e-6, 0) + " MB at most" } ?? "")
            } else {
                cells += ["", ""]
            }
            if let r = row.reference { cells.append(percent(r.seconds / row.timing.cpuSeconds) + " of " + r.name) }
            lines.append(cells)
        }
        let header = ["", "median", "spread", "best", "cpu", "", "", ""]
        let columns = header.indices.map { c in (lines + [header]).map { c < $0.count ? $0[c].count : 0 }.max()! }
        func line(_ cells: [String]) -> String {
            var out = ""
            for (c, cell) in cells.enumerated() {
                let pad = String(repeating: " ", count: columns[c] - cell.count)
                out += c == 0 || c == 7 ? cell + pad + "  " : pad + cell + "  "
            }
            while out.last == " " { out.removeLast() }
            return out
        }
        var text = line(header) + "\n"
        for (i, cells) in lines.enumerated() {
            if let group = groups.first(where: { $0.0 == i }) { text += group.1 + "\n" }
            text += line(cells) + "\n"
        }
        return text
    }

    static func time(_ seconds: Double) -> String {
        if seconds < 1e-3 { return decimal(seconds * 1e6, 1) + " us" }
        if seconds < 1 { return decimal(seconds * 1e3, 2) + " ms" }
        return decimal(seconds, 2) + " s"
    }

    static func percent(_ share: Double) -> String { decimal(100 * share, 0) + " %" }

    static func decimal(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else { return "-" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let rounded = (abs(value) * scale).rounded()
        guard rounded < 1e15 else { return "-" }
        let whole = Int(rounded / scale), rest = Int(rounded - Double(whole) * scale)
        let tail = String(rest)
        return (value < 0 ? "-" : "") + String(whole)
            + (digits == 0 ? "" : "." + String(repeating: "0", count: max(0, digits - tail.count)) + tail)
    }
}
