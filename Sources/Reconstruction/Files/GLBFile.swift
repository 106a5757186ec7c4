import FaceModel
import Numerics

/// A head as binary glTF 2.0: a mesh with its texture inside and the expressions as named morph targets, and the eyeballs, each
/// with a node of its own in its centre.
///
/// Metres, y up, z out of the face, as glTF has it. The material is unlit: the texture already has the photo's light.
public enum GLBFile {
    /// A displacement below this, metres, is none: a thousandth of a millimetre.
    private static let least: Float = 1e-6
    /// Mm by which an expression may move an eyeball that turns about a fixed centre.
    private static let still: Float = 0.01

    /// - Parameters:
    ///   - mesh: at rest, model space, mm.
    ///   - layout: of the mesh's triangles.
    ///   - texture: a PNG file.
    ///   - heights: [V] mm above the edge in which the surface is to end; what lies below is cut off.
    ///   - targets: for each expression its name, displacements [V,3] in mm, and how far it is on.
    ///   - eyes: turn about their centres where no expression moves them and they touch nothing else; else they stay in the head's mesh.
    ///   - camera: of the photo; where there is an animation, that has its own.
    ///   - animation: moves the head in front of a camera, the weights of its targets, and the eyes.
    ///   - extras: whatever else a reader may like to know, kept with the mesh's node.
    public static func encode(
        _ mesh: Mesh, layout: TextureLayout, texture: [UInt8],
        heights: [Float]? = nil, targets: [(name: String, displacements: [Float], weight: Float)], eyes: [GLBEye] = [],
        camera: GLBCamera? = nil, animation: TrackAnimation? = nil,
        extras: [(String, JSONValue)] = []
    ) throws -> [UInt8] {
        try mesh.check()
        guard layout.triangles.count == mesh.triangles.count,
            heights.map({ $0.count == mesh.vertexCount && $0.allSatisfy(\.isFinite) }) ?? true,
            eyes.allSatisfy({ $0.vertices.allSatisfy { $0 >= 0 && $0 < mesh.vertexCount } }),
            layout.vertex.allSatisfy({ $0 >= 0 && Int($0) < mesh.vertexCount }),
            targets.allSatisfy({ $0.displacements.count == mesh.vertices.count && $0.weight.isFinite })
        else { throw GarfaceError(.internalFailure, "glb: layout, mesh and expressions do not belong together") }
        guard targets.allSatisfy({ $0.displacements.allSatisfy { abs($0) < 1e5 } }) else {
            throw GarfaceError(.numericalFailure, "glb: an expression's displacement is not a finite number of sensible size")
        }
        var data = GLBData()
        // Which node a vertex belongs to: 0 is the head's, the eyes' follow.
        var owner = [Int](repeating: 0, count: mesh.vertexCount)
        for (e, eye) in eyes.enumerated() { for v in eye.vertices { owner[v] = e + 1 } }
        // Both eyes turn, or none; and a head is more than eyes.
        let areFree = owner.contains(0)
            && targets.allSatisfy { target in
                eyes.allSatisfy { eye in
                    eye.vertices.allSatisfy { v in (0..<3).allSatisfy { abs(target.displacements[3 * v + $0]) <= Self.still } }
                }
            }
            && stride(from: 0, to: mesh.triangles.count, by: 3).allSatisfy { t in
                let first = owner[Int(mesh.triangles[t])]
                return owner[Int(mesh.triangles[t + 1])] == first && owner[Int(mesh.triangles[t + 2])] == first
            }
        let turning = areFree ? eyes : []
        if !areFree { owner = [Int](repeating: 0, count: mesh.vertexCount) }
        func split(_ heights: [Float]?) -> [GLBPiece] {
            (0...turning.count).map { k in GLBPiece(mesh, layout, heights: heights) { owner[$0] == k } }
        }
        var pieces = split(heights)
        // Never so much that nothing is left.
        if pieces.contains(where: \.isEmpty) { pieces = split(nil) }

        func whole(_ value: Int) -> JSONValue { .number(Double(value)) }
        func list(_ values: [Double]) -> JSONValue { .array(values.map { .number($0) }) }
        var meshes: [JSONValue] = []
        var nodes: [[(String, JSONValue)]] = [], moving: [(String, JSONValue)] = []
        for (k, piece) in pieces.enumerated() {
            let eye = k > 0 ? turning[k - 1] : nil
            var primitive = piece.primitive(in: &data) { eye?.local($0) ?? $0 } turned: { eye?.unturned($0) ?? $0 }
            var body: [(String, JSONValue)] = [("name", .string(eye?.name ?? "head"))]
            if k == 0 && !targets.isEmpty {
                let morphs: [JSONValue] = targets.map { target in
                    let moves = piece.gather(target.displacements) { $0 * 0.001 }
                    return .object([("POSITION", whole(data.sparse(moves, least: least)))])
                }
                primitive.append(("targets", .array(morphs)))
                body.append(("weights", .array(targets.map { .number(Double($0.weight)) })))
                body.append(("extras", .object([("targetNames", .array(targets.map { .string($0.name) }))])))
            }
            body.insert(("primitives", .array([.object(primitive)])), at: 1)
            meshes.append(.object(body))
            var node: [(String, JSONValue)] = [("name", .string(eye?.name ?? "head")), ("mesh", whole(k))]
            if let eye { node += [("rotation", list(eye.rotation.map { Double($0) })), ("translation", list(eye.place))] }
            nodes.append(node)
        }
        if !turning.isEmpty { nodes[0].append(("children", .array((1...turning.count).map(whole)))) }
        if !extras.isEmpty { nodes[0].append(("extras", .object(extras))) }
        var roots = [0]
        let image = data.view(texture)
        if let animation {
            guard animation.fits(targets.count) else {
                throw GarfaceError(.internalFailure, "glb: the animation does not belong to these expressions")
            }
            moving = add(animation, to: &data, hasTargets: !targets.isEmpty, eyes: turning.count)
            // Until it plays, the head is where the first frame has it.
            nodes[0].insert(("rotation", list(animation.rotations.prefix(4).map { Double($0) })), at: 2)
            nodes[0].insert(("translation", list(animation.translations.prefix(3).map { Double($0) })), at: 3)
            roots.append(nodes.count)
            nodes.append([("name", .string("camera")), ("camera", whole(0))])
        } else if let camera {
            moving = [("cameras", .array([camera.json]))]
            roots.append(nodes.count)
            nodes.append([
                ("name", .string("photo")), ("camera", whole(0)), ("rotation", list(camera.rotation)), ("translation", list(camera.place)),
            ])
        }
        let document = JSONValue.object([
            ("asset", .object([("version", .string("2.0")), ("generator", .string("garface"))])),
            ("extensionsUsed", .array([.string("KHR_materials_unlit")])),
            ("scene", whole(0)), ("scenes", .array([.object([("nodes", .array(roots.map(whole)))])])),
            ("nodes", .array(nodes.map { .object($0) })), ("meshes", .array(meshes)),
            (
                "materials",
                .array([
                    .object([
                        ("name", .string("head")),
                        (
                            "pbrMetallicRoughness",
                            .object([
                                ("baseColorTexture", .object([("index", whole(0))])), ("metallicFactor", whole(0)),
                                ("roughnessFactor", .number(0.9)),
                            ])
                        ),
                        ("extensions", .object([("KHR_materials_unlit", .object([]))])),
                    ])
                ])
            ),
            ("textures", .array([.object([("sampler", whole(0)), ("source", whole(0))])])),
            ("images", .array([.object([("bufferView", whole(image)), ("mimeType", .string("image/png"))])])),
            (
                "samplers",
                .array([
                    .object([
                        ("magFilter", whole(9729)), ("minFilter", whole(9987)), ("wrapS", whole(33071)), ("wrapT", whole(33071)),
                    ])
                ])
            ),
            ("accessors", .array(data.accessors)), ("bufferViews", .array(data.views)),
            ("buffers", .array([.object([("byteLength", whole(data.bytes.count))])])),
        ] + moving)
        return try container(Array(document.serialized().utf8), data.bytes)
    }

