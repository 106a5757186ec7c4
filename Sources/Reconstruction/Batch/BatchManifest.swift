import Numerics

/// The tables of a batch: manifest.csv and manifest.json in the output folder.
enum BatchManifest {
    static let names = ["manifest.csv", "manifest.json"]

    /// `records` in the order of the photos; those that were not reached are nil.
    static func write(_ records: [BatchRecord?], to output: String) throws {
        let known = records.compactMap { $0 }
        let failed = known.count { $0.failure != nil }
        let json = JSONValue.object([
            ("kind", .string("batch-manifest")), ("version", .number(1)), ("total", .number(Double(records.count))),
            ("done", .number(Double(known.count - failed))), ("failed", .number(Double(failed))),
            ("left", .number(Double(records.count - known.count))), ("photos", .array(known.map(\.json))),
        ])
        let csv = ([BatchRecord.columns] + known.map(\.row)).map { $0.map(quoted).joined(separator: ",") + "\r\n" }.joined()
        try FileAccess.write([
            ("\(output)/\(names[0])", Array(csv.utf8)), ("\(output)/\(names[1])", Array((json.serialized(pretty: true) + "\n").utf8)),
        ])
    }

    /// How many photos the manifest of an earlier batch has that are not among these: a new one no longer tells of them.
    static func others(than photos: [BatchPhoto], in output: String) -> Int {
        guard let text = try? FileAccess.read("\(output)/\(names[1])", limit: 1 << 30), let json = try? JSONValue(parsing: text),
            json["kind"]?.string == "batch-manifest", let rows = json["photos"]?.array
        else { return 0 }
        let folders = Set(photos.map(\.folder))
        return rows.count { $0["folder"]?.string.map { !folders.contains($0) } ?? false }
    }

    /// As RFC 4180 has it.
    private static func quoted(_ cell: String) -> String {
        guard cell.utf8.contains(where: { [0x22, 0x2C, 0x0A, 0x0D].contains($0) }) else { return cell }
        return "\"" + cell.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
