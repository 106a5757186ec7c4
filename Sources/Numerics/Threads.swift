import COpenBLAS
import Glibc

/// A plain mutual exclusion lock.
final class Lock: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    init() { pthread_mutex_init(mutex, nil) }
    func acquire() { pthread_mutex_lock(mutex) }
    func release() { pthread_mutex_unlock(mutex) }
    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }
}

private let threadLock = Lock()
nonisolated(unsafe) private var threadCount = 0

/// One thread, unless somebody has asked for more. A second one makes a fit a fifth quicker where a core is idle, but on a
/// busy machine, where OpenMP's waiting threads spin, many times slower. Several photos on several threads scale better.
public func useDefaultThreadCount() {
    if currentThreadCount() == 0 { setThreadCount(1) }
}

/// Sets how many threads BLAS and oneDNN may use in this process. oneDNN settles on a count when a convolution is set
/// up, so this comes before models are loaded.
public func setThreadCount(_ count: Int) {
    let n = max(1, min(count, 256))
    threadLock.acquire()
    threadCount = n
    threadLock.release()
    // OpenBLAS has threads of its own, which would wait for cores on which those of OpenMP spin.
    openblas_set_num_threads(Int32(hasOpenMP ? 1 : n))
}

/// What `setThreadCount` was last given; 0 for the libraries' own choice.
public func currentThreadCount() -> Int {
    threadLock.acquire()
    defer { threadLock.release() }
    return threadCount
}
