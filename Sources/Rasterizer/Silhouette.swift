import Numerics

extension RasterBuffer {
    /// Adds to x and y of `dVertices` the part of the gradient that comes from coverage: outlines that move.
    ///
    /// One sample per pixel does not change until an edge passes it, so the gradient with ids held misses that a growing head
    /// covers more of the picture. Between two neighbouring pixels of which one shows a nearer surface (or one is background)
    /// lies a piece of outline. Moved by d pixels towards the farther side it turns a share d of a pixel from the farther
    /// colour into the nearer one: the loss changes by `d * mean(g) . (nearer - farther)`, g being its gradient at the two.
    /// The outline moves as the nearer pixel's surface point does. Summed over horizontal neighbours this gives the x part,
    /// over vertical ones the y part (the divergence theorem on the pixel grid).
    ///
    /// Two covered pixels count when their depths differ by more than three pixels' width (a slope of 72 degrees): the nose
    /// before the cheek. `map` holds the picture, background included.
    public func silhouetteBackward(
        _ dMap: UnsafePointer<T>, map: UnsafePointer<T>, channels: Int, triangles: [Int32],
        dVertices: UnsafeMutablePointer<T>, layout: PictureLayout? = nil
    ) {
        let layout = layout ?? .interleaved(channels: channels)
        triangles.withUnsafeBufferPointer {
            silhouetteKernel(
                ids, barycentrics, depth, width, height, $0, dMap, map, channels, layout, dVertices)
        }
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func silhouetteKernel<T: Scalar>(
    _ ids: UnsafePointer<Int32>, _ barycentrics: UnsafePointer<T>, _ depth: UnsafePointer<T>, _ width: Int, _ height: Int,
    _ triangles: UnsafeBufferPointer<Int32>, _ dMap: UnsafePointer<T>, _ map: UnsafePointer<T>,
    _ channels: Int, _ layout: PictureLayout, _ dVertices: UnsafeMutablePointer<T>
) {
    let ps = layout.pixelStride, cs = layout.channelStride
    // Pixel p against its right neighbour (axis 0) and the one below (axis 1).
    for axis in 0..<2 {
        let step = axis == 0 ? 1 : width
        let perNdc = T(axis == 0 ? width : height) / 2
        let jump = 3 / perNdc
        for j in 0..<(axis == 0 ? height : height &- 1) {
            for i in 0..<(axis == 0 ? width &- 1 : width) {
                let p = j &* width &+ i, q = p &+ step
                if ids[p] == ids[q] { continue }
                // Depth is -infinity outside, so the covered pixel of an outline is always the nearer.
                let difference = depth[p] - depth[q]
                if !(abs(difference) > jump) { continue }
                let near = difference > 0 ? p : q, far = difference > 0 ? q : p
                var slope: T = 0
                for c in 0..<channels {
                    let n = near &* ps &+ c &* cs, f = far &* ps &+ c &* cs
                    slope += (dMap[n] + dMap[f]) / 2 * (map[n] - map[f])
                }
                // Outwards is +x when the nearer is left, and -y (down) when it is above.
                let outward: T = (near == p) == (axis == 0) ? 1 : -1
                let g = slope * outward * perNdc
                let t = 3 &* Int(ids[near])
                let w = barycentrics + 3 &* near
                for k in 0..<3 { dVertices[3 &* Int(triangles[t &+ k]) &+ axis] += w[k] * g }
            }
        }
    }
}
