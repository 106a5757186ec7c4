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
        let c = gar.configuration, latents = Latents(gar, batch: batch, size: c.size)
        let (wPlus, normals, noise) = (latents.wPlus, latents.normals, latents.noise)
        let context = try GARContext(gar, batch: batch)
        let dImage = latents.dImage, dWPlus = Tensor<Float>(wPlus.shape)
        let dNormals = normals.map { Tensor<Float>($0.shape) }
        let dNoise = noise.map { Tensor<Float>($0.shape) }
        let flops = Double(batch) * GARLayers.all(c).reduce(0) { $0 + $1.flops }
        let group = "\(gar.benchName), \(c.size) px, \(batch) at a time, \(BenchTable.decimal(flops * 1e-9, 2)) GFLOP of convolutions"
        func forward(_ context: GARContext<Float>) { context.forward(wPlus: wPlus, normals: normals, noise: noise) }
        /// A row of the way there and back; what is nil is held, and its part of the way back is left out.
        func back(
            _ name: String, _ context: GARContext<Float>, _ toW: Tensor<Float>?, _ toNormals: [Tensor<Float>]?,
            _ toNoise: [Tensor<Float>]? = nil, flops: Double? = nil
        ) -> BenchRow {
            BenchRow(
                group: group, name: name,
                timing: clock.time {
                    forward(context)
                    context.backward(dImage: dImage, dWPlus: toW, dNormals: toNormals, dNoise: toNoise)
                }, flops: flops)
        }
        var rows = [
            BenchRow(group: group, name: "forward", timing: clock.time { forward(context) }, flops: flops),
            back("forward, backward to w+", context, dWPlus, nil),
            back("forward, backward to normals", context, nil, dNormals),
            back("forward, backward to w+, normals", context, dWPlus, dNormals, flops: 2 * flops),
            back("forward, backward to w+, normals, noise", context, dWPlus, dNormals, dNoise, flops: 2 * flops),
        ]
        let quick = try GARContext(gar, batch: batch, precision: .bfloat16)
        if quick.precision == .bfloat16 {
            rows += [
                BenchRow(group: group, name: "bfloat16: forward", timing: clock.time { forward(quick) }, flops: flops),
                back("bfloat16: forward, backward to w+, normals", quick, dWPlus, dNormals, flops: 2 * flops),
            ]
        }
        return rows
    }
}

/// What a renderer turns into a picture, and a gradient to go back with, at random.
private struct Latents {
    let wPlus, dImage: Tensor<Float>
    let normals, noise: [Tensor<Float>]

    init(_ gar: GAR<Float>, batch: Int, size: Int) {
        var rng = RandomGenerator(seed: 1)
        func random(_ shape: [Int]) -> Tensor<Float> {
            let t = Tensor<Float>(shape)
            rng.fillNormal(t)
            return t
        }
        let c = gar.configuration
        wPlus = gar.wPlus(gar.map(random([batch, c.latentSize])))
        normals = c.resolutions.filter { $0 <= size }.map { random([batch, 3, $0, $0]) }
        noise = c.noiseSizes.filter { $0 <= size }.map { Tensor([1, 1, $0, $0]) }
        dImage = random([batch, 3, size, size])
    }
}

extension GAR {
    /// What it is called in a table.
    var benchName: String { source == RandomGAR.source ? "gar of random weights" : "gar" }
}

