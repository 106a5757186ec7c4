import FaceModel
import Fitting
import Numerics
import Rasterizer
import Reconstruction
import Renderer

/// From nothing to models that are ready.
enum LoadBench {
    static func rows(_ models: ModelOptions, _ clock: BenchClock) throws -> [BenchRow] {
        [
            BenchRow(group: "load", name: "head model", timing: try clock.time { _ = try models.head() }),
            BenchRow(group: "load", name: "renderer", timing: try clock.time { _ = try models.gar() }),
            BenchRow(group: "load", name: "all models, ready", timing: try clock.time { _ = try Reconstructor(models.load()) }),
        ]
    }
}

/// The renderer: normal maps and w+ to a picture, and the gradients back.
enum GARBench {
    static func rows(_ gar: GAR<Float>, batch: Int, _ clock: BenchClock) throws -> [BenchRow] {
        let c = gar.configuration
        let context = try GARContext(gar, batch: batch)
        var rng = RandomGenerator(seed: 1)
        func random(_ shape: [Int]) -> Tensor<Float> {
            let t = Tensor<Float>(shape)
            rng.fillNormal(t)
            return t
        }
        let z = random([batch, c.latentSize])
        let wPlus = gar.wPlus(gar.map(z))
        let normals = c.resolutions.map { random([batch, 3, $0, $0]) }
        let noise = gar.zeroNoise()
        let dImage = random([batch, 3, c.size, c.size])
        let dWPlus = Tensor<Float>(wPlus.shape)
        let dNormals = normals.map { Tensor<Float>($0.shape) }
        let dNoise = noise.map { Tensor<Float>($0.shape) }
        let flops = Double(batch) * GARLayers.all(c).reduce(0) { $0 + $1.flops }
        let group = "gar, \(c.size) px, \(batch) at a time, \(BenchTable.decimal(flops * 1e-9, 2)) GFLOP of convolutions"
        func forward(_ context: GARContext<Float>) { context.forward(wPlus: wPlus, normals: normals, noise: noise) }
        func toNormals(_ context: GARContext<Float>) {
            forward(context)
            context.backward(dImage: dImage, dWPlus: dWPlus, dNormals: dNormals)
        }
        var rows = [
            BenchRow(group: group, name: "forward", timing: clock.time { forward(context) }, flops: flops),
            BenchRow(
                group: group, name: "forward, backward to w+",
                timing: clock.time {
                    forward(context)
                    context.backward(dImage: dImage, dWPlus: dWPlus)
                }),
            BenchRow(
                group: group, name: "forward, backward to w+, normals", timing: clock.time { toNormals(context) },
                flops: 2 * flops),
            BenchRow(
                group: group, name: "forward, backward to w+, normals, noise",
                timing: clock.time {
                    forward(context)
                    context.backward(dImage: dImage, dWPlus: dWPlus, dNormals: dNormals, dNoise: dNoise)
                }, flops: 2 * flops),
        ]
        let quick = try GARContext(gar, batch: batch, precision: .bfloat16)
        if quick.precision == .bfloat16 {
            rows += [
                BenchRow(group: group, name: "bfloat16: forward", timing: clock.time { forward(quick) }, flops: flops),
                BenchRow(
                    group: group, name: "bfloat16: forward, backward to w+, normals", timing: clock.time { toNormals(quick) },
                    flops: 2 * flops),
            ]
        }
        return rows
    }
}

/// What memory delivers: `a = b + s * c` over maps that no cache holds, as the STREAM benchmark counts its bytes.
enum MemoryBench {
    static func triad(_ clock: BenchClock) -> BenchRow {
        let n = 1 << 24
        let a = Tensor<Float>([n]), b = Tensor<Float>([n]), c = Tensor<Float>([n])
        let (pa, pb, pc) = (a.pointer, b.pointer, c.pointer)
        let timing = clock.time { for i in 0..<n { pa[i] = pb[i] + 3 * pc[i] } }
        return BenchRow(group: "memory", name: "triad, 3 x 64 MB", timing: timing, bytes: Double(3 * 4 * n))
    }
}

