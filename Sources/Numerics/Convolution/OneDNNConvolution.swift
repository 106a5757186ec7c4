#if GARFACE_ONEDNN
    import COneDNN

    /// Convolution by oneDNN, which picks its own (blocked) layouts; maps are reordered from and to NCHW around it.
    final class OneDNNConvolution: ConvolutionEngine<Float> {
        private let stream: OneDNNStream
        private let small: OneDNNMemory
        private let large: OneDNNMemory
        private let forwardSteps: [OneDNNPrimitive]
        private let adjointSteps: [OneDNNPrimitive]
        private let plainWeights: Tensor<Float>

        init(_ g: PlainConvolution, _ cache: OneDNNWeightCache, plain weights: Tensor<Float>?) throws {
            guard OneDNN.engine != nil, let weights else { throw GarfaceError(.internalFailure, "oneDNN: no engine") }
            OneDNN.use()
            stream = try OneDNNStream()
            plainWeights = weights
            let largeShape = [g.batch, g.inputChannels, g.inputHeight, g.inputWidth]
            let smallShape = [g.batch, g.outputChannels, g.outputHeight, g.outputWidth]
            large = try OneDNNMemory(try OneDNN.descriptor(largeShape, dnnl_nchw), owned: false)
            small = try OneDNNMemory(try OneDNN.descriptor(smallShape, dnnl_nchw), owned: false)

            let pair = try OneDNNPrimitivePair.best(for: g)
            forwardSteps = try Self.steps(pair, weights, cache, from: large, to: small)
            if let mirrored = g.mirrored, min(g.inputChannels, g.outputChannels) <= 16 {
                // The gradient to the input is a convolution with the mirrored kernel, for which oneDNN has the quicker code
                // where channels are few (up to 2.8 times); with many, its own backward pass is the quicker.
                adjointSteps = try Self.steps(
                    OneDNNPrimitivePair.best(for: mirrored), weights, cache, from: small, to: large, mirrored: true)
            } else {
                adjointSteps = try Self.adjointSteps(pair, weights, cache, from: small, to: large)
            }
            super.init(g)
        }

        private static func steps(
            _ pair: OneDNNPrimitivePair, _ plain: Tensor<Float>, _ cache: OneDNNWeightCache, from: OneDNNMemory,
            to: OneDNNMemory, mirrored: Bool = false
        ) throws -> [OneDNNPrimitive] {
            let d = pair.forward
            return try steps(
                d, from: (from, DNNL_ARG_SRC_0, pair.layout(d, dnnl_query_src_md)),
                to: (to, DNNL_ARG_DST_0, pair.layout(d, dnnl_query_dst_md)),
                weights: cache.weights(plain, pair.layout(d, dnnl_query_weights_md), mirrored: mirrored))
        }

        private static func adjointSteps(
            _ pair: OneDNNPrimitivePair, _ plain: Tensor<Float>, _ cache: OneDNNWeightCache, from: OneDNNMemory,
            to: OneDNNMemory
        ) throws -> [OneDNNPrimitive] {
            let d = pair.backward
            return try steps(
                d, from: (from, DNNL_ARG_DIFF_DST_0, pair.layout(d, dnnl_query_diff_dst_md)),
                to: (to, DNNL_ARG_DIFF_SRC_0, pair.layout(d, dnnl_query_diff_src_md)),
                weights: cache.weights(plain, pair.layout(d, dnnl_query_weights_md)))
        }

        private typealias Side = (memory: OneDNNMemory, argument: Int32, layout: dnnl_memory_desc_t)

        private static func steps(
            _ description: dnnl_primitive_desc_t?, from: Side, to: Side, weights: OneDNNMemory
        ) throws -> [OneDNNPrimitive] {
            var result: [OneDNNPrimitive] = []
            var input = from.memory
            if !OneDNN.equal(input.descriptor, from.layout) {
                input = try OneDNNMemory(from.layout, owned: true)
                result.append(try .reorder(from.memory, input))
            }
            let same = OneDNN.equal(to.memory.descriptor, to.layout)
            let output = same ? to.memory : try OneDNNMemory(to.layout, owned: true)
            result.append(
                try OneDNNPrimitive(
                    description, [(from.argument, input), (to.argument, output), (DNNL_ARG_WEIGHTS_0, weights)]))
            if !same { result.append(try .reorder(output, to.memory)) }
            return result
        }

        private func run(_ steps: [OneDNNPrimitive]) {
            OneDNN.use()
            for step in steps { step.execute(stream.handle) }
            dnnl_stream_wait(stream.handle)
        }

        override func forward(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
            large.point(at: UnsafeMutablePointer(mutating: x))
            small.point(at: y)
            run(forwardSteps)
        }

        override func adjoint(_ dy: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>) {
            small.point(at: UnsafeMutablePointer(mutating: dy))
            large.point(at: dx)
            run(adjointSteps)
        }
    }
#endif
