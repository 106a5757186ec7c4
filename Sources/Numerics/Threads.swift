import COpenBLAS
import Glibc

private let threadLock = Lock()
nonisolated(unsafe) private var threadCount = 0

/// The machine's cores.
public func coreCount() -> Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

/// One thread, unless somebody has asked for more. A second one makes a fit a third quicker where a core is idle, and a fifth slower
/// where none is. Several photos on several threads scale better.
public func useDefaultThreadCount() {
    if currentThreadCount() == 0 { setThreadCount(1) }
}

/// Sets on how many threads the library's own code works in this process. BLAS and oneDNN, which have threads of their own that
/// would wait for cores on which ours compute, have one. A convolution settles on a count when it is set up, so this comes
/// before models are loaded.
public func setThreadCount(_ count: Int) {
    threadLock.acquire()
    defer { threadLock.release() }
    // First, so that who finds a count finds BLAS settled too: its products differ in the last bits with its threads.
    openblas_set_num_threads(1)
    threadCount = max(1, min(count, 256))
}

/// What `setThreadCount` was last given; 0 before.
public func currentThreadCount() -> Int {
    threadLock.acquire()
    defer { threadLock.release() }
    return threadCount
}