/// Coefficients to vertices, normals and landmarks, and the gradients back.
enum HeadBench {
    static func rows(_ head: HeadModel<Float>, _ clock: BenchClock) throws -> [BenchRow] {
        var rng = RandomGenerator(seed: 1)
        func random(_ shape: [Int]) -> Tensor<Float> {
            let t = Tensor<Float>(shape)
            rng.fillNormal(t)
            return t
        }
        let identity = random([head.identityCount]), expression = random([head.expressionCount])
        let vertices = Tensor<Float>([head.vertexCount, 3]), normals = Tensor<Float>([head.vertexCount, 3])
        let dNormals = random([head.vertexCount, 3]), dVertices = random([head.vertexCount, 3])
        let dIdentity = Tensor<Float>([head.identityCount]), dExpression = Tensor<Float>([head.expressionCount])
        let normalsOf = VertexNormals<Float>(
            topology: MeshTopology(triangles: head.triangles, vertexCount: head.vertexCount))
        var points = [Float](repeating: 0, count: 3 * head.landmarks.count)
        let basis = Double(head.basisByteCount)
        let group = "head, \(head.vertexCount) vertices, \(head.identityCount) + \(head.expressionCount) coefficients"
        let evaluator = HeadEvaluator(head)      // heads of every geometry
        func mesh() { evaluator.forward(identity: identity.pointer, expression: expression.pointer, into: vertices.pointer) }
        func back() {
            normalsOf.backward(
                vertices.pointer, normals: normals.pointer, dNormals: dNormals.pointer, dVertices: dVertices.pointer)
            evaluator.backward(dVertices.pointer, dIdentity: dIdentity.pointer, dExpression: dExpression.pointer)
        }
        func forward() {
            mesh()
            normalsOf.forward(vertices.pointer, into: normals.pointer)
            head.landmarks.positions(vertices.pointer, into: &points)
        }
        return [
            MemoryBench.triad(clock),
            BenchRow(group: group, name: "vertices", timing: clock.time(mesh), bytes: basis),
            BenchRow(group: group, name: "vertices, normals, landmarks", timing: clock.time(forward), bytes: basis),
            BenchRow(
                group: group, name: "the same and their gradients",
                timing: clock.time {
                    forward()
                    back()
                }, bytes: 2 * basis),
        ]
    }
}

/// The pyramid of normal maps, sampled once per pixel and by areas.
enum NormalsBench {
    static func rows(_ head: HeadModel<Float>, size: Int, _ clock: BenchClock) throws -> [BenchRow] {
        let frame = AlignedFrame()
        let ndc = Tensor<Float>([head.vertexCount, 3]), normals = Tensor<Float>([head.vertexCount, 3])
        frame.forward(head.mean.pointer, count: head.vertexCount, pose: HeadPose(yaw: 0.3), into: ndc.pointer)
        VertexNormals(topology: MeshTopology(triangles: head.triangles, vertexCount: head.vertexCount))
            .forward(ndc.pointer, into: normals.pointer)
        let dNdc = Tensor<Float>(ndc.shape), dNormals = Tensor<Float>(ndc.shape)
        var rows: [BenchRow] = []
        var rng = RandomGenerator(seed: 1)
        for sampling in [NormalSampling.point, .area] {
            let pyramid = NormalPyramid<Float>(
                size: size, sampling: sampling, triangles: head.triangles, vertexCount: head.vertexCount)
            let dMaps = pyramid.maps.map { map in
                let t = Tensor<Float>(map.shape)
                rng.fillNormal(t)
                return t
            }
            let group = "normal maps, 4 to \(size) px, \(sampling.rawValue) sampling, \(head.triangles.count / 3) triangles"
            rows.append(
                BenchRow(
                    group: group, name: "forward",
                    timing: clock.time { pyramid.forward(ndc: ndc.pointer, normals: normals.pointer) }))
            for silhouettes in [false, true] {
                rows.append(
                    BenchRow(
                        group: group, name: silhouettes ? "backward with silhouettes" : "backward",
                        timing: clock.time {
                            pyramid.backward(
                                dMaps: dMaps, dNdc: dNdc.pointer, dNormals: dNormals.pointer, silhouettes: silhouettes)
                        }))
            }
            let plain = RasterBuffer<Float>(width: pyramid.buffers.last!.width, height: pyramid.buffers.last!.height)
            rows.append(
                BenchRow(
                    group: group, name: "triangles of the largest map",
                    timing: clock.time {
                        rasterize(
                            vertices: ndc.pointer, vertexCount: head.vertexCount, triangles: head.triangles, into: plain)
                    }))
        }
        return rows
    }
}

/// A photo to a result.
enum PhotoBench {
    static func rows(_ models: ModelOptions, photo: RGBImage, threads: Int, _ clock: BenchClock) throws -> [BenchRow] {
        let reconstructor = try Reconstructor(models.load())
        let group = "photo of \(photo.width) x \(photo.height) px"
        func time(_ renderer: ReconstructionRenderer, _ name: String) throws -> BenchRow {
            var options = ReconstructionOptions()
            options.renderer = renderer
            options.threads = threads
            return BenchRow(
                group: group, name: name, timing: try clock.time { _ = try reconstructor.reconstruct(photo, options: options) })
        }
        return [
            try time(.startOnly, "start: find, align, invert"), try time(.landmarksOnly, "landmarks"),
            try time(.gar, "whole: refined through GAR"),
        ]
    }
}
