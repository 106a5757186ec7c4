import GarfaceHeader
import Numerics
import Reconstruction

final class ImageHandle: Handle, @unchecked Sendable {
    override class var name: String { "gar_image" }
    override class var tag: UInt8 { 1 }
    let image: RGBImage
    /// The whole path of the file it was read from: results are not written over it.
    let source: String?
    init(_ image: RGBImage, source: String? = nil) {
        self.image = image
        self.source = source
    }
}

@_cdecl("gar_image_load")
public func garImageLoad(_ path: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<OpaquePointer?>?) -> gar_status {
    call {
        try create(out, "out") {
            let path = try text(path, "path")
            return ImageHandle(try ImageFile.read(path), source: FileAccess.wholePath(path))
        }
    }
}

@_cdecl("gar_image_decode")
public func garImageDecode(
    _ bytes: UnsafePointer<UInt8>?, _ byteCount: Int, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> gar_status {
    call {
        try create(out, "out") {
            let bytes = try required(bytes, "bytes")
            guard byteCount >= 0, byteCount <= ImageFile.maximumFileSize else {
                throw GarfaceError(.tooLarge, "byte_count: more than \(ImageFile.maximumFileSize) bytes are not read")
            }
            return ImageHandle(try ImageFile.decode(UnsafeBufferPointer(start: bytes, count: byteCount), name: "image in memory"))
        }
    }
}

@_cdecl("gar_image_create")
public func garImageCreate(
    _ pixels: UnsafePointer<UInt8>?, _ width: Int32, _ height: Int32, _ stride: Int,
    _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> gar_status {
    call {
        try create(out, "out") {
            let pixels = try required(pixels, "pixels")
            let width = Int(width), height = Int(height)
            try RGBImage.checkSize(width: width, height: height)
            let row = 3 * width
            let step = stride == 0 ? row : stride
            guard step >= row, step <= 1 << 40 else {
                throw invalid("stride: is \(UInt(bitPattern: stride)) bytes, a row of \(width) pixels needs at least \(row)")
            }
            let copy = [UInt8](unsafeUninitializedCapacity: row * height) { buffer, count in
                for y in 0..<height {
                    (buffer.baseAddress! + y * row).initialize(from: pixels + y * step, count: row)
                }
                count = row * height
            }
            return ImageHandle(try RGBImage(width: width, height: height, pixels: copy))
        }
    }
}

@_cdecl("gar_image_release")
public func garImageRelease(_ image: OpaquePointer?) { HandleTable.shared.release(image, as: ImageHandle.self) }

@_cdecl("gar_image_get_size")
public func garImageGetSize(
    _ image: OpaquePointer?, _ width: UnsafeMutablePointer<Int32>?, _ height: UnsafeMutablePointer<Int32>?
) -> gar_status {
    call {
        let image = try resolve(image, ImageHandle.self, "image").image
        let width = try required(width, "width"), height = try required(height, "height")
        width.pointee = Int32(image.width)
        height.pointee = Int32(image.height)
    }
}

@_cdecl("gar_image_get_pixels")
public func garImageGetPixels(
    _ image: OpaquePointer?, _ buffer: UnsafeMutablePointer<UInt8>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> gar_status {
    call {
        let image = try resolve(image, ImageHandle.self, "image").image
        try deliver(count: image.pixels.count, buffer, capacity, count) { out in
            image.pixels.withUnsafeBufferPointer { out.update(from: $0.baseAddress!, count: $0.count) }
        }
    }
}

@_cdecl("gar_image_write")
public func garImageWrite(_ image: OpaquePointer?, _ path: UnsafePointer<CChar>?) -> gar_status {
    call {
        let image = try resolve(image, ImageHandle.self, "image").image
        try ImageFile.write(image, to: try text(path, "path"))
    }
}
