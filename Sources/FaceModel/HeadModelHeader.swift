import Numerics

/// The outside facts of a head-model file, checked before anything is computed with them.
struct HeadModelHeader {
    let vertexCount, triangleCount, identityCount: Int
    /// Expressions, without and with the turns of joints.
    let basisCount, expressionCount: Int
    let expressionNames, partNames: [String]
    let geometry: HeadGeometry
    let family: String?
    /// Of a skinned head, the root first.
    let jointNames: [String]
    let expressionPrior: ExpressionPrior
    let name: String

    /// Beyond these a file is damaged rather than detailed.
    static let maximumVertexCount = 1_000_000
    static let maximumModeCount = 1_000
    static let maximumJointCount = 64

    init(file: SafetensorsFile) throws {
        name = file.name
        guard let json = try file.description() else {
            throw GarfaceError(
                .wrongModelKind,
                "\(name): no \"garface\" entry in the metadata; a head model (kind \"head-model\") was expected.")
        }
        guard let kind = json["kind"]?.string, kind == "head-model" else {
            let found = json["kind"]?.string.map { "\"\($0)\"" } ?? "none"
            throw GarfaceError(.wrongModelKind, "\(name): kind \"head-model\" was expected, found \(found).")
        }
        // Version 2 has geometries beside the linear one.
        guard let version = json["version"]?.int, version == 1 || version == 2 else {
            throw GarfaceError(
                .wrongModelKind,
                "\(name): head-model version 1 or 2 was expected, found \(json["version"]?.serialized() ?? "none").")
        }
        let named = json["geometry"]?.string ?? (version == 1 ? HeadGeometry.linear.rawValue : "none")
        guard let geometry = HeadGeometry(rawValue: named), version == 2 || geometry == .linear else {
            throw GarfaceError(
                .malformedFile,
                "\(name): metadata field \"geometry\" must be \"linear\", \"bilinear\" or \"skinned\" (version 1: \"linear\"), found "
                    + "\"\(named)\".")
        }
        self.geometry = geometry
        family = json["family"]?.string
        func list(_ key: String) throws -> [String] {
            let values = json[key]?.array ?? []
            let strings = values.compactMap(\.string)
            guard !strings.isEmpty, strings.count == values.count else {
                throw GarfaceError(.malformedFile, "\(file.name): metadata field \"\(key)\" must be a list of names.")
            }
            return strings
        }
        let expressions = try list("expression_names")
        jointNames = geometry == .skinned ? try list("joint_names") : []
        guard geometry != .skinned || (2...Self.maximumJointCount).contains(jointNames.count) else {
            throw GarfaceError(
                .malformedFile, "\(name): metadata field \"joint_names\" names \(jointNames.count) joints; 2 to "
                    + "\(Self.maximumJointCount) were expected, the root first.")
        }
        expressionNames = expressions + jointNames.dropFirst().flatMap { joint in ["x", "y", "z"].map { "\(joint)_\($0)" } }
        partNames = try list("part_names")
        let prior = json["expression_prior"]?.string ?? ExpressionPrior.normal.rawValue
        guard let known = ExpressionPrior(rawValue: prior) else {
            throw GarfaceError(
                .malformedFile, "\(name): metadata field \"expression_prior\" must be \"unit-interval\" or \"normal\".")
        }
        expressionPrior = known

        func dimension(_ tensor: String, _ rank: Int, _ limit: Int) throws -> Int {
            guard let shape = file.shape(tensor) else {
                throw GarfaceError(.malformedFile, "\(file.name): tensor \"\(tensor)\" is missing.")
            }
            guard shape.count == rank, shape[0] > 0, shape[0] <= limit else {
                throw GarfaceError(
                    .malformedFile, "\(file.name): tensor \"\(tensor)\" has shape \(shape); \(rank) dimensions were expected, "
                        + "the first of 1 to \(limit).")
            }
            return shape[0]
        }
        vertexCount = try dimension("mean", 2, Self.maximumVertexCount)
        triangleCount = try dimension("triangles", 2, 2 * Self.maximumVertexCount)
        identityCount = try dimension("identity", 3, Self.maximumModeCount)
        basisCount = try dimension("expression", 3, Self.maximumModeCount)
        expressionCount = expressionNames.count
        guard basisCount == expressions.count else {
            throw GarfaceError(
                .malformedFile, "\(name): \(basisCount) expressions in tensor \"expression\" but \(expressions.count) names.")
        }
    }

