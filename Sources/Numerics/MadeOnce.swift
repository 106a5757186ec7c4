/// A value that is made when it is first asked for, and then shared by all threads.
public final class MadeOnce<Value: Sendable>: Sendable {
    private let made = Guarded<Value?>(nil)

    public init() {}

    public func value(_ make: () throws -> Value) rethrows -> Value {
        try made.withLock { made in
            if let value = made { return value }
            let value = try make()
            made = value
            return value
        }
    }
}

/// The same of a value for each key.
final class MadeOnceEach<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let made = Guarded<[Key: Value]>([:])

    func value(_ key: Key, _ make: () throws -> Value) rethrows -> Value {
        try made.withLock { made in
            if let value = made[key] { return value }
            let value = try make()
            made[key] = value
            return value
        }
    }
}
