import Numerics

/// The names that results have in a folder: those of one face, or those of all faces, face1_..., face2_..., or photos.
public struct ResultNames: Sendable {
    private let names: Set<String>
    private let numbered: Bool
    /// What numbered names open with, before the number.
    private let word: String

    /// Pixels that a side of input.png has at most.
    static let inputSide = 1024

    private static let groups: [(OutputSelection, [String])] = [
        (.parameters, ["parameters.json", "parameters.safetensors"]),
        (.landmarks, ["landmarks.pts", "landmarks_static.pts", "landmarks.json"]),
        (.obj, ["head_posed.obj", "head_neutral.obj"]),
        (.ply, ["head_posed.ply", "head_neutral.ply"]),
        (.maps, ["normals.png", "depth.png", "parts.png", "uv_normals.png", "uv_parts.png", "uv_visibility.png"]),
        (.pictures, ["render.png", "crop.png", "input.png"]),
        (.overlay, ["overlay.png"]),
        (.texture, ["texture.png", "head_textured.obj", "head_textured.mtl", "head_coloured.ply"]),
        (.glb, ["head.glb"]),
        (
            .arrays,
            [
                "normals.npy", "depth.npy", "position.npy", "parts.npy", "uv_normals.npy", "uv_position.npy", "uv_parts.npy",
                "uv_visibility.npy",
            ]
        ),
    ]

    /// - Parameter word: what numbered names open with: faces of one photo, or photos of one person ("photo").
    public init(selection: OutputSelection, numbered: Bool, word: String = "face") {
        self.word = word
        names = Set(Self.groups.flatMap { selection.contains($0.0) ? $0.1 : [] })
        self.numbered = numbered
    }

    /// What the names of the i-th face's files begin with.
    public func prefix(_ i: Int) -> String { numbered ? "\(word)\(i + 1)_" : "" }

    /// Whether a result of this kind may have a file of that name.
    public func contains(_ name: String) -> Bool {
        guard numbered else { return names.contains(name) }
        guard name.hasPrefix(word), let line = name.firstIndex(of: "_") else { return false }
        let number = name[name.index(name.startIndex, offsetBy: word.count)..<line]
        guard let value = Int(number), value > 0, String(value) == number else { return false }
        return names.contains(String(name[name.index(after: line)...]))
    }

    /// Throws where the results would take the place of the photo they are made from.
    public func check(photo: String, folder: String) throws {
        for name in FileAccess.names(in: folder) where contains(name) && FileAccess.isSame("\(folder)/\(name)", photo) {
            throw GarfaceError(
                .invalidArgument,
                "\(folder): the result's \(name) would take the place of the photo \(photo); give another folder, or rename the photo")
        }
    }
}
