import CWideKernels
import Numerics

/// How a picture lies in memory: the element of pixel p and channel c is at `p * pixelStride + c * channelStride`.
public struct PictureLayout: Sendable {
    public var pixelStride, channelStride: Int
    /// Channels last, `[h,w,C]`.
    public static func interleaved(channels: Int) -> Self { .init(pixelStride: channels, channelStride: 1) }
    /// Channels first, `[C,h,w]`.
    public static func planar(pixels: Int) -> Self { .init(pixelStride: 1, channelStride: pixels) }
}

extension RasterBuffer {
    /// Per-vertex `attributes` `[V,channels]` as a picture, by barycentrics; zero outside. Default layout `[h,w,channels]`.
    public func interpolate(
        _ attributes: UnsafePointer<T>, channels: Int, triangles: [Int32], into map: UnsafeMutablePointer<T>,
        layout: PictureLayout? = nil
    ) {
        let layout = layout ?? .interleaved(channels: channels)
        let (ids, barycentrics, width) = (ids, barycentrics, width)
        let call = kernelCall(channels, layout)
        triangles.withUnsafeBufferPointer { triangles in
            inRows {
                let pixels = $0.lowerBound * width..<$0.upperBound * width
                if var n = call {
                    (n.triangles, n.attributes) = (triangles.baseAddress, single(attributes))
                    garface_interpolate(&n, pixels.lowerBound, pixels.upperBound, single(map))
                } else {
                    interpolateKernel(ids, barycentrics, pixels, triangles, attributes, channels, map, layout)
                }
            }
        }
    }

    /// Adds the gradients of `interpolate`, triangle ids held: to `dAttributes` `[V,channels]`, and to x and y of
    /// `dVertices` `[V,3]` through the barycentrics (z untouched). Nil leaves one out.
    public func interpolateBackward(
        _ dMap: UnsafePointer<T>, attributes: UnsafePointer<T>, channels: Int, vertices: UnsafePointer<T>,
        triangles: [Int32], dAttributes: UnsafeMutablePointer<T>?, dVertices: UnsafeMutablePointer<T>?,
        layout: PictureLayout? = nil
    ) {
        let layout = layout ?? .interleaved(channels: channels)
        let (ids, barycentrics, count) = (ids, barycentrics, pixelCount)
        let call = kernelCall(channels, layout)
        triangles.withUnsafeBufferPointer { triangles in
            // The two gradients share nothing that is written.
            inHalves { first, second in
                if var n = call {
                    (n.triangles, n.attributes, n.vertices) = (triangles.baseAddress, single(attributes), single(vertices))
                    garface_interpolate_backward(
                        &n, single(dMap), singleOrNil(first ? dAttributes : nil), singleOrNil(second ? dVertices : nil))
                    return
                }
                interpolateBackwardKernel(
                    ids, barycentrics, count, triangles, attributes, channels, vertices, dMap, layout,
                    first ? dAttributes : nil, second ? dVertices : nil)
            }
        }
    }
}

extension RasterBuffer {
    /// What the kernels take of this buffer, for pictures that they can make.
    fileprivate func kernelCall(_ channels: Int, _ layout: PictureLayout) -> garface_interpolation? {
        guard T.self == Float.self, channels == 3, layout.pixelStride == 1, layout.channelStride == pixelCount,
            garface_kernels_available()
        else { return nil }
        return garface_interpolation(
            pixels: pixelCount, ids: ids, barycentrics: single(barycentrics), triangles: nil, attributes: nil, vertices: nil)
    }
}

