import CWideKernels
import Numerics

extension RasterBuffer {
    /// Adds to x and y of `dVertices` the part of the gradient that comes from coverage: outlines that move.
    ///
    /// One sample per pixel does not change until an edge passes it, so the gradient with ids held misses that a growing head
    /// covers more of the picture. Between two neighbouring pixels that show different triangles, the surface of each is
    /// followed over the mesh towards the other. Where it ends on the way, at an open edge or a fold beyond which it faces
    /// away, and ends in front of what the other pixel shows, lies an outline. Moved by d pixels towards the farther side it
    /// turns a share d of a pixel from the farther colour into the nearer: the loss changes by `d * mean(g) . (nearer -
    /// farther)`, g being its gradient at the two. The outline moves as the edge's two vertices do. Summed over horizontal
    /// neighbours this gives the x part, over vertical ones the y part (the divergence theorem on the pixel grid).
    ///
    /// Where two surfaces pass through each other (eyeball and lid) the line between is taken to move as the mean of both.
    ///
    /// The nearer colour is the one at the edge itself: towards a fold normals turn ever faster, so the nearer pixel's own
    /// value would be off by a good part of the whole.
    ///
    /// - Parameters: `map` the picture with its background, `dMap` the loss's gradient by it; `attributes` `[V,channels]` the
    ///   picture's values at the vertices; `vertices` `[V,3]` NDC, as rasterised.
    public func silhouetteBackward(
        _ dMap: UnsafePointer<T>, map: UnsafePointer<T>, attributes: UnsafePointer<T>, channels: Int,
        vertices: UnsafePointer<T>, triangles: [Int32], neighbours: TriangleNeighbours,
        dVertices: UnsafeMutablePointer<T>, layout: PictureLayout? = nil
    ) {
        silhouetteBackward(
            dMap, map: map, attributes: attributes, channels: channels, vertices: vertices, triangles: triangles,
            neighbours: neighbours, dVertices: dVertices, layout: layout, slopes: nil)
    }

    /// - Parameter slopes: of `TriangleCandidates`: the same sooner, in single precision.
    func silhouetteBackward(
        _ dMap: UnsafePointer<T>, map: UnsafePointer<T>, attributes: UnsafePointer<T>, channels: Int,
        vertices: UnsafePointer<T>, triangles: [Int32], neighbours: TriangleNeighbours,
        dVertices: UnsafeMutablePointer<T>, layout: PictureLayout?, slopes: UnsafePointer<Float>?
    ) {
        let layout = layout ?? .interleaved(channels: channels)
        let (ids, barycentrics, depth, width, height, steps) = (ids, barycentrics, depth, width, height, steps)
        triangles.withUnsafeBufferPointer { triangles in
            neighbours.across.withUnsafeBufferPointer { across in
                // Horizontal neighbours move x alone, vertical ones y.
                inHalves { horizontal, vertical in
                    for axis in 0..<2 where axis == 0 ? horizontal : vertical {
                        silhouetteKernel(
                            axis, ids, barycentrics, depth, width, height, steps + axis * width,
                            slopes.map { $0 + axis * triangles.count / 3 }, vertices, triangles, across, dMap, map,
                            attributes, channels, layout, dVertices)
                    }
                }
            }
        }
    }
}

/// Where a walk over the surface came to: a place on an edge or, where the surface goes on, the triangle at the target.
struct SurfaceWalk<T: Scalar> {
    /// The surface ended on the way, at the edge from vertex a to b.
    var ended: Bool
    var a, b: Int
    /// The second vertex's weight, where it ended.
    var weight: T
    /// Depth there, or at the target.
    var z: T
    /// The last triangle.
    var triangle: Int
    /// How much of the way was gone: 1 where the surface goes on.
    var share: T

