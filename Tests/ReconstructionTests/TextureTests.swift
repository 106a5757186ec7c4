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

    /// What the photo shows goes to the vertex that lies there, by the camera; the rest stays between these colours.
    @Test func verticesTakeTheColourOfTheirPixel() throws {
        let photo = try ImageFile.read(String(#filePath.dropLast("Tests/ReconstructionTests/TextureTests.swift".count)) + "examples/data/astronaut.png")
        let models = try ReconstructionModels(head: .embedded(), gar: nil, inverse: .embedded(), detector: .embedded())
        var options = ReconstructionOptions()
        options.renderer = .landmarksOnly
        let result = try #require(try Reconstructor(models).reconstruct(photo, options: options).first)
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
}
