import Numerics

extension GLBFile {
    /// Throws unless the file is whole: header, both chunks, and views that lie in the binary one.
    static func check(_ file: [UInt8], name: String) throws {
        func damaged(_ what: String) -> GarfaceError {
            GarfaceError(.malformedFile, "\(name): \(what); is it damaged? reconstruct writes it anew")
        }
        func word(_ at: Int) -> Int { (0..<4).reduce(0) { $0 | Int(file[at + $1]) << (8 * $1) } }
        guard file.count >= 20, word(0) == 0x4654_6C67 else { throw damaged("is no binary glTF file") }
        guard word(4) == 2 else { throw damaged("is glTF of version \(word(4)), expected 2") }
        guard word(8) == file.count else { throw damaged("has \(file.count) bytes, its header says \(word(8))") }
        let size = word(12)
        guard word(16) == 0x4E4F_534A, size <= file.count - 20, let json = try? JSONValue(parsing: Array(file[20..<20 + size])) else {
            throw damaged("has no document")
        }
        var rest = 0
        if file.count - 20 - size >= 8 {
            rest = word(20 + size)
            guard word(24 + size) == 0x004E_4942, rest <= file.count - 28 - size else { throw damaged("its data is cut off") }
        }
        guard let buffers = json["buffers"]?.array, buffers.count == 1, let bytes = buffers[0]["byteLength"]?.int, bytes <= rest,
            let views = json["bufferViews"]?.array, json["meshes"]?[0] != nil
        else { throw damaged("its document and its data do not belong together") }
        for view in views {
            let start = view["byteOffset"]?.int ?? 0
            guard let length = view["byteLength"]?.int, start >= 0, length >= 0, start <= bytes, length <= bytes - start else {
                throw damaged("its document and its data do not belong together")
            }
        }
    }
}
