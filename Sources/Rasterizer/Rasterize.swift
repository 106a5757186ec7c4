import CWideKernels
import Numerics

/// A barycentric coordinate may fall this far below zero and its pixel still counts as inside, so that no pixel is lost
/// between two triangles that share the edge on which its centre lies.
let insideTolerance = 1e-6

/// Finds the triangle under every pixel centre.
///
/// Orthographic; `vertices` `[V,3]` in NDC: x right, y up, z towards the viewer, larger z wins (the lower index where equal).
/// Triangles that are not counter-clockwise as seen (back faces, degenerate ones) and triangles with a vertex that is not
/// finite are skipped; whatever lies beyond [-1,1] is clipped to the picture. Every index must lie in 0..<vertexCount.
public func rasterize<T: Scalar>(
    vertices: UnsafePointer<T>, vertexCount: Int, triangles: [Int32], into buffer: RasterBuffer<T>
) {
    rasterize(vertices: vertices, vertexCount: vertexCount, triangles: triangles, among: nil, into: buffer)
}

/// The same, looking only at `candidates` that were updated for these vertices (nil: at all triangles).
func rasterize<T: Scalar>(
    vertices: UnsafePointer<T>, vertexCount: Int, triangles: [Int32], among candidates: TriangleCandidates?,
    into buffer: RasterBuffer<T>
) {
    buffer.reserveScreen(vertexCount)
    toScreen(vertices, vertexCount, buffer.width, buffer.height, buffer.screen)
    let list = candidates?.near(width: buffer.width, height: buffer.height)
    let (screen, width, ids, depth) = (buffer.screen, buffer.width, buffer.ids, buffer.zBuffer)
    triangles.withUnsafeBufferPointer { triangles in
        buffer.inRows { rows in
            clear(ids, depth, rows.lowerBound * width..<rows.upperBound * width)
            if garface_kernels_available() {
                garface_raster_rows(
                    screen, triangles.baseAddress, list?.baseAddress, Int32(list?.count ?? triangles.count / 3), Int32(width),
                    Int32(rows.lowerBound), Int32(rows.upperBound), ids, depth)
            } else {
                rasterizeScreen(screen, triangles, list, width, rows, ids, depth)
            }
        }
    }
    updateBarycentrics(vertices: vertices, triangles: triangles, in: buffer)
}

/// Keeps the triangle of every pixel and computes barycentrics and depth anew: how a picture moves with the vertices as long
/// as coverage does not change.
public func updateBarycentrics<T: Scalar>(
    vertices: UnsafePointer<T>, triangles: [Int32], in buffer: RasterBuffer<T>
) {
    let (width, height, ids, barycentrics, depth) = (buffer.width, buffer.height, buffer.ids, buffer.barycentrics, buffer.depth)
    let wide = T.self == Float.self && garface_kernels_available()
    triangles.withUnsafeBufferPointer { triangles in
        buffer.inRows { rows in
            if wide {
                garface_barycentrics(
                    single(vertices), triangles.baseAddress, ids, Int32(width), Int32(height), Int32(rows.lowerBound),
                    Int32(rows.upperBound), single(barycentrics), single(depth))
            } else {
                barycentricsKernel(vertices, triangles, ids, width, height, rows, barycentrics, depth)
            }
        }
    }
}

/// The same by the definition: every triangle against every pixel. Slow; the fast path is tested against it.
public func rasterizeReference<T: Scalar>(
    vertices: UnsafePointer<T>, vertexCount: Int, triangles: [Int32], into buffer: RasterBuffer<T>
) {
    var nearest = [Double](repeating: -.infinity, count: buffer.pixelCount)
    for i in 0..<buffer.pixelCount { buffer.ids[i] = -1 }
    for t in 0..<triangles.count / 3 {
        let p = (0..<3).map { k -> SIMD3<Double> in
            let v = vertices + 3 * Int(triangles[3 * t + k])
            return .init(Double(v[0]), Double(v[1]), Double(v[2]))
        }
        guard p.allSatisfy({ ($0 * 0).sum() == 0 && abs($0.x) < 1e6 && abs($0.y) < 1e6 }) else { continue }
        let area = (p[1].x - p[0].x) * (p[2].y - p[0].y) - (p[1].y - p[0].y) * (p[2].x - p[0].x)
        guard area > 0 else { continue }
        for j in 0..<buffer.height {
            let y = 1 - Double(2 * j + 1) / Double(buffer.height)
            for i in 0..<buffer.width {
                let x = Double(2 * i + 1) / Double(buffer.width) - 1
                let b = ((x - p[0].x) * (p[2].y - p[0].y) - (y - p[0].y) * (p[2].x - p[0].x)) / area
                let c = ((p[1].x - p[0].x) * (y - p[0].y) - (p[1].y - p[0].y) * (x - p[0].x)) / area
                let a = 1 - b - c
                guard a >= -insideTolerance, b >= -insideTolerance, c >= -insideTolerance else { continue }
                let z = a * p[0].z + b * p[1].z + c * p[2].z
                if z > nearest[j * buffer.width + i] {
                    nearest[j * buffer.width + i] = z
                    buffer.ids[j * buffer.width + i] = Int32(t)
                }
            }
        }
    }
    updateBarycentrics(vertices: vertices, triangles: triangles, in: buffer)
}

