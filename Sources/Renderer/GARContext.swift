import Numerics

/// A renderer at work: all the memory of one batch's forward and backward pass, which allocate nothing.
/// One thread at a time.
public final class GARContext<T: Scalar>: @unchecked Sendable {
    public let model: GAR<T>
    public let batch: Int
    /// Whether it works in blocks of 16 channels: in single precision, with AVX2, where all numbers of channels are
    /// multiples of 16.
    public var isBlocked: Bool { blocked != nil }
    /// Side of the picture.
    public var size: Int { resolutions[resolutions.count - 1] }
    /// The picture of the last forward pass, [B, 3, size, size], about -1 to 1.
    public var image: Tensor<T> { blocked.map { $0.image as AnyObject as! Tensor<T> } ?? rgbs.last!.output }

    /// In what its convolutions multiply: `.bfloat16` where that was asked for and can be done.
    public var precision: ProductPrecision { blocked?.precision ?? .single }

    /// Does the work where the model and the processor suit it; the planar layers are then not set up.
    private let blocked: BlockedGAR?
    private let layers: [RenderLayerContext<T>]
    private let rgbs: [ToRGBContext<T>]
    private let injections: [NormalInjectionContext<T>]
    private let scratch: RenderScratch<T>
    private let constant: Tensor<T>
    private let wPlus: Tensor<T>
    private let dRGBs: [Tensor<T>]
    private var gradient: Tensor<T>
    private var nextGradient: Tensor<T>
    private let resolutions: [Int]
    private let noiseSizes: [Int]
    private var ready = false

    /// Largest batch, and largest memory in bytes, of one context.
    private static var maximumBatch: Int { 256 }
    private static var maximumBytes: Int { 1 << 36 }

    /// - Parameters:
    ///   - size: side of the picture, 4 to the model's own: a smaller one stops at that level, whose picture a
    ///     model trained for it makes as good as the last; w+ keeps all its rows. Nil: the model's own.
    ///   - precision: of the convolutions' products; `.bfloat16` is taken where `isBlocked` and the processor has it.
    public init(_ model: GAR<T>, batch: Int = 1, size: Int? = nil, precision: ProductPrecision = .single) throws {
        let c = model.configuration
        let side = size ?? c.size
        guard c.resolutions.contains(side) else {
            throw GarfaceError(
                .invalidArgument,
                "renderer: a picture of \(side) pixels; expected one of "
                    + c.resolutions.map(String.init).joined(separator: ", "))
        }
        guard (1...Self.maximumBatch).contains(batch) else {
            throw GarfaceError(.invalidArgument, "renderer: a batch of \(batch); expected 1 to \(Self.maximumBatch)")
        }
        let numbers = c.resolutions.reduce(0) { $0 + 5 * batch * (c.channels[$1]! + 4 * c.styleMapChannels) * $1 * $1 }
        guard numbers < Self.maximumBytes / MemoryLayout<T>.stride else {
            throw GarfaceError(.tooLarge, "renderer: a batch of \(batch) at \(c.size) pixels needs too much memory")
        }
        self.model = model
        self.batch = batch
        resolutions = c.resolutions.filter { $0 <= side }
        noiseSizes = c.noiseSizes.filter { $0 <= side }
        if let single = model as AnyObject as? GAR<Float>, BlockedGAR.supports(single) {
            blocked = try BlockedGAR(single, batch: batch, resolutions: resolutions, precision: precision)
            (layers, rgbs, injections, dRGBs) = ([], [], [], [])
            scratch = RenderScratch(c, batch: batch, resolutions: [])
            constant = Tensor([0])
            wPlus = Tensor([batch, c.styleCount, c.latentSize])
            (gradient, nextGradient) = (Tensor([0]), Tensor([0]))
            return
        }
        blocked = nil
        layers = try zip(model.layers, noiseSizes).map { try RenderLayerContext($0, batch: batch, resolution: $1) }
        rgbs = zip(model.toRGBs, resolutions).map { ToRGBContext($0, batch: batch, resolution: $1) }
        injections = try zip(model.injections, resolutions).map {
            try NormalInjectionContext($0, batch: batch, resolution: $1)
        }
        scratch = RenderScratch(c, batch: batch, resolutions: resolutions)
        constant = Tensor([batch, c.channels[4]!, 4, 4])
        for b in 0..<batch {
            (constant.pointer + b * model.constant.count).update(from: model.constant.pointer, count: model.constant.count)
        }
        wPlus = Tensor([batch, c.styleCount, c.latentSize])
        dRGBs = resolutions.map { Tensor([batch, 3, $0, $0]) }
        gradient = Tensor(scratch.modulated.shape)
        nextGradient = Tensor(scratch.modulated.shape)
    }

    /// Renders into `image`.
    ///
    /// - Parameters:
    ///   - wPlus: [B, rows, latent].
    ///   - normals: [B, 3, r, r] for r = 4, 8, ... size.
    ///   - noise: for every layer [B, 1, r, r], or [1, 1, r, r] shared by the batch; nil for none.
    public func forward(wPlus: Tensor<T>, normals: [Tensor<T>], noise: [Tensor<T>]? = nil) {
        precondition(wPlus.count == self.wPlus.count, "w+: [batch, rows, latent]")
        checkNormals(normals)
        if let noise { checkNoise(noise) }
        self.wPlus.copy(from: wPlus)
        if let blocked {
            blocked.forward(wPlus: single(self.wPlus).pointer, normals: single(normals), noise: noise.map(single))
            ready = true
            return
        }
        for (injection, map) in zip(injections, normals) { injection.forward(map) }

        var input = constant
        for (level, rgb) in rgbs.enumerated() {
            for index in layerIndices(level) {
                let (maps, stride) = mapsOf(index)
                let layerNoise = noise?[index]
                layers[index].forward(
                    input.pointer, w: row(index), wStride: wStride, maps: maps, mapStride: stride,
                    noise: layerNoise.map { UnsafePointer($0.pointer) },
                    noiseStride: layerNoise.map { noiseStride($0, index) } ?? 0, scratch)
                input = layers[index].output
            }
            rgb.forward(
                input.pointer, w: row(2 * level + 1), wStride: wStride, skip: level == 0 ? nil : rgbs[level - 1].output, scratch)
        }
        ready = true
    }

