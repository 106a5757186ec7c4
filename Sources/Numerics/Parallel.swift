import Glibc

// Work in parts on several threads. There is one pool of workers in a process, one less than the thread count, whoever
// calls: several contexts at work share it.

/// The workers that nobody has, and shared work to use again.
private final class Pool: @unchecked Sendable {
    private let lock = Lock()
    private var idle: [Worker] = []
    private var started = 0
    private var spare: [SharedWork] = []

    /// Work with at most `wanted` workers for it.
    func lend(_ wanted: Int) -> SharedWork {
        lock.acquire()
        defer { lock.release() }
        while idle.count < wanted, started < partCount() - 1, let worker = Worker.start() {
            started += 1
            idle.append(worker)
        }
        let work = spare.popLast() ?? SharedWork()
        for _ in 0..<min(wanted, idle.count) { work.workers.append(idle.removeLast()) }
        return work
    }

    func take(_ work: SharedWork) {
        lock.acquire()
        defer { lock.release() }
        idle += work.workers
        work.workers.removeAll(keepingCapacity: true)
        spare.append(work)
    }
}

/// A child process that was forked has none of its parent's workers: it begins with a pool of its own.
nonisolated(unsafe) private var pool: Pool = {
    pthread_atfork(nil, nil, { pool = Pool() })
    return Pool()
}()

/// Calls `work` with 0..<parts, each once, in parallel where there are threads for it. What a part does depends on its number
/// alone, so that results are the same whichever thread does it.
@inline(never)
public func inParts(_ parts: Int, _ work: (Int) -> Void) {
    guard parts > 1, partCount() > 1 else {
        for part in 0..<max(1, parts) { work(part) }
        return
    }
    withoutActuallyEscaping(work) { work in
        let pool = pool
        let shared = pool.lend(min(parts, partCount()) - 1)
        shared.run(parts, work)
        pool.take(shared)
    }
}

/// Calls `work` with ranges that make up 0..<count, on several threads where that was asked for and each gets `least` at least.
public func inRanges(_ count: Int, least: Int, _ work: (Range<Int>) -> Void) {
    let parts = max(1, min(partCount(), count / max(1, least)))
    inParts(parts) { work(count * $0 / parts..<count * ($0 + 1) / parts) }
}

/// In how many parts work is to be cut: the thread count that was set.
public func partCount() -> Int { max(1, currentThreadCount()) }
