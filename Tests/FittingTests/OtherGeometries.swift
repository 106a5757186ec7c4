import FaceModel
import Glibc
import Numerics

/// Heads of the other geometries on the default head's mesh, with a few of its modes: real shapes in a real fit.
enum OtherGeometries {
    private static let identities = 4, expressions = 3

    static func file(_ geometry: HeadGeometry) throws -> SafetensorsFile {
        let head = try HeadModel<Float>.embedded()
        let v = head.vertexCount
        let joints = geometry == .skinned ? ",\"joint_names\":[\"root\",\"jaw\"]" : ""
        var writer = SafetensorsWriter(metadata: [
            "garface": """
                {"kind":"head-model","version":2,"geometry":"\(geometry.rawValue)","family":"test","expression_prior":"normal",\
                "expression_names":["one","two","three"],"part_names":["skin"]\(joints)}
                """
        ])
        func rows(_ basis: Tensor<Float>, _ from: Int, _ count: Int) -> [Float] {
            Array(basis.buffer[from * 3 * v..<(from + count) * 3 * v])
        }
        writer.add("mean", Tensor([v, 3], head.mean.array))
        writer.add("identity", Tensor([identities, v, 3], rows(head.identityBasis, 0, identities)))
        writer.add("expression", Tensor([expressions, v, 3], rows(head.expressionBasis, 20, expressions)))
        writer.add("triangles", [head.triangles.count / 3, 3], head.triangles)
        writer.add("part", [v], [Int32](repeating: 0, count: v))
        writer.add("landmark_triangles", [68, 3], head.landmarks.indices)
        writer.add("landmark_barycentrics", Tensor([68, 3], head.landmarks.weights.map { Float($0) }))
        if geometry == .bilinear {
            writer.add(
                "cross", Tensor([identities, expressions, v, 3], rows(head.identityBasis, 10, identities * expressions)))
        }
        if geometry == .skinned {
            // The jaw: what lies below the mouth, softly, about an axis near the ears.
            let weights = (0..<v).flatMap { i -> [Float] in
                let jaw = 1 / (1 + exp((head.mean[3 * i + 1] + 45) / 6)) * (head.mean[3 * i + 2] > -40 ? 1 : 0)
                return [1 - jaw, jaw]
            }
            writer.add("joint_parents", [2], [Int32(-1), 0])
            writer.add("joint_rest", Tensor([2, 3], [Float(0), 0, 0, 0, -15, -20]))
            writer.add("joint_regressor", Tensor([2, v], (0..<2 * v).map { $0 % 997 == 0 ? Float(0.06) : 0 }))
            writer.add("skin_weights", Tensor([v, 2], weights))
            writer.add("pose_correctives", Tensor([9, v, 3], rows(head.identityBasis, 30, 9)))
        }
        return try SafetensorsFile(bytes: writer.bytes(), name: "\(geometry).safetensors")
    }
}
