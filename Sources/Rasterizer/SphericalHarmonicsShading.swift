import FaceModel
import Numerics

/// The classical baseline renderer: a Lambertian head with a colour per vertex, lit by spherical harmonics of order 2.
///
/// `image = 2 * albedo * irradiance - 1` in [-1,1], albedo and irradiance being linear in the picture's own (sRGB) values and
/// not clamped, as the usual fitting code has it. Irradiance is `light . harmonics(n)`, n the interpolated and then normalised
/// camera-space normal: see `SphericalHarmonics` for basis and order. All memory is allocated at the start.
public final class SphericalHarmonicsShading<T: Scalar> {
    public let size: Int
    public let sampling: NormalSampling
    public let triangles: [Int32]
    public let vertexCount: Int
    /// `[1,3,size,size]`.
    public let image: Tensor<T>
    /// The covered share of every pixel `[1,1,size,size]`.
    public let coverage: Tensor<T>
    /// At `size` (`.point`) or twice that (`.area`, then averaged 2x2).
    public let buffer: RasterBuffer<T>

    private let step: Int
    private let neighbours: TriangleNeighbours
    private let fineImage, fineBackground, dFineImage: Tensor<T>
    private let normalMap, albedoMap, dNormalMap, dAlbedoMap: Tensor<T>
    private let lastNdc, lastNormals, lastAlbedo, lastLight, dLastLight, vertexColours, basis: Tensor<T>

    /// `size` of 1 to 4096; every index lies in 0..<vertexCount.
    public init(size: Int, sampling: NormalSampling, triangles: [Int32], vertexCount: Int) {
        precondition(size > 0 && size <= 4096, "shading: a size of 1 to 4096")
        self.size = size
        self.sampling = sampling
        self.triangles = triangles
        self.vertexCount = vertexCount
        step = sampling == .area ? 2 : 1
        let n = step * size
        buffer = RasterBuffer(width: n, height: n)
        image = Tensor([1, 3, size, size])
        coverage = Tensor([1, 1, size, size])
        fineImage = Tensor([1, 3, n, n])
        fineBackground = Tensor([1, 3, n, n])
        dFineImage = Tensor([1, 3, n, n])
        normalMap = Tensor([n, n, 3])
        albedoMap = Tensor([n, n, 3])
        dNormalMap = Tensor([n, n, 3])
        dAlbedoMap = Tensor([n, n, 3])
        neighbours = TriangleNeighbours(triangles: triangles)
        lastNdc = Tensor([vertexCount, 3])
        lastNormals = Tensor([vertexCount, 3])
        lastAlbedo = Tensor([vertexCount, 3])
        lastLight = Tensor([9, 3])
        dLastLight = Tensor([9, 3])
        vertexColours = Tensor([vertexCount, 3])
        basis = Tensor([9])
    }

    /// Writes `image` and `coverage`. `ndc`, `normals`, `albedo` are `[V,3]`, `light` `[9,3]`; `background` `[1,3,size,size]` in
    /// [-1,1], nil for black (-1). `freezeCoverage` keeps the triangle ids of the call before, for finite differences.
    public func forward(
        ndc: UnsafePointer<T>, normals: UnsafePointer<T>, albedo: UnsafePointer<T>, light: UnsafePointer<T>,
        background: Tensor<T>? = nil, freezeCoverage: Bool = false
    ) {
        if freezeCoverage {
            updateBarycentrics(vertices: ndc, triangles: triangles, in: buffer)
        } else {
            rasterize(vertices: ndc, vertexCount: vertexCount, triangles: triangles, into: buffer)
        }
        remember(ndc, normals, albedo, light)
        rasterizeAttributes()
        if let background {
            precondition(background.count == image.count, "shading: a background of the picture's size")
            repeatPixels(background.pointer, 3, size, step, fineBackground.pointer)
        } else {
            fineBackground.fill(-1)
        }
        shadeKernel(
            buffer.ids, buffer.pixelCount, normalMap.pointer, albedoMap.pointer, light, fineBackground.pointer,
            fineImage.pointer)
        if step == 2 { halve(fineImage.pointer, 3, 2 * size, image.pointer) } else { image.copy(from: fineImage) }
        coverageKernel(buffer.ids, size, step, coverage.pointer)
    }

    /// Adds the gradients for the last `forward`; nil leaves one out. `dNdc` gets x and y through the barycentrics with ids
    /// held and, with `silhouettes`, through moving outlines.
    public func backward(
        dImage: Tensor<T>, dAlbedo: UnsafeMutablePointer<T>?, dLight: UnsafeMutablePointer<T>?,
        dNdc: UnsafeMutablePointer<T>?, dNormals: UnsafeMutablePointer<T>?, silhouettes: Bool = false
    ) {
        precondition(dImage.count == image.count, "shading: a gradient of the picture's size")
        if step == 2 {
            dFineImage.fill(0)
            halveBackward(dImage.pointer, 3, 2 * size, dFineImage.pointer)
        } else {
            dFineImage.copy(from: dImage)
        }
        dLastLight.fill(0)
        shadeBackwardKernel(
            buffer.ids, buffer.pixelCount, normalMap.pointer, albedoMap.pointer, lastLight.pointer, dFineImage.pointer,
            dNormalMap.pointer, dAlbedoMap.pointer, dLastLight.pointer)
        if let dLight { for k in 0..<27 { dLight[k] += dLastLight.pointer[k] } }
        buffer.interpolateBackward(
            dNormalMap.pointer, attributes: lastNormals.pointer, channels: 3, vertices: lastNdc.pointer,
            triangles: triangles, dAttributes: dNormals, dVertices: dNdc)
        buffer.interpolateBackward(
            dAlbedoMap.pointer, attributes: lastAlbedo.pointer, channels: 3, vertices: lastNdc.pointer,
            triangles: triangles, dAttributes: dAlbedo, dVertices: dNdc)
        if silhouettes, let dNdc {
            shadeVertices(
                lastNormals.pointer, lastAlbedo.pointer, lastLight.pointer, vertexCount, basis.pointer, vertexColours.pointer)
            buffer.silhouetteBackward(
                dFineImage.pointer, map: fineImage.pointer, attributes: vertexColours.pointer, channels: 3,
                vertices: lastNdc.pointer, triangles: triangles, neighbours: neighbours,
                dVertices: dNdc, layout: .planar(pixels: buffer.pixelCount))
        }
    }