    /// Depth at a share of the way, by a straight line from the start's; minus infinity where there is no surface.
    @inline(__always)
    func depth(from start: T, at s: T) -> T {
        if triangle < 0 || s > share { return -.infinity }
        return share > 0 ? start + (z - start) * s / share : start
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func silhouetteKernel<T: Scalar>(
    _ axis: Int, _ ids: UnsafePointer<Int32>, _ barycentrics: UnsafePointer<T>, _ depth: UnsafePointer<T>, _ width: Int,
    _ height: Int, _ steps: UnsafeMutablePointer<Int32>, _ slopes: UnsafePointer<Float>?, _ vertices: UnsafePointer<T>,
    _ triangles: UnsafeBufferPointer<Int32>, _ across: UnsafeBufferPointer<Int32>, _ dMap: UnsafePointer<T>,
    _ map: UnsafePointer<T>, _ attributes: UnsafePointer<T>, _ channels: Int, _ layout: PictureLayout,
    _ dVertices: UnsafeMutablePointer<T>
) {
    let ps = layout.pixelStride, cs = layout.channelStride
    // Pixel p against its right neighbour (axis 0) or the one below (axis 1).
    let step = axis == 0 ? 1 : width
    let perNdc = T(axis == 0 ? width : height) / 2
    let pixel = 1 / perNdc
    for j in 0..<(axis == 0 ? height : height &- 1) {
        // Neighbours close in depth hide nothing worth the walk. Background is infinitely far. Nor do those whose surfaces,
        // followed straight on, meet: a slope, by far the most frequent case.
        let count = axis == 0 ? width &- 1 : width
        let found: Int
        if let slopes {
            found = Int(garface_depth_steps(
                ids + j &* width, single(depth + j &* width), step, Int32(count), Float(pixel) / 8, slopes,
                Float(axis == 0 ? pixel : -pixel), steps))
        } else {
            found = depthSteps(ids + j &* width, depth + j &* width, step, count, pixel / 8, steps)
        }
        for k in 0..<found {
            let i = Int(steps[k]), p = j &* width &+ i, q = p &+ step
            // Nor do two triangles with a common edge that are both seen.
            if ids[p] >= 0, ids[q] >= 0 {
                let edges = 3 &* Int(ids[p])
                if across[edges] == ids[q] || across[edges &+ 1] == ids[q] || across[edges &+ 2] == ids[q] { continue }
            }
            let x = T(2 &* i &+ 1) / T(width) - 1, y = 1 - T(2 &* j &+ 1) / T(height)
            let dx = axis == 0 ? pixel : 0, dy = axis == 0 ? 0 : -pixel
            if slopes == nil, ids[p] >= 0, ids[q] >= 0,
                planeMeets(Int(ids[p]), x + dx, y + dy, depth[q], pixel / 8, vertices, triangles),
                planeMeets(Int(ids[q]), x, y, depth[p], pixel / 8, vertices, triangles)
            {
                continue
            }
            let fromP = walkSurface(Int(ids[p]), x, y, dx, dy, vertices, triangles, across)
            // Arrived: nothing ends between the two.
            if !fromP.ended, fromP.triangle == Int(ids[q]) { continue }
            let fromQ = walkSurface(Int(ids[q]), x + dx, y + dy, -dx, -dy, vertices, triangles, across)
            // +x when the nearer is left, and -y (down) when it is above.
            let outward: T = axis == 0 ? perNdc : -perNdc
            // An end in front of the other surface (the depths there are compared); of two such, the nearer.
            let zP = fromP.ended && fromP.z > fromQ.depth(from: depth[q], at: 1 - fromP.share) ? fromP.z : -.infinity
            let zQ = fromQ.ended && fromQ.z > fromP.depth(from: depth[p], at: 1 - fromQ.share) ? fromQ.z : -.infinity
            if max(zP, zQ) > -.infinity {
                let end = zP >= zQ ? fromP : fromQ
                let far = zP >= zQ ? q : p
                var slope: T = 0
                for c in 0..<channels {
                    let a = attributes[channels &* end.a &+ c], b = attributes[channels &* end.b &+ c]
                    let o = c &* cs
                    slope += (dMap[p &* ps &+ o] + dMap[q &* ps &+ o]) / 2 * (a + end.weight * (b - a) - map[far &* ps &+ o])
                }
                let g = zP >= zQ ? slope * outward : -slope * outward
                dVertices[3 &* end.a &+ axis] += (1 - end.weight) * g
                dVertices[3 &* end.b &+ axis] += end.weight * g
            } else if !fromP.ended, !fromQ.ended, ids[p] >= 0, ids[q] >= 0, fromP.triangle != Int(ids[q]),
                depth[q] - fromP.z > pixel / 8, depth[p] - fromQ.z > pixel / 8
            {
                // Two surfaces that pass through each other: the line between moves as both do there.
                var slope: T = 0
                for c in 0..<channels {
                    let o = c &* cs
                    slope += (dMap[p &* ps &+ o] + dMap[q &* ps &+ o]) / 2 * (map[p &* ps &+ o] - map[q &* ps &+ o])
                }
                for side in [p, q] {
                    for k in 0..<3 {
                        dVertices[3 &* Int(triangles[3 &* Int(ids[side]) &+ k]) &+ axis] +=
                            barycentrics[3 &* side &+ k] * slope * outward / 2
                    }
                }
            }
        }
    }
}

/// The pixels i of 0..<count that show another triangle than pixel i + step, at a depth that differs by `least` or more.
@inline(__always)
private func depthSteps<T: Scalar>(
    _ ids: UnsafePointer<Int32>, _ depth: UnsafePointer<T>, _ step: Int, _ count: Int, _ least: T,
    _ found: UnsafeMutablePointer<Int32>
) -> Int {
    var n = 0
    for i in 0..<count where ids[i] != ids[i &+ step] && !(abs(depth[i] - depth[i &+ step]) < least) {
        found[n] = Int32(truncatingIfNeeded: i)
        n &+= 1
    }
    return n
}

/// Follows the front-facing surface from (x, y) in triangle `t` by (dx, dy). Background (t < 0) goes on for ever.
@inline(__always)
func walkSurface<T: Scalar>(
    _ t: Int, _ x: T, _ y: T, _ dx: T, _ dy: T, _ v: UnsafePointer<T>, _ triangles: UnsafeBufferPointer<Int32>,
    _ across: UnsafeBufferPointer<Int32>
) -> SurfaceWalk<T> {
    var t = t
    if t < 0 { return SurfaceWalk(ended: false, a: 0, b: 0, weight: 0, z: -.infinity, triangle: -1, share: 1) }
    for _ in 0..<256 {
        // The edge by which the line leaves: the first crossed outwards.
        var first = T.infinity
        var edge = -1
        for k in 0..<3 {
            let a = 3 &* Int(triangles[3 &* t &+ k]), b = 3 &* Int(triangles[3 &* t &+ (k == 2 ? 0 : k &+ 1)])
            let nx = v[b &+ 1] - v[a &+ 1], ny = v[a] - v[b]
            let speed = dx * nx + dy * ny
            if !(speed > 0) { continue }
            let s = ((v[a] - x) * nx + (v[a &+ 1] - y) * ny) / speed
            if s < first { (first, edge) = (s, k) }
        }
        if edge < 0 || first >= 1 { break }
        let next = Int(across[3 &* t &+ edge])
        if next >= 0 {
            let a = 3 &* Int(triangles[3 &* next]), b = 3 &* Int(triangles[3 &* next &+ 1])
            let c = 3 &* Int(triangles[3 &* next &+ 2])
            let area = (v[b] - v[a]) * (v[c &+ 1] - v[a &+ 1]) - (v[b &+ 1] - v[a &+ 1]) * (v[c] - v[a])
            if area > 0 {
                t = next
                continue
            }
        }
        let ia = Int(triangles[3 &* t &+ edge]), ib = Int(triangles[3 &* t &+ (edge == 2 ? 0 : edge &+ 1)])
        let a = 3 &* ia, b = 3 &* ib
        let ex = v[b] - v[a], ey = v[b &+ 1] - v[a &+ 1]
        let length = ex * ex + ey * ey
        let along = (x + first * dx - v[a]) * ex + (y + first * dy - v[a &+ 1]) * ey
        let weight: T = length > 0 ? max(0, min(1, along / length)) : 0
        return SurfaceWalk(
            ended: true, a: ia, b: ib, weight: weight, z: v[a &+ 2] + weight * (v[b &+ 2] - v[a &+ 2]), triangle: t,
            share: max(0, first))
    }
    let z = planeDepth(t, x + dx, y + dy, v, triangles)
    return SurfaceWalk(ended: false, a: 0, b: 0, weight: 0, z: z, triangle: t, share: 1)
}

/// Depth of a triangle's plane at (x, y).
@inline(__always)
private func planeDepth<T: Scalar>(
    _ t: Int, _ x: T, _ y: T, _ v: UnsafePointer<T>, _ triangles: UnsafeBufferPointer<Int32>
) -> T {
    let (sum, moment) = planeSums(t, x, y, v, triangles)
    return sum > 0 ? moment / sum : v[3 &* Int(triangles[3 &* t]) &+ 2]
}

/// Does a triangle's plane at (x, y) come within `reach` of that depth? Without the division.
@inline(__always)
private func planeMeets<T: Scalar>(
    _ t: Int, _ x: T, _ y: T, _ depth: T, _ reach: T, _ v: UnsafePointer<T>, _ triangles: UnsafeBufferPointer<Int32>
) -> Bool {
    let (sum, moment) = planeSums(t, x, y, v, triangles)
    return abs(moment - depth * sum) < reach * sum
}

/// Twice the triangle's area, and times the depth of its plane at (x, y).
@inline(__always)
private func planeSums<T: Scalar>(
    _ t: Int, _ x: T, _ y: T, _ v: UnsafePointer<T>, _ triangles: UnsafeBufferPointer<Int32>
) -> (T, T) {
    let a = v + 3 &* Int(triangles[3 &* t]), b = v + 3 &* Int(triangles[3 &* t &+ 1])
    let c = v + 3 &* Int(triangles[3 &* t &+ 2])
    let wa = (b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)
    let wb = (c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)
    let wc = (a[0] - x) * (b[1] - y) - (a[1] - y) * (b[0] - x)
    return (wa + wb + wc, wa * a[2] + wb * b[2] + wc * c[2])
}
