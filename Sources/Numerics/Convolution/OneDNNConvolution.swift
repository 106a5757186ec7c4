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
            OneDNN.applyThreadCount()
            stream = try OneDNNStream()
            plainWeights = weights
            let largeShape = [g.batch, g.inputChannels, g.inputHeight, g.inputWidth]
            let smallShape = [g.batch, g.outputChannels, g.outputHeight, g.outputWidth]
            large = try OneDNNMemory(try OneDNN.descriptor(largeShape, dnnl_nchw), owned: false)
            small = try OneDNNMemory(try OneDNN.descriptor(smallShape, dnnl_nchw), owned: false)

            var source = try OneDNN.descriptor(largeShape, dnnl_format_tag_any)
            var target = try OneDNN.descriptor(smallShape, dnnl_format_tag_any)
            var kernel = try OneDNN.descriptor(weights.shape, dnnl_format_tag_any)
            let strides = [Int64](repeating: Int64(g.stride), count: 2)
            let before = [Int64](repeating: Int64(g.padding), count: 2)
            let after = [
                Int64((g.outputHeight - 1) * g.stride + g.kernel - g.inputHeight - g.padding),
                Int64((g.outputWidth - 1) * g.stride + g.kernel - g.inputWidth - g.padding),
            ]
            let attributes = try OneDNNPrimitive.userScratchpad()
            defer { dnnl_primitive_attr_destroy(attributes) }

            var forwardOperation = dnnl_convolution_desc_t()
            try check(
                dnnl_convolution_forward_desc_init(
                    &forwardOperation, dnnl_forward_training, dnnl_convolution_direct, &source, &kernel, nil, &target, strides,
                    before, after), "forward convolution")
            var forward: dnnl_primitive_desc_t?
            try check(
                dnnl_primitive_desc_create(&forward, &forwardOperation, attributes, OneDNN.engine, nil), "forward convolution")
            defer { dnnl_primitive_desc_destroy(forward) }
            var backwardOperation = dnnl_convolution_desc_t()
            try check(
                dnnl_convolution_backward_data_desc_init(
                    &backwardOperation, dnnl_convolution_direct, &source, &kernel, &target, strides, before, after),
                "backward convolution")
            var backward: dnnl_primitive_desc_t?
            try check(
                dnnl_primitive_desc_create(&backward, &backwardOperation, attributes, OneDNN.engine, forward),
                "backward convolution")
            defer { dnnl_primitive_desc_destroy(backward) }

            func layout(_ description: dnnl_primitive_desc_t?, _ what: dnnl_query_t) throws -> dnnl_memory_desc_t {
                guard let found = dnnl_primitive_desc_query_md(description, what, 0) else {
                    throw GarfaceError(.internalFailure, "oneDNN: no layout")
                }
                return found.pointee
            }
            forwardSteps = try Self.steps(
                forward, from: (large, DNNL_ARG_SRC_0, try layout(forward, dnnl_query_src_md)),
                to: (small, DNNL_ARG_DST_0, try layout(forward, dnnl_query_dst_md)),
                weights: try cache.weights(weights, try layout(forward, dnnl_query_weights_md)))
            adjointSteps = try Self.steps(
                backward, from: (small, DNNL_ARG_DIFF_DST_0, try layout(backward, dnnl_query_diff_dst_md)),
                to: (large, DNNL_ARG_DIFF_SRC_0, try layout(backward, dnnl_query_diff_src_md)),
                weights: try cache.weights(weights, try layout(backward, dnnl_query_weights_md)))
            super.init(g)
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
            OneDNN.applyThreadCount()
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
