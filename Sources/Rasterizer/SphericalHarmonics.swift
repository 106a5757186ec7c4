import Numerics

/// Real spherical harmonics up to order 2, folded with the Lambertian cosine lobe: the nine numbers by which light [9] turns
/// into irradiance over pi at a unit normal (Ramamoorthi and Hanrahan, "An efficient representation for irradiance
/// environment maps", 2001, equations 8 and 13).
///
/// Order: Y00, Y1-1 (y), Y10 (z), Y11 (x), Y2-2 (xy), Y2-1 (yz), Y20 (3z^2-1), Y21 (xz), Y22 (x^2-y^2). Light of
/// `1/0.282095` in the first and 0 elsewhere gives 1 everywhere.
enum SphericalHarmonics {
    static let count = 9
    /// sqrt(1/4pi); sqrt(3/4pi) * 2/3; sqrt(15/4pi), sqrt(5/16pi) and sqrt(15/16pi), each * 1/4.
    static let c0 = 0.28209479177387814
    static let c1 = 0.4886025119029199 * 2 / 3
    static let c2 = 1.0925484305920792 / 4
    static let c20 = 0.31539156525252005 / 4
    static let c22 = 0.5462742152960396 / 4
}

@inline(__always)
func harmonics<T: Scalar>(_ x: T, _ y: T, _ z: T, _ b: UnsafeMutablePointer<T>) {
    let c1 = T(SphericalHarmonics.c1), c2 = T(SphericalHarmonics.c2)
    b[0] = T(SphericalHarmonics.c0)
    b[1] = c1 * y
    b[2] = c1 * z
    b[3] = c1 * x
    b[4] = c2 * x * y
    b[5] = c2 * y * z
    b[6] = T(SphericalHarmonics.c20) * (3 * z * z - 1)
    b[7] = c2 * x * z
    b[8] = T(SphericalHarmonics.c22) * (x * x - y * y)
}

/// Shades each covered pixel: `colour = 2 * albedo * (light . harmonics(n / |n|)) - 1`; elsewhere the background.
@_specialize(where T == Float)
@_specialize(where T == Double)
func shadeKernel<T: Scalar>(
    _ ids: UnsafePointer<Int32>, _ pixels: Int, _ normals: UnsafePointer<T>, _ albedo: UnsafePointer<T>,
    _ light: UnsafePointer<T>, _ background: UnsafePointer<T>, _ image: UnsafeMutablePointer<T>
) {
    withUnsafeTemporaryAllocation(of: T.self, capacity: 9) { basis in
        let b = basis.baseAddress!
        for p in 0..<pixels {
            if ids[p] < 0 {
                for c in 0..<3 { image[c &* pixels &+ p] = background[c &* pixels &+ p] }
                continue
            }
            let n = normals + 3 &* p
            let square = n[0] * n[0] + n[1] * n[1] + n[2] * n[2]
            let inverse: T = square > 1e-30 ? 1 / square.squareRoot() : 0
            harmonics(n[0] * inverse, n[1] * inverse, n[2] * inverse, b)
            for c in 0..<3 {
                var irradiance: T = 0
                for k in 0..<9 { irradiance += light[3 &* k &+ c] * b[k] }
                image[c &* pixels &+ p] = 2 * albedo[3 &* p &+ c] * irradiance - 1
            }
        }
    }
}

/// The same shading at the vertices: `colours` `[V,3]` from `normals` and `albedo` `[V,3]`; `b` is room for nine numbers.
@_specialize(where T == Float)
@_specialize(where T == Double)
func shadeVertices<T: Scalar>(
    _ normals: UnsafePointer<T>, _ albedo: UnsafePointer<T>, _ light: UnsafePointer<T>, _ count: Int,
    _ b: UnsafeMutablePointer<T>, _ colours: UnsafeMutablePointer<T>
) {
    for v in 0..<count {
        harmonics(normals[3 &* v], normals[3 &* v &+ 1], normals[3 &* v &+ 2], b)
        for c in 0..<3 {
            var irradiance: T = 0
            for k in 0..<9 { irradiance += light[3 &* k &+ c] * b[k] }
            colours[3 &* v &+ c] = 2 * albedo[3 &* v &+ c] * irradiance - 1
        }
    }
}