    /// The gradients of the last forward pass. All are added to what the tensors hold; nil skips that part's work.
    ///
    /// - Parameters:
    ///   - dImage: the gradient to `image`, [B, 3, size, size].
    ///   - dWPlus: [B, rows, latent].
    ///   - dNormals: [B, 3, r, r] for r = 4, 8, ... size.
    ///   - dNoise: for every layer [B, 1, r, r], or [1, 1, r, r], which then sums over the batch.
    public func backward(
        dImage: Tensor<T>, dWPlus: Tensor<T>? = nil, dNormals: [Tensor<T>]? = nil, dNoise: [Tensor<T>]? = nil
    ) {
        precondition(ready, "backward follows forward")
        precondition(dImage.count == image.count, "gradient to the image: [batch, 3, size, size]")
        precondition(dWPlus == nil || dWPlus!.count == wPlus.count, "gradient to w+: [batch, rows, latent]")
        if let dNormals { checkNormals(dNormals) }
        if let dNoise { checkNoise(dNoise) }
        if dWPlus == nil && dNormals == nil && dNoise == nil { return }
        if let blocked {
            blocked.backward(
                dImage: single(dImage), dWPlus: dWPlus.map(single), dNormals: dNormals.map(single), dNoise: dNoise.map(single))
            return
        }

        let latent = model.configuration.latentSize
        dRGBs.last!.copy(from: dImage)
        if dNormals != nil { for injection in injections { injection.dOutput.fill(0) } }
        for level in rgbs.indices.reversed() {
            let indices = layerIndices(level)
            rgbs[level].backward(
                dRGBs[level].pointer, input: layers[indices.last!].output.pointer, dInput: gradient.pointer,
                adds: level < rgbs.count - 1, dW: dWPlus.map { $0.pointer + (2 * level + 1) * latent }, wStride: wStride,
                dSkip: level == 0 ? nil : dRGBs[level - 1], scratch)
            for index in indices.reversed() {
                let (maps, stride) = mapsOf(index)
                let offset = maps - UnsafePointer(injections[level].output.pointer)
                layers[index].backward(
                    gradient.pointer, input: index == 0 ? constant.pointer : layers[index - 1].output.pointer,
                    dInput: index == 0 ? nil : nextGradient.pointer,
                    dW: dWPlus.map { $0.pointer + index * latent }, wStride: wStride, maps: maps,
                    dMaps: dNormals == nil ? nil : injections[level].dOutput.pointer + offset, mapStride: stride,
                    dNoise: dNoise?[index].pointer, noiseStride: dNoise.map { noiseStride($0[index], index) } ?? 0, scratch)
                swap(&gradient, &nextGradient)
            }
        }
        if let dNormals {
            for (injection, target) in zip(injections, dNormals) { injection.backward(addingTo: target) }
        }
    }

    /// Called where T is Float.
    private func single(_ t: Tensor<T>) -> Tensor<Float> { unsafeDowncast(t as AnyObject, to: Tensor<Float>.self) }
    private func single(_ t: [Tensor<T>]) -> [Tensor<Float>] { unsafeBitCast(t, to: [Tensor<Float>].self) }

    private var wStride: Int { model.styleCount * model.configuration.latentSize }

    /// Render layers of a level: one at 4x4, two above.
    private func layerIndices(_ level: Int) -> ClosedRange<Int> { level == 0 ? 0...0 : (2 * level - 1)...(2 * level) }

    /// Row of w+ of a render layer or, at 2 level + 1, of a ToRGB: each ToRGB shares its row with the next level's first
    /// layer, as published.
    private func row(_ index: Int) -> UnsafePointer<T> {
        UnsafePointer(wPlus.pointer + index * model.configuration.latentSize)
    }

    /// A layer's scale map in its level's injection, and the stride from sample to sample.
    private func mapsOf(_ layer: Int) -> (UnsafePointer<T>, Int) {
        let output = injections[(layer + 1) / 2].output
        let area = output.shape[2] * output.shape[3]
        let second = layer > 0 && layer % 2 == 0
        return (UnsafePointer(output.pointer + (second ? 2 * area : 0)), output.shape[1] * area)
    }

    private func noiseStride(_ map: Tensor<T>, _ layer: Int) -> Int {
        let area = noiseSizes[layer] * noiseSizes[layer]
        return map.count == area ? 0 : area
    }

    private func checkNormals(_ maps: [Tensor<T>]) {
        precondition(maps.count == resolutions.count, "normal maps: one for every resolution")
        for i in maps.indices {
            precondition(maps[i].count == batch * 3 * resolutions[i] * resolutions[i], "normal maps: [batch, 3, r, r]")
        }
    }

    private func checkNoise(_ maps: [Tensor<T>]) {
        precondition(maps.count == noiseSizes.count, "noise maps: one for every layer")
        for i in maps.indices {
            let area = noiseSizes[i] * noiseSizes[i]
            precondition(maps[i].count == area || maps[i].count == batch * area, "noise maps: [batch or 1, 1, r, r]")
        }
    }
}