    func triangles(_ file: SafetensorsFile) throws -> [Int32] {
        let triangles = try file.integers("triangles", shape: [triangleCount, 3])
        try checkIndices(triangles, "triangles")
        return triangles
    }

    func parts(_ file: SafetensorsFile) throws -> [UInt8] {
        try file.integers("part", shape: [vertexCount]).map {
            guard $0 >= 0, $0 < 256, Int($0) < partNames.count else {
                throw GarfaceError(
                    .malformedFile, "\(name): tensor \"part\" holds \($0), but only \(partNames.count) parts have names.")
            }
            return UInt8($0)
        }
    }

    func landmarks(_ file: SafetensorsFile) throws -> LandmarkEmbedding { try embedding(file, "landmark") }

    /// Where people mark the landmarks; nil where the file does not say.
    func annotatedLandmarks(_ file: SafetensorsFile) throws -> LandmarkEmbedding? {
        let isThere = ["annotated_triangles", "annotated_barycentrics"].contains { file.shape($0) != nil }
        return isThere ? try embedding(file, "annotated", corners: 3...4) : nil
    }

    /// Three vertices a point, or four where points may lie off the surface.
    private func embedding(_ file: SafetensorsFile, _ prefix: String, corners: ClosedRange<Int> = 3...3) throws -> LandmarkEmbedding {
        let count = file.shape("\(prefix)_triangles")?.last ?? corners.lowerBound
        guard corners.contains(count) else {
            throw GarfaceError(
                .malformedFile, "\(name): tensor \"\(prefix)_triangles\" names \(count) vertices a landmark; "
                    + (corners.count > 1 ? "3 or 4 were expected." : "3 were expected."))
        }
        let indices = try file.integers("\(prefix)_triangles", shape: [68, count])
        try checkIndices(indices, "\(prefix)_triangles")
        let weights: Tensor<Double> = try finite(file, "\(prefix)_barycentrics", [68, count])
        return LandmarkEmbedding(
            try (0..<68).map { i in
                let range = count * i..<count * (i + 1)
                let place = MeshPlace(indices: Array(indices[range]), weights: Array(weights.array[range]))
                let sum = place.weights.reduce(0, +)
                guard abs(sum - 1) < 1e-3 else {
                    throw GarfaceError(
                        .malformedFile,
                        "\(name): the barycentrics of landmark \(i) in \"\(prefix)_barycentrics\" sum to \(sum), not 1.")
                }
                return place
            })
    }

    func expressionSamples(_ file: SafetensorsFile) throws -> [UInt8] {
        guard let shape = file.shape("expression_samples") else { return [] }
        guard shape.count == 2, shape[0] <= 65_536 else {
            throw GarfaceError(.malformedFile, "\(name): tensor \"expression_samples\" must have shape [rows, expressions].")
        }
        return try file.integers("expression_samples", shape: [shape[0], expressionCount]).map {
            guard $0 >= 0, $0 <= 255 else {
                throw GarfaceError(.malformedFile, "\(name): tensor \"expression_samples\" must hold bytes.")
            }
            return UInt8($0)
        }
    }

    /// The products of a bilinear head, `cross` [identity, expression, V, 3].
    func products<T: Scalar>(_ file: SafetensorsFile) throws -> ProductTerm<T>? {
        guard geometry == .bilinear else { return nil }
        return ProductTerm(
            identityCount: identityCount, expressionCount: basisCount,
            basis: try finite(file, "cross", [identityCount, basisCount, vertexCount, 3]))
    }

    /// The joints of a skinned head, and what its modes do to them.
    func skin<T: Scalar>(_ file: SafetensorsFile, _ identity: Tensor<T>, _ expression: Tensor<T>) throws -> Skin<T>? {
        guard geometry == .skinned else { return nil }
        let joints = jointNames.count, width = 3 * joints
        let parents = try file.integers("joint_parents", shape: [joints]).map { Int($0) }
        guard parents[0] == -1, (1..<joints).allSatisfy({ parents[$0] >= 0 && parents[$0] < $0 }) else {
            throw GarfaceError(
                .malformedFile,
                "\(name): tensor \"joint_parents\" must hold -1 for the root, and for every other joint one that comes before it.")
        }
        let weights: Tensor<T> = try finite(file, "skin_weights", [vertexCount, joints])
        for v in 0..<vertexCount {
            let sum = (0..<joints).reduce(T(0)) { $0 + weights.pointer[v * joints + $1] }
            guard abs(sum - 1) < 1e-2 else {
                throw GarfaceError(.malformedFile, "\(name): the \"skin_weights\" of vertex \(v) sum to \(sum), not 1.")
            }
            // To the last digit, so that a head at rest stays where it is.
            for k in 0..<joints { weights.pointer[v * joints + k] /= sum }
        }
        let rest: Tensor<Double> = try finite(file, "joint_rest", [joints, 3])
        let regressor: Tensor<T> = try finite(file, "joint_regressor", [joints, vertexCount])
        let basis = Tensor<T>([identityCount + basisCount, width])
        for k in 0..<identityCount + basisCount {
            let mode = k < identityCount
                ? identity.pointer + k * 3 * vertexCount : expression.pointer + (k - identityCount) * 3 * vertexCount
            T.gemm(
                false, false, joints, 3, vertexCount, 1, regressor.pointer, vertexCount, mode, 3, 0, basis.pointer + k * width, 3)
        }
        return Skin(
            jointCount: joints, parents: parents, rest: rest.array, jointBasis: basis, weights: weights,
            correctives: try finite(file, "pose_correctives", [9 * (joints - 1), vertexCount, 3]))
    }

