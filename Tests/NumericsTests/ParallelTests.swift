import Glibc
import Synchronization
import Testing

import Numerics

/// The count belongs to the process: other suites only change how many parts theirs are made in.
@Suite(.serialized) struct ParallelTests {
    private func counts(_ parts: Int) -> [Int] {
        let seen = (0..<parts).map { _ in Counter() }
        inParts(parts) { seen[$0].value.add(1, ordering: .relaxed) }
        return seen.map { $0.value.load(ordering: .relaxed) }
    }

    private final class Counter: Sendable { let value = Atomic<Int>(0) }

    @Test(arguments: [1, 2, 3, 8]) func everyPartOnce(threads: Int) {
        setThreadCount(threads)
        defer { setThreadCount(1) }
        for parts in [1, 2, 3, 7, 100] {
            for _ in 0..<200 { #expect(counts(parts) == [Int](repeating: 1, count: parts)) }
        }
        // Long enough apart for workers to fall asleep.
        for _ in 0..<20 {
            usleep(1000)
            #expect(counts(2) == [1, 1])
        }
    }

    @Test func partsInsideParts() {
        setThreadCount(3)
        defer { setThreadCount(1) }
        let total = Counter()
        for _ in 0..<100 { inParts(4) { _ in inParts(5) { total.value.add($0, ordering: .relaxed) } } }
        #expect(total.value.load(ordering: .relaxed) == 100 * 4 * 10)
    }

    /// Several callers share the workers; none gets another's parts.
    @Test func severalCallers() throws {
        setThreadCount(2)
        defer { setThreadCount(1) }
        let wrong = Counter()
        let threads = (0..<4).map { k in
            TestThread {
                for round in 0..<300 {
                    let sums = Counter()
                    inParts(3) { sums.value.add(($0 + 1) * (k + 1) * (round + 1), ordering: .relaxed) }
                    if sums.value.load(ordering: .relaxed) != 6 * (k + 1) * (round + 1) { wrong.value.add(1, ordering: .relaxed) }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(wrong.value.load(ordering: .relaxed) == 0)
    }
}

private final class TestThread {
    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
    private var thread = pthread_t()

    init(_ run: @escaping @Sendable () -> Void) {
        let body = Unmanaged.passRetained(Body(run)).toOpaque()
        let code = pthread_create(&thread, nil, { Unmanaged<Body>.fromOpaque($0!).takeRetainedValue().run(); return nil }, body)
        precondition(code == 0)
    }

    func join() { pthread_join(thread, nil) }
}