    /// The animation's data, and the members of the document that describe it and its camera.
    private static func add(_ animation: TrackAnimation, to data: inout GLBData, hasTargets: Bool, eyes: Int) -> [(String, JSONValue)] {
        func whole(_ value: Int) -> JSONValue { .number(Double(value)) }
        var samplers: [JSONValue] = [], channels: [JSONValue] = []
        func curve(_ path: String, _ times: Int, _ values: Int, nodes: [Int]) {
            for node in nodes {
                channels.append(
                    .object([
                        ("sampler", whole(samplers.count)), ("target", .object([("node", whole(node)), ("path", .string(path))])),
                    ]))
            }
            samplers.append(.object([("input", whole(times)), ("interpolation", .string("LINEAR")), ("output", whole(values))]))
        }
        let times = data.keys(animation.times, type: "SCALAR", width: 1, bounded: true)
        curve("rotation", times, data.keys(animation.rotations, type: "VEC4", width: 4, bounded: false), nodes: [0])
        curve("translation", times, data.keys(animation.translations, type: "VEC3", width: 3, bounded: false), nodes: [0])
        if hasTargets { curve("weights", times, data.keys(animation.weights, type: "SCALAR", width: 1, bounded: false), nodes: [0]) }
        if eyes > 0 && !animation.eyeTimes.isEmpty {
            let times = data.keys(animation.eyeTimes, type: "SCALAR", width: 1, bounded: true)
            curve("rotation", times, data.keys(animation.eyeRotations, type: "VEC4", width: 4, bounded: false), nodes: Array(1...eyes))
        }
        return [
            (
                "animations",
                .array([.object([("name", .string("track")), ("channels", .array(channels)), ("samplers", .array(samplers))])])
            ),
            (
                "cameras",
                .array([
                    .object([
                        ("type", .string("perspective")),
                        (
                            "perspective",
                            .object([
                                ("aspectRatio", .number(animation.aspect)), ("yfov", .number(animation.fieldOfView)),
                                ("znear", .number(0.01)), ("zfar", .number(1000)),
                            ])
                        ),
                    ])
                ])
            ),
        ]
    }

    /// Header, JSON chunk, binary chunk: each of a length that four divides.
    private static func container(_ json: [UInt8], _ binary: [UInt8]) throws -> [UInt8] {
        let text = json + [UInt8](repeating: 0x20, count: (4 - json.count % 4) % 4)
        let padded = binary + [UInt8](repeating: 0, count: (4 - binary.count % 4) % 4)
        let total = 12 + 8 + text.count + 8 + padded.count
        guard total <= Int(UInt32.max) else { throw GarfaceError(.tooLarge, "glb: would have \(total) bytes; 4 GiB are the most") }
        var file: [UInt8] = []
        file.reserveCapacity(total)
        func word(_ value: UInt32) { withUnsafeBytes(of: value.littleEndian) { file.append(contentsOf: $0) } }
        word(0x4654_6C67)  // "glTF"
        word(2)
        word(UInt32(total))
        word(UInt32(text.count))
        word(0x4E4F_534A)  // "JSON"
        file += text
        word(UInt32(padded.count))
        word(0x004E_4942)  // "BIN"
        file += padded
        return file
    }
}
