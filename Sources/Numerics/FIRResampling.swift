// The resampling filters of StyleGAN2, kernel [1,3,3,1] in both directions, with their adjoints. The kernel is
// separable, so each is a vertical pass into one row followed by a horizontal pass.

/// The blur after a transposed convolution: maps [planes, 2H+1, 2W+1] to [planes, 2H, 2W], padding (1, 1), gain 4.
@_specialize(where T == Float)
@_specialize(where T == Double)
public func firBlur<T: Scalar>(
    _ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>, planes: Int, outputHeight h: Int, outputWidth w: Int,
    row: UnsafeMutablePointer<T>
) {
    // row: w + 3 numbers of scratch: the input row between two zeros
    let width = w + 1
    let q: T = 0.25
    row[0] = 0
    row[width + 1] = 0
    for p in 0..<planes {
        let plane = x + p * (h + 1) * width
        let out = y + p * h * w
        for i in 0..<h {
            verticalTaps(plane, i, h + 1, width, row + 1)
            let target = out + i * w
            let r = row
            for j in 0..<w { target[j] = q * (r[j] + r[j &+ 3] + 3 * (r[j &+ 1] + r[j &+ 2])) }
        }
    }
}

/// Adjoint of `firBlur`: [planes, 2H, 2W] to [planes, 2H+1, 2W+1], overwritten. The kernel is symmetric, so this is
/// the same filter with padding (2, 2).
@_specialize(where T == Float)
@_specialize(where T == Double)
public func firBlurAdjoint<T: Scalar>(
    _ dy: UnsafePointer<T>, _ dx: UnsafeMutablePointer<T>, planes: Int, outputHeight h: Int, outputWidth w: Int,
    row: UnsafeMutablePointer<T>
) {
    // row: w + 4 numbers of scratch: the input row between twice two zeros
    let q: T = 0.25
    row[0] = 0
    row[1] = 0
    row[w + 2] = 0
    row[w + 3] = 0
    for p in 0..<planes {
        let plane = dy + p * h * w
        let out = dx + p * (h + 1) * (w + 1)
        for i in 0...h {
            verticalTaps(plane, i - 1, h, w, row + 2)
            let target = out + i * (w + 1)
            let r = row
            for j in 0...w { target[j] = q * (r[j] + r[j &+ 3] + 3 * (r[j &+ 1] + r[j &+ 2])) }
        }
    }
}

/// `out = (x[i-1] + 3 x[i] + 3 x[i+1] + x[i+2]) / 4` over rows, those outside counting as zero.
@inline(__always)
private func verticalTaps<T: Scalar>(
    _ plane: UnsafePointer<T>, _ i: Int, _ height: Int, _ width: Int, _ out: UnsafeMutablePointer<T>
) {
    let q: T = 0.25
    if i >= 1 && i + 2 < height {
        let a = plane + (i - 1) * width
        let b = a + width
        let c = b + width
        let d = c + width
        for j in 0..<width { out[j] = q * (a[j] + d[j] + 3 * (b[j] + c[j])) }
    } else {
        for j in 0..<width { out[j] = 0 }
        for t in 0..<4 {
            let y = i - 1 + t
            if y < 0 || y >= height { continue }
            let a = plane + y * width
            let k: T = t == 0 || t == 3 ? 0.25 : 0.75
            for j in 0..<width { out[j] += k * a[j] }
        }
    }
}

/// Adds the FIR-upsampled skip image: y [planes, 2H, 2W] += up2(x [planes, H, W]), padding (2, 1), gain 4.
/// Row 2m is (x[m-1] + 3 x[m]) / 4 and row 2m+1 is (3 x[m] + x[m+1]) / 4; columns alike.
@_specialize(where T == Float)
@_specialize(where T == Double)
public func addFIRUpsampled<T: Scalar>(
    _ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>, planes: Int, height h: Int, width w: Int, row: UnsafeMutablePointer<T>
) {
    // row: w + 2 numbers of scratch
    row[0] = 0
    row[w + 1] = 0
    for p in 0..<planes {
        let plane = x + p * h * w
        for i in 0..<(2 * h) {
            let near = plane + (i / 2) * w
            let farIndex = i % 2 == 0 ? i / 2 - 1 : i / 2 + 1
            if farIndex >= 0 && farIndex < h {
                let far = plane + farIndex * w
                for j in 0..<w { row[j &+ 1] = (3 * near[j] + far[j]) * 0.0625 }
            } else {
                for j in 0..<w { row[j &+ 1] = 3 * near[j] * 0.0625 }
            }
            let out = y + (p * 2 * h + i) * 2 * w
            for j in 0..<w {
                out[2 &* j] += row[j] + 3 * row[j &+ 1]
                out[2 &* j &+ 1] += 3 * row[j &+ 1] + row[j &+ 2]
            }
        }
    }
}

/// Adjoint of the up-sampling: dx [planes, H, W] = up2^T(dy [planes, 2H, 2W]), overwritten.
@_specialize(where T == Float)
@_specialize(where T == Double)
public func firUpsampledAdjoint<T: Scalar>(
    _ dy: UnsafePointer<T>, _ dx: UnsafeMutablePointer<T>, planes: Int, height h: Int, width w: Int, row: UnsafeMutablePointer<T>
) {
    // row: 2w + 2 numbers of scratch: the vertical result between two zeros
    row[0] = 0
    row[2 * w + 1] = 0
    let r = row + 1
    for p in 0..<planes {
        let plane = dy + p * 4 * h * w
        for m in 0..<h {
            let even = plane + 2 * m * 2 * w
            let odd = even + 2 * w
            for j in 0..<(2 * w) { r[j] = 3 * (even[j] + odd[j]) }
            if m + 1 < h {
                let next = odd + 2 * w
                for j in 0..<(2 * w) { r[j] += next[j] }
            }
            if m > 0 {
                let previous = even - 2 * w
                for j in 0..<(2 * w) { r[j] += previous[j] }
            }
            let out = dx + (p * h + m) * w
            for j in 0..<w {
                out[j] = 0.0625 * (3 * (r[2 &* j] + r[2 &* j &+ 1]) + r[2 &* j &+ 2] + r[2 &* j &- 1])
            }
        }
    }
}