    /// Where the jaw landmarks lie by yaw; nil where the file does not say.
    func contourTable(_ file: SafetensorsFile) throws -> ContourTable? {
        guard let shape = file.shape("contour_yaw") else { return nil }
        guard shape.count == 1, (1...1000).contains(shape[0]) else {
            throw GarfaceError(.malformedFile, "\(name): tensor \"contour_yaw\" must hold 1 to 1000 angles.")
        }
        let rows = shape[0], jaw = ContourLines.jawCount
        let yaw: Tensor<Double> = try finite(file, "contour_yaw", [rows])
        let indices = try file.integers("contour_triangles", shape: [rows, jaw, 3])
        try checkIndices(indices, "contour_triangles")
        let weights: Tensor<Double> = try finite(file, "contour_barycentrics", [rows, jaw, 3])
        let places = try (0..<rows).map { row in
            try (0..<jaw).map { j in
                let at = 3 * (row * jaw + j)
                let w = (0..<3).map { weights.pointer[at + $0] }
                guard abs(w[0] + w[1] + w[2] - 1) < 1e-3 else {
                    throw GarfaceError(
                        .malformedFile, "\(name): \"contour_barycentrics\" of row \(row), point \(j) do not sum to 1.")
                }
                return MeshPlace(indices: Array(indices[at..<at + 3]), weights: w)
            }
        }
        return ContourTable(yaw: yaw.array, places: places)
    }

    func expressionPrecision(_ file: SafetensorsFile) throws -> [Double] {
        guard file.shape("expression_precision") != nil else { return Array(repeating: 1, count: expressionCount) }
        let values: Tensor<Double> = try finite(file, "expression_precision", [expressionCount])
        guard values.array.allSatisfy({ $0 > 0 && $0 <= 1e6 }) else {
            throw GarfaceError(.malformedFile, "\(name): tensor \"expression_precision\" must lie between 0 and 1e6.")
        }
        return values.array
    }

    /// Optional: "uv" [U,2], from 0 to 1, v up, and "uv_triangles" [F,3].
    func textureLayout(_ file: SafetensorsFile, mesh: [Int32]) throws -> TextureLayout? {
        guard let shape = file.shape("uv") else { return nil }
        guard shape.count == 2, shape[0] > 0, shape[0] <= 3 * triangleCount else {
            throw GarfaceError(
                .malformedFile, "\(name): tensor \"uv\" has shape \(shape); [U,2] was expected, U at most three times the triangles.")
        }
        let coordinates: Tensor<Float> = try finite(file, "uv", [shape[0], 2])
        return try TextureLayout(
            coordinates: coordinates.array, triangles: file.integers("uv_triangles", shape: [triangleCount, 3]), mesh: mesh,
            name: name)
    }

    func finite<T: Scalar>(_ file: SafetensorsFile, _ tensor: String, _ shape: [Int]) throws -> Tensor<T> {
        let values: Tensor<T> = try file.tensor(tensor, shape: shape)
        guard values.isFinite else {
            throw GarfaceError(.malformedFile, "\(name): tensor \"\(tensor)\" holds NaN or infinity.")
        }
        return values
    }

    private func checkIndices(_ indices: [Int32], _ tensor: String) throws {
        if let bad = indices.first(where: { $0 < 0 || Int($0) >= vertexCount }) {
            throw GarfaceError(
                .malformedFile, "\(name): tensor \"\(tensor)\" names vertex \(bad); the model has \(vertexCount) vertices.")
        }
    }
}
