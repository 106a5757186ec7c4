import FaceModel
import GarfaceHeader
import Numerics
import Reconstruction

final class ResultHandle: Handle, @unchecked Sendable {
    override class var name: String { "gar_result" }
    override class var tag: UInt8 { 5 }
    let result: ReconstructionResult
    let photo: RGBImage
    /// The file that the photo was read from, if it was.
    let source: String?
    private let madeTexture = MadeOnce<Texture>()
    private let madeEditSource = MadeOnce<EditSource>()
    /// The one whose texture this one has, an edit of it that left its look alone.
    private let lender: ResultHandle?
    /// Baked when it is first asked for.
    func texture() throws -> Texture { try lender?.texture() ?? madeTexture.value { try Texture(result, photo: photo) } }
    /// What edits of this result share.
    func editSource() throws -> EditSource { try madeEditSource.value { try EditSource(result, photo: photo) } }

    init(_ result: ReconstructionResult, photo: RGBImage, source: String?, textureOf lender: ResultHandle? = nil) {
        self.source = source
        self.lender = lender
        self.result = result
        self.photo = photo
    }

    /// The shape of an array without computing it.
    func shape(_ which: gar_array) throws -> [Int] {
        let vertices = result.neutral.vertexCount
        switch Int(which) {
        case GAR_ARRAY_IDENTITY: return [result.identity.count]
        case GAR_ARRAY_EXPRESSION: return [result.expression.count]
        case GAR_ARRAY_POSE: return [3]
        case GAR_ARRAY_CAMERA: return [3, 4]
        case GAR_ARRAY_WPLUS: return [result.wRows, result.wRows > 0 ? result.wPlus.count / result.wRows : 0]
        case GAR_ARRAY_NOISE: return [result.noise.count]
        case GAR_ARRAY_LANDMARKS, GAR_ARRAY_LANDMARKS_STATIC: return [68, 2]
        case GAR_ARRAY_LANDMARKS_3D: return [68, 3]
        case GAR_ARRAY_VERTICES, GAR_ARRAY_VERTICES_POSED, GAR_ARRAY_VERTICES_NEUTRAL, GAR_ARRAY_NORMALS_POSED:
            return [vertices, 3]
        case GAR_ARRAY_NORMAL_MAP: return [window.height, window.width, 3]
        case GAR_ARRAY_POSITION_MAP: return [window.height, window.width, 3]
        case GAR_ARRAY_DEPTH_MAP, GAR_ARRAY_PART_MAP, GAR_ARRAY_COVERED_MAP: return [window.height, window.width]
        case GAR_ARRAY_COLOURS: return [vertices, 3]
        case GAR_ARRAY_VISIBILITY: return [vertices]
        case GAR_ARRAY_UV_POSITION_MAP, GAR_ARRAY_UV_NORMAL_MAP: return [Texture.side, Texture.side, 3]
        case GAR_ARRAY_UV_PART_MAP, GAR_ARRAY_UV_VISIBILITY: return [Texture.side, Texture.side]
        case GAR_ARRAY_GAZE: return [2]
        default: throw invalid("which: is \(which), expected one of GAR_ARRAY_...")
        }
    }

    private var window: PhotoWindow { result.photoWindow }

    private func textureMaps() throws -> TextureMaps { try TextureMaps(result.shaped, layout: result.models.textureLayout) }

    /// The numbers of an array, as many as its shape says.
    func values(_ which: gar_array) throws -> [Float] {
        switch Int(which) {
        case GAR_ARRAY_IDENTITY: return result.identity
        case GAR_ARRAY_EXPRESSION: return result.expression
        case GAR_ARRAY_POSE:
            let angles = Rotation.decompose(result.camera.rotation)
            return [degrees(angles.yaw), degrees(angles.pitch), degrees(angles.roll)]
        case GAR_ARRAY_CAMERA: return result.camera.matrix.map { Float($0) }
        case GAR_ARRAY_WPLUS: return result.wPlus
        case GAR_ARRAY_NOISE: return result.noise
        case GAR_ARRAY_LANDMARKS: return result.landmarks.map { Float($0) }
        case GAR_ARRAY_LANDMARKS_STATIC: return result.staticLandmarks.map { Float($0) }
        case GAR_ARRAY_LANDMARKS_3D: return result.landmarks3D.map { Float($0) }
        case GAR_ARRAY_VERTICES: return result.shaped.vertices
        case GAR_ARRAY_VERTICES_POSED: return result.posed.vertices
        case GAR_ARRAY_VERTICES_NEUTRAL: return result.neutral.vertices
        case GAR_ARRAY_NORMALS_POSED: return result.posed.normals
        case GAR_ARRAY_NORMAL_MAP: return try result.maps().normals
        case GAR_ARRAY_DEPTH_MAP: return try result.maps().depth
        case GAR_ARRAY_POSITION_MAP: return try result.positionMap()
        case GAR_ARRAY_PART_MAP: return try result.partMap().map { Float($0) }
        case GAR_ARRAY_COVERED_MAP: return try result.coveredMap()
        case GAR_ARRAY_COLOURS: return try texture().vertexColours
        case GAR_ARRAY_VISIBILITY: return try texture().vertexPhotoShare
        case GAR_ARRAY_UV_POSITION_MAP: return try textureMaps().positions
        case GAR_ARRAY_UV_NORMAL_MAP: return try textureMaps().normals
        case GAR_ARRAY_UV_PART_MAP: return try textureMaps().parts.map { Float($0) }
        case GAR_ARRAY_UV_VISIBILITY: return try texture().photoShare
        case GAR_ARRAY_GAZE: return result.gaze.map { [Float($0.yaw), Float($0.pitch)] } ?? [.nan, .nan]
        default: throw invalid("which: is \(which), expected one of GAR_ARRAY_...")
        }
    }
}

