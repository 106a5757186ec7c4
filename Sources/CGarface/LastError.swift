import Glibc

/// The sentence of the last failed call on each thread, as a C string that stays put until that
/// thread's next failure. The storage belongs to the thread and goes with it.
enum LastError {
    private static let capacity = 2048

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key) { free($0) }
        return key
    }()

    /// The thread's buffer; nil only when memory has run out.
    private static func buffer() -> UnsafeMutablePointer<CChar>? {
        if let known = pthread_getspecific(key) { return known.assumingMemoryBound(to: CChar.self) }
        guard let fresh = calloc(capacity, 1) else { return nil }
        pthread_setspecific(key, fresh)
        return fresh.assumingMemoryBound(to: CChar.self)
    }

    static func set(_ message: String) {
        guard let buffer = buffer() else { return }
        var message = message
        message.withUTF8 { text in
            var count = min(text.count, capacity - 1)
            // Cut before a character, never inside one.
            if count < text.count { while count > 0, text[count] & 0xC0 == 0x80 { count -= 1 } }
            if let base = text.baseAddress { memcpy(buffer, base, count) }
            buffer[count] = 0
        }
    }

    static func pointer() -> UnsafePointer<CChar>? { buffer().map { UnsafePointer($0) } }
}
