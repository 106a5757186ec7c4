import Numerics

/// What a skinned head adds to a linear one: joints, and how the skin follows them.
///
/// Joint 0 is the root, which never turns: the head's own pose is the camera's matter. The others turn by an axis times an
/// angle each; their nine entries of R - 1 move the vertices at rest (pose correctives), then every vertex follows its joints
/// by its weights.
struct Skin<T: Scalar>: Sendable {
    let jointCount: Int
    /// -1 for the root; every other joint comes after its parent.
    let parents: [Int]
    /// Joints of the mean head `[jointCount,3]`, mm.
    let rest: [Double]
    /// What the modes, identity first, do to the joints: `[modes, jointCount * 3]`.
    let jointBasis: Tensor<T>
    /// `[V, jointCount]`, each row summing to 1.
    let weights: Tensor<T>
    /// Displacements `[9 * (jointCount - 1), V, 3]`, mm.
    let correctives: Tensor<T>

    /// Coefficients that the turns take.
    var turnCount: Int { 3 * (jointCount - 1) }

    /// The same for fewer vertices.
    func restricted(to vertices: [Int32]) -> Skin<T> {
        Skin(
            jointCount: jointCount, parents: parents, rest: rest, jointBasis: jointBasis,
            weights: gathered(weights, vertices, leading: []),
            correctives: gathered(correctives, vertices, leading: [correctives.shape[0]]))
    }
}
