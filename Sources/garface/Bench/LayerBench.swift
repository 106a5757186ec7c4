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
    static func all(_ c: GARConfiguration) -> [GARLayer] {
        var layers: [GARLayer] = []
        for r in c.resolutions {
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

/// Every convolution of a renderer alone, forward and towards its input.
enum LayerBench {
    static func rows(_ configuration: GARConfiguration, batch: Int, _ clock: BenchClock) throws -> [BenchRow] {
        var seen: Set<GARLayer> = []
        var rows: [BenchRow] = []
        var rng = RandomGenerator(seed: 1)
        for layer in GARLayers.all(configuration) where seen.insert(layer).inserted {
            let kernel = layer.kind.kernelSize
            let weights = Tensor<Float>([layer.outputs, layer.inputs, kernel, kernel])
            rng.fillNormal(weights)
            let convolution = try ConvolutionWeights(weights, kind: layer.kind).convolution(
                batch: batch, height: layer.side, width: layer.side)
            let x = Tensor<Float>(convolution.inputShape), y = Tensor<Float>(convolution.outputShape)
            rng.fillNormal(x)
            for backward in [false, true] {
                let timing = clock.time {
                    if backward { convolution.backward(y.pointer, x.pointer) } else { convolution.forward(x.pointer, y.pointer) }
                }
                var row = BenchRow(
                    group: backward ? "convolutions, towards the input" : "convolutions, forward", name: layer.name,
                    timing: timing, flops: Double(batch) * layer.flops)
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
