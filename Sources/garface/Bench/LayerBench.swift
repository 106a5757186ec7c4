import Numerics
import Renderer

/// The convolutions of a renderer, by their shapes.
struct GARLayer: Hashable {
    let kind: ConvolutionKind
    let inputs, outputs: Int
    /// Side of the input.
    let side: Int

    var flops: Double {
        let k = Double(kind.kernelSize * kind.kernelSize)
        // The transposed convolution multiplies every input with every tap.
        let pixels = Double(side * side)
        return 2 * k * pixels * Double(inputs * outputs)
    }

    var name: String {
        let n = String(side)
        return "\(kind == .up3x3 ? "up" : kind == .pointwise ? "1x1" : "3x3") \(inputs) -> \(outputs) at \(n) x \(n)"
    }
}

enum GARLayers {
    /// Up to a picture of `size`; nil: all.
    static func all(_ c: GARConfiguration, size: Int? = nil) -> [GARLayer] {
        var layers: [GARLayer] = []
        for r in c.resolutions where r <= size ?? c.size {
            let o = c.channels[r]!
            if r > 4 { layers.append(GARLayer(kind: .up3x3, inputs: c.channels[r / 2]!, outputs: o, side: r / 2)) }
            layers.append(GARLayer(kind: .same3x3, inputs: o, outputs: o, side: r))
            let k = c.styleMapChannels, m = r == 4 ? 2 : 4
            if k != 3 { layers.append(GARLayer(kind: .same3x3, inputs: 3, outputs: k, side: r)) }
            layers.append(GARLayer(kind: .same3x3, inputs: k, outputs: k, side: r))
            layers.append(GARLayer(kind: .same3x3, inputs: k, outputs: m, side: r))
        }
        return layers
    }
}

/// One convolution as the renderer runs it: on blocked maps where it can, or else on planes.
private struct LayerRun {
    private let x, y: Tensor<Float>
    private let work: (Bool) -> Void

    init(_ weights: ConvolutionWeights<Float>, batch: Int, side: Int, _ rng: inout RandomGenerator) throws {
        func maps(_ shape: [Int]) -> Tensor<Float> {
            let t = Tensor<Float>(shape)
            rng.fillNormal(t)
            return t
        }
        if BlockedConvolution.supports(weights.kind, inputs: weights.inputChannels, outputs: weights.outputChannels) {
            let c = try BlockedConvolution(weights, batch: batch, height: side, width: side)
            let x = maps(c.inputShape), y = maps(c.outputShape), scratch = Tensor<Float>([max(1, c.scratchCount)])
            (self.x, self.y) = (x, y)
            work = { backward in
                if backward {
                    c.backward(y.pointer, x.pointer, scratch: scratch.pointer)
                } else {
                    c.forward(x.pointer, y.pointer, scratch: scratch.pointer)
                }
            }
        } else {
            let c = try weights.convolution(batch: batch, height: side, width: side)
            let x = maps(c.inputShape), y = maps(c.outputShape)
            (self.x, self.y) = (x, y)
            work = { $0 ? c.backward(y.pointer, x.pointer) : c.forward(x.pointer, y.pointer) }
        }
    }

    func callAsFunction(backward: Bool) { work(backward) }
}

/// Every convolution of a renderer alone, forward and towards its input, on one thread: processor times are compared, and
/// oneDNN wakes all of its threads for the smallest shape, which then wait for their next work in processor time.
enum LayerBench {
    static func rows(_ configuration: GARConfiguration, batch: Int, _ clock: BenchClock) throws -> [BenchRow] {
        var seen: Set<GARLayer> = []
        var rows: [BenchRow] = []
        var rng = RandomGenerator(seed: 1)
        for layer in GARLayers.all(configuration) where seen.insert(layer).inserted {
            let kernel = layer.kind.kernelSize
            let weights = Tensor<Float>([layer.outputs, layer.inputs, kernel, kernel])
            rng.fillNormal(weights)
            let run = try LayerRun(ConvolutionWeights(weights, kind: layer.kind), batch: batch, side: layer.side, &rng)
            for backward in [false, true] {
                let timing = clock.time { run(backward: backward) }
                var row = BenchRow(
                    group: "convolutions, \(configuration.size) px, \(backward ? "towards the input" : "forward")",
                    name: layer.name, timing: timing, flops: Double(batch) * layer.flops)
                row.reference = try ceiling(layer, batch, backward, clock).map { ("oneDNN alone", $0) }
                rows.append(row)
            }
        }
        return rows.filter { $0.group.hasSuffix("forward") } + rows.filter { !$0.group.hasSuffix("forward") }
    }

    /// Processor seconds of oneDNN's best algorithm on the same shape.
    private static func ceiling(_ layer: GARLayer, _ batch: Int, _ backward: Bool, _ clock: BenchClock) throws -> Double? {
        #if GARFACE_ONEDNN
            let alone = try ConvolutionCeiling(
                layer.kind, batch: batch, inputChannels: layer.inputs, outputChannels: layer.outputs, height: layer.side,
                width: layer.side)
            return (0..<alone.algorithmCount).map { k in clock.time { alone.run(k, backward: backward) }.cpuSeconds }.min()
        #else
            return nil
        #endif
    }
}
