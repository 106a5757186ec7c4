import Numerics

/// `NormalPyramid` by plain loops on one thread: each triangle over the pixels of its bounding box, then pixel by pixel. What
/// the quick one is tested against and timed beside; maps, and gradients that are added, mean the same.
public final class PlainNormalPyramid<T: Scalar> {
    /// `[1,3,r,r]` for r = 4, 8, ... `size`.
    public let maps: [Tensor<T>]
    private let triangles: [Int32]
    private let vertexCount: Int
    private let neighbours: TriangleNeighbours
    /// What is rasterised: every level for `.point`, the fine map alone for `.area`; `pictures` of each and their gradients.
    private let buffers: [RasterBuffer<T>]
    private let pictures, dPictures: [Tensor<T>]
    private let dLevels: [Tensor<T>]
    private let lastNdc, lastNormals: Tensor<T>

    public init(size: Int, sampling: NormalSampling, triangles: [Int32], vertexCount: Int) {
        let sizes = (2...12).map { 1 << $0 }.filter { $0 <= size }, isArea = sampling == .area
        (self.triangles, self.vertexCount) = (triangles, vertexCount)
        neighbours = TriangleNeighbours(triangles: triangles)
        let drawn = isArea ? [2 * size] : sizes
        buffers = drawn.map { RasterBuffer(width: $0, height: $0) }
        maps = sizes.map { Tensor([1, 3, $0, $0]) }
        dLevels = sizes.map { Tensor([1, 3, $0, $0]) }
        pictures = isArea ? [Tensor([1, 3, 2 * size, 2 * size])] : maps
        dPictures = isArea ? [Tensor([1, 3, 2 * size, 2 * size])] : dLevels
        (lastNdc, lastNormals) = (Tensor([vertexCount, 3]), Tensor([vertexCount, 3]))
    }

    private var isArea: Bool { pictures[0] !== maps[0] }

    public func forward(ndc: UnsafePointer<T>, normals: UnsafePointer<T>) {
        lastNdc.pointer.update(from: ndc, count: 3 * vertexCount)
        lastNormals.pointer.update(from: normals, count: 3 * vertexCount)
        triangles.withUnsafeBufferPointer { triangles in
            for (b, picture) in zip(buffers, pictures) {
                b.reserveScreen(vertexCount)
                toScreen(ndc, vertexCount, b.width, b.height, b.screen)
                b.ids.update(repeating: -1, count: b.pixelCount)
                b.zBuffer.update(repeating: -.infinity, count: b.pixelCount)
                rasterizeScreen(b.screen, triangles, nil, b.width, 0..<b.height, b.ids, b.zBuffer)
                barycentricsKernel(ndc, triangles, b.ids, b.width, b.height, 0..<b.height, b.barycentrics, b.depth)
                interpolateKernel(
                    b.ids, b.barycentrics, 0..<b.pixelCount, triangles, normals, 3, picture.pointer,
                    .planar(pixels: b.pixelCount))
            }
        }
        if isArea {
            for (fine, coarse) in zip((maps.dropFirst() + pictures).reversed(), maps.reversed()) {
                halve(fine.pointer, 3, fine.shape[3], coarse.pointer)
            }
        }
    }

    public func backward(
        dMaps: [Tensor<T>], dNdc: UnsafeMutablePointer<T>, dNormals: UnsafeMutablePointer<T>, silhouettes: Bool = false
    ) {
        for (level, given) in zip(dLevels, dMaps) { level.copy(from: given) }
        if isArea {
            dPictures[0].fill(0)
            for (fine, coarse) in zip(dLevels.dropFirst() + dPictures, dLevels) {
                halveBackward(coarse.pointer, 3, fine.shape[3], fine.pointer)
            }
        }
        triangles.withUnsafeBufferPointer { triangles in
            neighbours.across.withUnsafeBufferPointer { across in
                for (i, b) in buffers.enumerated() {
                    let layout = PictureLayout.planar(pixels: b.pixelCount), d = dPictures[i].pointer
                    interpolateBackwardKernel(
                        b.ids, b.barycentrics, b.pixelCount, triangles, lastNormals.pointer, 3, lastNdc.pointer, d, layout,
                        dNormals, dNdc)
                    for axis in 0..<(silhouettes ? 2 : 0) {
                        silhouetteKernel(
                            axis, b.ids, b.barycentrics, b.depth, b.width, b.height, b.steps, nil, lastNdc.pointer, triangles,
                            across, d, pictures[i].pointer, lastNormals.pointer, 3, layout, dNdc)
                    }
                }
            }
        }
    }
}
