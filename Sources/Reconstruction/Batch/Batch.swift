import Fitting
import Glibc
import Numerics
import Synchronization

public struct BatchOptions: Sendable {
    /// Of every photo: renderer, schedule, how many faces. Where the face is, is searched.
    public var reconstruction = ReconstructionOptions()
    public var selection = OutputSelection.standard
    /// Photos at a time; 0: as many as the process has cores.
    public var threads = 0
    /// Whether photos that failed in an earlier run are tried again.
    public var retriesFailures = true
    /// Whether manifest.csv and manifest.json are written; without them the batch.json of every folder says as much.
    public var writesManifest = true
    public init() {}
}

/// Many photos, several at a time, each into a folder of its own; what an earlier run has done is not done again.
///
/// Every thread has working memory of its own; models are shared. A folder's batch.json is written last, so that a folder
/// with one is whole, whatever ended the run before.
public struct Batch: Sendable {
    public let models: ReconstructionModels
    public let photos: [BatchPhoto]
    public let output: String
    public let options: BatchOptions

    public init(models: ReconstructionModels, photos: [BatchPhoto], output: String, options: BatchOptions) throws {
        let r = options.reconstruction
        guard r.rectangle == nil, r.face == nil, r.points5 == nil, r.points68 == nil, r.meshPoints == nil else {
            throw GarfaceError(.invalidArgument, "batch: faces are searched; a box, a face or landmarks belong to one photo only")
        }
        guard (0...256).contains(options.threads) else {
            throw GarfaceError(.invalidArgument, "batch: threads is \(options.threads), expected 0 (one per core) to 256")
        }
        if r.renderer == .gar && models.gar == nil {
            throw GarfaceError(.invalidArgument, "options: the renderer gar was asked for but no renderer weights are loaded")
        }
        if r.renderer != .startOnly { try r.schedule?.check(r.renderer.fitRenderer) }
        if let reserved = photos.first(where: { BatchManifest.names.contains($0.folder) || $0.folder.isEmpty }) {
            throw GarfaceError(.invalidArgument, "\(reserved.path): a photo of this name has no folder of its own in \(output)")
        }
        self.models = models
        self.photos = try BatchPhoto.distinct(photos)
        self.output = output
        self.options = options
    }

    public struct Summary: Sendable {
        public var done = 0, failed = 0
        /// Of those, how many an earlier run had done or seen fail.
        public var wereThere = 0
        /// Photos of the manifest before that are not in this batch: their results stay, their rows do not.
        public var others = 0
        /// In the order of the photos.
        public var records: [BatchRecord] = []
    }

    /// Called on the thread of `run`: how many photos are through, of how many, and the one that just was, with its place in
    /// the list; without one about ten times a second. False ends the batch.
    public typealias Report = (_ through: Int, _ total: Int, _ record: (index: Int, record: BatchRecord)?) -> Bool

    private enum Message: Sendable {
        case photo(Int, BatchRecord)
        case ended(GarfaceError?)
    }

    private final class Queue: Sendable {
        let next = Atomic<Int>(0)
        let isStopped = Atomic<Bool>(false)
    }

