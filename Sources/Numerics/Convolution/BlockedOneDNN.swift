#if GARFACE_ONEDNN
    import COneDNN

    /// oneDNN's direct convolution on blocked maps, which it takes as they are.
    final class BlockedOneDNN {
        private let stream: OneDNNStream
        private let small, large: OneDNNMemory
        private let forwardStep, adjointStep: OneDNNPrimitive

        /// Throws where oneDNN has no code for these layouts on this processor.
        init(_ g: PlainConvolution, _ cache: OneDNNWeightCache, plain: AnyObject) throws {
            guard OneDNN.engine != nil, let weights = plain as? Tensor<Float> else {
                throw GarfaceError(.internalFailure, "oneDNN: no engine")
            }
            OneDNN.use()
            stream = try OneDNNStream()
            large = try OneDNNMemory(
                OneDNN.descriptor([g.batch, g.inputChannels, g.inputHeight, g.inputWidth], dnnl_nChw16c), owned: false)
            small = try OneDNNMemory(
                OneDNN.descriptor([g.batch, g.outputChannels, g.outputHeight, g.outputWidth], dnnl_nChw16c), owned: false)
            let pair = try OneDNNPrimitivePair(g, .direct, maps: dnnl_nChw16c)
            func weightsFor(_ description: dnnl_primitive_desc_t?) throws -> OneDNNMemory {
                try cache.weights(weights, pair.layout(description, dnnl_query_weights_md))
            }
            forwardStep = try OneDNNPrimitive(
                pair.forward,
                [(DNNL_ARG_SRC_0, large), (DNNL_ARG_DST_0, small), (DNNL_ARG_WEIGHTS_0, weightsFor(pair.forward))])
            adjointStep = try OneDNNPrimitive(
                pair.backward,
                [(DNNL_ARG_DIFF_DST_0, small), (DNNL_ARG_DIFF_SRC_0, large), (DNNL_ARG_WEIGHTS_0, weightsFor(pair.backward))])
        }

        /// The plain convolution, from its larger to its smaller map.
        func forward(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
            large.point(at: UnsafeMutablePointer(mutating: x))
            small.point(at: y)
            run(forwardStep)
        }

        func adjoint(_ dy: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>) {
            small.point(at: UnsafeMutablePointer(mutating: dy))
            large.point(at: dx)
            run(adjointStep)
        }

        private func run(_ step: OneDNNPrimitive) {
            OneDNN.use()
            step.execute(stream.handle)
            dnnl_stream_wait(stream.handle)
        }
    }
#endif
