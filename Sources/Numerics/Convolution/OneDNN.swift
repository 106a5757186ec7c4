#if GARFACE_ONEDNN
    import COneDNN
    import Glibc

    /// Throws when a oneDNN call declined; the caller falls back to BLAS.
    func check(_ status: dnnl_status_t, _ what: String) throws {
        guard status == dnnl_success else {
            throw GarfaceError(.internalFailure, "oneDNN: \(what) failed with status \(status.rawValue)")
        }
    }

    /// The process's CPU engine and its OpenMP thread count.
    enum OneDNN {
        /// nil when oneDNN cannot run here.
        nonisolated(unsafe) static let engine: dnnl_engine_t? = {
            var engine: dnnl_engine_t?
            return dnnl_engine_create(&engine, dnnl_cpu, 0) == dnnl_success ? engine : nil
        }()

        // oneDNN computes on threads of OpenMP, whose count belongs to the calling thread, so that it is set again before every
        // use. The runtime comes with oneDNN; asking the loader for it saves linking one by name.
        private typealias SetThreads = @convention(c) (Int32) -> Void
        private static let setThreads: SetThreads? = dlsym(nil, "omp_set_num_threads").map {
            unsafeBitCast($0, to: SetThreads.self)
        }
        static func use(threads: Int = 1) { setThreads?(Int32(threads)) }

        static func descriptor(_ dims: [Int], _ tag: dnnl_format_tag_t) throws -> dnnl_memory_desc_t {
            var result = dnnl_memory_desc_t()
            try check(
                dnnl_memory_desc_init_by_tag(&result, Int32(dims.count), dims.map(Int64.init), dnnl_f32, tag), "memory layout")
            return result
        }

        static func equal(_ a: dnnl_memory_desc_t, _ b: dnnl_memory_desc_t) -> Bool {
            var (a, b) = (a, b)
            return dnnl_memory_desc_equal(&a, &b) != 0
        }
    }

    /// A oneDNN memory object over a buffer of its own, or over one that the caller names before each use.
    final class OneDNNMemory {
        let descriptor: dnnl_memory_desc_t
        private(set) var handle: dnnl_memory_t?
        private var buffer: UnsafeMutableRawPointer?

        init(_ descriptor: dnnl_memory_desc_t, owned: Bool) throws {
            self.descriptor = descriptor
            var d = descriptor
            if owned {
                let size = max(64, dnnl_memory_desc_get_size(&d))
                let raw = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
                memset(raw, 0, size)
                buffer = raw
            }
            let status = dnnl_memory_create(&handle, &d, OneDNN.engine, buffer)
            if status != dnnl_success {
                buffer?.deallocate()
                buffer = nil
            }
            try check(status, "memory")
        }

        func point(at data: UnsafeMutableRawPointer) { dnnl_memory_set_data_handle(handle, data) }

        deinit {
            dnnl_memory_destroy(handle)
            buffer?.deallocate()
        }
    }

    /// A primitive with its arguments bound once.
    final class OneDNNPrimitive {
        private var primitive: dnnl_primitive_t?
        private let arguments: [dnnl_exec_arg_t]
        private let memories: [OneDNNMemory]

        init(_ description: dnnl_primitive_desc_t?, _ bound: [(Int32, OneDNNMemory)]) throws {
            var bound = bound
            if let scratch = dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0)?.pointee, scratch.ndims > 0 {
                bound.append((DNNL_ARG_SCRATCHPAD, try OneDNNMemory(scratch, owned: true)))
            }
            memories = bound.map(\.1)
            arguments = bound.map { dnnl_exec_arg_t(arg: $0.0, memory: $0.1.handle) }
            try check(dnnl_primitive_create(&primitive, description), "primitive")
        }

        func execute(_ stream: dnnl_stream_t?) {
            let status = arguments.withUnsafeBufferPointer {
                dnnl_primitive_execute(primitive, stream, Int32($0.count), $0.baseAddress)
            }
            // Arguments and memory were fixed at set-up; nothing in a call can be refused.
            assert(status == dnnl_success)
        }

        deinit { dnnl_primitive_destroy(primitive) }

        static func reorder(_ from: OneDNNMemory, _ to: OneDNNMemory) throws -> OneDNNPrimitive {
            var (a, b) = (from.descriptor, to.descriptor)
            let attributes = try userScratchpad()
            defer { dnnl_primitive_attr_destroy(attributes) }
            var description: dnnl_primitive_desc_t?
            try check(
                dnnl_reorder_primitive_desc_create(&description, &a, OneDNN.engine, &b, OneDNN.engine, attributes), "reorder")
            defer { dnnl_primitive_desc_destroy(description) }
            return try OneDNNPrimitive(description, [(DNNL_ARG_SRC_0, from), (DNNL_ARG_DST_0, to)])
        }

        /// Scratch memory belongs to the primitive's owner: nothing is allocated in a call and threads do not share it.
        static func userScratchpad() throws -> dnnl_primitive_attr_t? {
            var attributes: dnnl_primitive_attr_t?
            try check(dnnl_primitive_attr_create(&attributes), "attributes")
            try check(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user), "scratchpad mode")
            return attributes
        }
    }

    /// The layouts of one convolution's weights that primitives asked for; usually one or two.
    final class OneDNNWeightCache: @unchecked Sendable {
        private let lock = Lock()
        private var prepared: [(weights: OneDNNMemory, mirrored: Bool)] = []

        /// `plain` [out, in, k, k] in the layout asked for; `mirrored`: as [in, out, k, k] with the kernel turned by 180 degrees.
        func weights(_ plain: Tensor<Float>, _ wanted: dnnl_memory_desc_t, mirrored: Bool = false) throws -> OneDNNMemory {
            lock.acquire()
            defer { lock.release() }
            if let found = prepared.first(where: { $0.mirrored == mirrored && OneDNN.equal($0.weights.descriptor, wanted) }) {
                return found.weights
            }
            let values = mirrored ? Self.mirror(plain) : plain
            let source = try OneDNNMemory(try OneDNN.descriptor(values.shape, dnnl_oihw), owned: false)
            source.point(at: values.pointer)
            let target = try OneDNNMemory(wanted, owned: true)
            let stream = try OneDNNStream()
            try OneDNNPrimitive.reorder(source, target).execute(stream.handle)
            dnnl_stream_wait(stream.handle)
            prepared.append((target, mirrored))
            return target
        }

        private static func mirror(_ w: Tensor<Float>) -> Tensor<Float> {
            let (o, i, k) = (w.shape[0], w.shape[1], w.shape[2] * w.shape[3])
            let result = Tensor<Float>([i, o, w.shape[2], w.shape[3]])
            for a in 0..<o {
                for b in 0..<i {
                    let from = w.pointer + (a * i + b) * k, to = result.pointer + (b * o + a) * k
                    for t in 0..<k { to[t] = from[k - 1 - t] }
                }
            }
            return result
        }
    }

    final class OneDNNStream {
        private(set) var handle: dnnl_stream_t?
        init() throws {
            let flags = UInt32(dnnl_stream_default_flags.rawValue)
            try check(dnnl_stream_create(&handle, OneDNN.engine, flags), "stream")
        }
        deinit { dnnl_stream_destroy(handle) }
    }
#endif
