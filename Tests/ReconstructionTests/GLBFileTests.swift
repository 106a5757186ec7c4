import FaceModel
import Glibc
import Numerics
import Reconstruction
import Testing

@Suite struct GLBFileTests {
    /// A square of two triangles whose texture is cut along the diagonal.
    private func figure() throws -> (mesh: Mesh, layout: TextureLayout) {
        let mesh = Mesh(
            vertices: [0, 0, 0, 1000, 0, 0, 1000, 2000, 0, 0, 2000, 0], normals: [0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0],
            triangles: [0, 1, 2, 0, 2, 3])
        let layout = try TextureLayout(
            coordinates: [0, 0, 0.25, 0, 0.25, 1, 0.5, 0, 1, 1, 0.5, 1], triangles: [0, 1, 2, 3, 4, 5], mesh: mesh.triangles, name: "square")
        return (mesh, layout)
    }

    private func word(_ bytes: [UInt8], _ at: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) } }

    private func parts(_ file: [UInt8]) throws -> (json: JSONValue, binary: [UInt8]) {
        #expect(word(file, 0) == 0x4654_6C67 && word(file, 4) == 2 && Int(word(file, 8)) == file.count)
        let size = Int(word(file, 12))
        #expect(size % 4 == 0 && word(file, 16) == 0x4E4F_534A)
        let json = try JSONValue(parsing: Array(file[20..<20 + size]))
        let rest = Int(word(file, 20 + size))
        #expect(word(file, 24 + size) == 0x004E_4942 && rest % 4 == 0 && 28 + size + rest == file.count)
        return (json, Array(file[(28 + size)...]))
    }

    @Test func square() throws {
        let (mesh, layout) = try figure()
        var lifted = [Float](repeating: 0, count: 12)
        lifted[8] = 10
        let file = try GLBFile.encode(
            mesh, layout: layout, texture: [1, 2, 3, 4, 5],
            targets: [("lift", lifted, 0.5), ("none", [Float](repeating: 0, count: 12), 0)], extras: [("note", .string("a"))])
        let (json, binary) = try parts(file)
        func floats(_ accessor: Int) throws -> [Float] {
            let a = try #require(json["accessors"]?[accessor])
            let index = try #require(a["bufferView"]?.int)
            let view = try #require(json["bufferViews"]?[index])
            let start = try #require(view["byteOffset"]?.int), size = try #require(view["byteLength"]?.int)
            return stride(from: start, to: start + size, by: 4).map { Float(bitPattern: word(binary, $0)) }
        }
        let primitive = try #require(json["meshes"]?[0]?["primitives"]?[0])
        let attributes = try #require(primitive["attributes"])
        // Metres; every texture vertex a vertex of its own.
        let positions = try #require(attributes["POSITION"]?.int), normals = try #require(attributes["NORMAL"]?.int)
        let coordinates = try #require(attributes["TEXCOORD_0"]?.int)
        #expect(try floats(positions) == [0, 0, 0, 1, 0, 0, 1, 2, 0, 0, 0, 0, 1, 2, 0, 0, 2, 0])
        // v from the top; a vertex without a normal has one of unit length.
        #expect(try floats(coordinates) == [0, 1, 0.25, 1, 0.25, 0, 0.5, 1, 1, 0, 0.5, 0])
        #expect(try floats(normals).suffix(3) == [0, 0, 1])
        #expect(json["accessors"]?[0]?["max"]?.array?.compactMap(\.double) == [1, 2, 0])
        let targets = try #require(primitive["targets"]?.array)
        let accessor = try #require(targets[0]["POSITION"]?.int)
        let lift = try #require(json["accessors"]?[accessor])
        #expect(lift["sparse"]?["count"]?.int == 2 && lift["count"]?.int == 6)
        #expect(lift["max"]?[2]?.double.map { abs($0 - 0.01) < 1e-9 } == true)
        #expect(json["meshes"]?[0]?["extras"]?["targetNames"]?.array?.compactMap(\.string) == ["lift", "none"])
        #expect(json["meshes"]?[0]?["weights"]?.array?.compactMap(\.double) == [0.5, 0])
        let picture = try #require(json["images"]?[0]?["bufferView"]?.int)
        let image = try #require(json["bufferViews"]?[picture])
        #expect(image["byteLength"]?.int == 5 && image["byteOffset"]?.int.map { $0 % 4 } == 0 && image["target"] == nil)
        #expect(json["buffers"]?[0]?["byteLength"]?.int.map { $0 <= binary.count && $0 > binary.count - 4 } == true)
    }

    /// The square cut at a quarter of its height: corners above it, and where edges pass it, once for each side of a seam.
    @Test func cut() throws {
        let (mesh, layout) = try figure()
        let heights: [Float] = [-500, -500, 1500, 1500]
        var lifted = [Float](repeating: 0, count: 12)
        lifted[5] = 8
        let file = try GLBFile.encode(mesh, layout: layout, texture: [1], heights: heights, targets: [("lift", lifted, 0)])
        let (json, binary) = try parts(file)
        func view(_ index: Int) throws -> [UInt32] {
            let view = try #require(json["bufferViews"]?[index])
            let start = try #require(view["byteOffset"]?.int), size = try #require(view["byteLength"]?.int)
            return stride(from: start, to: start + size, by: 4).map { word(binary, $0) }
        }
        let positions = try view(0).map { Float(bitPattern: $0) }, indices = try view(3)
        // Six rows of the layout; 1-2 and 0-2 of the first triangle pass the cut, 0-2 and 3-0 of the second.
        #expect(positions.count == 3 * 10 && json["accessors"]?[0]?["count"]?.int == 10)
        var area: Float = 0
        for t in stride(from: 0, to: indices.count, by: 3) {
            let p = (0..<3).map { SIMD2(positions[3 * Int(indices[t + $0])], positions[3 * Int(indices[t + $0]) + 1]) }
            let a = p[1] - p[0], b = p[2] - p[0], own = (a.x * b.y - a.y * b.x) / 2
            #expect(own > 0 && p.allSatisfy { $0.y > 0.499 })
            area += own
        }
        #expect(abs(area - 1.5) < 1e-5)
        // A vertex on the cut moves by its share: 1-2 is passed at a quarter, vertex 1 moves by 8 mm.
        let target = try #require(json["meshes"]?[0]?["primitives"]?[0]?["targets"]?[0]?["POSITION"]?.int)
        let last = try #require(json["accessors"]?[target]?["max"]?[2]?.double)
        #expect(abs(last - 0.008) < 1e-6 && json["accessors"]?[target]?["sparse"]?["count"]?.int == 2)
        #expect(
            errorKind { _ = try GLBFile.encode(mesh, layout: layout, texture: [1], heights: [0], targets: []) } == .internalFailure)
    }

    /// Two triangles apart, the second an "eye": with a node of its own, unless an expression moves it.
    @Test func eyes() throws {
        let mesh = Mesh(
            vertices: [0, 0, 0, 9, 0, 0, 0, 9, 0, 20, 0, 0, 29, 0, 0, 20, 9, 0],
            normals: [Float](repeating: 0, count: 6).flatMap { _ in [0, 0, 1] }, triangles: [0, 1, 2, 3, 4, 5])
        let layout = try TextureLayout(
            coordinates: [0, 0, 0.4, 0, 0, 0.4, 0.5, 0.5, 0.9, 0.5, 0.5, 0.9], triangles: [0, 1, 2, 3, 4, 5], mesh: mesh.triangles,
            name: "two")
        let eye = GLBEye(name: "eye", vertices: [3, 4, 5], centre: SIMD3(20, 0, 0), turn: EyeTurn(yaw: 0.3, pitch: -0.2))
        func nodes(_ moved: Float) throws -> [JSONValue] {
            var displacements = [Float](repeating: 0, count: 18)
            displacements[10] = moved
            let file = try GLBFile.encode(
                mesh, layout: layout, texture: [1], targets: [("a", displacements, 0)], eyes: [eye],
                camera: GLBCamera(Camera(rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1], scale: 2, tx: 99.5, ty: 49.5), width: 200, height: 100))
            let json = try parts(file).json
            #expect(json["meshes"]?.array?.count == (moved == 0 ? 2 : 1))
            // The photo's middle shows the origin; 100 pixels are 50 mm.
            #expect(json["cameras"]?[0]?["orthographic"]?["xmag"]?.double.map { abs($0 - 0.05) < 1e-9 } == true)
            return try #require(json["nodes"]?.array)
        }
        let still = try nodes(0)
        #expect(still.map { $0["name"]?.string } == ["head", "eye", "photo"])
        #expect(still[0]["children"]?.array?.compactMap(\.int) == [1])
        #expect(still[1]["translation"]?.array?.compactMap(\.double).map { ($0 * 1000).rounded() } == [20, 0, 0])
        let q = (0..<4).compactMap { still[1]["rotation"]?[$0]?.double }
        try #require(q.count == 4)
        // Where the node's z axis looks: 0.3 to the left and 0.2 down.
        #expect(abs(2 * (q[1] * q[2] - q[0] * q[3]) - sin(-0.2)) < 1e-6)
        #expect(abs(atan2(2 * (q[0] * q[2] + q[1] * q[3]), 1 - 2 * (q[0] * q[0] + q[1] * q[1])) - 0.3) < 1e-6)
        #expect(try nodes(1).map { $0["name"]?.string } == ["head", "photo"])
        var stray = eye
        stray.vertices = [6]
        #expect(
            errorKind { _ = try GLBFile.encode(mesh, layout: layout, texture: [1], targets: [], eyes: [stray]) } == .internalFailure)
    }

    @Test func refusesWhatDoesNotFit() throws {
        var (mesh, layout) = try figure()
        let still = [Float](repeating: 0, count: 12)
        #expect(
            errorKind { _ = try GLBFile.encode(mesh, layout: layout, texture: [], targets: [("a", [0], 0)]) } == .internalFailure)
        var wild = still
        wild[3] = .infinity
        #expect(
            errorKind { _ = try GLBFile.encode(mesh, layout: layout, texture: [], targets: [("a", wild, 0)]) } == .numericalFailure)
        mesh.triangles = [0, 1, 2]
        #expect(errorKind { _ = try GLBFile.encode(mesh, layout: layout, texture: [], targets: []) } == .internalFailure)
        #expect(errorKind { _ = try MeshFile.obj(mesh, layout: layout, library: "a.mtl") } == .internalFailure)
        mesh.vertices[0] = .nan
        #expect(errorKind { _ = try GLBFile.encode(mesh, layout: layout, texture: [], targets: []) } == .numericalFailure)
        layout = try figure().layout
        #expect(errorKind { _ = try MeshFile.ply(try figure().mesh, colours: [1, 2]) } == .internalFailure)
    }
}

@Suite struct NPYFileTests {
    @Test func layout() throws {
        let file = try NPYFile.encode([1, 2, 3, 4, 5, -1] as [Float], shape: [2, 3])
        #expect(Array(file[..<8]) == [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0])
        let header = Int(file[8]) | Int(file[9]) << 8
        #expect((10 + header) % 64 == 0 && file[9 + header] == UInt8(ascii: "\n") && file.count == 10 + header + 24)
        #expect(String(decoding: file[10..<10 + header], as: UTF8.self).hasPrefix("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"))
        #expect(Array(file.suffix(4)) == [0, 0, 0x80, 0xBF])
        let words = try NPYFile.encode([-1, 258] as [Int16], shape: [2])
        #expect(String(decoding: words, as: UTF8.self).contains("'<i2'") && String(decoding: words, as: UTF8.self).contains("(2,)"))
        #expect(Array(words.suffix(4)) == [0xFF, 0xFF, 2, 1])
        #expect(errorKind { _ = try NPYFile.encode([1] as [Float], shape: [2]) } == .internalFailure)
    }
}
