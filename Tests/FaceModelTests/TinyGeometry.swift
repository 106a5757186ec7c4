import FaceModel
import Numerics

/// Bilinear and skinned head models of a few random vertices, as files.
struct TinyGeometry {
    static let vertices = 12, identities = 3, expressions = 2, joints = 3
    var parents: [Int32] = [-1, 0, 1]
    var rest: [Float] = numbers(9, 21, 10)
    var weights: [Float] = {
        let raw = numbers(vertices * joints, 22, 1).map { abs($0) + 0.1 }
        return raw.indices.map { raw[$0] / raw[$0 / joints * joints..<($0 / joints + 1) * joints].reduce(0, +) }
    }()
    var precision: [Float]?
    var contour: [Int32] = [0, 1, 2]
    var contourWeights: [Float] = [0.5, 0.25, 0.25]

    static func numbers(_ count: Int, _ seed: UInt64, _ scale: Double) -> [Float] {
        normals(count, seed: seed).map { Float($0 * scale) }
    }

    private func common(_ description: String) -> SafetensorsWriter {
        let (v, i, e) = (Self.vertices, Self.identities, Self.expressions)
        let json = """
            {"kind":"head-model","version":2,"family":"tiny","expression_prior":"normal","expression_names":["smile","frown"],\
            "part_names":["skin"],\(description)}
            """
        var writer = SafetensorsWriter(metadata: ["garface": json])
        writer.add("mean", Tensor([v, 3], Self.numbers(3 * v, 1, 30)))
        writer.add("identity", Tensor([i, v, 3], Self.numbers(3 * v * i, 2, 3)))
        writer.add("expression", Tensor([e, v, 3], Self.numbers(3 * v * e, 3, 3)))
        writer.add("triangles", [10, 3], (0..<10).flatMap { [Int32($0), Int32($0 + 1), Int32($0 + 2)] })
        writer.add("part", [v], [Int32](repeating: 0, count: v))
        writer.add("landmark_triangles", [68, 3], (0..<68).flatMap { k in (0..<3).map { Int32((k + $0) % v) } })
        writer.add("landmark_barycentrics", Tensor([68, 3], (0..<68).flatMap { _ in [Float(0.5), 0.25, 0.25] }))
        return writer
    }

    func bilinear() throws -> SafetensorsFile {
        let (v, i, e) = (Self.vertices, Self.identities, Self.expressions)
        var writer = common("\"geometry\":\"bilinear\"")
        writer.add("cross", Tensor([i, e, v, 3], Self.numbers(3 * v * i * e, 4, 2)))
        return try SafetensorsFile(bytes: writer.bytes(), name: "bilinear.safetensors")
    }

    func skinned() throws -> SafetensorsFile {
        let (v, k) = (Self.vertices, Self.joints)
        var writer = common("\"geometry\":\"skinned\",\"joint_names\":[\"root\",\"neck\",\"jaw\"]")
        writer.add("joint_parents", [k], parents)
        writer.add("joint_rest", Tensor([k, 3], rest))
        writer.add("joint_regressor", Tensor([k, v], Self.numbers(k * v, 5, 0.3)))
        writer.add("skin_weights", Tensor([v, k], weights))
        writer.add("pose_correctives", Tensor([9 * (k - 1), v, 3], Self.numbers(27 * (k - 1) * v, 6, 1)))
        if let precision { writer.add("expression_precision", Tensor([precision.count], precision)) }
        writer.add("contour_yaw", Tensor([3], [Float(-30), 0, 30]))
        let rows = (0..<3).flatMap { row in (0..<17).flatMap { _ in contour.map { $0 + (row == 2 ? 3 : 0) } } }
        writer.add("contour_triangles", [3, 17, 3], rows)
        writer.add("contour_barycentrics", Tensor([3, 17, 3], (0..<51).flatMap { _ in contourWeights }))
        return try SafetensorsFile(bytes: writer.bytes(), name: "skinned.safetensors")
    }
}
