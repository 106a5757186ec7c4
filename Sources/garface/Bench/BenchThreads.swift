import Glibc

/// Calls `work` with 0..<count, each on a thread of its own, and waits for all.
func inThreads(_ count: Int, _ work: @escaping @Sendable (Int) -> Void) {
    final class Start: Sendable {
        let work: @Sendable () -> Void
        init(_ work: @escaping @Sendable () -> Void) { self.work = work }
    }
    var threads: [pthread_t] = []
    for i in 0..<count {
        let start = Unmanaged.passRetained(Start { work(i) })
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            {
                Unmanaged<Start>.fromOpaque($0!).takeRetainedValue().work()
                return nil
            }, start.toOpaque())
        if code == 0 { threads.append(thread) } else { start.release() }
    }
    for thread in threads { pthread_join(thread, nil) }
}
