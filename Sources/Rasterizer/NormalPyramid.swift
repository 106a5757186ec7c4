import Numerics

/// Camera-space normal maps of a head at 4, 8, ... `size` pixels, as the neural renderer takes them, and their gradients.
///
/// `.point` rasterises anew at every level, one sample per pixel. `.area` rasterises once at twice the size; each level is the
/// mean of 2x2 pixels of the next, which spares small sizes the aliasing at lips, teeth and eyelids. Background is zero, and
/// means are not normalised again. All memory is allocated at the start.
public final class NormalPyramid<T: Scalar> {
    public let size: Int
    public let sampling: NormalSampling
    public let triangles: [Int32]
    public let vertexCount: Int
    /// `[1,3,r,r]` for r = 4, 8, ... `size`.
    public let maps: [Tensor<T>]
    /// `.point`: one per level, in the order of `maps`. `.area`: one, of twice the size.
    public let buffers: [RasterBuffer<T>]

    /// `.area` only: the map of twice the size.
    private let fine: Tensor<T>?
    /// Gradients on the way down, one per level, and the fine one.
    private let dLevels: [Tensor<T>]
    private let dFine: Tensor<T>?
    private let neighbours: TriangleNeighbours
    /// In single precision only: double is for checks.
    private let candidates: TriangleCandidates?
    private let lastNdc: Tensor<T>
    private let lastNormals: Tensor<T>

    /// `size` is a power of two of 4 to 4096; every index lies in 0..<vertexCount.
    public init(size: Int, sampling: NormalSampling, triangles: [Int32], vertexCount: Int) {
        precondition(size >= 4 && size <= 4096 && size & (size - 1) == 0, "normal pyramid: a power of two of 4 to 4096")
        self.size = size
        self.sampling = sampling
        self.triangles = triangles
        self.vertexCount = vertexCount
        let sizes = (2...12).map { 1 << $0 }.filter { $0 <= size }
        maps = sizes.map { Tensor([1, 3, $0, $0]) }
        switch sampling {
        case .point:
            buffers = sizes.map { RasterBuffer(width: $0, height: $0) }
            (fine, dFine, dLevels) = (nil, nil, [])
        case .area:
            buffers = [RasterBuffer(width: 2 * size, height: 2 * size)]
            fine = Tensor([1, 3, 2 * size, 2 * size])
            dFine = Tensor([1, 3, 2 * size, 2 * size])
            dLevels = sizes.map { Tensor([1, 3, $0, $0]) }
        }
        neighbours = TriangleNeighbours(triangles: triangles)
        candidates = T.self == Float.self ? TriangleCandidates(triangleCount: triangles.count / 3) : nil
        lastNdc = Tensor([vertexCount, 3])
        lastNormals = Tensor([vertexCount, 3])
    }

    /// Writes `maps` from `ndc` `[V,3]` and `normals` `[V,3]`. `freezeCoverage` keeps the triangle ids of the call before and
    /// computes barycentrics anew, for finite differences.
    public func forward(ndc: UnsafePointer<T>, normals: UnsafePointer<T>, freezeCoverage: Bool = false) {
        lastNdc.pointer.update(from: ndc, count: 3 * vertexCount)
        lastNormals.pointer.update(from: normals, count: 3 * vertexCount)
        if let candidates, !freezeCoverage, !triangles.isEmpty {
            triangles.withUnsafeBufferPointer {
                candidates.update(UnsafeRawPointer(ndc).assumingMemoryBound(to: Float.self), $0)
            }
        }
        for i in 0..<buffers.count {
            let buffer = buffers[i]
            if freezeCoverage {
                updateBarycentrics(vertices: ndc, triangles: triangles, in: buffer)
            } else {
                rasterize(vertices: ndc, vertexCount: vertexCount, triangles: triangles, among: candidates, into: buffer)
            }
            buffer.interpolate(
                normals, channels: 3, triangles: triangles, into: (fine ?? maps[i]).pointer,
                layout: .planar(pixels: buffer.pixelCount))
        }
        if let fine {
            halve(fine.pointer, 3, 2 * size, maps[maps.count - 1].pointer)
            for i in stride(from: maps.count - 1, to: 0, by: -1) {
                halve(maps[i].pointer, 3, maps[i].shape[3], maps[i - 1].pointer)
            }
        }
    }

    /// Adds to `dNdc` `[V,3]` (x and y, ids held; z untouched) and `dNormals` `[V,3]` what `dMaps` say, for the last `forward`.
    ///
    /// With `silhouettes` the motion of the outline adds to `dNdc`: see `RasterBuffer.silhouetteBackward`.
    public func backward(
        dMaps: [Tensor<T>], dNdc: UnsafeMutablePointer<T>, dNormals: UnsafeMutablePointer<T>, silhouettes: Bool = false
    ) {
        precondition(dMaps.count == maps.count, "normal pyramid: one gradient per level")
        let slopes = silhouettes ? triangles.withUnsafeBufferPointer { candidates?.slopes(single(UnsafePointer(lastNdc.pointer)), $0) } : nil
        if let dFine, let fine {
            dLevels[0].copy(from: dMaps[0])
            for i in 1..<max(1, maps.count) {
                dLevels[i].copy(from: dMaps[i])
                halveBackward(dLevels[i - 1].pointer, 3, maps[i].shape[3], dLevels[i].pointer)
            }
            halveBackward(dLevels[maps.count - 1].pointer, 3, 2 * size, dFine.pointer, adds: false)
            level(buffers[0], fine, dFine, dNdc, dNormals, silhouettes, slopes)
        } else {
            for i in 0..<maps.count { level(buffers[i], maps[i], dMaps[i], dNdc, dNormals, silhouettes, slopes) }
        }
    }

    private func level(
        _ buffer: RasterBuffer<T>, _ map: Tensor<T>, _ dMap: Tensor<T>, _ dNdc: UnsafeMutablePointer<T>,
        _ dNormals: UnsafeMutablePointer<T>, _ silhouettes: Bool, _ slopes: UnsafePointer<Float>?
    ) {
        let layout = PictureLayout.planar(pixels: buffer.pixelCount)
        buffer.interpolateBackward(
            dMap.pointer, attributes: lastNormals.pointer, channels: 3, vertices: lastNdc.pointer, triangles: triangles,
            dAttributes: dNormals, dVertices: dNdc, layout: layout)
        if silhouettes {
            buffer.silhouetteBackward(
                dMap.pointer, map: map.pointer, attributes: lastNormals.pointer, channels: 3, vertices: lastNdc.pointer,
                triangles: triangles, neighbours: neighbours, dVertices: dNdc, layout: layout, slopes: slopes)
        }
    }
}
