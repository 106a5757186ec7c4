import FaceModel
import Fitting
import Inversion
import Numerics
import Renderer

/// Small models that the fitting tests share: GAR at 64 px and an inverse network, both with random weights.
enum FitSupport {
    static func resource(_ target: String, _ name: String) -> String {
        var path = #filePath.split(separator: "/").dropLast(2).map(String.init)
        path += [target, "Resources", name]
        return "/" + path.joined(separator: "/")
    }

    static func gar<T: Scalar>(_ type: T.Type) throws -> GAR<T> {
        try GAR<T>(file: SafetensorsFile(path: resource("RendererTests", "gar64.weights.safetensors")))
    }

    static func inverse<T: Scalar>(_ type: T.Type) throws -> InverseNetwork<T> {
        try InverseNetwork<T>(file: SafetensorsFile(path: resource("InversionTests", "inverse.random.safetensors")))
    }

    /// A person, in single precision: a state with every block filled where it is asked for.
    static func state(
        head: HeadModel<Float>, gar: GAR<Float>?, seed: UInt64, identityDeviation: Float = 0.7
    ) -> FitState {
        var random = RandomGenerator(seed: seed)
        var s = FitState(
            identity: head.sampleIdentity(&random).map { $0 * identityDeviation }, expression: head.sampleExpression(&random))
        s.yaw = 0.2
        s.pitch = -0.1
        s.roll = 0.05
        s.logScale = 0.03
        s.shiftX = 2
        s.shiftY = -3
        if let gar {
            s.wPlus = (0..<gar.styleCount * gar.configuration.latentSize).map { _ in Float(0.5 * random.normal()) }
            s.noise = gar.noiseShapes.flatMap { side in (0..<side * side).map { _ in Float(0.3 * random.normal()) } }
        }
        return s
    }

    /// The static landmarks of a state, mm in the aligned frame, (68, 2).
    static func landmarks(_ s: FitState, head: HeadModel<Float>, embedding: LandmarkEmbedding? = nil) -> [Float] {
        let vertices = Tensor<Float>([head.vertexCount, 3])
        head.vertices(identity: s.identity, expression: s.expression, into: vertices.pointer)
        var points = [Float](repeating: 0, count: 204)
        (embedding ?? head.landmarks).positions(vertices.pointer, into: &points)
        let r = Rotation.matrix(yaw: s.yaw, pitch: s.pitch, roll: s.roll)
        let scale = Float.exponential(s.logScale)
        var result: [Float] = []
        for l in 0..<68 {
            let p = (points[3 * l], points[3 * l + 1], points[3 * l + 2])
            result.append(scale * (r[0] * p.0 + r[1] * p.1 + r[2] * p.2) + s.shiftX)
            result.append(scale * (r[3] * p.0 + r[4] * p.1 + r[5] * p.2) + s.shiftY)
        }
        return result
    }

    /// The state as the flat vector of a layout.
    static func flat<T: Scalar>(_ s: FitState, _ layout: ParameterLayout) -> Tensor<T> {
        let p = Tensor<T>([layout.count])
        func put(_ block: ParameterBlock, _ values: [Float]) {
            for (i, v) in values.prefix(layout.range(block).count).enumerated() {
                p.pointer[layout.range(block).lowerBound + i] = T(v)
            }
        }
        put(.identity, s.identity)
        put(.expression, s.expression)
        put(.rotation, [s.yaw, s.pitch, s.roll])
        put(.similarity, [s.logScale, s.shiftX, s.shiftY])
        put(.wPlus, s.wPlus)
        put(.noise, s.noise)
        put(.albedo, s.albedo)
        put(.light, s.light)
        return p
    }
}