/// What an iteration costs the renderer at every size of its picture: one renderer that stops at that level.
enum SizesBench {
    static func rows(batch: Int, _ clock: BenchClock) throws -> [BenchRow] {
        let gar = try RandomGAR.large.made()
        let group = "\(gar.benchName), \(batch) at a time, forward and backward to w+, normals"
        return try gar.configuration.resolutions.filter { $0 >= 64 }.map { size in
            let latents = Latents(gar, batch: batch, size: size), context = try GARContext(gar, batch: batch, size: size)
            let dWPlus = Tensor<Float>(latents.wPlus.shape), dNormals = latents.normals.map { Tensor<Float>($0.shape) }
            let flops = 2 * Double(batch) * GARLayers.all(gar.configuration, size: size).reduce(0) { $0 + $1.flops }
            return BenchRow(
                group: group, name: "\(size) px, \(BenchTable.decimal(flops * 1e-9, 2)) GFLOP of convolutions",
                timing: clock.time {
                    context.forward(wPlus: latents.wPlus, normals: latents.normals, noise: latents.noise)
                    context.backward(dImage: latents.dImage, dWPlus: dWPlus, dNormals: dNormals)
                }, flops: flops)
        }
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
        let dNormals = random([head.vertexCount, 3]), dGiven = random([head.vertexCount, 3])
        let dPoints = random([head.landmarks.count, 3]), dVertices = Tensor<Float>([head.vertexCount, 3])
        let dIdentity = Tensor<Float>([head.identityCount]), dExpression = Tensor<Float>([head.expressionCount])
        let normalsOf = VertexNormals<Float>(
            topology: MeshTopology(triangles: head.triangles, vertexCount: head.vertexCount))
        var points = [Float](repeating: 0, count: 3 * head.landmarks.count)
        let basis = Double(head.basisByteCount)
        let group = "head, \(head.vertexCount) vertices, \(head.identityCount) + \(head.expressionCount) coefficients"
        let evaluator = HeadEvaluator(head)      // heads of every geometry
        func mesh() { evaluator.forward(identity: identity.pointer, expression: expression.pointer, into: vertices.pointer) }
        // Gradients by vertices, normals and landmarks to those by the coefficients.
        func back() {
            dVertices.copy(from: dGiven)
            head.landmarks.backward(dPoints.pointer, dVertices: dVertices.pointer)
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

/// The pyramid of normal maps, sampled once per pixel and by areas, and the same by plain loops.
enum NormalsBench {
    static func rows(_ head: HeadModel<Float>, size: Int, _ clock: BenchClock) throws -> [BenchRow] {
        let frame = AlignedFrame(), (triangles, count) = (head.triangles, head.vertexCount)
        let ndc = Tensor<Float>([count, 3]), normals = Tensor<Float>([count, 3])
        frame.forward(head.mean.pointer, count: count, pose: HeadPose(yaw: 0.3), into: ndc.pointer)
        VertexNormals(topology: MeshTopology(triangles: triangles, vertexCount: count)).forward(ndc.pointer, into: normals.pointer)
        let dNdc = Tensor<Float>(ndc.shape), dNormals = Tensor<Float>(ndc.shape)
        var rows: [BenchRow] = []
        var rng = RandomGenerator(seed: 1)
        for sampling in [NormalSampling.point, .area] {
            let pyramid = NormalPyramid<Float>(size: size, sampling: sampling, triangles: triangles, vertexCount: count)
            let plain = PlainNormalPyramid<Float>(size: size, sampling: sampling, triangles: triangles, vertexCount: count)
            let dMaps = pyramid.maps.map { map in
                let t = Tensor<Float>(map.shape)
                rng.fillNormal(t)
                return t
            }
            let group = "normal maps, 4 to \(size) px, \(sampling.rawValue) sampling, \(triangles.count / 3) triangles"
            func compare(_ name: String, _ quick: () -> Void, _ plain: () -> Void) {
                let theirs = BenchRow(group: group, name: "\(name), plain loops", timing: clock.time(plain))
                var ours = BenchRow(group: group, name: name, timing: clock.time(quick))
                ours.reference = ("plain loops", theirs.timing.cpuSeconds)
                rows += [ours, theirs]
            }
            compare(
                "forward", { pyramid.forward(ndc: ndc.pointer, normals: normals.pointer) },
                { plain.forward(ndc: ndc.pointer, normals: normals.pointer) })
            for silhouettes in [false, true] {
                compare(
                    silhouettes ? "backward with silhouettes" : "backward",
                    {
                        pyramid.backward(
                            dMaps: dMaps, dNdc: dNdc.pointer, dNormals: dNormals.pointer, silhouettes: silhouettes)
                    },
                    {
                        plain.backward(
                            dMaps: dMaps, dNdc: dNdc.pointer, dNormals: dNormals.pointer, silhouettes: silhouettes)
                    })
            }
            let largest = RasterBuffer<Float>(width: pyramid.buffers.last!.width, height: pyramid.buffers.last!.height)
            rows.append(
                BenchRow(
                    group: group, name: "triangles of the largest map",
                    timing: clock.time {
                        rasterize(vertices: ndc.pointer, vertexCount: count, triangles: triangles, into: largest)
                    }))
        }
        return rows
    }
}
