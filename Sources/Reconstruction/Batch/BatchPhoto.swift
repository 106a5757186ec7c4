import Glibc
import Numerics

/// A photo of a batch and the folder, below the output, that receives its result.
public struct BatchPhoto: Sendable, Equatable {
    public let path: String
    public let folder: String

    public init(path: String, folder: String) {
        self.path = path
        self.folder = folder
    }

    static let endings = [".png", ".jpg", ".jpeg"]
    /// No list is longer.
    static let mostPhotos = 10_000_000

    /// Whether the name ends as those of pictures do.
    public static func isPicture(_ path: String) -> Bool {
        let lower = path.lowercased()
        return endings.contains { lower.hasSuffix($0) }
    }

    /// The photos that `inputs` name: each a picture file, a folder that is searched through, or a text file with a path in
    /// each line. What lies in the output folder is left out; a photo that is named twice is taken once.
    public static func collect(_ inputs: [String], output: String) throws -> [BatchPhoto] {
        var photos: [BatchPhoto] = []
        for input in inputs {
            var information = stat()
            guard stat(input, &information) == 0 else {
                // A photo that is gone is a failure of the batch, in its manifest; a list or folder that is gone ends it.
                if isPicture(input) {
                    photos.append(BatchPhoto(path: input, folder: place(input)))
                    continue
                }
                throw GarfaceError(.fileNotFound, "\(input): \(systemReason(errno))")
            }
            if information.st_mode & S_IFMT == S_IFDIR {
                if FileAccess.isSame(input, output) {
                    throw GarfaceError(
                        .invalidArgument, "\(input): is the output folder, where no photos are searched; give another output folder")
                }
                try search(input, "", except: output, &photos)
            } else if isPicture(input) {
                photos.append(BatchPhoto(path: input, folder: place(input)))
            } else {
                photos += try listed(in: input)
            }
            guard photos.count <= mostPhotos else {
                throw GarfaceError(.tooLarge, "\(input): more than \(mostPhotos) photos are not taken at once")
            }
        }
        guard !photos.isEmpty else {
            throw GarfaceError(
                .fileNotFound, "\(inputs.joined(separator: ", ")): no photo there (\(endings.joined(separator: ", "))); "
                    + "hidden files, links to folders and the output folder are not searched")
        }
        return try distinct(photos)
    }

    /// Throws where two photos would write into one folder.
    static func distinct(_ photos: [BatchPhoto]) throws -> [BatchPhoto] {
        var paths: [String: String] = [:]
        return try photos.filter { photo in
            guard let other = paths.updateValue(photo.path, forKey: photo.folder) else { return true }
            if other == photo.path || FileAccess.isSame(other, photo.path) { return false }
            throw GarfaceError(
                .invalidArgument, "\(other) and \(photo.path) would both be written to the folder \(photo.folder); name one of them otherwise")
        }
    }

    private static func search(_ root: String, _ below: String, except output: String, _ photos: inout [BatchPhoto]) throws {
        let folder = below.isEmpty ? root : "\(root)/\(below)"
        if FileAccess.isSame(folder, output) { return }
        guard access(folder, R_OK | X_OK) == 0 else {
            throw GarfaceError(.fileUnreadable, "\(folder): cannot be searched: \(systemReason(errno))")
        }
        for name in FileAccess.names(in: folder) where !name.hasPrefix(".") {
            let inner = below.isEmpty ? name : "\(below)/\(name)"
            var information = stat()
            // Links to folders are not followed: they may lead in circles.
            guard lstat("\(root)/\(inner)", &information) == 0 else {
                // A photo whose name is not UTF-8 is a failure of the batch, like one that is gone.
                if isPicture(name) && !FileAccess.isReadable(name: name) {
                    photos.append(BatchPhoto(path: "\(root)/\(inner)", folder: place(inner)))
                }
                continue
            }
            if information.st_mode & S_IFMT == S_IFDIR {
                try search(root, inner, except: output, &photos)
            } else if isPicture(name) {
                photos.append(BatchPhoto(path: "\(root)/\(inner)", folder: place(inner)))
            }
            guard photos.count <= mostPhotos else { return }
        }
    }

    /// The folder of a path: the path itself, kept from leaving the output.
    static func place(_ path: String) -> String {
        path.split(separator: "/").filter { $0 != "." }.map { $0 == ".." ? "__" : String($0) }.joined(separator: "/")
    }
}
