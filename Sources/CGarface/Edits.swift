import GarfaceHeader
import Numerics
import Reconstruction

private func defaultEdit() -> gar_edit {
    var edit = gar_edit()
    edit.struct_size = MemoryLayout<gar_edit>.size
    (edit.yaw, edit.pitch, edit.roll) = (.nan, .nan, .nan)
    (edit.identity_gain, edit.expression_gain, edit.look_gain) = (1, 1, 1)
    edit.truncation = 0.7
    edit.detail = 1
    return edit
}

/// Reads an edit of a result; NULL changes nothing.
private func faceEdit(_ given: UnsafePointer<gar_edit>?, of result: ReconstructionResult) throws -> FaceEdit {
    var edit = FaceEdit()
    guard let given else { return edit }
    let e = try versioned(given, given.pointee.struct_size, defaults: defaultEdit(), "edit")
    func angle(_ value: Float) -> Double? { value.isNaN ? nil : Double(value) }
    (edit.yaw, edit.pitch, edit.roll) = (angle(e.yaw), angle(e.pitch), angle(e.roll))
    edit.turn = (Double(e.turn_yaw), Double(e.turn_pitch), Double(e.turn_roll))
    func numbers(_ pointer: UnsafePointer<Float>?, _ count: Int, _ name: String) throws -> [Float]? {
        try pointer.map { Array(UnsafeBufferPointer(start: try finite($0, count, "edit->\(name)"), count: count)) }
    }
    edit.identity = try numbers(e.identity, result.identity.count, "identity")
    edit.expression = try numbers(e.expression, result.expression.count, "expression")
    if e.expressions != nil { try edit.setExpressions(parsing: try text(e.expressions, "edit->expressions")) }
    (edit.identityGain, edit.expressionGain, edit.lookGain) = (e.identity_gain, e.expression_gain, e.look_gain)
    if let gar = result.models.gar {
        edit.wPlus = try numbers(e.w_plus, gar.styleCount * gar.configuration.latentSize, "w_plus")
    }
    edit.lookSeed = e.look_seed?.pointee
    edit.otherLookSeed = e.mix_seed?.pointee
    if e.other != nil {
        let other = try resolve(e.other, ResultHandle.self, "edit->other").result.parameters
        (edit.identityOf, edit.expressionOf) = (other, other)
        // A seed is the other look where both are given.
        if edit.otherLookSeed == nil { edit.lookOf = other }
    }
    (edit.identityShare, edit.expressionShare, edit.lookShare) = (e.mix_identity, e.mix_expression, e.mix_look)
    if e.mix_row != 0 || e.mix_row_end != 0 {
        guard e.mix_row >= 0, e.mix_row <= e.mix_row_end else {
            throw invalid("edit->mix_row: rows \(e.mix_row) to \(e.mix_row_end), expected a first row and one not before it")
        }
        edit.lookRows = Int(e.mix_row)..<Int(e.mix_row_end)
    }
    (edit.truncation, edit.detail) = (e.truncation, e.detail)
    return edit
}

/// The editor of a result in its own photo, or in the one that the edit gives.
private func editor(_ handle: ResultHandle, _ given: UnsafePointer<gar_edit>?) throws -> FaceEditor {
    // Read by `faceEdit` before: the struct's size has been checked.
    guard let given, let into = given.pointee.into else {
        return try FaceEditor(handle.result, photo: handle.photo, source: handle.editSource)
    }
    return try FaceEditor(handle.result, photo: try resolve(into, ImageHandle.self, "edit->into").image)
}

/// The file that the edited photo was read from, where it is known.
private func photoFile(_ handle: ResultHandle, _ given: UnsafePointer<gar_edit>?) throws -> String? {
    guard let into = given?.pointee.into else { return handle.source }
    return try resolve(into, ImageHandle.self, "edit->into").source
}

@_cdecl("gar_edit_init")
public func garEditInit(_ edit: UnsafeMutablePointer<gar_edit>?) { edit?.pointee = defaultEdit() }

@_cdecl("gar_result_edit")
public func garResultEdit(
    _ result: OpaquePointer?, _ edit: UnsafePointer<gar_edit>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> gar_status {
    call {
        try create(out, "out") {
            let handle = try resolve(result, ResultHandle.self, "result")
            let elapsed = Elapsed()
            let change = try faceEdit(edit, of: handle.result)
            let editor = try editor(handle, edit)
            let face = try editor.apply(change)
            Log.say("face edited in \(elapsed)")
            if let warning = try editor.warning(of: change) { Log.say("warning: \(warning)") }
            return ResultHandle(
                face.result, photo: face.photo, source: handle.source, textureOf: face.keepsLook ? handle : nil)
        }
    }
}

@_cdecl("gar_result_sweep")
public func garResultSweep(
    _ result: OpaquePointer?, _ edit: UnsafePointer<gar_edit>?, _ sweep: UnsafePointer<CChar>?, _ which: gar_picture,
    _ folder: UnsafePointer<CChar>?, _ progress: gar_progress_callback?, _ progressUser: UnsafeMutableRawPointer?,
    _ strip: UnsafeMutablePointer<OpaquePointer?>?
) -> gar_status {
    call {
        strip?.pointee = nil
        useDefaultThreadCount()
        let handle = try resolve(result, ResultHandle.self, "result")
        let change = try faceEdit(edit, of: handle.result)
        let run = try EditSweep(parsing: try text(sweep, "sweep"))
        guard Int(which) == GAR_PICTURE_PHOTO || Int(which) == GAR_PICTURE_RENDER else {
            throw invalid("which: is \(which), expected GAR_PICTURE_PHOTO or GAR_PICTURE_RENDER")
        }
        guard folder != nil || strip != nil else { throw invalid("strip: must not be NULL where folder is") }
        let output = try folder == nil ? nil : SweepFolder(try text(folder, "folder"), count: run.count, photo: photoFile(handle, edit))
        defer { output?.discard() }
        let editor = try editor(handle, edit)
        let row = try editor.sweep(
            run, of: change, inPhoto: Int(which) == GAR_PICTURE_PHOTO, progress: progressClosure(progress, progressUser)
        ) { try output?.add($0, $1) }
        try output?.commit()
        if let warning = try editor.warning(of: run, of: change) { Log.say("warning: \(warning)") }
        strip?.pointee = HandleTable.shared.insert(ImageHandle(row))
    }
}

@_cdecl("gar_result_load")
public func garResultLoad(
    _ models: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ photo: OpaquePointer?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> gar_status {
    call {
        try create(out, "out") {
            let models = try resolve(models, ModelsHandle.self, "models").models
            let path = try text(path, "path")
            let photo = try photo.map { try resolve($0, ImageHandle.self, "photo") }
            let face = try SavedParameters(file: SafetensorsFile(path: path)).result(models, photo: photo?.image)
            return ResultHandle(face.result, photo: face.photo, source: photo?.source)
        }
    }
}
