import Inversion
import Numerics

/// Pictures of one size side by side.
public enum PictureStrip {
    /// Sides of the panels, pixels, where there is room.
    public static let panel = 256

    /// How large the panels of so many pictures may be.
    static func panel(_ count: Int) -> Int { max(1, min(panel, RGBImage.maximumSide / max(1, count))) }

    /// The pictures, all of one size, in a row.
    public static func joined(_ pictures: [RGBImage]) throws -> RGBImage {
        guard let first = pictures.first, pictures.allSatisfy({ $0.width == first.width && $0.height == first.height }) else {
            throw GarfaceError(.invalidArgument, "strip: expected pictures, all of one size")
        }
        var canvas = Canvas(image: try RGBImage(width: first.width * pictures.count, height: first.height))
        for (i, picture) in pictures.enumerated() { canvas.paste(picture, x: i * first.width, y: 0) }
        return canvas.image
    }

    /// The photo around a face, as a square panel.
    static func panel(_ photo: RGBImage, around frame: Similarity, side: Int) throws -> RGBImage {
        let view = Similarity(centreX: frame.centreX, centreY: frame.centreY, size: 1.35 * frame.size)
        let crop = Tensor<Float>([3, side, side])
        warp(photo, view, into: crop)
        return try rgbImage(planes: crop.array, width: side, height: side)
    }
}

extension FaceEditor {
    /// The pictures of a sweep, one by one, and the strip of all of them.
    ///
    /// - Parameters:
    ///   - inPhoto: whole photos with the edited face, and the part around the face in the strip; else renders.
    ///   - progress: part done; false cancels.
    ///   - frame: called with every whole picture and its number, from 0.
    public func sweep(
        _ sweep: EditSweep, of edit: FaceEdit, inPhoto: Bool, progress: Reconstructor.Progress? = nil,
        frame: (Int, RGBImage) throws -> Void = { _, _ in }
    ) throws -> RGBImage {
        try sweep.check(original.models.head.expressionNames)
        let report = ProgressReport(progress)
        let side = PictureStrip.panel(sweep.count)
        var panels: [RGBImage] = []
        for i in 0..<sweep.count {
            try report(Float(i) / Float(sweep.count), "editing")
            let step = sweep.edit(i, of: edit)
            if inPhoto {
                let face = try apply(step)
                try frame(i, face.photo)
                panels.append(try PictureStrip.panel(face.photo, around: face.result.frame, side: side))
            } else {
                let picture = try render(step)
                try frame(i, picture)
                panels.append(try resized(picture, width: side, height: side))
            }
        }
        try report(1, "done")
        return try PictureStrip.joined(panels)
    }

    /// The name of a sweep's picture in its folder.
    public static func frameName(_ i: Int) -> String {
        let digits = String(i + 1)
        return "frame_" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits + ".png"
    }

    /// Whether a name is one of those.
    public static func isFrameName(_ name: String) -> Bool {
        guard name.hasPrefix("frame_"), name.hasSuffix(".png") else { return false }
        let digits = name.dropFirst(6).dropLast(4)
        return digits.count == 4 && digits.allSatisfy { $0.isASCII && $0.isNumber }
    }
}
