import GarfaceHeader
import Numerics
import Reconstruction

@_cdecl("gar_landmarks_load")
public func garLandmarksLoad(
    _ path: UnsafePointer<CChar>?, _ buffer: UnsafeMutablePointer<Float>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> gar_status {
    call {
        let path = try text(path, "path")
        let points = try LandmarkFile.parse(FileAccess.read(path, limit: LandmarkFile.largestFile), name: path)
        var triples: [Float] = []
        for i in 0..<points.pixels.count / 2 {
            triples.append(Float(points.pixels[2 * i]))
            triples.append(Float(points.pixels[2 * i + 1]))
            triples.append(Float(points.confidences?[i] ?? 1))
        }
        if let bad = triples.firstIndex(where: { !$0.isFinite }) {
            throw GarfaceError(.malformedFile, "\(path): a number of point \(bad / 3) is too large")
        }
        try deliver(triples, buffer, capacity, count)
    }
}