    /// An error of kind `cancelled` where `report` ended it; the manifest then has what was done.
    public func run(_ report: Report = { _, _, _ in true }) throws -> Summary {
        let folder = try OutputFolder(output)
        try folder.commit()
        let settings = settings()
        let others = options.writesManifest ? BatchManifest.others(than: photos, in: output) : 0
        var records = [BatchRecord?](repeating: nil, count: photos.count)
        var through = 0, goesOn = true
        var pending: [Int] = []
        for (i, photo) in photos.enumerated() {
            guard let earlier = BatchRecord.earlier(photo, output: output, settings: settings),
                earlier.failure == nil || !options.retriesFailures
            else {
                pending.append(i)
                continue
            }
            records[i] = earlier
            through += 1
            if goesOn { goesOn = report(through, photos.count, (i, earlier)) }
        }
        var problem: GarfaceError?
        if !pending.isEmpty && goesOn {
            let queue = Queue(), mailbox = Mailbox<Message>(), unfinished = pending
            useDefaultThreadCount()
            let cores = options.threads == 0 ? coreCount() : options.threads
            let workers = try WorkerThreads(min(cores, 256, unfinished.count)) { _ in
                do {
                    let reconstructor = try Reconstructor(models)
                    while !queue.isStopped.load(ordering: .relaxed) {
                        let k = queue.next.add(1, ordering: .relaxed).oldValue
                        guard k < unfinished.count else { break }
                        guard let record = process(photos[unfinished[k]], reconstructor, settings, { !queue.isStopped.load(ordering: .relaxed) })
                        else { break }
                        mailbox.send(.photo(unfinished[k], record))
                    }
                    mailbox.send(.ended(nil))
                } catch {
                    mailbox.send(.ended(error as? GarfaceError ?? GarfaceError(.internalFailure, "\(error)")))
                }
            }
            var running = workers.count, lastManifest = seconds()
            while running > 0 {
                for message in mailbox.receive(milliseconds: 100) {
                    switch message {
                    case .ended(let error):
                        running -= 1
                        problem = problem ?? error
                    case .photo(let i, let record):
                        records[i] = record
                        through += 1
                        if goesOn { goesOn = report(through, photos.count, (i, record)) }
                    }
                }
                if goesOn { goesOn = report(through, photos.count, nil) }
                if !goesOn { queue.isStopped.store(true, ordering: .relaxed) }
                if options.writesManifest && seconds() - lastManifest > 20 {
                    try? BatchManifest.write(records, to: output)
                    lastManifest = seconds()
                }
            }
            workers.join()
        }
        if options.writesManifest { try BatchManifest.write(records, to: output) }
        if !goesOn && records.contains(where: { $0 == nil }) {
            throw GarfaceError(
                .cancelled, "the batch was cancelled with \(through) of \(photos.count) photos done; the same call goes on from there")
        }
        if let problem { throw problem }
        var summary = Summary()
        summary.records = records.compactMap { $0 }
        summary.failed = summary.records.count { $0.failure != nil }
        summary.done = summary.records.count - summary.failed
        summary.others = others
        summary.wereThere = summary.records.count { $0.wasThere }
        return summary
    }

    /// One photo through and into its folder; nil where the batch was ended meanwhile.
    private func process(
        _ photo: BatchPhoto, _ reconstructor: Reconstructor, _ settings: String, _ goesOn: @escaping () -> Bool
    ) -> BatchRecord? {
        var record = BatchRecord(photo, settings: settings)
        let begin = seconds(), path = "\(output)/\(photo.folder)"
        let names = ResultNames(selection: options.selection, numbered: options.reconstruction.maximumFaces > 1)
        do {
            let image = try ImageFile.read(photo.path)
            try names.check(photo: photo.path, folder: path)
            let folder = try OutputFolder(path)
            defer { folder.discard() }
            let results = try reconstructor.reconstruct(image, options: options.reconstruction) { _, _ in goesOn() }
            for (i, result) in results.enumerated() {
                try result.add(to: folder, photo: image, selection: options.selection, prefix: names.prefix(i))
                let angles = result.anglesInDegrees
                record.faces.append(
                    .init(
                        yaw: angles.yaw, pitch: angles.pitch, roll: angles.roll, faceProbability: result.faceProbability,
                        converged: result.converged))
                guard goesOn() else { return nil }
            }
            (record.files, record.fileSizes) = (folder.names, folder.sizes)
            record.seconds = seconds() - begin
            try folder.add(BatchRecord.fileName, text: record.json.serialized(pretty: true) + "\n")
            try folder.commit(removing: names.contains)
        } catch {
            let failure = error as? GarfaceError ?? GarfaceError(.internalFailure, "\(error)")
            if failure.kind == .cancelled { return nil }
            (record.failure, record.faces, record.files, record.fileSizes) = (failure, [], [], [])
            record.seconds = seconds() - begin
            // A photo that does not exist gets no folder, and the results of one that is gone stay.
            if access(photo.path, F_OK) != 0 && errno != EACCES { return record }
            // Where even this cannot be written, the manifest has it.
            if let folder = try? OutputFolder(path) {
                try? folder.add(BatchRecord.fileName, text: record.json.serialized(pretty: true) + "\n")
                try? folder.commit(removing: names.contains)
            }
        }
        return record
    }

    /// What decides about the results besides the photos: where it has changed, they are made anew.
    private func settings() -> String {
        let r = options.reconstruction
        let schedule = (r.schedule ?? FitSession.standardSchedule(r.renderer)).json.serialized()
        let text = [
            r.renderer.rawValue, "\(options.selection.rawValue)", "\(r.maximumFaces)", "\(r.seed)", schedule, models.head.source,
            models.gar?.source ?? "", models.inverse.source,
        ].joined(separator: "\n")
        // FNV-1a.
        let hash = text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }
}

/// Seconds of a clock that only runs forward.
func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
}
