import Inversion
import Numerics

/// Which files a result is written to.
public struct OutputSelection: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// parameters.json and parameters.safetensors
    public static let parameters = OutputSelection(rawValue: 1)
    /// landmarks.pts, landmarks_static.pts and landmarks.json
    public static let landmarks = OutputSelection(rawValue: 2)
    /// head_posed.obj and head_neutral.obj
    public static let obj = OutputSelection(rawValue: 4)
    /// head_posed.ply and head_neutral.ply
    public static let ply = OutputSelection(rawValue: 8)
    /// normals.png, depth.png and parts.png on the photo's pixels; uv_normals.png, uv_parts.png and uv_visibility.png
    public static let maps = OutputSelection(rawValue: 16)
    /// render.png (where a renderer took part), crop.png and input.png
    public static let pictures = OutputSelection(rawValue: 32)
    /// overlay.png
    public static let overlay = OutputSelection(rawValue: 64)
    /// texture.png, head_textured.obj with head_textured.mtl, and head_coloured.ply
    public static let texture = OutputSelection(rawValue: 128)
    /// head.glb
    public static let glb = OutputSelection(rawValue: 256)
    /// normals.npy, depth.npy, position.npy and parts.npy; the same with uv_ (visibility for depth)
    public static let arrays = OutputSelection(rawValue: 512)
    /// All that one looks at or opens elsewhere: everything but the arrays, which are large.
    public static let standard: OutputSelection = [
        .parameters, .landmarks, .obj, .ply, .maps, .pictures, .overlay, .texture, .glb,
    ]
    public static let all: OutputSelection = [.standard, .arrays]

    /// What the files are chosen by, where they are chosen by name.
    public static let named: [(name: String, files: OutputSelection)] = [
        ("parameters", .parameters), ("landmarks", .landmarks), ("obj", .obj), ("ply", .ply), ("maps", .maps),
        ("pictures", .pictures), ("overlay", .overlay), ("texture", .texture), ("glb", .glb), ("arrays", .arrays),
        ("standard", .standard), ("all", .all),
    ]
}

extension ReconstructionResult {
    /// Adds this result's files to a folder; `prefix` opens every name (for several faces). `texture` is asked for where a
    /// file needs it; nil bakes it.
    public func add(
        to folder: OutputFolder, photo: RGBImage, selection: OutputSelection = .standard, prefix: String = "",
        texture: (() throws -> Texture)? = nil
    ) throws {
        if selection.contains(.parameters) {
            try folder.add(prefix + "parameters.json", text: json.serialized(pretty: true) + "\n")
            try folder.add(prefix + "parameters.safetensors", safetensors())
        }
        if selection.contains(.landmarks) {
            try folder.add(prefix + "landmarks.pts", LandmarkFile.pts(landmarks))
            try folder.add(prefix + "landmarks_static.pts", LandmarkFile.pts(staticLandmarks))
            try folder.add(prefix + "landmarks.json", text: landmarkJSON.serialized(pretty: true) + "\n")
        }
        for (name, mesh, what) in [
            ("head_posed", posed, "as in the photo: camera space, x right, y up, z towards the viewer"),
            ("head_neutral", neutral, "neutral expression, model space: x to the subject's left, y up, z out of the face"),
        ] {
            if selection.contains(.obj) { try folder.add("\(prefix)\(name).obj", MeshFile.obj(mesh, comment: what)) }
            if selection.contains(.ply) { try folder.add("\(prefix)\(name).ply", MeshFile.ply(mesh, comment: what)) }
        }
        if selection.contains(.pictures) {
            if let render { try folder.add(prefix + "render.png", ImageFile.encodePNG(render)) }
            try folder.add(prefix + "crop.png", ImageFile.encodePNG(crop))
            let window = PhotoWindow(photoWidth: photoWidth, photoHeight: photoHeight, side: ResultNames.inputSide)
            try folder.add(prefix + "input.png", ImageFile.encodePNG(resized(photo, width: window.width, height: window.height)))
        }
        if !selection.isDisjoint(with: [.texture, .glb, .maps, .arrays]) {
            let texture = try texture?() ?? Texture(self, photo: photo)
            try addTextured(to: folder, texture, selection, prefix)
            try addMaps(to: folder, texture, selection, prefix)
        }
        if selection.contains(.overlay) {
            try folder.add(prefix + "overlay.png", ImageFile.encodePNG(OverlaySheet.image(self, photo: photo)))
        }
    }

