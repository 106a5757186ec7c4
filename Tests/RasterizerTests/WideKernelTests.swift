import FaceModel
import Numerics
import Rasterizer
import Testing

/// Single precision with the processor's widest vectors, on one thread and several, against the plain loops in double
/// precision: coverage, maps and all gradients.
@Suite(.serialized) struct WideKernelTests {
    struct Case: CustomStringConvertible, Sendable {
        let size: Int
        let sampling: NormalSampling
        let threads: Int
        let pose: [Double]
        var description: String { "\(size) px, \(sampling), \(threads) threads" }
    }
    static let cases = [
        Case(size: 64, sampling: .area, threads: 1, pose: [0.3, 0.05, 0.1, 0, 0, 0]),
        Case(size: 128, sampling: .area, threads: 2, pose: [-0.8, 0.2, 0.2, 0.3, 10, -5]),
        Case(size: 64, sampling: .point, threads: 3, pose: [0.5, -0.3, 0, -0.4, 0, 20]),
        Case(size: 16, sampling: .area, threads: 2, pose: [0, 0, 0, 1.5, 0, 0]),
    ]

    private struct Found {
        var ids: [[Int32]] = []
        var maps: [[Double]] = []
        var held, moving: (dNdc: [Double], dNormals: [Double])
    }

    private func run<T: Scalar>(_ type: T.Type, _ c: Case, _ head: PosedHead<Float>) -> Found {
        let count = head.vertexCount
        let ndc = head.ndc.converted(to: T.self), normals = head.normals.converted(to: T.self)
        let pyramid = NormalPyramid<T>(size: c.size, sampling: c.sampling, triangles: head.model.triangles, vertexCount: count)
        pyramid.forward(ndc: ndc.pointer, normals: normals.pointer)
        var rng = RandomGenerator(seed: 8)
        let dMaps = pyramid.maps.map { map -> Tensor<T> in
            let d = Tensor<Float>(map.shape)
            rng.fillNormal(d)
            return d.converted(to: T.self)
        }
        func gradients(_ silhouettes: Bool) -> ([Double], [Double]) {
            let dNdc = Tensor<T>([count, 3]), dNormals = Tensor<T>([count, 3])
            pyramid.backward(dMaps: dMaps, dNdc: dNdc.pointer, dNormals: dNormals.pointer, silhouettes: silhouettes)
            return (dNdc.array.map { Double($0) }, dNormals.array.map { Double($0) })
        }
        return Found(
            ids: pyramid.buffers.map { b in (0..<b.pixelCount).map { b.ids[$0] } },
            maps: pyramid.maps.map { $0.array.map { Double($0) } }, held: gradients(false), moving: gradients(true))
    }

    /// The norm of the difference over that of what is expected.
    private func off(_ a: [Double], _ b: [Double]) -> Double {
        let d = zip(a, b).reduce(0.0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        return (d / b.reduce(1e-30) { $0 + $1 * $1 }).squareRoot()
    }

    @Test(arguments: cases) func agreesWithPlainLoops(_ c: Case) throws {
        let head = try PosedHead<Float>()
        head.set(c.pose.map { Float($0) } + normals(80, seed: 5).map { Float($0) })
        setThreadCount(c.threads)
        defer { setThreadCount(1) }
        let quick = run(Float.self, c, head), plain = run(Double.self, c, head)
        #expect(quick.ids == plain.ids)
        for (a, b) in zip(quick.maps, plain.maps) { #expect(off(a, b) < 1e-4) }
        #expect(off(quick.held.dNormals, plain.held.dNormals) < 1e-4)
        #expect(off(quick.held.dNdc, plain.held.dNdc) < 1e-2)
        // An outline's place is where a comparison turns out one way or the other: a few differ by rounding.
        #expect(off(quick.moving.dNdc, plain.moving.dNdc) < 5e-2)
        #expect(off(quick.moving.dNdc, quick.held.dNdc) > 0.02)
        #expect(quick.moving.dNormals == quick.held.dNormals)
        // Not a bit depends on the thread count.
        setThreadCount(1)
        let alone = run(Float.self, c, head)
        #expect(alone.ids == quick.ids && alone.maps == quick.maps)
        #expect(alone.moving.dNdc == quick.moving.dNdc && alone.moving.dNormals == quick.moving.dNormals)
    }

    @Test(arguments: [NormalSampling.point, .area]) func plainPyramidIsTheSame(_ sampling: NormalSampling) throws {
        let head = try PosedHead<Float>(), count = head.vertexCount, triangles = head.model.triangles
        head.set([0.5, -0.2, 0.1, 0, 5, 0])
        let quick = NormalPyramid<Float>(size: 64, sampling: sampling, triangles: triangles, vertexCount: count)
        let plain = PlainNormalPyramid<Float>(size: 64, sampling: sampling, triangles: triangles, vertexCount: count)
        // Twice: nothing of a call stays for the next.
        for _ in 0..<2 {
            quick.forward(ndc: head.ndc.pointer, normals: head.normals.pointer)
            plain.forward(ndc: head.ndc.pointer, normals: head.normals.pointer)
        }
        func numbers(_ t: Tensor<Float>) -> [Double] { t.array.map { Double($0) } }
        for (a, b) in zip(quick.maps, plain.maps) { #expect(a.shape == b.shape && off(numbers(a), numbers(b)) < 1e-5) }
        var rng = RandomGenerator(seed: 8)
        let dMaps = quick.maps.map { map -> Tensor<Float> in
            let d = Tensor<Float>(map.shape)
            rng.fillNormal(d)
            return d
        }
        for silhouettes in [false, true] {
            let a = (Tensor<Float>([count, 3]), Tensor<Float>([count, 3])), b = (Tensor<Float>([count, 3]), Tensor<Float>([count, 3]))
            for _ in 0..<2 {
                quick.backward(dMaps: dMaps, dNdc: a.0.pointer, dNormals: a.1.pointer, silhouettes: silhouettes)
                plain.backward(dMaps: dMaps, dNdc: b.0.pointer, dNormals: b.1.pointer, silhouettes: silhouettes)
            }
            #expect(off(numbers(a.0), numbers(b.0)) < (silhouettes ? 5e-2 : 1e-3))
            #expect(off(numbers(a.1), numbers(b.1)) < 1e-4)
        }
    }
}
