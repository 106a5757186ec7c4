import GarfaceHeader
import Glibc
import Numerics

/// Where messages go. Nothing is put together while nobody listens.
enum Log {
    private struct Listener: @unchecked Sendable {
        var callback: gar_log_callback?
        var user: UnsafeMutableRawPointer?
    }
    private static let listener = Guarded(Listener())

    static func set(_ callback: gar_log_callback?, _ user: UnsafeMutableRawPointer?) {
        let fresh = Listener(callback: callback, user: user)
        listener.withLock { $0 = fresh }
    }

    static func say(_ message: @autoclosure () -> String) {
        let current = listener.withLock { $0 }
        guard let callback = current.callback else { return }
        message().withCString { callback(current.user, $0) }
    }
}

/// Seconds since `start`, as people read them.
struct Elapsed: CustomStringConvertible {
    private let start = Elapsed.now()
    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }
    var description: String { "\(((Self.now() - start) * 1000).rounded() / 1000) s" }
}

@_cdecl("gar_log_set")
public func garLogSet(_ callback: gar_log_callback?, _ user: UnsafeMutableRawPointer?) { Log.set(callback, user) }
