import Numerics
import Renderer

/// Several renderers at work at once, each on a thread of its own with its own context, as in a program with many photos.
enum ContextsBench {
    static func rows(_ gar: GAR<Float>, contexts: Int, _ clock: BenchClock) throws -> [BenchRow] {
        let works = try (0..<contexts).map { try Work(gar, seed: UInt64($0)) }
        let group = "\(gar.benchName), \(gar.configuration.size) px, contexts at once, each on a thread of its own"
        let alone = clock.time { works[0].pass() }
        let together = clock.time { inThreads(contexts) { works[$0].pass() } }
        return [
            BenchRow(group: group, name: "forward, backward: 1 context", timing: alone),
            BenchRow(
                group: group, name: "forward, backward: \(contexts) contexts", timing: together,
                reference: ("so many one after the other", alone.cpuSeconds * Double(contexts))),
        ]
    }

    private final class Work: @unchecked Sendable {
        private let context: GARContext<Float>
        private let wPlus, dImage, dWPlus: Tensor<Float>
        private let normals, dNormals: [Tensor<Float>]

        init(_ gar: GAR<Float>, seed: UInt64) throws {
            context = try GARContext(gar)
            var rng = RandomGenerator(seed: seed)
            func random(_ shape: [Int]) -> Tensor<Float> {
                let t = Tensor<Float>(shape)
                rng.fillNormal(t)
                return t
            }
            wPlus = gar.wPlus(gar.map(random([1, gar.configuration.latentSize])))
            normals = gar.configuration.resolutions.map { random([1, 3, $0, $0]) }
            dNormals = normals.map { Tensor<Float>($0.shape) }
            dImage = random(context.image.shape)
            dWPlus = Tensor<Float>(wPlus.shape)
        }

        func pass() {
            context.forward(wPlus: wPlus, normals: normals)
            context.backward(dImage: dImage, dWPlus: dWPlus, dNormals: dNormals)
        }
    }
}
