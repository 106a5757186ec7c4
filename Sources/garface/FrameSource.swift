import Glibc
import Numerics
import Reconstruction

/// Frames one by one: pictures of a folder or list, or raw RGB from standard input.
final class FrameSource {
    private let files: [String]
    private let size: (width: Int, height: Int)?
    private var at = 0
    private var firstSize: (width: Int, height: Int)?

    enum Frame {
        case image(RGBImage)
        /// A picture that is damaged, gone or of another size than the first, and why.
        case unusable(String)
    }

    /// How many there will be, where that is known.
    var total: Int? { size == nil ? files.count : nil }

    init(_ input: String, size: (width: Int, height: Int)?) throws {
        self.size = size
        var information = stat()
        if size != nil {
            files = []
        } else if stat(input, &information) == 0, information.st_mode & S_IFMT == S_IFDIR {
            files = FileAccess.names(in: input).filter { !$0.hasPrefix(".") && BatchPhoto.isPicture($0) }
                .sorted(by: Self.naturally).map { "\(input)/\($0)" }
        } else {
            files = BatchPhoto.isPicture(input) ? [input] : try BatchPhoto.listed(in: input).map(\.path)
        }
    }

    /// Nil at the end. An error ends the film: what came before it is good.
    func next() throws -> Frame? {
        if let size {
            let bytes = 3 * size.width * size.height
            let pixels = try [UInt8](unsafeUninitializedCapacity: bytes) { buffer, count in
                count = try StandardInput.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            if pixels.isEmpty { return nil }
            guard pixels.count == bytes else {
                throw GarfaceError(
                    .malformedFile,
                    "standard input: ended in the middle of frame \(at), after \(pixels.count) of \(bytes) bytes; is --size right?")
            }
            at += 1
            return .image(try RGBImage(width: size.width, height: size.height, pixels: pixels))
        }
        guard at < files.count else { return nil }
        at += 1
        let image: RGBImage
        do { image = try ImageFile.read(files[at - 1]) } catch let error as GarfaceError where error.kind != .outOfMemory {
            return .unusable(error.message)
        }
        let first = firstSize ?? (image.width, image.height)
        firstSize = first
        guard (image.width, image.height) == first else {
            return .unusable(
                "\(files[at - 1]): has \(image.width) x \(image.height) pixels, the pictures before \(first.width) x \(first.height)")
        }
        return .image(image)
    }

    /// Digits by their value: frame 10 after frame 9.
    static func naturally(_ a: String, _ b: String) -> Bool {
        func parts(_ name: String) -> [(text: String, value: Int?)] {
            var parts: [(String, Int?)] = []
            var run = ""
            func close() { if !run.isEmpty { parts.append((run, Int(run))) } }
            for character in name {
                if let last = run.last, last.isWholeNumber != character.isWholeNumber {
                    close()
                    run = ""
                }
                run.append(character)
            }
            close()
            return parts
        }
        for (x, y) in zip(parts(a), parts(b)) where x.text != y.text {
            if let i = x.value, let k = y.value, i != k { return i < k }
            return x.text < y.text
        }
        return a.count < b.count
    }
}

/// Rows that are written as they come.
final class CurveStream {
    private let descriptor: Int32
    private let name: String

    init(_ path: String) throws {
        name = path == "-" ? "standard output" : path
        descriptor = path == "-" ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        if descriptor < 0 {
            throw GarfaceError(.fileUnwritable, "\(path): cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    deinit { if descriptor != STDOUT_FILENO && descriptor >= 0 { close(descriptor) } }

    func write(_ text: String) throws {
        var text = text
        try text.withUTF8 { bytes in
            var done = 0
            while done < bytes.count {
                let n = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
                if n >= 0 {
                    done += n
                } else if errno != EINTR {
                    throw GarfaceError(.fileUnwritable, "\(name): cannot be written: \(String(cString: strerror(errno)))")
                }
            }
        }
    }
}
