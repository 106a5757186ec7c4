import Numerics
import Reconstruction

/// Whether a picture that is there already may be replaced by an edit without --into: renders and strips of them have no size
/// that photos have, so that no photo is lost to a mistaken --output.
enum PictureInTheWay {
    /// - Parameter side: of the renders.
    static func check(output: String?, strip: String?, side: Int) throws {
        if let output { try check(output, "a render of \(side) x \(side) pixels") { $0.width == side && $0.height == side } }
        if let strip {
            try check(strip, "a strip of renders") {
                $0.height <= PictureStrip.panel && $0.width % $0.height == 0 && $0.width / $0.height <= EditSweep.largestCount
            }
        }
    }

    private static func check(_ path: String, _ what: String, _ isExpected: (RGBImage) -> Bool) throws {
        guard let size = FileAccess.size(path), size > 0 else { return }
        if let picture = try? ImageFile.read(path), isExpected(picture) { return }
        throw GarfaceError(
            .invalidArgument,
            "\(path): is there already and not \(what), so it is not replaced; give another name, or --into if it is the photo "
                + "that the face belongs to")
    }
}
