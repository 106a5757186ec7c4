import FaceModel
import Numerics

/// A head as binary glTF 2.0: one mesh with its texture inside and the expressions as named morph targets.
///
/// Metres, y up, z out of the face, as glTF has it. The material is unlit: the texture already has the photo's light.
public enum GLBFile {
    /// A displacement below this, metres, is none: a thousandth of a millimetre.
    private static let least: Float = 1e-6

    /// - Parameters:
    ///   - mesh: at rest, model space, mm.
    ///   - layout: of the mesh's triangles.
    ///   - texture: a PNG file.
    ///   - targets: for each expression its name, displacements [V,3] in mm, and how far it is on.
    ///   - animation: moves the head in front of a camera, and the weights of its targets.
    ///   - extras: whatever else a reader may like to know, kept with the mesh's node.
    public static func encode(
        _ mesh: Mesh, layout: TextureLayout, texture: [UInt8],
        targets: [(name: String, displacements: [Float], weight: Float)], animation: TrackAnimation? = nil,
        extras: [(String, JSONValue)] = []
    ) throws -> [UInt8] {
        try mesh.check()
        guard layout.triangles.count == mesh.triangles.count,
            layout.vertex.allSatisfy({ $0 >= 0 && Int($0) < mesh.vertexCount }),
            targets.allSatisfy({ $0.displacements.count == mesh.vertices.count && $0.weight.isFinite })
        else { throw GarfaceError(.internalFailure, "glb: layout, mesh and expressions do not belong together") }
        guard targets.allSatisfy({ $0.displacements.allSatisfy { abs($0) < 1e5 } }) else {
            throw GarfaceError(.numericalFailure, "glb: an expression's displacement is not a finite number of sensible size")
        }
        var data = GLBData()
        let vertices = layout.vertex.map { 3 * Int($0) }
        func metres(_ values: [Float]) -> [Float] {
            var result: [Float] = []
            result.reserveCapacity(3 * vertices.count)
            for v in vertices { for k in 0..<3 { result.append(values[v + k] * 0.001) } }
            return result
        }

        let positions = data.vectors(metres(mesh.vertices), width: 3, bounded: true)
        var units: [Float] = [], places: [Float] = []
        for v in vertices {
            let n = SIMD3<Float>(mesh.normals[v], mesh.normals[v + 1], mesh.normals[v + 2])
            let length = (n * n).sum().squareRoot()
            // A vertex without a normal (no triangle of any area) still needs one of unit length.
            let unit = length > 0.5 ? n / length : SIMD3<Float>(0, 0, 1)
            units += [unit.x, unit.y, unit.z]
        }
        // The upper left corner is glTF's origin.
        for i in 0..<layout.count { places += [layout.coordinates[2 * i], 1 - layout.coordinates[2 * i + 1]] }
        let normals = data.vectors(units, width: 3, bounded: false)
        let coordinates = data.vectors(places, width: 2, bounded: false)
        let indices = data.indices(layout.triangles.map { UInt32($0) })
        var morphs: [JSONValue] = []
        for target in targets {
            morphs.append(.object([("POSITION", .number(Double(data.sparse(metres(target.displacements), least: least))))]))
        }
        let image = data.view(texture)

        func whole(_ value: Int) -> JSONValue { .number(Double(value)) }
        var primitive: [(String, JSONValue)] = [
            (
                "attributes",
                .object([("POSITION", whole(positions)), ("NORMAL", whole(normals)), ("TEXCOORD_0", whole(coordinates))])
            ),
            ("indices", whole(indices)), ("material", whole(0)), ("mode", whole(4)),
        ]
        var body: [(String, JSONValue)] = [("name", .string("head"))]
        if !targets.isEmpty {
            primitive.append(("targets", .array(morphs)))
            body.append(("weights", .array(targets.map { .number(Double($0.weight)) })))
            body.append(("extras", .object([("targetNames", .array(targets.map { .string($0.name) }))])))
        }
        body.insert(("primitives", .array([.object(primitive)])), at: 1)
        var node: [(String, JSONValue)] = [("name", .string("head")), ("mesh", whole(0))]
        if !extras.isEmpty { node.append(("extras", .object(extras))) }
        var nodes = [node], moving: [(String, JSONValue)] = []
        if let animation {
            guard animation.fits(targets.count) else {
                throw GarfaceError(.internalFailure, "glb: the animation does not belong to these expressions")
            }
            moving = add(animation, to: &data, hasTargets: !targets.isEmpty)
            // Until it plays, the head is where the first frame has it.
            nodes[0].insert(("rotation", .array(animation.rotations.prefix(4).map { .number(Double($0)) })), at: 2)
            nodes[0].insert(("translation", .array(animation.translations.prefix(3).map { .number(Double($0)) })), at: 3)
            nodes.append([("name", .string("camera")), ("camera", whole(0))])
        }
        let document = JSONValue.object([
            ("asset", .object([("version", .string("2.0")), ("generator", .string("garface"))])),
            ("extensionsUsed", .array([.string("KHR_materials_unlit")])),
            ("scene", whole(0)), ("scenes", .array([.object([("nodes", .array(nodes.indices.map(whole)))])])),
            ("nodes", .array(nodes.map { .object($0) })), ("meshes", .array([.object(body)])),
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
    private static func add(_ animation: TrackAnimation, to data: inout GLBData, hasTargets: Bool) -> [(String, JSONValue)] {
        func whole(_ value: Int) -> JSONValue { .number(Double(value)) }
        let times = data.keys(animation.times, type: "SCALAR", width: 1, bounded: true)
        var curves = [
            ("rotation", data.keys(animation.rotations, type: "VEC4", width: 4, bounded: false)),
            ("translation", data.keys(animation.translations, type: "VEC3", width: 3, bounded: false)),
        ]
        if hasTargets { curves.append(("weights", data.keys(animation.weights, type: "SCALAR", width: 1, bounded: false))) }
        let samplers: [JSONValue] = curves.map {
            .object([("input", whole(times)), ("interpolation", .string("LINEAR")), ("output", whole($0.1))])
        }
        let channels: [JSONValue] = curves.enumerated().map { i, curve in
            .object([
                ("sampler", whole(i)), ("target", .object([("node", whole(0)), ("path", .string(curve.0))])),
            ])
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

/// The binary part of a GLB file while it grows, with what describes it.
struct GLBData {
    private(set) var bytes: [UInt8] = []
    private(set) var views: [JSONValue] = []
    private(set) var accessors: [JSONValue] = []

    private static let float = 5126, unsignedInt = 5125, arrayBuffer = 34962, elementArrayBuffer = 34963

    /// A run of bytes, from a multiple of four on.
    mutating func view(_ data: [UInt8], target: Int? = nil) -> Int {
        while bytes.count % 4 != 0 { bytes.append(0) }
        var members: [(String, JSONValue)] = [
            ("buffer", .number(0)), ("byteOffset", .number(Double(bytes.count))), ("byteLength", .number(Double(data.count))),
        ]
        if let target { members.append(("target", .number(Double(target)))) }
        bytes += data
        views.append(.object(members))
        return views.count - 1
    }

    /// An attribute of `width` floats per vertex; `bounded` states its least and greatest values.
    mutating func vectors(_ values: [Float], width: Int, bounded: Bool) -> Int {
        let view = view(littleEndian(values.map(\.bitPattern)), target: Self.arrayBuffer)
        var members = description(count: values.count / width, type: width == 2 ? "VEC2" : "VEC3", component: Self.float)
        members.insert(("bufferView", .number(Double(view))), at: 0)
        if bounded { members += bounds(values, width) }
        accessors.append(.object(members))
        return accessors.count - 1
    }

    /// The keys of an animation: no attribute of vertices.
    mutating func keys(_ values: [Float], type: String, width: Int, bounded: Bool) -> Int {
        let view = view(littleEndian(values.map(\.bitPattern)))
        var members = description(count: values.count / width, type: type, component: Self.float)
        members.insert(("bufferView", .number(Double(view))), at: 0)
        if bounded { members += bounds(values, width) }
        accessors.append(.object(members))
        return accessors.count - 1
    }

    mutating func indices(_ values: [UInt32]) -> Int {
        let view = view(littleEndian(values), target: Self.elementArrayBuffer)
        accessors.append(
            .object(
                [("bufferView", .number(Double(view)))] + description(count: values.count, type: "SCALAR", component: Self.unsignedInt)))
        return accessors.count - 1
    }

    /// Vectors most of which are zero: those that are not, and where they belong.
    mutating func sparse(_ values: [Float], least: Float) -> Int {
        let count = values.count / 3
        var rows = (0..<count).filter { i in (0..<3).contains { abs(values[3 * i + $0]) > least } }
        // A sparse accessor has at least one value.
        if rows.isEmpty { rows = [0] }
        var shown = [Float](repeating: 0, count: values.count)
        for i in rows { for k in 0..<3 { shown[3 * i + k] = values[3 * i + k] } }
        let indices = view(littleEndian(rows.map { UInt32($0) }))
        let vectors = view(littleEndian(rows.flatMap { i in (0..<3).map { values[3 * i + $0].bitPattern } }))
        accessors.append(
            .object(
                description(count: count, type: "VEC3", component: Self.float) + bounds(shown, 3) + [
                    (
                        "sparse",
                        .object([
                            ("count", .number(Double(rows.count))),
                            (
                                "indices",
                                .object([
                                    ("bufferView", .number(Double(indices))), ("componentType", .number(Double(Self.unsignedInt))),
                                ])
                            ),
                            ("values", .object([("bufferView", .number(Double(vectors)))])),
                        ])
                    )
                ]))
        return accessors.count - 1
    }

    private func description(count: Int, type: String, component: Int) -> [(String, JSONValue)] {
        [("componentType", .number(Double(component))), ("count", .number(Double(count))), ("type", .string(type))]
    }

    private func bounds(_ values: [Float], _ width: Int) -> [(String, JSONValue)] {
        var low = [Float](repeating: .infinity, count: width), high = [Float](repeating: -.infinity, count: width)
        for (i, value) in values.enumerated() {
            low[i % width] = min(low[i % width], value)
            high[i % width] = max(high[i % width], value)
        }
        return [("min", .array(low.map { .number(Double($0)) })), ("max", .array(high.map { .number(Double($0)) }))]
    }

    private func littleEndian(_ words: [UInt32]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 4 * words.count) { buffer, count in
            for (i, word) in words.enumerated() {
                for k in 0..<4 { buffer[4 * i + k] = UInt8(truncatingIfNeeded: word >> UInt32(8 * k)) }
            }
            count = 4 * words.count
        }
    }
}
