import Glibc

// Work in parts on several threads: those of OpenMP, which oneDNN brings along and computes with too, so that there is one
// pool of threads and not two. Where there is no OpenMP, the parts run one after the other.

private typealias Region = @convention(c) (UnsafeMutableRawPointer?) -> Void
private typealias RunRegion = @convention(c) (Region, UnsafeMutableRawPointer?, UInt32, UInt32) -> Void
private typealias Count = @convention(c) () -> Int32

private let runRegion: RunRegion? = dlsym(nil, "GOMP_parallel").map { unsafeBitCast($0, to: RunRegion.self) }
private let threadNumber: Count? = dlsym(nil, "omp_get_thread_num").map { unsafeBitCast($0, to: Count.self) }
private let threadsInRegion: Count? = dlsym(nil, "omp_get_num_threads").map { unsafeBitCast($0, to: Count.self) }

/// Whether parts run in parallel.
let hasOpenMP = runRegion != nil && threadNumber != nil && threadsInRegion != nil

private struct Job {
    let parts: Int
    let work: (Int) -> Void
}

/// Calls `work` with 0..<parts, each once, in parallel where there are threads for it. What a part does depends on its number
/// alone, so that results are the same whichever thread does it.
@inline(never)
public func inParts(_ parts: Int, _ work: (Int) -> Void) {
    guard parts > 1, hasOpenMP, let runRegion else {
        for part in 0..<max(1, parts) { work(part) }
        return
    }
    withoutActuallyEscaping(work) { work in
        var job = Job(parts: parts, work: work)
        withUnsafeMutablePointer(to: &job) { job in
            runRegion(
                {
                    let job = $0!.assumingMemoryBound(to: Job.self)
                    var part = Int(threadNumber!())
                    let step = max(1, Int(threadsInRegion!()))
                    while part < job.pointee.parts {
                        job.pointee.work(part)
                        part += step
                    }
                }, job, UInt32(parts), 0)
        }
    }
}

/// Calls `work` with ranges that make up 0..<count, on several threads where that was asked for and each gets `least` at least.
public func inRanges(_ count: Int, least: Int, _ work: (Range<Int>) -> Void) {
    let parts = max(1, min(partCount(), count / max(1, least)))
    inParts(parts) { work(count * $0 / parts..<count * ($0 + 1) / parts) }
}

/// In how many parts work is to be cut: the thread count that was set.
public func partCount() -> Int { max(1, currentThreadCount()) }
