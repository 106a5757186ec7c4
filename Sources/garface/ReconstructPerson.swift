import Numerics
import Reconstruction

extension ReconstructCommand {
    /// Several photos of one person into one folder: photo1_..., photo2_..., and person.json, which says what they share and
    /// which photos had no face or could not be read.
    func runPerson() throws {
        let options = try options(), selection = try selection()
        let names = ResultNames(selection: selection, numbered: true, word: "photo")
        for photo in photos { try names.check(photo: photo, folder: output) }
        let folder = try OutputFolder(output)
        defer { folder.discard() }
        // A photo that cannot be read is reported as one without a face is; where none can be, the first one's reason counts.
        var images: [(index: Int, image: RGBImage)] = []
        var problems = [GarfaceError?](repeating: nil, count: photos.count)
        for (i, photo) in photos.enumerated() {
            do { images.append((i, try ImageFile.read(photo))) } catch let error as GarfaceError { problems[i] = error }
        }
        guard !images.isEmpty else { throw problems.lazy.compactMap { $0 }.first! }
        Interruption.watch()
        setThreadCount(threads ?? Self.standardThreads)
        let bar = ProgressBar(quiet: quiet)
        defer { bar.finish() }
        let person = try Reconstructor(models.load()).reconstruct(
            person: images.map(\.image), options: options, progress: bar.update)
        var rows: [JSONValue] = []
        for (k, (i, _)) in images.enumerated() { problems[i] = person.failures[k] }
        for (i, photo) in photos.enumerated() {
            let k = images.firstIndex { $0.index == i }
            if let k, let result = person.results[k] {
                try result.add(to: folder, photo: images[k].image, selection: selection, prefix: names.prefix(i))
            }
            rows.append(
                .object([
                    ("photo", .string(photo)), ("files", problems[i] == nil ? .string(names.prefix(i)) : .null),
                    ("problem", problems[i].map { .string($0.message) } ?? .null),
                ]))
        }
        let summary = JSONValue.object([
            ("kind", .string("person")), ("version", .number(1)),
            ("identity", .array(person.identity.map { .number(Double($0)) })), ("photos", .array(rows)),
        ])
        try folder.add("person.json", text: summary.serialized(pretty: true) + "\n")
        if Interruption.isRequested { throw GarfaceError(.cancelled, "the reconstruction was cancelled") }
        try folder.commit(removing: names.contains)
        bar.finish()
        for (photo, problem) in zip(photos, problems) {
            if let problem {
                complain("garface: warning: " + (problem.message.hasPrefix(photo) ? "" : "\(photo): ") + problem.message)
            }
        }
        if let warning = person.results.lazy.compactMap({ $0?.warning }).first { complain("garface: warning: \(warning)") }
        if !quiet {
            print("one person from \(person.results.count { $0 != nil }) of \(photos.count) photos; written to \(output)")
        }
    }
}
