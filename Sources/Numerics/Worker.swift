import CVectorKernels
import Glibc
import Synchronization

/// Work in numbered parts, which the thread that has it and the workers it is offered to take one after the other.
final class SharedWork: @unchecked Sendable {
    var workers: [Worker] = []
    private var parts = 0
    private var work: ((Int) -> Void)?
    private let next = Atomic<Int>(0)

    /// Returns when all parts are done.
    func run(_ parts: Int, _ work: @escaping (Int) -> Void) {
        self.parts = parts
        self.work = work
        next.store(0, ordering: .relaxed)
        for worker in workers { worker.offer(self) }
        takePart()
        for worker in workers { worker.takeBack() }
        self.work = nil
    }

    /// Does parts until none is left.
    fileprivate func takePart() {
        guard let work else { return }
        while true {
            let part = next.wrappingAdd(1, ordering: .relaxed).oldValue
            if part >= parts { return }
            work(part)
        }
    }
}

/// A thread that takes part in work offered to it. A worker that is too late, because it slept or another program has the
/// core, is not waited for: the offer is taken back and whoever made it does all parts.
final class Worker: @unchecked Sendable {
    private enum State {
        static let free = 0, offered = 1, working = 2
    }

    private let state = Atomic<Int>(State.free)
    private var offer: SharedWork?
    private let asleep = Atomic<Bool>(false), awaited = Atomic<Bool>(false)
    private let mutex = Lock()
    private let woken = Condition(), done = Condition()

    /// Nanoseconds for which a worker looks out for the next offer before it sleeps, and the other side for its end. Longer,
    /// neither gains anything on idle cores, and on busy ones both are in the way of others; shorter, waking takes the time.
    private static let lookout: Int64 = 100_000, wait: Int64 = 50_000

    /// Nil where the system has no thread left.
    static func start() -> Worker? {
        let worker = Worker()
        var attributes = pthread_attr_t(), thread = pthread_t(), all = sigset_t(), before = sigset_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        // Signals are for the threads of whoever uses the library.
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        let kept = Unmanaged.passRetained(worker)
        let failed = pthread_create(&thread, &attributes, { Unmanaged<Worker>.fromOpaque($0!).takeRetainedValue().live() }, kept.toOpaque())
        if failed != 0 {
            kept.release()
            return nil
        }
        return worker
    }

    /// Only to a worker that is free, and taken back in every case.
    func offer(_ work: SharedWork) {
        offer = work
        state.store(State.offered, ordering: .sequentiallyConsistent)
        if asleep.load(ordering: .sequentiallyConsistent) {
            mutex.acquire()
            woken.signal()
            mutex.release()
        }
    }

    /// Returns when the worker has nothing to do with the offer any more.
    func takeBack() {
        if state.compareExchange(expected: State.offered, desired: State.free, ordering: .acquiringAndReleasing).exchanged { return }
        if reached(within: Self.wait, { state.load(ordering: .acquiring) == State.free }) { return }
        mutex.acquire()
        awaited.store(true, ordering: .sequentiallyConsistent)
        while state.load(ordering: .sequentiallyConsistent) != State.free { done.wait(mutex) }
        awaited.store(false, ordering: .relaxed)
        mutex.release()
    }

    private func live() -> UnsafeMutableRawPointer? {
        while true {
            if !reached(within: Self.lookout, { state.load(ordering: .relaxed) == State.offered }) { sleep() }
            guard state.compareExchange(expected: State.offered, desired: State.working, ordering: .acquiringAndReleasing).exchanged
            else { continue }
            offer?.takePart()
            state.store(State.free, ordering: .sequentiallyConsistent)
            if awaited.load(ordering: .sequentiallyConsistent) {
                mutex.acquire()
                done.signal()
                mutex.release()
            }
        }
    }

    private func sleep() {
        mutex.acquire()
        asleep.store(true, ordering: .sequentiallyConsistent)
        while state.load(ordering: .sequentiallyConsistent) != State.offered { woken.wait(mutex) }
        asleep.store(false, ordering: .relaxed)
        mutex.release()
    }

    /// Whether something comes true within a time.
    private func reached(within time: Int64, _ condition: () -> Bool) -> Bool {
        let start = nanoseconds()
        repeat {
            for _ in 0..<16 {
                if condition() { return true }
                garface_pause()
            }
        } while nanoseconds() - start < time
        return false
    }

    private func nanoseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) &* 1_000_000_000 &+ Int64(now.tv_nsec)
    }
}