/// Where T is Float.
func single<T>(_ p: UnsafePointer<T>) -> UnsafePointer<Float> { UnsafeRawPointer(p).assumingMemoryBound(to: Float.self) }
func single<T>(_ p: UnsafeMutablePointer<T>) -> UnsafeMutablePointer<Float> {
    UnsafeMutableRawPointer(p).assumingMemoryBound(to: Float.self)
}
func singleOrNil<T>(_ p: UnsafeMutablePointer<T>?) -> UnsafeMutablePointer<Float>? {
    UnsafeMutableRawPointer(p)?.assumingMemoryBound(to: Float.self)
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func interpolateKernel<T: Scalar>(
    _ ids: UnsafePointer<Int32>, _ barycentrics: UnsafePointer<T>, _ pixels: Range<Int>, _ triangles: UnsafeBufferPointer<Int32>,
    _ attributes: UnsafePointer<T>, _ channels: Int, _ map: UnsafeMutablePointer<T>, _ layout: PictureLayout
) {
    let ps = layout.pixelStride, cs = layout.channelStride
    for p in pixels {
        let t = 3 &* Int(ids[p])
        let out = map + p &* ps
        if t < 0 {
            for c in 0..<channels { out[c &* cs] = 0 }
            continue
        }
        let w = barycentrics + 3 &* p
        let wa = w[0], wb = w[1], wc = w[2]
        let a = attributes + channels &* Int(triangles[t])
        let b = attributes + channels &* Int(triangles[t &+ 1])
        let c = attributes + channels &* Int(triangles[t &+ 2])
        for k in 0..<channels { out[k &* cs] = wa * a[k] + wb * b[k] + wc * c[k] }
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func interpolateBackwardKernel<T: Scalar>(
    _ ids: UnsafePointer<Int32>, _ barycentrics: UnsafePointer<T>, _ pixels: Int, _ triangles: UnsafeBufferPointer<Int32>,
    _ attributes: UnsafePointer<T>, _ channels: Int, _ vertices: UnsafePointer<T>, _ dMap: UnsafePointer<T>,
    _ layout: PictureLayout, _ dAttributes: UnsafeMutablePointer<T>?, _ dVertices: UnsafeMutablePointer<T>?
) {
    let ps = layout.pixelStride, cs = layout.channelStride
    for p in 0..<pixels {
        let t = 3 &* Int(ids[p])
        if t < 0 { continue }
        let ia = Int(triangles[t]), ib = Int(triangles[t &+ 1]), ic = Int(triangles[t &+ 2])
        let w = barycentrics + 3 &* p
        let wa = w[0], wb = w[1], wc = w[2]
        let g = dMap + p &* ps
        if let d = dAttributes {
            let da = d + channels &* ia, db = d + channels &* ib, dc = d + channels &* ic
            for k in 0..<channels {
                let gk = g[k &* cs]
                da[k] += wa * gk
                db[k] += wb * gk
                dc[k] += wc * gk
            }
        }
        guard let dv = dVertices else { continue }
        let a = attributes + channels &* ia, b = attributes + channels &* ib, c = attributes + channels &* ic
        // The loss's slope by each barycentric, then its gradient across the picture.
        var qa: T = 0, qb: T = 0, qc: T = 0
        for k in 0..<channels {
            let gk = g[k &* cs]
            qa += gk * a[k]
            qb += gk * b[k]
            qc += gk * c[k]
        }
        let va = vertices + 3 &* ia, vb = vertices + 3 &* ib, vc = vertices + 3 &* ic
        let area = (vb[0] - va[0]) * (vc[1] - va[1]) - (vb[1] - va[1]) * (vc[0] - va[0])
        let inverse: T = area != 0 ? 1 / area : 0
        let gx = (qa * (vb[1] - vc[1]) + qb * (vc[1] - va[1]) + qc * (va[1] - vb[1])) * inverse
        let gy = (qa * (vc[0] - vb[0]) + qb * (va[0] - vc[0]) + qc * (vb[0] - va[0])) * inverse
        // A vertex that moves by d carries the surface under the pixel along by its weight times d.
        dv[3 &* ia] -= wa * gx
        dv[3 &* ia &+ 1] -= wa * gy
        dv[3 &* ib] -= wb * gx
        dv[3 &* ib &+ 1] -= wb * gy
        dv[3 &* ic] -= wc * gx
        dv[3 &* ic &+ 1] -= wc * gy
    }
}
