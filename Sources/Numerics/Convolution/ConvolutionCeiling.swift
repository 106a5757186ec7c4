#if GARFACE_ONEDNN
    import COneDNN

    /// A convolution as oneDNN alone would run it: its best algorithm, in the layouts it likes best, nothing reordered.
    /// What the library's own path is measured against.
    public final class ConvolutionCeiling {
        private let stream: OneDNNStream
        private let algorithms: [(forward: OneDNNPrimitive, backward: OneDNNPrimitive)]

        /// How many algorithms oneDNN has for it: direct and, where it can, Winograd.
        public var algorithmCount: Int { algorithms.count }

        public init(_ kind: ConvolutionKind, batch: Int, inputChannels: Int, outputChannels: Int, height: Int, width: Int) throws {
            guard OneDNN.engine != nil else { throw GarfaceError(.internalFailure, "oneDNN: no engine") }
            OneDNN.use(threads: partCount())
            stream = try OneDNNStream()
            let plain = PlainConvolution(
                kind, batch: batch, inputChannels: inputChannels, outputChannels: outputChannels, height: height, width: width)
            algorithms = [OneDNNAlgorithm.direct, .winograd].compactMap { algorithm in
                guard let pair = try? OneDNNPrimitivePair(plain, algorithm) else { return nil }
                func primitive(_ description: dnnl_primitive_desc_t?, _ from: Int32, _ to: Int32, _ what: (dnnl_query_t, dnnl_query_t))
                    throws -> OneDNNPrimitive
                {
                    try OneDNNPrimitive(
                        description,
                        [
                            (from, OneDNNMemory(pair.layout(description, what.0), owned: true)),
                            (to, OneDNNMemory(pair.layout(description, what.1), owned: true)),
                            (DNNL_ARG_WEIGHTS_0, OneDNNMemory(pair.layout(description, dnnl_query_weights_md), owned: true)),
                        ])
                }
                guard
                    let forward = try? primitive(
                        pair.forward, DNNL_ARG_SRC_0, DNNL_ARG_DST_0, (dnnl_query_src_md, dnnl_query_dst_md)),
                    let backward = try? primitive(
                        pair.backward, DNNL_ARG_DIFF_DST_0, DNNL_ARG_DIFF_SRC_0, (dnnl_query_diff_dst_md, dnnl_query_diff_src_md))
                else { return nil }
                return kind == .up3x3 ? (backward, forward) : (forward, backward)
            }
        }

        /// One run of an algorithm on maps of zeros, forward or towards the input.
        public func run(_ algorithm: Int, backward: Bool) {
            OneDNN.use(threads: partCount())
            (backward ? algorithms[algorithm].backward : algorithms[algorithm].forward).execute(stream.handle)
            dnnl_stream_wait(stream.handle)
        }
    }
#endif
