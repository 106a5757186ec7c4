import Glibc
import Numerics
import Reconstruction
import Testing

let resources = String(#filePath.dropLast("Support.swift".count)) + "Resources"

func resource(_ name: String) throws -> [UInt8] { try FileAccess.read(resources + "/" + name) }

/// The kind of the error that `body` throws; nil when it throws none or another type.
func errorKind(_ body: () throws -> Void) -> GarfaceError.Kind? {
    do {
        try body()
        return nil
    } catch let error as GarfaceError {
        return error.kind
    } catch {
        return nil
    }
}

/// The names in a folder, sorted.
func namesIn(_ path: String) -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
}

/// A folder that is gone after the test.
final class TemporaryFolder {
    let path: String
    init() throws {
        var template = Array("/tmp/garface-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw GarfaceError(.fileUnwritable, "no temporary folder") }
        path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    }
    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        for name in namesIn(path) where unlink(path + "/" + name) != 0 { remove(path + "/" + name) }
        rmdir(path)
    }
    var contents: [String] { namesIn(path) }
}
