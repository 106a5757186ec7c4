import Inversion
import Numerics
import Reconstruction
import Testing

/// The sample photo with things painted over the face.
@Suite struct CoveredFaceTests {
    private let models: ReconstructionModels
    private let photo: RGBImage
    private let bare: ReconstructionResult

    init() throws {
        models = try ReconstructionModels(head: .embedded(), gar: nil, inverse: .embedded(), detector: .embedded())
        photo = try ImageFile.read(root + "examples/data/astronaut.png")
        bare = try Self.reconstruct(models, photo)
    }

    private static func reconstruct(_ models: ReconstructionModels, _ photo: RGBImage) throws -> ReconstructionResult {
        var options = ReconstructionOptions()
        options.renderer = .landmarksOnly
        return try #require(try Reconstructor(models).reconstruct(photo, options: options).first)
    }

    /// A rectangle of one colour over the photo.
    private func painted(_ u: ClosedRange<Double>, _ v: ClosedRange<Double>, _ colour: [UInt8]) -> RGBImage {
        var picture = photo
        for y in max(0, Int(v.lowerBound))...min(photo.height - 1, Int(v.upperBound)) {
            for x in max(0, Int(u.lowerBound))...min(photo.width - 1, Int(u.upperBound)) {
                for c in 0..<3 { picture.pixels[picture.offset(x, y) + c] = colour[c] }
            }
        }
        return picture
    }

    private func point(_ k: Int) -> (u: Double, v: Double) { (bare.landmarks[2 * k], bare.landmarks[2 * k + 1]) }

    /// Nose, mouth and chin under something green.
    private func masked() -> RGBImage { painted(point(2).u...point(14).u, point(29).v...point(8).v, Self.cloth) }

    private static let cloth: [UInt8] = [20, 160, 90]

    private func isCloth(_ picture: RGBImage, _ offset: Int) -> Bool { Array(picture.pixels[offset..<offset + 3]) == Self.cloth }

    @Test func aBareFaceIsFree() throws {
        #expect(bare.covering == nil && bare.coveredShare == 0)
        #expect(try bare.coveredMap().allSatisfy { $0 == 0 })
        #expect(bare.gaze != nil)
    }

    @Test func whatCoversIsSeenWhereItIs() throws {
        let picture = masked(), result = try Self.reconstruct(models, picture)
        #expect((0.3...0.7).contains(result.coveredShare))
        let map = try result.coveredMap(), maps = try result.maps()
        #expect(map.count == 512 * 512)
        var both = 0.0, either = 0.0
        for i in map.indices where maps.normals[3 * i + 2] > 0.3 {
            let cloth = isCloth(picture, 3 * i), seen = map[i] > 0.5
            both += cloth && seen ? 1 : 0
            either += cloth || seen ? 1 : 0
        }
        #expect(both > 0.8 * either)
        for i in map.indices where maps.normals[3 * i] == 0 && maps.normals[3 * i + 2] == 0 { #expect(map[i] == 0) }
        guard case .object(let members) = result.json else { throw GarfaceError(.internalFailure, "no object") }
        #expect(members.first { $0.0 == "covered_share" }?.1.double == result.coveredShare)
    }

    /// The texture is without it.
    @Test func whatCoversIsNotPainted() throws {
        let picture = masked(), result = try Self.reconstruct(models, picture), texture = try Texture(result, photo: picture)
        let skin = try #require(result.posed.partNames.firstIndex(of: "skin"))
        var under = 0
        for v in 0..<result.posed.vertexCount where Int(result.posed.part[v]) == skin {
            let red = texture.vertexColours[3 * v], green = texture.vertexColours[3 * v + 1]
            #expect(green < red + 0.05, "vertex \(v) is green")
            let u = result.camera.scale * Double(result.posed.vertices[3 * v]) + result.camera.tx
            let w = result.camera.ty - result.camera.scale * Double(result.posed.vertices[3 * v + 1])
            guard u > 0, w > 0, u < 511, w < 511, isCloth(picture, picture.offset(Int(u), Int(w))) else { continue }
            under += 1
            #expect(texture.vertexPhotoShare[v] < 0.05)
        }
        #expect(under > 500)
    }

    /// Eyes that nothing is seen of tell no gaze, and have irises all the same.
    @Test func coveredEyes() throws {
        let high = point(19).v - 2, low = point(41).v + (point(41).v - point(37).v) * 1.5
        let picture = painted(point(17).u...point(26).u, high...low, [12, 12, 14])
        let result = try Self.reconstruct(models, picture), texture = try Texture(result, photo: picture)
        #expect(result.coveredShare > 0.08 && result.gaze == nil)
        let mesh = result.posed
        let eyes = mesh.partNames.indices.filter { mesh.partNames[$0].hasPrefix("eye_") }
        var brightness: [Float] = []
        for v in 0..<mesh.vertexCount where eyes.contains(Int(mesh.part[v])) {
            brightness.append(texture.vertexColours[(3 * v)..<(3 * v + 3)].reduce(0, +))
        }
        let darkest = try #require(brightness.min()), brightest = try #require(brightness.max())
        #expect(darkest < 0.5 && brightest > 1.5)
    }
}
