import GarfaceHeader
import Numerics
import Reconstruction

private func defaultBatchOptions() -> gar_batch_options {
    var options = gar_batch_options()
    options.struct_size = MemoryLayout<gar_batch_options>.size
    options.retry_failures = true
    options.write_manifest = true
    return options
}

@_cdecl("gar_batch_options_init")
public func garBatchOptionsInit(_ options: UnsafeMutablePointer<gar_batch_options>?) { options?.pointee = defaultBatchOptions() }

@_cdecl("gar_batch_run")
public func garBatchRun(
    _ models: OpaquePointer?, _ inputs: UnsafePointer<UnsafePointer<CChar>?>?, _ inputCount: Int,
    _ output: UnsafePointer<CChar>?, _ options: UnsafePointer<gar_options>?, _ batch: UnsafePointer<gar_batch_options>?,
    _ done: UnsafeMutablePointer<Int32>?, _ failed: UnsafeMutablePointer<Int32>?
) -> gar_status {
    call {
        done?.pointee = 0
        failed?.pointee = 0
        let models = try resolve(models, ModelsHandle.self, "models").models
        let inputs = try required(inputs, "inputs"), output = try text(output, "output")
        guard (1...BatchLimits.mostInputs).contains(inputCount) else {
            throw invalid("input_count: is \(UInt(bitPattern: inputCount)), expected 1 to \(BatchLimits.mostInputs)")
        }
        let paths = try (0..<inputCount).map { try text(inputs[$0], "inputs[\($0)]") }
        let call = try CallOptions(options, writesFiles: true)
        var given = defaultBatchOptions()
        if let batch { given = try versioned(batch, batch.pointee.struct_size, defaults: given, "batch") }
        var settings = BatchOptions()
        settings.reconstruction = call.core
        settings.selection = call.files
        settings.threads = Int(given.threads)
        settings.retriesFailures = isSet(given.retry_failures)
        settings.writesManifest = isSet(given.write_manifest)
        let job = try Batch(
            models: models, photos: try BatchPhoto.collect(paths, output: output), output: output, options: settings)
        let summary = try job.run { through, total, record in
            if let record {
                Log.say("\(record.record.photo): \(record.record.failure?.message ?? "done in \(record.record.seconds) s")")
            }
            guard let progress = given.progress else { return true }
            guard let record else { return progress(given.progress_user, Int32(clamping: through), Int32(clamping: total), nil) }
            return record.record.json(index: record.index).serialized().withCString {
                progress(given.progress_user, Int32(clamping: through), Int32(clamping: total), $0)
            }
        }
        done?.pointee = Int32(clamping: summary.done)
        failed?.pointee = Int32(clamping: summary.failed)
    }
}

private enum BatchLimits {
    static let mostInputs = 10_000_000
}