/// Pixel coordinates (centres at integers, y down) in double; x = NaN marks a vertex no triangle may use.
@_specialize(where T == Float)
@_specialize(where T == Double)
func toScreen<T: Scalar>(
    _ vertices: UnsafePointer<T>, _ count: Int, _ width: Int, _ height: Int, _ screen: UnsafeMutablePointer<Double>
) {
    let halfWidth = Double(width) / 2, halfHeight = Double(height) / 2
    for v in 0..<count {
        let x = Double(vertices[3 &* v]), y = Double(vertices[3 &* v &+ 1]), z = Double(vertices[3 &* v &+ 2])
        // Comparisons that NaN fails; the bound keeps products of coordinates exact enough.
        let usable = abs(x) < 1e6 && abs(y) < 1e6 && abs(z) < .infinity
        screen[3 &* v] = usable ? (1 + x) * halfWidth - 0.5 : .nan
        screen[3 &* v &+ 1] = (1 - y) * halfHeight - 0.5
        screen[3 &* v &+ 2] = z
    }
}

private func clear(_ ids: UnsafeMutablePointer<Int32>, _ depth: UnsafeMutablePointer<Double>, _ pixels: Range<Int>) {
    for p in pixels {
        ids[p] = -1
        depth[p] = -.infinity
    }
}

/// Draws into `rows`, which hold -1 and minus infinity. Most triangles of a head are smaller than a pixel: the loop is built to reject those early, and steps edge functions
/// along the rows of the others' bounding boxes.
func rasterizeScreen(
    _ v: UnsafePointer<Double>, _ triangles: UnsafeBufferPointer<Int32>, _ list: UnsafeBufferPointer<Int32>?, _ width: Int,
    _ rows: Range<Int>, _ ids: UnsafeMutablePointer<Int32>, _ zBuffer: UnsafeMutablePointer<Double>
) {
    let right = Double(width - 1), above = Double(rows.lowerBound), below = Double(rows.upperBound - 1)
    for k in 0..<(list?.count ?? triangles.count / 3) {
        let t = list.map { Int($0[k]) } ?? k
        let a = v + 3 &* Int(triangles[3 &* t]), b = v + 3 &* Int(triangles[3 &* t &+ 1])
        let c = v + 3 &* Int(triangles[3 &* t &+ 2])
        let ax = a[0], ay = a[1], bx = b[0], by = b[1], cx = c[0], cy = c[1]
        // y is down here, so a front face has negative area; NaN fails the test and is skipped.
        let area = (by - ay) * (cx - ax) - (bx - ax) * (cy - ay)
        if !(area > 0) { continue }
        let low = max(ax < bx ? (ax < cx ? ax : cx) : (bx < cx ? bx : cx), 0)
        let high = min(ax > bx ? (ax > cx ? ax : cx) : (bx > cx ? bx : cx), right)
        let top = max(ay < by ? (ay < cy ? ay : cy) : (by < cy ? by : cy), above)
        let base = min(ay > by ? (ay > cy ? ay : cy) : (by > cy ? by : cy), below)
        if !(low <= high && top <= base) { continue }
        // All four lie in 0...16383 now, so the conversions cannot trap. First = ceiling, last = floor.
        let x1 = Int(high), y1 = Int(base)
        var x0 = Int(low), y0 = Int(top)
        if Double(x0) < low { x0 &+= 1 }
        if Double(y0) < top { y0 &+= 1 }
        if x0 > x1 || y0 > y1 { continue }

        let inverse = 1 / area
        // Barycentrics of b and c are linear in (x, y): value at (x0, y0) and steps.
        let bdx = -(cy - ay) * inverse, bdy = (cx - ax) * inverse
        let cdx = (by - ay) * inverse, cdy = -(bx - ax) * inverse
        let z0 = a[2], zb = b[2] - a[2], zc = c[2] - a[2]
        for y in y0...y1 {
            let rowB = bdy * (Double(y) - ay), rowC = cdy * (Double(y) - ay)
            for x in x0...x1 {
                let dx = Double(x) - ax
                let wb = rowB + bdx * dx, wc = rowC + cdx * dx
                if wb < -insideTolerance || wc < -insideTolerance || 1 - wb - wc < -insideTolerance { continue }
                let z = z0 + wb * zb + wc * zc
                let pixel = y &* width &+ x
                if z > zBuffer[pixel] {
                    zBuffer[pixel] = z
                    ids[pixel] = Int32(truncatingIfNeeded: t)
                }
            }
        }
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func barycentricsKernel<T: Scalar>(
    _ v: UnsafePointer<T>, _ triangles: UnsafeBufferPointer<Int32>, _ ids: UnsafePointer<Int32>, _ width: Int, _ height: Int,
    _ rows: Range<Int>, _ barycentrics: UnsafeMutablePointer<T>, _ depth: UnsafeMutablePointer<T>
) {
    for j in rows {
        let y = 1 - T(2 &* j &+ 1) / T(height)
        for i in 0..<width {
            let pixel = j &* width &+ i
            let w = barycentrics + 3 &* pixel
            let t = 3 &* Int(ids[pixel])
            if t < 0 {
                w[0] = 0
                w[1] = 0
                w[2] = 0
                depth[pixel] = -.infinity
                continue
            }
            let x = T(2 &* i &+ 1) / T(width) - 1
            let a = v + 3 &* Int(triangles[t]), b = v + 3 &* Int(triangles[t &+ 1]), c = v + 3 &* Int(triangles[t &+ 2])
            // Relative to the pixel centre, where the numbers are small and lose nothing.
            let ax = a[0] - x, ay = a[1] - y, bx = b[0] - x, by = b[1] - y, cx = c[0] - x, cy = c[1] - y
            let wa = bx * cy - by * cx, wb = cx * ay - cy * ax, wc = ax * by - ay * bx
            // Zero where frozen coverage has let the triangle collapse: the pixel then keeps no weights.
            let sum = wa + wb + wc
            let inverse: T = sum != 0 ? 1 / sum : 0
            w[0] = wa * inverse
            w[1] = wb * inverse
            w[2] = wc * inverse
            depth[pixel] = w[0] * a[2] + w[1] * b[2] + w[2] * c[2]
        }
    }
}
