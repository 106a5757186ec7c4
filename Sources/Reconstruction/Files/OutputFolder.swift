import Glibc
import Numerics

/// A folder that receives a result: all of its files or none.
///
/// Opening creates the folder (and its parents) and proves that it can be written to. `add` writes each file under
/// a temporary name; `commit` gives them their names. Without `commit` nothing stays, not even a folder made here.
public final class OutputFolder {
    public let path: String
    private var pending: [(temporary: String, final: String, bytes: Int)] = []
    private var created: [String] = []
    private var isOpen = true

    public init(_ path: String) throws {
        guard !path.isEmpty else { throw GarfaceError(.invalidArgument, "the output folder's path is empty") }
        guard !path.utf8.contains(0) else { throw GarfaceError(.invalidArgument, "the output folder's path has a zero byte") }
        self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        do {
            try makeFolder()
            // Permission bits do not tell everything (read-only file systems, quotas): write something.
            let probe = self.path + "/.garface-\(getpid())-\(UInt32.random(in: 0 ... .max)).probe"
            try FileAccess.write(probe, [0], name: self.path)
            unlink(probe)
        } catch {
            discard()
            throw error
        }
    }

    deinit { discard() }

    /// The names of the files added so far.
    public var names: [String] { pending.map { String($0.final.dropFirst(path.count + 1)) } }

    /// Their sizes.
    public var sizes: [Int] { pending.map(\.bytes) }

    /// Writes one file under a temporary name. `name` has no slash.
    public func add(_ name: String, _ bytes: [UInt8]) throws {
        guard isOpen else { throw GarfaceError(.internalFailure, "\(path): the folder is already finished") }
        guard !name.isEmpty, !name.contains("/"), name != ".", name != ".." else {
            throw GarfaceError(.invalidArgument, "\"\(name)\" is not the name of a file")
        }
        // Found here, so that `commit` does not stop half-way.
        var information = stat()
        if stat("\(path)/\(name)", &information) == 0 && information.st_mode & S_IFMT == S_IFDIR {
            throw GarfaceError(.fileUnwritable, "\(path)/\(name): cannot be written: is a folder")
        }
        let temporary = try FileAccess.writeTemporary("\(path)/.\(name)", bytes, "\(path)/\(name)")
        pending.append((temporary, "\(path)/\(name)", bytes.count))
    }

    public func add(_ name: String, text: String) throws { try add(name, Array(text.utf8)) }

    /// Gives all files their names, then removes what an earlier result left: the files (not folders) whose names are
    /// `stale` and were not written now. On failure those already renamed stay and the rest is removed.
    public func commit(removing stale: (String) -> Bool = { _ in false }) throws {
        let written = Set(pending.map(\.final))
        let old = FileAccess.names(in: path).filter { stale($0) && !written.contains("\(path)/\($0)") }
        for (i, file) in pending.enumerated() where rename(file.temporary, file.final) != 0 {
            let code = errno
            pending.removeFirst(i)
            throw GarfaceError(.fileUnwritable, "\(file.final): cannot be written: \(systemReason(code))")
        }
        pending = []
        created = []
        isOpen = false
        for name in old {
            if unlink("\(path)/\(name)") == 0 || errno == EISDIR || errno == ENOENT { continue }
            throw GarfaceError(
                .fileUnwritable,
                "\(path)/\(name): the results are written, but this file of an earlier one cannot be removed: \(systemReason(errno))")
        }
    }

    /// Removes what `add` wrote and the folders made here, if they are empty.
    public func discard() {
        guard isOpen else { return }
        for file in pending { unlink(file.temporary) }
        for folder in created.reversed() { rmdir(folder) }
        pending = []
        created = []
        isOpen = false
    }

    private func makeFolder() throws {
        var prefix = path.hasPrefix("/") ? "/" : ""
        for component in path.split(separator: "/") {
            prefix += (prefix.isEmpty || prefix == "/" ? "" : "/") + component
            if mkdir(prefix, 0o777) == 0 {
                created.append(prefix)
            } else if errno != EEXIST && errno != EISDIR {
                throw GarfaceError(.fileUnwritable, "\(prefix): cannot be created: \(systemReason(errno))")
            }
        }
        var information = stat()
        guard stat(path, &information) == 0, information.st_mode & S_IFMT == S_IFDIR else {
            throw GarfaceError(.fileUnwritable, "\(path): is not a folder")
        }
    }
}

func systemReason(_ code: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
        guard let start = buffer.baseAddress, strerror_r(code, start, 256) == 0 else { return "error \(code)" }
        return String(cString: start)
    }
}