    private func addTextured(
        to folder: OutputFolder, _ texture: Texture, _ selection: OutputSelection, _ prefix: String
    ) throws {
        guard !selection.isDisjoint(with: [.texture, .glb]) else { return }
        let image = try ImageFile.encodePNG(texture.image)
        if selection.contains(.texture) {
            let mesh = shaped, layout = models.textureLayout, what = "with expression, model space"
            try folder.add(prefix + "texture.png", image)
            try folder.add(
                prefix + "head_textured.obj",
                MeshFile.obj(mesh, layout: layout, library: prefix + "head_textured.mtl", comment: what))
            try folder.add(prefix + "head_textured.mtl", MeshFile.mtl(texture: prefix + "texture.png"))
            try folder.add(prefix + "head_coloured.ply", MeshFile.ply(mesh, colours: texture.vertexColours, comment: what))
        }
        if selection.contains(.glb) { try folder.add(prefix + "head.glb", glb(texture: image)) }
    }

    private func addMaps(to folder: OutputFolder, _ texture: Texture, _ selection: OutputSelection, _ prefix: String) throws {
        guard !selection.isDisjoint(with: [.maps, .arrays]) else { return }
        let raster = try raster()
        let maps = SurfaceMaps(raster), parts = raster.parts()
        let surface = try TextureMaps(shaped, layout: models.textureLayout)
        let width = maps.window.width, height = maps.window.height, side = surface.side
        if selection.contains(.maps) {
            func grey(_ parts: [Int16]) -> [UInt8] { parts.map { UInt8(max(0, min(255, $0 + 1))) } }
            try folder.add(prefix + "normals.png", ImageFile.encodePNG(maps.normalImage()))
            try folder.add(
                prefix + "depth.png", ImageFile.encodePNG(gray16: maps.depthSamples(), width: width, height: height))
            try folder.add(prefix + "parts.png", ImageFile.encodePNG(gray8: grey(parts), width: width, height: height))
            try folder.add(prefix + "uv_normals.png", ImageFile.encodePNG(surface.normalImage()))
            try folder.add(prefix + "uv_parts.png", ImageFile.encodePNG(gray8: grey(surface.parts), width: side, height: side))
            try folder.add(
                prefix + "uv_visibility.png",
                ImageFile.encodePNG(
                    gray8: texture.photoShare.map { UInt8((255 * max(0, min(1, $0))).rounded()) }, width: side, height: side))
        }
        if selection.contains(.arrays) {
            let names: [(String, [UInt8])] = [
                ("normals", try NPYFile.encode(maps.normals, shape: [height, width, 3])),
                ("depth", try NPYFile.encode(maps.depth, shape: [height, width])),
                ("position", try NPYFile.encode(raster.positions(shaped.vertices), shape: [height, width, 3])),
                ("parts", try NPYFile.encode(parts, shape: [height, width])),
                ("uv_normals", try NPYFile.encode(surface.normals, shape: [side, side, 3])),
                ("uv_position", try NPYFile.encode(surface.positions, shape: [side, side, 3])),
                ("uv_parts", try NPYFile.encode(surface.parts, shape: [side, side])),
                ("uv_visibility", try NPYFile.encode(texture.photoShare, shape: [side, side])),
            ]
            for (name, bytes) in names { try folder.add("\(prefix)\(name).npy", bytes) }
        }
    }

    /// Writes every selected file, or none. `source` is the file that the photo was read from, if it was.
    public func write(
        to path: String, photo: RGBImage, selection: OutputSelection = .standard, source: String? = nil,
        texture: (() throws -> Texture)? = nil
    ) throws {
        let names = ResultNames(selection: selection, numbered: false)
        if let source { try names.check(photo: source, folder: path) }
        let folder = try OutputFolder(path)
        try add(to: folder, photo: photo, selection: selection, texture: texture)
        try folder.commit(removing: names.contains)
    }
}
