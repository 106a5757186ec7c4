import GarfaceHeader
import Numerics
import Reconstruction

@_cdecl("gar_view_write")
public func garViewWrite(_ folder: UnsafePointer<CChar>?, _ face: Int32) -> gar_status {
    call {
        let folder = try text(folder, "folder")
        guard face >= 0 else { throw invalid("face: is \(face), expected 0 or the number of a face") }
        try ViewPage.write(folder: folder, prefix: face > 0 ? "face\(face)_" : "")
    }
}
