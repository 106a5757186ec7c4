import Numerics
import Synchronization

/// What a handle stands for. Every kind of object behind the C interface derives from this.
class Handle: @unchecked Sendable {
    /// The handle's type as the header calls it, for error sentences.
    class var name: String { "" }
    /// A different small number per kind, part of the handle's value.
    class var tag: UInt8 { 0 }
    private let inUse = Atomic<Bool>(false)

    /// Runs `body` alone: a second caller meanwhile gets `HandleBusy` instead of a data race.
    func exclusively<R>(_ argument: String, _ body: () throws -> R) throws -> R {
        if inUse.exchange(true, ordering: .acquiring) { throw HandleBusy(argument: argument) }
        defer { inUse.store(false, ordering: .releasing) }
        return try body()
    }
}

/// Turns objects into the opaque pointers of the C interface and back.
///
/// A handle is a number dressed as a pointer: mark | kind | generation | slot. A released, foreign or
/// mistyped handle is recognised and reported, never dereferenced; its mark makes it an address no
/// allocator hands out.
final class HandleTable: Sendable {
    static let shared = HandleTable()

    fileprivate struct Slot {
        var object: Handle?
        var generation: UInt64 = 1
    }
    fileprivate struct State {
        var slots: [Slot] = []
        var free: [Int] = []
    }
    private let state = Guarded(State())
    private static let mark: UInt64 = 0x6A

    func insert(_ object: Handle) -> OpaquePointer? {
        let tag = UInt64(type(of: object).tag)
        let value: UInt64 = state.withLock { state in
            let index: Int
            if let reused = state.free.popLast() {
                index = reused
            } else {
                index = state.slots.count
                state.slots.append(Slot())
            }
            state.slots[index].object = object
            return Self.mark << 56 | tag << 48 | state.slots[index].generation << 24 | UInt64(index)
        }
        return OpaquePointer(bitPattern: UInt(value))
    }

    func object<H: Handle>(_ pointer: OpaquePointer?, as type: H.Type, _ argument: String) throws -> H {
        guard let pointer else { throw invalid("\(argument): must not be NULL") }
        let value = UInt64(UInt(bitPattern: pointer))
        guard value >> 56 == Self.mark else { throw invalid("\(argument): is not a garface handle") }
        guard value >> 48 & 0xFF == UInt64(H.tag) else {
            throw invalid("\(argument): is a handle of another type, expected \(H.name)")
        }
        let found = state.withLock { $0.live(value) }
        guard let object = found as? H else { throw invalid("\(argument): this \(H.name) has been released") }
        return object
    }

    /// Forgets a handle. The object lives on until calls that use it return. Anything else is ignored,
    /// so that releasing NULL or twice does no harm.
    func release<H: Handle>(_ pointer: OpaquePointer?, as type: H.Type) {
        guard let pointer else { return }
        let value = UInt64(UInt(bitPattern: pointer))
        guard value >> 56 == Self.mark, value >> 48 & 0xFF == UInt64(H.tag) else { return }
        // The object is taken out of the lock before it dies: its deinit may take time.
        let removed: Handle? = state.withLock { state in
            guard let object = state.live(value) else { return nil }
            let index = Int(value & 0xFF_FFFF)
            state.slots[index].object = nil
            state.slots[index].generation = max(1, (state.slots[index].generation + 1) & 0xFF_FFFF)
            state.free.append(index)
            return object
        }
        _ = removed
    }
}

extension HandleTable.State {
    fileprivate func live(_ value: UInt64) -> Handle? {
        let index = Int(value & 0xFF_FFFF)
        guard index < slots.count, slots[index].generation == value >> 24 & 0xFF_FFFF else { return nil }
        return slots[index].object
    }
}

func resolve<H: Handle>(_ pointer: OpaquePointer?, _ type: H.Type, _ argument: String) throws -> H {
    try HandleTable.shared.object(pointer, as: type, argument)
}

/// Creates an object and hands its handle out; `*out` is NULL when creating fails.
func create(_ out: UnsafeMutablePointer<OpaquePointer?>?, _ argument: String, _ make: () throws -> Handle) throws {
    let out = try required(out, argument)
    useDefaultThreadCount()
    out.pointee = nil
    out.pointee = HandleTable.shared.insert(try make())
}
