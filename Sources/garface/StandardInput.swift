import Glibc
import Numerics

enum StandardInput {
    /// Fills the buffer as far as the input goes, and returns how many bytes came.
    static func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        var done = 0
        while done < buffer.count {
            let n = Glibc.read(STDIN_FILENO, buffer.baseAddress! + done, buffer.count - done)
            if n > 0 {
                done += n
            } else if n == 0 {
                break
            } else if errno != EINTR {
                throw GarfaceError(.fileUnreadable, "standard input: cannot be read: \(String(cString: strerror(errno)))")
            } else if Interruption.isRequested {
                throw GarfaceError(.cancelled, "reading standard input was cancelled")
            }
        }
        return done
    }

    static func all(limit: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let part = try [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
                count = try read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            bytes += part
            guard bytes.count <= limit else {
                throw GarfaceError(.tooLarge, "standard input: more than \(limit) bytes are not read")
            }
            if part.count < 1 << 16 { return bytes }
        }
    }
}