@_cdecl("gar_result_release")
public func garResultRelease(_ result: OpaquePointer?) { HandleTable.shared.release(result, as: ResultHandle.self) }

@_cdecl("gar_result_get_shape")
public func garResultGetShape(
    _ result: OpaquePointer?, _ which: gar_array, _ rank: UnsafeMutablePointer<Int32>?, _ shape: UnsafeMutablePointer<Int32>?
) -> gar_status {
    call {
        let result = try resolve(result, ResultHandle.self, "result")
        let rank = try required(rank, "rank"), shape = try required(shape, "shape")
        let dimensions = try result.shape(which)
        rank.pointee = Int32(dimensions.count)
        for k in 0..<3 { shape[k] = k < dimensions.count ? Int32(dimensions[k]) : 1 }
    }
}

@_cdecl("gar_result_get_array")
public func garResultGetArray(
    _ result: OpaquePointer?, _ which: gar_array, _ buffer: UnsafeMutablePointer<Float>?, _ capacity: Int,
    _ count: UnsafeMutablePointer<Int>?
) -> gar_status {
    call {
        let result = try resolve(result, ResultHandle.self, "result")
        let expected = try result.shape(which).reduce(1, *)
        try deliver(count: expected, buffer, capacity, count) { out in
            let values = try result.values(which)
            guard values.count == expected else {
                throw GarfaceError(.internalFailure, "array \(which) has \(values.count) elements, expected \(expected)")
            }
            values.withUnsafeBufferPointer { if let base = $0.baseAddress { out.update(from: base, count: expected) } }
        }
    }
}

@_cdecl("gar_result_get_triangles")
public func garResultGetTriangles(
    _ result: OpaquePointer?, _ buffer: UnsafeMutablePointer<Int32>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> gar_status {
    call {
        try deliver(try resolve(result, ResultHandle.self, "result").result.neutral.triangles, buffer, capacity, count)
    }
}

@_cdecl("gar_result_get_picture")
public func garResultGetPicture(
    _ result: OpaquePointer?, _ which: gar_picture, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> gar_status {
    call {
        try create(out, "out") {
            let handle = try resolve(result, ResultHandle.self, "result")
            switch Int(which) {
            case GAR_PICTURE_CROP: return ImageHandle(handle.result.crop)
            case GAR_PICTURE_RENDER:
                guard let render = handle.result.render else {
                    throw invalid("which: there is no render; the face was reconstructed without a renderer")
                }
                return ImageHandle(render)
            case GAR_PICTURE_NORMALS: return ImageHandle(try handle.result.maps().normalImage())
            case GAR_PICTURE_PHOTO: return ImageHandle(handle.photo, source: handle.source)
            case GAR_PICTURE_TEXTURE: return ImageHandle(try handle.texture().image)
            case GAR_PICTURE_OVERLAY: return ImageHandle(try OverlaySheet.image(handle.result, photo: handle.photo))
            default: throw invalid("which: is \(which), expected one of GAR_PICTURE_...")
            }
        }
    }
}

@_cdecl("gar_result_get_glb")
public func garResultGetGlb(
    _ result: OpaquePointer?, _ buffer: UnsafeMutablePointer<UInt8>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> gar_status {
    call {
        let handle = try resolve(result, ResultHandle.self, "result")
        _ = try required(count, "count")
        try deliver(handle.result.glb(texture: ImageFile.encodePNG(handle.texture().image)), buffer, capacity, count)
    }
}

@_cdecl("gar_result_get_json")
public func garResultGetJson(
    _ result: OpaquePointer?, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> gar_status {
    call {
        let result = try resolve(result, ResultHandle.self, "result").result
        try deliver(result.json.serialized(pretty: true), buffer, capacity, count)
    }
}

@_cdecl("gar_result_write")
public func garResultWrite(_ result: OpaquePointer?, _ folder: UnsafePointer<CChar>?, _ files: UInt32) -> gar_status {
    call {
        let handle = try resolve(result, ResultHandle.self, "result")
        let folder = try text(folder, "folder")
        try handle.result.write(
            to: folder, photo: handle.photo, selection: try selection(files, "files"), source: handle.source,
            texture: handle.texture)
    }
}
