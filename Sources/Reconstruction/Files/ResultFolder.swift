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
    /// normals.png and depth.png
    public static let maps = OutputSelection(rawValue: 16)
    /// render.png (where a renderer took part) and crop.png
    public static let pictures = OutputSelection(rawValue: 32)
    /// overlay.png
    public static let overlay = OutputSelection(rawValue: 64)
    /// texture.png, head_textured.obj with head_textured.mtl, and head_coloured.ply
    public static let texture = OutputSelection(rawValue: 128)
    /// head.glb
    public static let glb = OutputSelection(rawValue: 256)
    public static let all: OutputSelection = [
        .parameters, .landmarks, .obj, .ply, .maps, .pictures, .overlay, .texture, .glb,
    ]
}

extension ReconstructionResult {
    /// Adds this result's files to a folder; `prefix` opens every name (for several faces).
    public func add(to folder: OutputFolder, photo: RGBImage, selection: OutputSelection = .all, prefix: String = "") throws {
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
            ("head_neutral", neutral, "neutral expression, model space"),
        ] {
            if selection.contains(.obj) { try folder.add("\(prefix)\(name).obj", MeshFile.obj(mesh, comment: what)) }
            if selection.contains(.ply) { try folder.add("\(prefix)\(name).ply", MeshFile.ply(mesh, comment: what)) }
        }
        if selection.contains(.maps) {
            let maps = try maps()
            try folder.add(prefix + "normals.png", ImageFile.encodePNG(maps.normalImage()))
            try folder.add(
                prefix + "depth.png",
                ImageFile.encodePNG(gray16: maps.depthSamples(), width: maps.window.width, height: maps.window.height))
        }
        if selection.contains(.pictures) {
            if let render { try folder.add(prefix + "render.png", ImageFile.encodePNG(render)) }
            try folder.add(prefix + "crop.png", ImageFile.encodePNG(crop))
        }
        if !selection.isDisjoint(with: [.texture, .glb]) { try addTextured(to: folder, photo, selection, prefix) }
        if selection.contains(.overlay) {
            try folder.add(prefix + "overlay.png", ImageFile.encodePNG(OverlaySheet.image(self, photo: photo)))
        }
    }

    private func addTextured(to folder: OutputFolder, _ photo: RGBImage, _ selection: OutputSelection, _ prefix: String) throws {
        let texture = try Texture(self, photo: photo)
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

    /// Writes every selected file, or none. `source` is the file that the photo was read from, if it was.
    public func write(to path: String, photo: RGBImage, selection: OutputSelection = .all, source: String? = nil) throws {
        let names = ResultNames(selection: selection, numbered: false)
        if let source { try names.check(photo: source, folder: path) }
        let folder = try OutputFolder(path)
        try add(to: folder, photo: photo, selection: selection)
        try folder.commit(removing: names.contains)
    }
}
