import FaceModel
import Glibc
import Numerics
import Reconstruction
import Testing

@Suite struct TextureTests {
    /// A photo in which every colour says where it is: red to the right, green downwards.
    private func chart(_ side: Int) throws -> RGBImage {
        var image = try RGBImage(width: side, height: side)
        for y in 0..<side {
            for x in 0..<side {
                let o = image.offset(x, y)
                image.pixels[o] = UInt8(255 * x / (side - 1))
                image.pixels[o + 1] = UInt8(255 * y / (side - 1))
                image.pixels[o + 2] = 128
            }
        }
        return image
    }

    private func sample() throws -> RGBImage { try ImageFile.read(root + "examples/data/astronaut.png") }

    private func astronaut(_ renderer: ReconstructionRenderer) throws -> ReconstructionResult {
        let photo = try sample()
        let models = try ReconstructionModels(head: .embedded(), gar: nil, inverse: .embedded(), detector: .embedded())
        var options = ReconstructionOptions()
        options.renderer = renderer
        return try #require(try Reconstructor(models).reconstruct(photo, options: options).first)
    }

    /// What the photo shows goes to the vertex that lies there, by the camera; the rest stays between these colours.
    @Test func verticesTakeTheColourOfTheirPixel() throws {
        let result = try astronaut(.landmarksOnly)
        let texture = try Texture(result, photo: chart(512))
        var seen = 0
        let camera = result.camera, mesh = result.posed
        for v in 0..<mesh.vertexCount where texture.vertexPhotoShare[v] > 0.98 {
            seen += 1
            let u = camera.scale * Double(mesh.vertices[3 * v]) + camera.tx
            let w = camera.ty - camera.scale * Double(mesh.vertices[3 * v + 1])
            #expect(abs(Double(texture.vertexColours[3 * v]) - u / 511) < 0.01)
            #expect(abs(Double(texture.vertexColours[3 * v + 1]) - w / 511) < 0.01)
        }
        #expect(seen > 300)
        // Vertices that look away are never the photo's.
        for v in 0..<mesh.vertexCount where mesh.normals[3 * v + 2] < 0 { #expect(texture.vertexPhotoShare[v] < 0.2) }
        let skin = try #require(mesh.partNames.firstIndex(of: "skin"))
        for v in 0..<mesh.vertexCount where Int(mesh.part[v]) == skin {
            #expect(abs(texture.vertexColours[3 * v + 2] - 0.5) < 0.05, "colour carried on is not of the photo's")
        }
        #expect(texture.image.width == Texture.side && texture.photoShare.allSatisfy { $0 >= 0 && $0 <= 1 })
    }

    /// Dark discs on white eyes, high up under the lids: what the lids hide of them is dark as well, and all around is white.
    @Test(arguments: [(0, 16), (-18, 12), (20, 14)] as [(Double, Double)]) func hiddenEyesGoOnRoundTheirGaze(yaw: Double, pitch: Double) throws {
        let result = try astronaut(.startOnly)
        let mesh = result.posed, shape = result.shaped.vertices
        let degree = Double.pi / 180
        let gaze = SIMD3(sin(yaw * degree) * cos(pitch * degree), sin(pitch * degree), cos(yaw * degree) * cos(pitch * degree))
        // Eyes, and the pixels beside them, which a texture mixes in.
        var picture = try sample(), isEye = [Bool](repeating: false, count: 512 * 512)
        let parts = try result.partMap()
        for y in 2..<510 {
            for x in 2..<510 where parts[512 * y + x] >= 0 && mesh.partNames[Int(parts[512 * y + x])].hasPrefix("eye") {
                for j in -2...2 { for i in -2...2 { isEye[512 * (y + j) + x + i] = true } }
            }
        }
        for k in isEye.indices where isEye[k] { for c in 0..<3 { picture.pixels[3 * k + c] = 210 } }
        var angles: [Int: Double] = [:]
        for (part, name) in mesh.partNames.enumerated() where name.hasPrefix("eye") {
            let members = (0..<mesh.vertexCount).filter { Int(mesh.part[$0]) == part }
            func place(_ v: Int) -> SIMD3<Double> { SIMD3(Double(shape[3 * v]), Double(shape[3 * v + 1]), Double(shape[3 * v + 2])) }
            let low = members.map(place).reduce(place(members[0]), pointwiseMin), high = members.map(place).reduce(place(members[0]), pointwiseMax)
            let centre = (low + high) / 2, radius = (high - low).sum() / 6
            for v in members {
                let d = place(v) - centre
                angles[v] = acos(max(-1, min(1, (d * gaze).sum() / (d * d).sum().squareRoot()))) / degree
            }
            let middle = members.min { angles[$0]! < angles[$1]! }!
            let u = result.camera.scale * Double(mesh.vertices[3 * middle]) + result.camera.tx
            let w = result.camera.ty - result.camera.scale * Double(mesh.vertices[3 * middle + 1])
            for y in 0..<512 {
                for x in 0..<512 where isEye[512 * y + x] && hypot(Double(x) - u, Double(y) - w) < result.camera.scale * radius * sin(22 * degree) {
                    for c in 0..<3 { picture.pixels[picture.offset(x, y) + c] = 40 }
                }
            }
        }
        let saved = try SavedParameters(file: SafetensorsFile(bytes: result.safetensors(), name: "a face"))
        let (painted, _) = try saved.result(result.models, photo: picture)
        let texture = try Texture(painted, photo: picture)
        var (dark, white) = (0, 0)
        for (v, angle) in angles where texture.vertexPhotoShare[v] < 0.02 {
            if angle < 15 {
                dark += 1
                #expect(texture.vertexColours[3 * v] < 0.4, "\(angle) degrees from the gaze")
            } else if angle > 35 && angle < 60 {
                white += 1
                #expect(texture.vertexColours[3 * v] > 0.6, "\(angle) degrees from the gaze")
            }
        }
        #expect(dark > 5 && white > 50)
    }

    /// Of a photo that ends at the nose the other half of the face is the mirror image of this one, stripe by stripe.
    @Test func hiddenSideIsThatOfTheMirror() throws {
        let result = try astronaut(.startOnly)
        let width = Int(result.landmarks[2 * 30].rounded())
        var half = try RGBImage(width: width, height: 512)
        func stripe(_ y: Double) -> Double { 0.5 + 0.35 * sin(y / 2.5) }
        for y in 0..<512 {
            for x in 0..<width { for c in 0..<3 { half.pixels[half.offset(x, y) + c] = UInt8(255 * stripe(Double(y))) } }
        }
        let texture = try Texture(result, photo: half), mesh = result.posed, head = result.models.head
        func place(_ v: Int) -> SIMD3<Float> { SIMD3(head.mean.pointer[3 * v], head.mean.pointer[3 * v + 1], head.mean.pointer[3 * v + 2]) }
        let skin = (0..<mesh.vertexCount).filter { head.partNames[Int(mesh.part[$0])] == "skin" }
        let seen = skin.filter { texture.vertexPhotoShare[$0] > 0.98 }
        var (count, worst) = (0, Double(0))
        for v in skin where texture.vertexPhotoShare[v] == 0 && place(v).x > 15 {
            let image = place(v) * SIMD3(-1, 1, 1)
            func distance(_ u: Int) -> Float { let d = place(u) - image; return (d * d).sum() }
            guard let partner = seen.min(by: { distance($0) < distance($1) }), distance(partner) < 0.25 else { continue }
            let y = result.camera.ty - result.camera.scale * Double(mesh.vertices[3 * partner + 1])
            count += 1
            worst = max(worst, abs(Double(texture.vertexColours[3 * v]) - stripe(y)))
        }
        #expect(count > 40 && worst < 0.1, "\(count) vertices, off by \(worst)")
    }
}
