import CImageCodecs
import Numerics

/// PNG and JPEG, in memory and on disk, to and from 8-bit RGB.
///
/// Alpha is laid over white, 16-bit samples are reduced, palettes, grey and CMYK are converted, gamma and colour
/// profiles are ignored, the EXIF orientation is applied. A truncated file is an error, not half a picture.
public enum ImageFile {
    /// Whether this build reads and writes JPEG.
    public static var hasJPEG: Bool { garface_codec_has_jpeg() == 1 }
    /// The largest picture that is read.
    public static let maximumPixels = Int(GARFACE_IMAGE_MAX_PIXELS)
    public static let maximumSide = Int(GARFACE_IMAGE_MAX_SIDE)
    /// The largest file that is opened.
    public static let maximumFileSize = 1 << 30

    public static func read(_ path: String) throws -> RGBImage {
        try decode(FileAccess.read(path, limit: maximumFileSize), name: path)
    }

    /// `name` opens every error sentence.
    public static func decode(_ bytes: [UInt8], name: String) throws -> RGBImage {
        try bytes.withUnsafeBufferPointer { try decode($0, name: name) }
    }

    public static func decode(_ bytes: UnsafeBufferPointer<UInt8>, name: String) throws -> RGBImage {
        var picture = garface_picture()
        let isPNG = garface_is_png(bytes.baseAddress, bytes.count) == 1
        guard isPNG || garface_is_jpeg(bytes.baseAddress, bytes.count) == 1 else { throw unknown(bytes, name) }
        try run(name) { message, capacity in
            isPNG
                ? garface_png_decode(bytes.baseAddress, bytes.count, &picture, message, capacity)
                : garface_jpeg_decode(bytes.baseAddress, bytes.count, &picture, message, capacity)
        }
        defer { garface_codec_release(picture.pixels) }
        let width = Int(picture.width), height = Int(picture.height)
        let pixels = [UInt8](UnsafeBufferPointer(start: picture.pixels, count: 3 * width * height))
        return try RGBImage(width: width, height: height, pixels: pixels)
    }

    public static func encodePNG(_ image: RGBImage) throws -> [UInt8] {
        try encoded("PNG") { file, message, capacity in
            garface_png_encode(
                image.pixels, Int32(image.width), Int32(image.height), 3 * image.width, 3, &file, message, capacity)
        }
    }

    /// 8-bit grey, `width * height` samples.
    public static func encodePNG(gray8 samples: [UInt8], width: Int, height: Int) throws -> [UInt8] {
        try RGBImage.checkSize(width: width, height: height)
        guard samples.count == width * height else {
            throw GarfaceError(.invalidArgument, "grey picture: expected \(width * height) samples, found \(samples.count)")
        }
        return try encoded("PNG") { file, message, capacity in
            garface_png_encode(samples, Int32(width), Int32(height), width, 1, &file, message, capacity)
        }
    }

    /// 16-bit grey, `width * height` samples.
    public static func encodePNG(gray16 samples: [UInt16], width: Int, height: Int) throws -> [UInt8] {
        try RGBImage.checkSize(width: width, height: height)
        guard samples.count == width * height else {
            throw GarfaceError(.invalidArgument, "grey picture: expected \(width * height) samples, found \(samples.count)")
        }
        return try encoded("PNG") { file, message, capacity in
            garface_png_encode_gray16(samples, Int32(width), Int32(height), &file, message, capacity)
        }
    }

    /// `quality` 1 to 100.
    public static func encodeJPEG(_ image: RGBImage, quality: Int = 92) throws -> [UInt8] {
        try encoded("JPEG") { file, message, capacity in
            garface_jpeg_encode(
                image.pixels, Int32(image.width), Int32(image.height), 3 * image.width, Int32(clamping: quality), &file,
                message, capacity)
        }
    }

    /// Encodes by the path's ending: .png, .jpg or .jpeg.
    public static func write(_ image: RGBImage, to path: String) throws { try write([(image, path)]) }

    /// The same for several pictures: all of them or none.
    public static func write(_ pictures: [(image: RGBImage, path: String)]) throws {
        for picture in pictures { try checkEnding(picture.path) }
        try FileAccess.write(
            pictures.map { ($0.path, try $0.path.lowercased().hasSuffix(".png") ? encodePNG($0.image) : encodeJPEG($0.image)) })
    }

    /// Throws unless pictures are written under such a name.
    public static func checkEnding(_ path: String) throws {
        let lower = path.lowercased()
        if lower.hasSuffix(".png") { return }
        let isJPEG = lower.hasSuffix(".jpg") || lower.hasSuffix(".jpeg")
        if isJPEG && hasJPEG { return }
        throw GarfaceError(
            .unsupportedFormat,
            "\(path): pictures are written as .png\(hasJPEG ? ", .jpg or .jpeg" : "; this build writes no JPEG")")
    }

    private typealias Body = (inout garface_encoded, UnsafeMutablePointer<CChar>, Int) -> garface_codec_status

    private static func encoded(_ name: String, _ body: Body) throws -> [UInt8] {
        var file = garface_encoded()
        try run(name) { message, capacity in body(&file, message, capacity) }
        defer { garface_codec_release(file.bytes) }
        return [UInt8](UnsafeBufferPointer(start: file.bytes, count: file.count))
    }

    /// Turns a codec's status and sentence into an error.
    private static func run(
        _ name: String, _ body: (UnsafeMutablePointer<CChar>, Int) -> garface_codec_status
    ) throws {
        try withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
            guard let message = buffer.baseAddress else { throw GarfaceError(.outOfMemory, "\(name): out of memory") }
            message[0] = 0
            let status = body(message, buffer.count)
            guard status != GARFACE_CODEC_OK else { return }
            let kind: GarfaceError.Kind =
                switch status {
                case GARFACE_CODEC_UNSUPPORTED: .unsupportedFormat
                case GARFACE_CODEC_TOO_LARGE: .tooLarge
                case GARFACE_CODEC_OUT_OF_MEMORY: .outOfMemory
                default: .malformedFile
                }
            throw GarfaceError(kind, "\(name): \(String(cString: message))")
        }
    }

    private static func unknown(_ bytes: UnsafeBufferPointer<UInt8>, _ name: String) -> GarfaceError {
        func has(_ text: String, at offset: Int = 0) -> Bool {
            let wanted = Array(text.utf8)
            return bytes.count >= offset + wanted.count && wanted.indices.allSatisfy { bytes[offset + $0] == wanted[$0] }
        }
        if bytes.isEmpty { return GarfaceError(.malformedFile, "\(name): the file is empty") }
        var found = "is neither a PNG nor a JPEG file"
        if has("RIFF") && has("WEBP", at: 8) { found = "is a WebP file" }
        if has("GIF8") { found = "is a GIF file" }
        if has("BM") { found = "is a BMP file" }
        if has("II*\0") || has("MM\0*") { found = "is a TIFF file" }
        if has("ftyp", at: 4) { found = "is a HEIF, AVIF or video file" }
        return GarfaceError(.unsupportedFormat, "\(name): \(found); PNG\(hasJPEG ? " and JPEG are" : " is") read")
    }
}
