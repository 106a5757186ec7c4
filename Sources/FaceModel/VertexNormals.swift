import Numerics

/// Area-weighted vertex normals: the sum of the cross products of the triangles at a vertex, normalised.
///
/// Where the sum vanishes the normal and its gradient are zero. Owns its working memory; use one per thread.
public final class VertexNormals<T: Scalar> {
    public let topology: MeshTopology
    private let faceNormals: Tensor<T>
    private let inverseLengths: Tensor<T>
    private let dSums: Tensor<T>
    private let dCorners: Tensor<T>

    public init(topology: MeshTopology) {
        self.topology = topology
        faceNormals = Tensor([topology.triangles.count / 3, 3])
        inverseLengths = Tensor([topology.vertexCount])
        dSums = Tensor([topology.vertexCount, 3])
        dCorners = Tensor([topology.triangles.count / 3, 9])
    }

    /// From `vertices` `[V,3]` writes `normals` `[V,3]`.
    public func forward(_ vertices: UnsafePointer<T>, into normals: UnsafeMutablePointer<T>) {
        inRanges(topology.triangles.count / 3, least: Self.leastShared) {
            faceCrossProducts(vertices, topology.triangles, $0, faceNormals.pointer)
        }
        inRanges(topology.vertexCount, least: Self.leastShared) {
            gatherNormals(topology.start, topology.corners, $0, faceNormals.pointer, normals, inverseLengths.pointer)
        }
    }

    /// Adds to `dVertices` what `dNormals` says. `vertices` and `normals` are those of the last `forward`.
    public func backward(
        _ vertices: UnsafePointer<T>, normals: UnsafePointer<T>, dNormals: UnsafePointer<T>,
        dVertices: UnsafeMutablePointer<T>
    ) {
        inRanges(topology.vertexCount, least: Self.leastShared) {
            normalizeBackward(normals, dNormals, inverseLengths.pointer, $0, dSums.pointer)
        }
        inRanges(topology.triangles.count / 3, least: Self.leastShared) {
            cornerGradients(vertices, topology.triangles, $0, dSums.pointer, dCorners.pointer)
        }
        inRanges(topology.vertexCount, least: Self.leastShared) {
            gatherCorners(topology.start, topology.corners, $0, dCorners.pointer, dVertices)
        }
    }

