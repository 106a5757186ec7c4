import FaceModel
import Glibc
import Numerics

/// An eyeball with a node of its own, which turns it about its centre.
public struct GLBEye: Sendable {
    public var name: String
    /// Of the mesh.
    public var vertices: [Int]
    /// Mm, model space.
    public var centre: SIMD3<Float>
    /// How far it is turned where the mesh has it; without it, it looks straight ahead.
    public var turn: EyeTurn

    public init(name: String, vertices: [Int], centre: SIMD3<Float>, turn: EyeTurn) {
        (self.name, self.vertices, self.centre, self.turn) = (name, vertices, centre, turn)
    }

    /// x, y, z, w
    var rotation: [Float] { turn.quaternion }

    /// Metres.
    var place: [Double] { (0..<3).map { Double(centre[$0]) * 0.001 } }

    /// From the head's axes to the node's.
    func local(_ point: SIMD3<Float>) -> SIMD3<Float> { unturned(point - centre) }

    func unturned(_ direction: SIMD3<Float>) -> SIMD3<Float> { turn.back(direction) }
}

extension EyeTurn {
    /// x, y, z, w of the turn to the left after the one upwards.
    var quaternion: [Float] {
        let (cy, sy, cp, sp) = (cosf(yaw / 2), sinf(yaw / 2), cosf(-pitch / 2), sinf(-pitch / 2))
        return [cy * sp, sy * cp, -sy * sp, cy * cp]
    }

    /// What is turned, turned back.
    func back(_ v: SIMD3<Float>) -> SIMD3<Float> {
        let (cy, sy, cp, sp) = (cosf(yaw), sinf(yaw), cosf(pitch), sinf(pitch))
        let x = cy * v.x - sy * v.z, z = sy * v.x + cy * v.z
        return SIMD3(x, cp * v.y - sp * z, sp * v.y + cp * z)
    }
}

/// The photo's camera: parallel rays, as weak perspective has them, so that it sees the head as the photo shows it.
public struct GLBCamera: Sendable {
    /// x, y, z, w, and metres; in the head's axes.
    let rotation, place: [Double]
    /// Half the photo's width and height, metres.
    let reach: (x: Double, y: Double)
    /// Metres before the head's origin.
    private static let distance = 1.0

    public init(_ camera: Camera<Double>, width: Int, height: Int) {
        let metre = 0.001 / camera.scale, back = camera.rotationToModel
        let middle = [(Double(width - 1) / 2 - camera.tx) * metre, (camera.ty - Double(height - 1) / 2) * metre, Self.distance]
        let q = TrackAnimation.quaternion(back)
        rotation = (0..<4).map { q[$0] }
        place = (0..<3).map { i in (0..<3).reduce(0) { $0 + back[3 * i + $1] * middle[$1] } }
        reach = (Double(width) / 2 * metre, Double(height) / 2 * metre)
    }

    var json: JSONValue {
        .object([
            ("name", .string("photo")), ("type", .string("orthographic")),
            (
                "orthographic",
                .object([("xmag", .number(reach.x)), ("ymag", .number(reach.y)), ("znear", .number(0.01)), ("zfar", .number(2 * Self.distance))])
            ),
        ])
    }
}

/// The part of a mesh that one node has.
struct GLBPiece {
    private let mesh: Mesh
    private let layout: TextureLayout
    /// Rows of the layout; after them those that lie between two of these, the second's share being the number.
    private let rows: [Int]
    private var between: [(first: Int, second: Int, share: Float)] = []
    /// In all of these.
    private var triangles: [UInt32] = []