    /// The light `[9,3]` that explains a photo best, by linear least squares over the covered pixels inside `mask`.
    ///
    /// `photo` `[1,3,size,size]` in [-1,1], `mask` `[1,1,size,size]` of weights or nil. A slight pull towards plain ambient light
    /// decides what the pixels leave open (few of them, or all facing one way).
    public func estimateLight(
        ndc: UnsafePointer<T>, normals: UnsafePointer<T>, albedo: UnsafePointer<T>, photo: Tensor<T>, mask: Tensor<T>?
    ) -> [T] {
        precondition(photo.count == image.count && mask.map { $0.count == size * size } ?? true, "shading: photo size")
        rasterize(vertices: ndc, vertexCount: vertexCount, triangles: triangles, into: buffer)
        remember(ndc, normals, albedo, nil)
        rasterizeAttributes()
        var sums = [Double](repeating: 0, count: 270)
        lightNormalEquations(
            buffer.ids, buffer.width, buffer.height, step, normalMap.pointer, albedoMap.pointer, photo.pointer,
            mask?.pointer, &sums)
        var light = [T](repeating: 0, count: 27)
        for c in 0..<3 {
            let ambient = sums[90 * c]
            let pull = 1e-3 * max(ambient, 1e-6)
            var matrix = Array(sums[90 * c..<90 * c + 81])
            for k in 0..<9 { matrix[10 * k] += pull * (k == 0 ? 1e-3 : 1) }
            let solution = solvePositive(matrix, Array(sums[90 * c + 81..<90 * c + 90]))
            for k in 0..<9 { light[3 * k + c] = T(solution[k]) }
        }
        return light
    }

    private func remember(
        _ ndc: UnsafePointer<T>, _ normals: UnsafePointer<T>, _ albedo: UnsafePointer<T>, _ light: UnsafePointer<T>?
    ) {
        lastNdc.pointer.update(from: ndc, count: 3 * vertexCount)
        lastNormals.pointer.update(from: normals, count: 3 * vertexCount)
        lastAlbedo.pointer.update(from: albedo, count: 3 * vertexCount)
        if let light { lastLight.pointer.update(from: light, count: 27) }
    }

    private func rasterizeAttributes() {
        buffer.interpolate(lastNormals.pointer, channels: 3, triangles: triangles, into: normalMap.pointer)
        buffer.interpolate(lastAlbedo.pointer, channels: 3, triangles: triangles, into: albedoMap.pointer)
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func repeatPixels<T: Scalar>(_ from: UnsafePointer<T>, _ channels: Int, _ n: Int, _ step: Int, _ to: UnsafeMutablePointer<T>) {
    let width = n &* step
    for c in 0..<channels {
        for y in 0..<width {
            for x in 0..<width {
                to[(c &* width &+ y) &* width &+ x] = from[(c &* n &+ y / step) &* n &+ x / step]
            }
        }
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func coverageKernel<T: Scalar>(_ ids: UnsafePointer<Int32>, _ n: Int, _ step: Int, _ coverage: UnsafeMutablePointer<T>) {
    for y in 0..<n {
        for x in 0..<n {
            var covered = 0
            for v in 0..<step {
                for u in 0..<step where ids[(y &* step &+ v) &* (n &* step) &+ x &* step &+ u] >= 0 { covered &+= 1 }
            }
            coverage[y &* n &+ x] = T(covered) / T(step &* step)
        }
    }
}

/// Solves `A x = b` for a symmetric positive definite A (row-major) by Cholesky; zeros where A is not.
package func solvePositive(_ a: [Double], _ b: [Double]) -> [Double] {
    let n = b.count
    var l = a, x = b
    for j in 0..<n {
        for i in j..<n {
            var sum = l[i * n + j]
            for k in 0..<j { sum -= l[i * n + k] * l[j * n + k] }
            if i == j {
                guard sum > 0, sum.isFinite else { return [Double](repeating: 0, count: n) }
                l[j * n + j] = sum.squareRoot()
            } else {
                l[i * n + j] = sum / l[j * n + j]
            }
        }
    }
    for i in 0..<n {
        for k in 0..<i { x[i] -= l[i * n + k] * x[k] }
        x[i] /= l[i * n + i]
    }
    for i in stride(from: n - 1, through: 0, by: -1) {
        for k in (i + 1)..<max(n, i + 1) { x[i] -= l[k * n + i] * x[k] }
        x[i] /= l[i * n + i]
    }
    return x
}
