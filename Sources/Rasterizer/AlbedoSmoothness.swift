import FaceModel
import Numerics

/// A smoothness prior on per-vertex colours: half the squared difference along every edge of the mesh (graph Laplacian).
public struct AlbedoSmoothness<T: Scalar>: Sendable {
    private let edges: [Int32]

    public init(topology: MeshTopology) { edges = topology.edges }

    /// `weight / 2 * sum over edges |a_i - a_j|^2` for `albedo` `[V,3]`; adds its gradient to `dAlbedo`.
    public func energy(_ albedo: UnsafePointer<T>, weight: T, dAlbedo: UnsafeMutablePointer<T>?) -> T {
        laplacianKernel(edges, albedo, weight, dAlbedo)
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func laplacianKernel<T: Scalar>(
    _ edges: [Int32], _ a: UnsafePointer<T>, _ weight: T, _ da: UnsafeMutablePointer<T>?
) -> T {
    var energy: T = 0
    for e in 0..<edges.count / 2 {
        let i = 3 &* Int(edges[2 &* e]), j = 3 &* Int(edges[2 &* e &+ 1])
        for c in 0..<3 {
            let difference = a[i &+ c] - a[j &+ c]
            energy += difference * difference
            if let da {
                da[i &+ c] += weight * difference
                da[j &+ c] -= weight * difference
            }
        }
    }
    return weight / 2 * energy
}
