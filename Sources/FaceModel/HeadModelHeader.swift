import Numerics

/// The outside facts of a head-model file, checked before anything is computed with them.
struct HeadModelHeader {
    let vertexCount, triangleCount, identityCount, expressionCount: Int
    let expressionNames, partNames: [String]
    let expressionPrior: ExpressionPrior
    let name: String

    /// Beyond these a file is damaged rather than detailed.
    static let maximumVertexCount = 1_000_000
    static let maximumModeCount = 1_000

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
        guard json["version"]?.int == 1 else {
            throw GarfaceError(
                .wrongModelKind,
                "\(name): head-model version 1 was expected, found \(json["version"]?.serialized() ?? "none").")
        }
        func list(_ key: String) throws -> [String] {
            let values = json[key]?.array ?? []
            let strings = values.compactMap(\.string)
            guard !strings.isEmpty, strings.count == values.count else {
                throw GarfaceError(.malformedFile, "\(file.name): metadata field \"\(key)\" must be a list of names.")
            }
            return strings
        }
        expressionNames = try list("expression_names")
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
        expressionCount = try dimension("expression", 3, Self.maximumModeCount)
        guard expressionCount == expressionNames.count else {
            throw GarfaceError(
                .malformedFile,
                "\(name): \(expressionCount) expressions in tensor \"expression\" but \(expressionNames.count) names.")
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

    func landmarks(_ file: SafetensorsFile) throws -> LandmarkEmbedding {
        let indices = try file.integers("landmark_triangles", shape: [68, 3])
        try checkIndices(indices, "landmark_triangles")
        let weights: Tensor<Double> = try finite(file, "landmark_barycentrics", [68, 3])
        for i in 0..<68 {
            let sum = weights[3 * i] + weights[3 * i + 1] + weights[3 * i + 2]
            guard abs(sum - 1) < 1e-3 else {
                throw GarfaceError(
                    .malformedFile,
                    "\(name): the barycentrics of landmark \(i) in \"landmark_barycentrics\" sum to \(sum), not 1.")
            }
        }
        return LandmarkEmbedding(indices: indices, weights: weights.array)
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

    func expressionPrecision(_ file: SafetensorsFile) throws -> [Double] {
        guard file.shape("expression_precision") != nil else { return Array(repeating: 1, count: expressionCount) }
        let values: Tensor<Double> = try finite(file, "expression_precision", [expressionCount])
        guard values.array.allSatisfy({ $0 > 0 && $0 <= 1e6 }) else {
            throw GarfaceError(.malformedFile, "\(name): tensor \"expression_precision\" must lie between 0 and 1e6.")
        }
        return values.array
    }

    func finite<T: Scalar>(_ file: SafetensorsFile, _ tensor: String, _ shape: [Int]) throws -> Tensor<T> {
        let values: Tensor<T> = try file.tensor(tensor, shape: shape)
        guard allFinite(values.pointer, values.count) else {
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

@_specialize(where T == Float)
@_specialize(where T == Double)
func allFinite<T: Scalar>(_ values: UnsafePointer<T>, _ count: Int) -> Bool {
    // x * 0 is NaN exactly where x is not finite, and NaN stays in the sum.
    var sum: T = 0
    for i in 0..<count { sum += values[i] * 0 }
    return sum == 0
}
