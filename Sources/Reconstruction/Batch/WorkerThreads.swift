import Glibc
import Numerics

/// Threads that run one body each and are waited for.
final class WorkerThreads {
    private final class Start: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    private var threads: [pthread_t] = []

    /// Starts `count` threads, or as many as the system gives; at least one, or it throws.
    init(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) throws {
        for i in 0..<count {
            let start = Unmanaged.passRetained(Start { body(i) })
            var thread = pthread_t()
            let code = pthread_create(&thread, nil, { pointer in
                guard let pointer else { return nil }
                Unmanaged<Start>.fromOpaque(pointer).takeRetainedValue().body()
                return nil
            }, start.toOpaque())
            guard code == 0 else {
                start.release()
                if i == 0 { throw GarfaceError(.outOfMemory, "no thread can be started: \(systemReason(code))") }
                return
            }
            threads.append(thread)
        }
    }

    var count: Int { threads.count }

    func join() {
        for thread in threads { pthread_join(thread, nil) }
        threads = []
    }

    deinit { join() }

}

/// What threads hand to the one that waits for them.
final class Mailbox<Item: Sendable>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var items: [Item] = []

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func send(_ item: Item) {
        pthread_mutex_lock(mutex)
        items.append(item)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    /// All that has come, in order; empty when nothing has within `milliseconds`.
    func receive(milliseconds: Int) -> [Item] {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        if items.isEmpty {
            var until = timespec()
            clock_gettime(CLOCK_REALTIME, &until)
            let nanoseconds = Int(until.tv_nsec) + (milliseconds % 1000) * 1_000_000
            until.tv_sec += milliseconds / 1000 + nanoseconds / 1_000_000_000
            until.tv_nsec = nanoseconds % 1_000_000_000
            pthread_cond_timedwait(condition, mutex, &until)
        }
        let taken = items
        items = []
        return taken
    }
}