/// The gradients of `shadeKernel`: overwrites `dNormals` and `dAlbedo` (pixel maps), adds to `dLight`.
@_specialize(where T == Float)
@_specialize(where T == Double)
func shadeBackwardKernel<T: Scalar>(
    _ ids: UnsafePointer<Int32>, _ pixels: Int, _ normals: UnsafePointer<T>, _ albedo: UnsafePointer<T>,
    _ light: UnsafePointer<T>, _ dImage: UnsafePointer<T>, _ dNormals: UnsafeMutablePointer<T>,
    _ dAlbedo: UnsafeMutablePointer<T>, _ dLight: UnsafeMutablePointer<T>
) {
    let c1 = T(SphericalHarmonics.c1), c2 = T(SphericalHarmonics.c2)
    let c20 = T(SphericalHarmonics.c20), c22 = T(SphericalHarmonics.c22)
    withUnsafeTemporaryAllocation(of: T.self, capacity: 18) { memory in
        let b = memory.baseAddress!, db = b + 9
        for p in 0..<pixels {
            if ids[p] < 0 { continue }
            let n = normals + 3 &* p
            let square = n[0] * n[0] + n[1] * n[1] + n[2] * n[2]
            let inverse: T = square > 1e-30 ? 1 / square.squareRoot() : 0
            let x = n[0] * inverse, y = n[1] * inverse, z = n[2] * inverse
            harmonics(x, y, z, b)
            for k in 0..<9 { db[k] = 0 }
            for c in 0..<3 {
                let g = 2 * dImage[c &* pixels &+ p]
                let dIrradiance = g * albedo[3 &* p &+ c]
                var irradiance: T = 0
                for k in 0..<9 {
                    irradiance += light[3 &* k &+ c] * b[k]
                    dLight[3 &* k &+ c] += dIrradiance * b[k]
                    db[k] += dIrradiance * light[3 &* k &+ c]
                }
                dAlbedo[3 &* p &+ c] = g * irradiance
            }
            let dx = c1 * db[3] + c2 * (y * db[4] + z * db[7]) + 2 * c22 * x * db[8]
            let dy = c1 * db[1] + c2 * (x * db[4] + z * db[5]) - 2 * c22 * y * db[8]
            let dz = c1 * db[2] + c2 * (y * db[5] + x * db[7]) + 6 * c20 * z * db[6]
            let dot = dx * x + dy * y + dz * z
            dNormals[3 &* p] = inverse * (dx - dot * x)
            dNormals[3 &* p &+ 1] = inverse * (dy - dot * y)
            dNormals[3 &* p &+ 2] = inverse * (dz - dot * z)
        }
    }
}

/// Adds one picture's least-squares terms: for each colour the 9x9 matrix `sum r r^T` and the vector `sum r v` of the rows
/// `r = albedo * harmonics`, v being the photo's value in [0,1]. `photo` and `mask` have `1/step` of the raster's size.
@_specialize(where T == Float)
@_specialize(where T == Double)
func lightNormalEquations<T: Scalar>(
    _ ids: UnsafePointer<Int32>, _ width: Int, _ height: Int, _ step: Int, _ normals: UnsafePointer<T>,
    _ albedo: UnsafePointer<T>, _ photo: UnsafePointer<T>, _ mask: UnsafePointer<T>?, _ sums: UnsafeMutablePointer<Double>
) {
    let smallWidth = width / step, smallPixels = smallWidth * (height / step)
    withUnsafeTemporaryAllocation(of: T.self, capacity: 9) { basis in
        let b = basis.baseAddress!
        for p in 0..<width &* height where ids[p] >= 0 {
            let small = (p / width / step) &* smallWidth &+ (p % width) / step
            let weight = mask.map { Double($0[small]) } ?? 1
            if !(weight > 0) { continue }
            let n = normals + 3 &* p
            let square = n[0] * n[0] + n[1] * n[1] + n[2] * n[2]
            let inverse: T = square > 1e-30 ? 1 / square.squareRoot() : 0
            harmonics(n[0] * inverse, n[1] * inverse, n[2] * inverse, b)
            for c in 0..<3 {
                let a = Double(albedo[3 &* p &+ c])
                let value = (Double(photo[c &* smallPixels &+ small]) + 1) / 2
                let s = sums + 90 &* c
                for k in 0..<9 {
                    let row = weight * a * Double(b[k])
                    for l in 0..<9 { s[9 &* k &+ l] += row * a * Double(b[l]) }
                    s[81 &+ k] += row * value
                }
            }
        }
    }
}
