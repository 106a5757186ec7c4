#if GARFACE_ONEDNN
    import COneDNN

    /// The ways oneDNN has of convolving.
    enum OneDNNAlgorithm {
        case direct
        /// Fewer multiplications for 3x3 kernels of stride 1; AVX-512 only.
        case winograd

        var code: dnnl_alg_kind_t { self == .direct ? dnnl_convolution_direct : dnnl_convolution_winograd }

        /// Winograd's transforms pay where there are enough channels and tiles to spread them over: from 32 channels and
        /// 32 x 32 pixels on (measured; at 16 x 16 or with 16 channels the direct way is the faster). The choice depends
        /// on the shape alone, so that results do not change from run to run.
        static func best(for g: PlainConvolution) -> OneDNNAlgorithm {
            let suits = g.kernel == 3 && g.stride == 1 && g.padding == 1
            return suits && min(g.inputChannels, g.outputChannels) >= 32 && min(g.outputHeight, g.outputWidth) >= 32
                ? .winograd : .direct
        }
    }

    /// The descriptions of a convolution and of its gradient to the input by one algorithm, in layouts of oneDNN's choice.
    final class OneDNNPrimitivePair {
        private(set) var forward: dnnl_primitive_desc_t?
        private(set) var backward: dnnl_primitive_desc_t?

        /// By the algorithm that suits the shape; the direct one where this processor has no other.
        static func best(for g: PlainConvolution) throws -> OneDNNPrimitivePair {
            try (try? OneDNNPrimitivePair(g, .best(for: g))) ?? OneDNNPrimitivePair(g, .direct)
        }

        /// Throws where oneDNN has no such algorithm for the shape on this processor. Layouts are those that oneDNN chooses.
        init(_ g: PlainConvolution, _ algorithm: OneDNNAlgorithm) throws {
            let code = algorithm.code
            var source = try OneDNN.descriptor([g.batch, g.inputChannels, g.inputHeight, g.inputWidth], dnnl_format_tag_any)
            var target = try OneDNN.descriptor([g.batch, g.outputChannels, g.outputHeight, g.outputWidth], dnnl_format_tag_any)
            var kernel = try OneDNN.descriptor(
                [g.outputChannels, g.inputChannels, g.kernel, g.kernel], dnnl_format_tag_any)
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
                    &forwardOperation, dnnl_forward_training, code, &source, &kernel, nil, &target, strides, before, after),
                "forward convolution")
            try check(
                dnnl_primitive_desc_create(&forward, &forwardOperation, attributes, OneDNN.engine, nil), "forward convolution")
            var backwardOperation = dnnl_convolution_desc_t()
            try check(
                dnnl_convolution_backward_data_desc_init(
                    &backwardOperation, code, &source, &kernel, &target, strides, before, after), "backward convolution")
            try check(
                dnnl_primitive_desc_create(&backward, &backwardOperation, attributes, OneDNN.engine, forward),
                "backward convolution")
        }

        func layout(_ description: dnnl_primitive_desc_t?, _ what: dnnl_query_t) throws -> dnnl_memory_desc_t {
            guard let found = dnnl_primitive_desc_query_md(description, what, 0) else {
                throw GarfaceError(.internalFailure, "oneDNN: no layout")
            }
            return found.pointee
        }

        deinit {
            dnnl_primitive_desc_destroy(backward)
            dnnl_primitive_desc_destroy(forward)
        }
    }
#endif
