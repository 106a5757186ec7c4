import CWideKernels

/// The triangles that may show at all, found once for a pose, and of those the ones that may cover a pixel's centre at some
/// size of picture. Nothing that shows is missed: the rasteriser decides, in double precision, about what is left.
final class TriangleCandidates {
    private let total: Int
    private let front, chosen: UnsafeMutablePointer<Int32>
    private let boxes: UnsafeMutablePointer<Float>
    private let planes: UnsafeMutablePointer<Float>
    private var count = 0

    init(triangleCount: Int) {
        total = triangleCount
        front = .allocate(capacity: total)
        chosen = .allocate(capacity: total + 16)
        boxes = .allocate(capacity: 4 * total)
        planes = .allocate(capacity: 2 * total)
        planes.initialize(repeating: .nan, count: 2 * total)
    }

    deinit {
        front.deallocate()
        chosen.deallocate()
        boxes.deallocate()
        planes.deallocate()
    }

    /// For vertices [V,3] in NDC.
    func update(_ vertices: UnsafePointer<Float>, _ triangles: UnsafeBufferPointer<Int32>) {
        count = Int(garface_front_triangles(vertices, triangles.baseAddress!, Int32(total), front, boxes))
    }

    /// How depth changes with x and, [count] further on, with y over each triangle that was a candidate at the last update, whose
    /// vertices these are; nil where nobody can use them. Valid until the next update.
    func slopes(_ vertices: UnsafePointer<Float>, _ triangles: UnsafeBufferPointer<Int32>) -> UnsafePointer<Float>? {
        guard garface_kernels_available(), count > 0 else { return nil }
        garface_triangle_slopes(vertices, triangles.baseAddress!, Int32(total), front, Int32(count), planes)
        return UnsafePointer(planes)
    }

    /// Ascending; valid until the next call.
    func near(width: Int, height: Int) -> UnsafeBufferPointer<Int32> {
        let n = garface_triangles_near_centres(boxes, Int32(total), Int32(count), front, Int32(width), Int32(height), chosen)
        return UnsafeBufferPointer(start: chosen, count: Int(n))
    }
}
