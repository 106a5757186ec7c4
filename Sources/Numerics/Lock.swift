import Glibc

/// A plain mutual exclusion lock.
final class Lock: @unchecked Sendable {
    fileprivate let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    init() { pthread_mutex_init(mutex, nil) }
    func acquire() { pthread_mutex_lock(mutex) }
    func release() { pthread_mutex_unlock(mutex) }
    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }
}

/// What a thread that holds a lock can wait for.
final class Condition: @unchecked Sendable {
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    init() { pthread_cond_init(condition, nil) }
    /// Returns with the lock held as before; also without a signal.
    func wait(_ lock: Lock) { pthread_cond_wait(condition, lock.mutex) }
    func signal() { pthread_cond_signal(condition) }
    deinit {
        pthread_cond_destroy(condition)
        condition.deallocate()
    }
}