    /// Fewer vertices or triangles are no work for a second thread.
    private static var leastShared: Int { 2000 }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func faceCrossProducts<T: Scalar>(
    _ v: UnsafePointer<T>, _ triangles: [Int32], _ range: Range<Int>, _ face: UnsafeMutablePointer<T>
) {
    triangles.withUnsafeBufferPointer { tri in
        for t in range {
            let a = v + 3 &* Int(tri[3 &* t]), b = v + 3 &* Int(tri[3 &* t &+ 1]), c = v + 3 &* Int(tri[3 &* t &+ 2])
            let ux = b[0] - a[0], uy = b[1] - a[1], uz = b[2] - a[2]
            let wx = c[0] - a[0], wy = c[1] - a[1], wz = c[2] - a[2]
            face[3 &* t] = uy * wz - uz * wy
            face[3 &* t &+ 1] = uz * wx - ux * wz
            face[3 &* t &+ 2] = ux * wy - uy * wx
        }
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func gatherNormals<T: Scalar>(
    _ start: [Int32], _ corners: [Int32], _ range: Range<Int>, _ face: UnsafePointer<T>, _ normals: UnsafeMutablePointer<T>,
    _ inverseLengths: UnsafeMutablePointer<T>
) {
    // Below this squared length, or this share of the last triangle, a sum is rounding noise: no triangle in mm or NDC is as
    // small, but two that lie back to back cancel.
    let smallest: T = 1e-30, noise = 100 * T.ulpOfOne
    start.withUnsafeBufferPointer { start in
        corners.withUnsafeBufferPointer { corners in
            for v in range {
                var x: T = 0, y: T = 0, z: T = 0, last = face
                for k in Int(start[v])..<Int(start[v &+ 1]) {
                    let f = face + 3 &* Int(UInt32(bitPattern: corners[k]) / 3)
                    x += f[0]
                    y += f[1]
                    z += f[2]
                    last = f
                }
                let square = x * x + y * y + z * z
                // A comparison that NaN fails: damaged vertices get a zero normal.
                var inverse: T = 0
                if square > smallest && square.isFinite {
                    let one = last[0] * last[0] + last[1] * last[1] + last[2] * last[2]
                    if square > noise * noise * one { inverse = 1 / square.squareRoot() }
                }
                inverseLengths[v] = inverse
                normals[3 &* v] = inverse > 0 ? x * inverse : 0
                normals[3 &* v &+ 1] = inverse > 0 ? y * inverse : 0
                normals[3 &* v &+ 2] = inverse > 0 ? z * inverse : 0
            }
        }
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func normalizeBackward<T: Scalar>(
    _ n: UnsafePointer<T>, _ dn: UnsafePointer<T>, _ inverseLengths: UnsafePointer<T>, _ range: Range<Int>,
    _ ds: UnsafeMutablePointer<T>
) {
    for v in range {
        let i = 3 &* v
        let dot = n[i] * dn[i] + n[i &+ 1] * dn[i &+ 1] + n[i &+ 2] * dn[i &+ 2]
        let inverse = inverseLengths[v]
        ds[i] = inverse * (dn[i] - dot * n[i])
        ds[i &+ 1] = inverse * (dn[i &+ 1] - dot * n[i &+ 1])
        ds[i &+ 2] = inverse * (dn[i &+ 2] - dot * n[i &+ 2])
    }
}

/// The gradient of each triangle's cross product (b-a) x (c-a), given to its three corners.
@_specialize(where T == Float)
@_specialize(where T == Double)
func cornerGradients<T: Scalar>(
    _ v: UnsafePointer<T>, _ triangles: [Int32], _ range: Range<Int>, _ ds: UnsafePointer<T>,
    _ corners: UnsafeMutablePointer<T>
) {
    triangles.withUnsafeBufferPointer { tri in
        for t in range {
            let ia = 3 &* Int(tri[3 &* t]), ib = 3 &* Int(tri[3 &* t &+ 1]), ic = 3 &* Int(tri[3 &* t &+ 2])
            let gx = ds[ia] + ds[ib] + ds[ic]
            let gy = ds[ia &+ 1] + ds[ib &+ 1] + ds[ic &+ 1]
            let gz = ds[ia &+ 2] + ds[ib &+ 2] + ds[ic &+ 2]
            let ux = v[ib] - v[ia], uy = v[ib &+ 1] - v[ia &+ 1], uz = v[ib &+ 2] - v[ia &+ 2]
            let wx = v[ic] - v[ia], wy = v[ic &+ 1] - v[ia &+ 1], wz = v[ic &+ 2] - v[ia &+ 2]
            // d(u x w).g = du.(w x g) + dw.(g x u)
            let bx = wy * gz - wz * gy, by = wz * gx - wx * gz, bz = wx * gy - wy * gx
            let cx = gy * uz - gz * uy, cy = gz * ux - gx * uz, cz = gx * uy - gy * ux
            let o = corners + 9 &* t
            o[0] = -bx - cx
            o[1] = -by - cy
            o[2] = -bz - cz
            o[3] = bx
            o[4] = by
            o[5] = bz
            o[6] = cx
            o[7] = cy
            o[8] = cz
        }
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func gatherCorners<T: Scalar>(
    _ start: [Int32], _ corners: [Int32], _ range: Range<Int>, _ values: UnsafePointer<T>, _ sums: UnsafeMutablePointer<T>
) {
    start.withUnsafeBufferPointer { start in
        corners.withUnsafeBufferPointer { corners in
            for v in range {
                var x: T = 0, y: T = 0, z: T = 0
                for k in Int(start[v])..<Int(start[v &+ 1]) {
                    let f = values + 3 &* Int(corners[k])
                    x += f[0]
                    y += f[1]
                    z += f[2]
                }
                sums[3 &* v] += x
                sums[3 &* v &+ 1] += y
                sums[3 &* v &+ 2] += z
            }
        }
    }
}
