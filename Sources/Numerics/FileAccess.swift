import Glibc

/// Whole files in and out, with sentences for what can go wrong.
public enum FileAccess {
    /// Reads a regular file of at most `limit` bytes.
    public static func read(_ path: String, limit: Int = 1 << 31) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let code = errno
            throw GarfaceError(
                code == ENOENT || code == ENOTDIR ? .fileNotFound : .fileUnreadable,
                path.isEmpty ? "the name of a file is empty"
                    : "\(path): \(reason(code))" + (isReadable(name: path) ? "" : " (a name that is not UTF-8 cannot be read: rename it)"))
        }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { throw GarfaceError(.fileUnreadable, "\(path): \(reason(errno))") }
        guard information.st_mode & S_IFMT == S_IFREG else {
            throw GarfaceError(.fileUnreadable, "\(path): is not a regular file")
        }
        let size = Int(information.st_size)
        guard size <= limit else {
            throw GarfaceError(.tooLarge, "\(path): has \(size) bytes; at most \(limit) are accepted")
        }
        var done = 0
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while done < size {
                let n = Glibc.read(descriptor, buffer.baseAddress! + done, size - done)
                if n > 0 {
                    done += n
                } else if n == 0 {
                    break
                } else if errno != EINTR {
                    failure = errno
                    break
                }
            }
            count = done
        }
        guard failure == 0 else { throw GarfaceError(.fileUnreadable, "\(path): \(reason(failure))") }
        guard done == size else { throw GarfaceError(.fileUnreadable, "\(path): ended after \(done) of \(size) bytes") }
        return bytes
    }

    /// Writes a file in one step: a temporary file beside it, then a rename, so that nobody sees half of it
    /// and a failure leaves what was there before. Error sentences open with `name`, or else the path.
    public static func write(_ path: String, _ bytes: [UInt8], name: String? = nil) throws {
        let temporary = try writeTemporary(path, bytes, name ?? path)
        if rename(temporary, path) != 0 {
            let code = errno
            unlink(temporary)
            throw unwritable(name ?? path, code)
        }
    }

    /// Writes several files, all or none.
    public static func write(_ files: [(path: String, bytes: [UInt8])]) throws {
        var temporaries: [String] = []
        do {
            for file in files {
                var information = stat()
                if stat(file.path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR {
                    throw unwritable(file.path, EISDIR)
                }
                temporaries.append(try writeTemporary(file.path, file.bytes, file.path))
            }
            for (temporary, file) in zip(temporaries, files) where rename(temporary, file.path) != 0 {
                throw unwritable(file.path, errno)
            }
        } catch {
            for temporary in temporaries { unlink(temporary) }
            throw error
        }
    }

    /// Writes a file beside `path`, to be renamed to it, and returns its path. Error sentences open with `name`.
    public static func writeTemporary(_ path: String, _ bytes: [UInt8], _ name: String) throws -> String {
        guard !path.isEmpty else { throw GarfaceError(.invalidArgument, "the path of the file to write is empty") }
        // Own name and O_EXCL rather than mkstemp: the new file gets the permissions an ordinary one would have.
        var temporary = ""
        var descriptor: Int32 = -1
        for _ in 0..<16 where descriptor < 0 {
            temporary = "\(path).\(UInt32.random(in: 0 ... .max)).part"
            descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            if descriptor < 0 && errno != EEXIST { break }
        }
        guard descriptor >= 0 else { throw unwritable(name, errno) }
        var code: Int32 = 0
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let n = Glibc.write(descriptor, buffer.baseAddress! + done, buffer.count - done)
                if n >= 0 {
                    done += n
                } else if errno != EINTR {
                    code = errno
                    return
                }
            }
        }
        if close(descriptor) != 0 && code == 0 { code = errno }
        if code != 0 {
            unlink(temporary)
            throw unwritable(name, code)
        }
        return temporary
    }

    private static func unwritable(_ name: String, _ code: Int32) -> GarfaceError {
        GarfaceError(.fileUnwritable, "\(name): cannot be written: \(reason(code))")
    }

    /// The size of a regular file; nil where there is none of that name (a link does not count).
    public static func size(_ path: String) -> Int? {
        var information = stat()
        guard lstat(path, &information) == 0, information.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int(information.st_size)
    }

    /// False for a name that was not UTF-8 and has marks in the place of what could not be read.
    public static func isReadable(name: String) -> Bool { !name.unicodeScalars.contains("\u{FFFD}") }

    /// The names in a folder, sorted; none where it cannot be read.
    public static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Whether two paths name one file, which need not exist, or one is a link to the other.
    public static func isSame(_ first: String, _ second: String) -> Bool {
        func identities(_ path: String) -> [(dev_t, ino_t)] {
            var found: [(dev_t, ino_t)] = []
            var information = stat()
            if stat(path, &information) == 0 { found.append((information.st_dev, information.st_ino)) }
            if lstat(path, &information) == 0 { found.append((information.st_dev, information.st_ino)) }
            return found
        }
        let others = identities(second)
        if identities(first).contains(where: { a in others.contains { $0 == a } }) { return true }
        return place(first) == place(second)
    }

    /// The folder as the file system knows it, and the name in it.
    private static func place(_ path: String) -> String {
        let name = path.split(separator: "/", omittingEmptySubsequences: false).last.map(String.init) ?? path
        let folder = String(path.dropLast(name.count))
        guard let real = realpath(folder.isEmpty ? "." : folder, nil) else { return wholePath(path) }
        defer { free(real) }
        return String(cString: real) + "/" + name
    }

    /// A path that stays right when the process changes its folder.
    public static func wholePath(_ path: String) -> String {
        guard !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
        defer { free(folder) }
        return String(cString: folder) + "/" + path
    }

    private static func reason(_ code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        if strerror_r(code, &buffer, buffer.count) != 0 { return "error \(code)" }
        return buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }
}
