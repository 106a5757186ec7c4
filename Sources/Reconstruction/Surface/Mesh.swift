import FaceModel
import Numerics

/// A triangle mesh in millimetres with vertex normals and named parts.
public struct Mesh: Sendable {
    /// [V,3] mm.
    public var vertices: [Float]
    /// [V,3], unit length (zero where undefined).
    public var normals: [Float]
    /// Vertex indices, three per triangle, counter-clockwise from outside.
    public var triangles: [Int32]
    /// For each vertex an index into `partNames`. May be empty.
    public var part: [UInt8]
    public var partNames: [String]

    public var vertexCount: Int { vertices.count / 3 }
    public var triangleCount: Int { triangles.count / 3 }

    public init(vertices: [Float], normals: [Float], triangles: [Int32], part: [UInt8] = [], partNames: [String] = []) {
        self.vertices = vertices
        self.normals = normals
        self.triangles = triangles
        self.part = part
        self.partNames = partNames
    }

    /// The head with these coefficients, in model space.
    public init(_ model: HeadModel<Float>, identity: [Float], expression: [Float]) throws {
        guard identity.count == model.identityCount, expression.count == model.expressionCount else {
            throw GarfaceError(
                .invalidArgument,
                "mesh: expected \(model.identityCount) identity and \(model.expressionCount) expression coefficients, found "
                    + "\(identity.count) and \(expression.count)")
        }
        var vertices = [Float](repeating: 0, count: 3 * model.vertexCount)
        model.vertices(identity: identity, expression: expression, into: &vertices)
        var normals = vertices
        VertexNormals<Float>(topology: MeshTopology(triangles: model.triangles, vertexCount: model.vertexCount))
            .forward(vertices, into: &normals)
        self.init(
            vertices: vertices, normals: normals, triangles: model.triangles, part: model.part, partNames: model.partNames)
    }

    /// The same mesh turned by `rotation` [9], row-major: model space to camera space.
    public func rotated(_ rotation: [Float]) -> Mesh {
        precondition(rotation.count == 9)
        var result = self
        result.vertices = Self.turn(vertices, rotation)
        result.normals = Self.turn(normals, rotation)
        return result
    }

    private static func turn(_ points: [Float], _ r: [Float]) -> [Float] {
        var result = points
        var i = 0
        while i + 2 < points.count {
            let x = points[i], y = points[i + 1], z = points[i + 2]
            result[i] = r[0] * x + r[1] * y + r[2] * z
            result[i + 1] = r[3] * x + r[4] * y + r[5] * z
            result[i + 2] = r[6] * x + r[7] * y + r[8] * z
            i += 3
        }
        return result
    }

    /// Throws unless sizes agree, indices lie inside and every number is finite and below 100 metres.
    func check() throws {
        let count = vertexCount
        guard vertices.count % 3 == 0, normals.count == vertices.count, triangles.count % 3 == 0,
            part.isEmpty || part.count == count
        else { throw GarfaceError(.internalFailure, "mesh: sizes do not agree") }
        guard triangles.allSatisfy({ $0 >= 0 && Int($0) < count }) else {
            throw GarfaceError(.internalFailure, "mesh: a triangle index is outside its \(count) vertices")
        }
        guard vertices.allSatisfy({ abs($0) < 1e5 }), normals.allSatisfy({ abs($0) < 2 }) else {
            throw GarfaceError(.numericalFailure, "mesh: a coordinate is not a finite number of sensible size")
        }
    }
}
