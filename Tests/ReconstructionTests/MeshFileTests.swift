import FaceModel
import Glibc
import Numerics
import Reconstruction
import Testing

@Suite struct MeshFileTests {
    private func mesh() throws -> Mesh {
        let model = try HeadModel<Float>.embedded()
        var rng = RandomGenerator(seed: 5)
        return try Mesh(
            model, identity: (0..<model.identityCount).map { _ in Float(rng.normal()) },
            expression: (0..<model.expressionCount).map { _ in Float(rng.uniform() * 0.3) })
    }

    /// Read back by the few lines below, which know nothing of the writer.
    @Test func obj() throws {
        let mesh = try mesh()
        let text = String(decoding: try MeshFile.obj(mesh, comment: "two\nlines"), as: UTF8.self)
        var vertices: [Float] = [], normals: [Float] = [], groups: [String] = []
        var triangles = Set<[Int]>()
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            switch words[0] {
            case "v": vertices += words[1...].compactMap { Float($0) }
            case "vn": normals += words[1...].compactMap { Float($0) }
            case "g": groups.append(String(words[1]))
            case "f":
                let corners = words[1...].map { $0.split(separator: "/").compactMap { Int($0) } }
                #expect(corners.allSatisfy { $0.count == 2 && $0[0] == $0[1] })
                triangles.insert(corners.map { $0[0] - 1 })
            case "#": break
            default: Issue.record("unknown line \(line)")
            }
        }
        #expect(vertices.count == mesh.vertices.count && normals.count == mesh.normals.count)
        #expect(zip(vertices, mesh.vertices).allSatisfy { abs($0 - $1) < 1e-4 })
        #expect(zip(normals, mesh.normals).allSatisfy { abs($0 - $1) < 1e-5 })
        #expect(groups == mesh.partNames)
        let expected = Set((0..<mesh.triangleCount).map { t in (0..<3).map { Int(mesh.triangles[3 * t + $0]) } })
        #expect(triangles == expected)
    }

    @Test func ply() throws {
        let mesh = try mesh()
        let bytes = try MeshFile.ply(mesh, comment: "x")
        let marker = Array("end_header\n".utf8)
        let end = try #require((0..<1000).first { Array(bytes[$0..<$0 + marker.count]) == marker }) + marker.count
        let header = String(decoding: bytes[..<end], as: UTF8.self)
        #expect(header.hasPrefix("ply\nformat binary_little_endian 1.0\n"))
        #expect(
            header.contains("element vertex \(mesh.vertexCount)\n") && header.contains("element face \(mesh.triangleCount)\n"))
        var at = end
        func word() -> UInt32 {
            defer { at += 4 }
            return (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) }
        }
        for i in 0..<mesh.vertexCount {
            for k in 0..<3 where Float(bitPattern: word()) != mesh.vertices[3 * i + k] { Issue.record("vertex \(i)") }
            for k in 0..<3 where Float(bitPattern: word()) != mesh.normals[3 * i + k] { Issue.record("normal \(i)") }
        }
        for t in 0..<mesh.triangleCount {
            if bytes[at] != 3 { Issue.record("face \(t)") }
            at += 1
            for k in 0..<3 where Int32(bitPattern: word()) != mesh.triangles[3 * t + k] { Issue.record("face \(t)") }
        }
        #expect(at == bytes.count)
    }

    @Test func refusesDamage() throws {
        var mesh = try mesh()
        mesh.vertices[7] = .nan
        #expect(errorKind { _ = try MeshFile.obj(mesh) } == .numericalFailure)
        mesh.vertices[7] = 1e30
        #expect(errorKind { _ = try MeshFile.ply(mesh) } == .numericalFailure)
        mesh.vertices[7] = 0
        mesh.triangles[4] = 999_999
        #expect(errorKind { _ = try MeshFile.ply(mesh) } == .internalFailure)
        #expect(
            errorKind { _ = try SurfaceMaps(mesh, scale: 1, tx: 0, ty: 0, window: PhotoWindow(width: 8, height: 8)) }
                == .internalFailure)
    }

    @Test func normalsPointOutwards() throws {
        let mesh = try mesh()
        // The skin's vertices farthest in front, above and at the left look that way.
        for axis in 0..<3 {
            let top = try #require((0..<mesh.vertexCount).max { mesh.vertices[3 * $0 + axis] < mesh.vertices[3 * $1 + axis] })
            #expect(mesh.normals[3 * top + axis] > 0.5)
        }
    }
}

@Suite struct LandmarkFileTests {
    @Test func roundTrip() throws {
        let points = (0..<136).map { Double($0) * 3.25 - 40 }
        let back = try LandmarkFile.parse(pts: LandmarkFile.pts(points), name: "x")
        #expect(zip(points, back).allSatisfy { abs($0 - $1) < 1e-3 } && back.count == 136)
    }

    @Test func reads300W() throws {
        let text = "version: 1\nn_points:  2\n{\n446.000 91.000\n449.459 119.344\n}\n"
        #expect(try LandmarkFile.parse(pts: Array(text.utf8), name: "x") == [446, 91, 449.459, 119.344])
    }

    @Test(arguments: ["", "{", "}{", "n_points: 3\n{\n1 2\n}", "{ 1 2 3 }", "{ 1 nan }", "{ a b }", "n_points: 1 { 1e999 2 }"])
    func malformed(text: String) {
        #expect(errorKind { _ = try LandmarkFile.parse(pts: Array(text.utf8), name: "x") } == .malformedFile)
    }

    @Test func refusesNaN() {
        #expect(errorKind { _ = try LandmarkFile.pts([1, .nan]) } == .numericalFailure)
    }
}

@Suite struct SurfaceMapsTests {
    /// A square facing the viewer, 10 mm in front, lands where the camera says, with its depth and normal.
    @Test func square() throws {
        let mesh = Mesh(
            vertices: [-10, -10, 10, 10, -10, 10, 10, 10, 10, -10, 10, 10], normals: [0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1],
            triangles: [0, 1, 2, 0, 2, 3])
        for (window, step) in [
            (PhotoWindow(width: 60, height: 40), 1.0), (PhotoWindow(x: 4, y: 2, step: 2, width: 25, height: 16), 2),
        ] {
            let maps = try SurfaceMaps(mesh, scale: 0.8, tx: 30, ty: 18, window: window)
            let depth = maps.depthSamples(), normals = try maps.normalImage()
            for j in 0..<window.height {
                for i in 0..<window.width {
                    let u = window.x + (Double(i) + 0.5) * step - 0.5, v = window.y + (Double(j) + 0.5) * step - 0.5
                    let k = j * window.width + i
                    let inside = max(abs(u - 30), abs(v - 18))
                    if abs(inside - 8) < 1e-6 { continue }
                    #expect(maps.covers(k) == (inside < 8))
                    #expect(depth[k] == (inside < 8 ? 33768 : 0))
                    #expect(normals.pixels[3 * k + 2] == (inside < 8 ? 255 : 128))
                }
            }
        }
    }

    @Test func photoWindowReduces() {
        #expect(PhotoWindow(photoWidth: 640, photoHeight: 480) == PhotoWindow(width: 640, height: 480))
        #expect(PhotoWindow(photoWidth: 5000, photoHeight: 3001) == PhotoWindow(step: 3, width: 1667, height: 1001))
    }
}