    /// - Parameter heights: [V] above where the surface is cut, at 0.
    init(_ mesh: Mesh, _ layout: TextureLayout, heights: [Float]?, where belongs: (Int) -> Bool) {
        self.mesh = mesh
        self.layout = layout
        rows = (0..<layout.count).filter { belongs(Int(layout.vertex[$0])) }
        let none = UInt32.max
        var place = [UInt32](repeating: none, count: layout.count)
        for (i, row) in rows.enumerated() { place[row] = UInt32(i) }
        var cuts: [SIMD2<Int32>: UInt32] = [:]
        triangles.reserveCapacity(layout.triangles.count)
        for t in stride(from: 0, to: layout.triangles.count, by: 3) {
            let corners = SIMD3(layout.triangles[t], layout.triangles[t + 1], layout.triangles[t + 2])
            let places = SIMD3(place[Int(corners[0])], place[Int(corners[1])], place[Int(corners[2])])
            guard places[0] != none, places[1] != none, places[2] != none else { continue }
            var above = SIMD3<Float>(repeating: 1)
            if let heights { for i in 0..<3 { above[i] = heights[Int(layout.vertex[Int(corners[i])])] } }
            guard above.min() < 0 else {
                for i in 0..<3 { triangles.append(places[i]) }
                continue
            }
            // Round the triangle, what is above: its corners, and where an edge passes the cut.
            var kept: [UInt32] = []
            for (i, k) in [(0, 1), (1, 2), (2, 0)] {
                let a = corners[i], b = corners[k]
                if above[i] >= 0 { kept.append(places[i]) }
                // A corner on the cut is its own end.
                guard (above[i] >= 0) != (above[k] >= 0), above[i] != 0, above[k] != 0 else { continue }
                let edge = SIMD2(min(a, b), max(a, b))
                if cuts[edge] == nil {
                    cuts[edge] = UInt32(rows.count + between.count)
                    let (low, high) = a < b ? (above[i], above[k]) : (above[k], above[i])
                    between.append((Int(edge.x), Int(edge.y), low / (low - high)))
                }
                kept.append(cuts[edge]!)
            }
            for i in 1..<max(1, kept.count - 1) { triangles += [kept[0], kept[i], kept[i + 1]] }
        }
    }

    var isEmpty: Bool { triangles.isEmpty }

    /// Values [V,3] at its rows, each changed.
    func gather(_ values: [Float], _ change: (SIMD3<Float>) -> SIMD3<Float>) -> [Float] {
        func value(_ row: Int) -> SIMD3<Float> { vertex(Int(layout.vertex[row]), of: values) }
        var result: [Float] = []
        result.reserveCapacity(3 * (rows.count + between.count))
        for v in rows.map(value) + between.map({ value($0.first) + $0.share * (value($0.second) - value($0.first)) }) {
            let v = change(v)
            result += [v.x, v.y, v.z]
        }
        return result
    }

    /// - Parameters:
    ///   - placed: from the head's axes to the node's.
    ///   - turned: the same for directions.
    func primitive(
        in data: inout GLBData, placed: (SIMD3<Float>) -> SIMD3<Float>, turned: (SIMD3<Float>) -> SIMD3<Float>
    ) -> [(String, JSONValue)] {
        let positions = data.vectors(gather(mesh.vertices) { placed($0) * 0.001 }, width: 3, bounded: true)
        // A vertex without a normal (no triangle of any area) still needs one of unit length.
        let normals = data.vectors(
            gather(mesh.normals) { turned($0.length > 0.5 ? $0.unit : SIMD3(0, 0, 1)) }, width: 3, bounded: false)
        // The upper left corner is glTF's origin.
        func place(_ row: Int) -> SIMD2<Float> { SIMD2(layout.coordinates[2 * row], 1 - layout.coordinates[2 * row + 1]) }
        let places = (rows.map(place) + between.map { place($0.first) + $0.share * (place($0.second) - place($0.first)) })
            .flatMap { [$0.x, $0.y] }
        let coordinates = data.vectors(places, width: 2, bounded: false)
        let indices = data.indices(triangles)
        func whole(_ value: Int) -> JSONValue { .number(Double(value)) }
        return [
            (
                "attributes",
                .object([("POSITION", whole(positions)), ("NORMAL", whole(normals)), ("TEXCOORD_0", whole(coordinates))])
            ),
            ("indices", whole(indices)), ("material", whole(0)), ("mode", whole(4)),
        ]
    }
}
