import Numerics

/// One pass of a skin: where the joints are, how they stand, and the vertices before they follow. Owns its working memory.
final class SkinPass<T: Scalar> {
    private let skin: Skin<T>
    private let vertexCount: Int
    /// `[V,3]`: the head at rest with its pose correctives.
    private let corrected: Tensor<T>
    private let dCorrected: Tensor<T>
    /// R - 1 of the turning joints, and the gradient by it.
    private let features, dFeatures: Tensor<T>
    private let joints, dJoints: Tensor<T>
    /// Per joint the rotation (9) and shift (3) that take a point at rest to where it stands.
    private let transforms, dTransforms: Tensor<T>
    private var turns: [SIMD3<Double>] = []
    private var rotations: [[Double]] = []

    init(_ skin: Skin<T>, vertexCount: Int) {
        self.skin = skin
        self.vertexCount = vertexCount
        corrected = Tensor([vertexCount, 3])
        dCorrected = Tensor([vertexCount, 3])
        features = Tensor([9 * (skin.jointCount - 1)])
        dFeatures = Tensor([9 * (skin.jointCount - 1)])
        joints = Tensor([skin.jointCount, 3])
        dJoints = Tensor([skin.jointCount, 3])
        transforms = Tensor([skin.jointCount, 12])
        dTransforms = Tensor([skin.jointCount, 12])
    }

    /// `vertices` `[V,3]` of the linear head become those of the turned one. The turns follow the `expressionCount` expressions
    /// that are none.
    func forward(
        identity: UnsafePointer<T>, _ identityCount: Int, expression: UnsafePointer<T>, _ expressionCount: Int,
        vertices: UnsafeMutablePointer<T>
    ) {
        let width = 3 * skin.jointCount, n = 3 * vertexCount
        for i in 0..<width { joints.pointer[i] = T(skin.rest[i]) }
        T.gemv(true, identityCount, width, 1, skin.jointBasis.pointer, width, identity, 1, joints.pointer)
        T.gemv(
            true, expressionCount, width, 1, skin.jointBasis.pointer + identityCount * width, width, expression, 1, joints.pointer)
        let angles = expression + expressionCount
        turns = (0..<skin.jointCount - 1).map {
            SIMD3(Double(angles[3 * $0]), Double(angles[3 * $0 + 1]), Double(angles[3 * $0 + 2]))
        }
        rotations = turns.map(AxisAngle.matrix)
        for (j, r) in rotations.enumerated() {
            for e in 0..<9 { features.pointer[9 * j + e] = T(r[e] - (e % 4 == 0 ? 1 : 0)) }
        }
        corrected.pointer.update(from: vertices, count: n)
        T.gemv(true, features.count, n, 1, skin.correctives.pointer, n, features.pointer, 1, corrected.pointer)
        standJoints()
        follow(corrected.pointer, skin.weights.pointer, transforms.pointer, vertexCount, skin.jointCount, vertices)
    }

    /// From the root outwards: a joint turns its points about where it is at rest, then they go where its parent takes them.
    private func standJoints() {
        var standing: [[Double]] = []
        for k in 0..<skin.jointCount {
            var m: [Double] = [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]
            if k > 0 {
                let parent = standing[skin.parents[k]], r = rotations[k - 1]
                let offset = self.offset(k, r)
                m = AxisAngle.product(Array(parent[0..<9]), r) + [0, 0, 0]
                for c in 0..<3 {
                    m[9 + c] = parent[9 + c] + (0..<3).reduce(0.0) { $0 + parent[3 * c + $1] * offset[$1] }
                }
            }
            standing.append(m)
            for e in 0..<12 { transforms.pointer[12 * k + e] = T(m[e]) }
        }
    }

    /// J - R J: what turning about the joint adds to turning about the origin.
    private func offset(_ k: Int, _ r: [Double]) -> SIMD3<Double> {
        let j = joint(k)
        return j - SIMD3(
            r[0] * j.x + r[1] * j.y + r[2] * j.z, r[3] * j.x + r[4] * j.y + r[5] * j.z, r[6] * j.x + r[7] * j.y + r[8] * j.z)
    }

    private func joint(_ k: Int) -> SIMD3<Double> {
        SIMD3(Double(joints.pointer[3 * k]), Double(joints.pointer[3 * k + 1]), Double(joints.pointer[3 * k + 2]))
    }

    /// The gradients of the last `forward`, given `dVertices` by what it wrote: that by the linear head's vertices is written
    /// to `dLinear`; those by the modes (through the joints) and by the turns are added.
    func backward(
        _ dVertices: UnsafePointer<T>, dLinear: UnsafeMutablePointer<T>, dIdentity: UnsafeMutablePointer<T>?,
        _ identityCount: Int, dExpression: UnsafeMutablePointer<T>?, _ expressionCount: Int
    ) {
        let n = 3 * vertexCount, width = 3 * skin.jointCount
        dTransforms.fill(0)
        followBackward(
            corrected.pointer, skin.weights.pointer, transforms.pointer, dVertices, vertexCount, skin.jointCount,
            dCorrected.pointer, dTransforms.pointer)
        dLinear.update(from: dCorrected.pointer, count: n)
        T.gemv(false, features.count, n, 1, skin.correctives.pointer, n, dCorrected.pointer, 0, dFeatures.pointer)
        let dRotations = standJointsBackward()
        if let dExpression {
            let dAngles = dExpression + expressionCount
            for (j, turn) in turns.enumerated() {
                for (i, derivative) in AxisAngle.derivatives(turn).enumerated() {
                    let sum = (0..<9).reduce(0.0) { $0 + derivative[$1] * (dRotations[j][$1] + Double(dFeatures.pointer[9 * j + $1])) }
                    dAngles[3 * j + i] += T(sum)
                }
            }
            T.gemv(
                false, expressionCount, width, 1, skin.jointBasis.pointer + identityCount * width, width, dJoints.pointer, 1,
                dExpression)
        }
        if let dIdentity {
            T.gemv(false, identityCount, width, 1, skin.jointBasis.pointer, width, dJoints.pointer, 1, dIdentity)
        }
    }

    /// From the outermost joint inwards; writes `dJoints` and returns the gradients by the joints' rotations.
    private func standJointsBackward() -> [[Double]] {
        var d = (0..<12 * skin.jointCount).map { Double(dTransforms.pointer[$0]) }
        var dRotations = [[Double]](repeating: [Double](repeating: 0, count: 9), count: skin.jointCount - 1)
        dJoints.fill(0)
        for k in stride(from: skin.jointCount - 1, to: 0, by: -1) {
            let p = skin.parents[k], r = rotations[k - 1], j = joint(k), offset = offset(k, r)
            let parent = (0..<9).map { Double(transforms.pointer[12 * p + $0]) }
            var dOffset = SIMD3<Double>()
            for row in 0..<3 {
                for column in 0..<3 {
                    // Rotation: parent's times own. Shift: parent's rotation times the offset, and parent's shift.
                    let e = 3 * row + column
                    for i in 0..<3 {
                        d[12 * p + e] += d[12 * k + 3 * row + i] * r[3 * column + i]
                        dRotations[k - 1][e] += parent[3 * i + row] * d[12 * k + 3 * i + column]
                    }
                    d[12 * p + e] += d[12 * k + 9 + row] * offset[column]
                    dOffset[column] += parent[e] * d[12 * k + 9 + row]
                }
                d[12 * p + 9 + row] += d[12 * k + 9 + row]
            }
            for row in 0..<3 {
                var sum = dOffset[row]
                for i in 0..<3 {
                    dRotations[k - 1][3 * row + i] -= dOffset[row] * j[i]
                    sum -= r[3 * i + row] * dOffset[i]
                }
                dJoints.pointer[3 * k + row] += T(sum)
            }
        }
        return dRotations
    }
}

/// Each vertex by the weighted mean of its joints' transforms.
@_specialize(where T == Float)
@_specialize(where T == Double)
func follow<T: Scalar>(
    _ p: UnsafePointer<T>, _ weights: UnsafePointer<T>, _ transforms: UnsafePointer<T>, _ count: Int, _ joints: Int,
    _ q: UnsafeMutablePointer<T>
) {
    withUnsafeTemporaryAllocation(of: T.self, capacity: 12) { m in
        for v in 0..<count {
            blend(weights + v &* joints, transforms, joints, m.baseAddress!)
            let x = p[3 &* v], y = p[3 &* v &+ 1], z = p[3 &* v &+ 2]
            for c in 0..<3 { q[3 &* v &+ c] = m[3 &* c] * x + m[3 &* c &+ 1] * y + m[3 &* c &+ 2] * z + m[9 &+ c] }
        }
    }
}

/// Writes the gradient by the points and adds that by the transforms.
@_specialize(where T == Float)
@_specialize(where T == Double)
func followBackward<T: Scalar>(
    _ p: UnsafePointer<T>, _ weights: UnsafePointer<T>, _ transforms: UnsafePointer<T>, _ dq: UnsafePointer<T>, _ count: Int,
    _ joints: Int, _ dp: UnsafeMutablePointer<T>, _ dTransforms: UnsafeMutablePointer<T>
) {
    withUnsafeTemporaryAllocation(of: T.self, capacity: 12) { m in
        for v in 0..<count {
            blend(weights + v &* joints, transforms, joints, m.baseAddress!)
            let d = dq + 3 &* v, x = p + 3 &* v
            for c in 0..<3 { dp[3 &* v &+ c] = m[c] * d[0] + m[3 &+ c] * d[1] + m[6 &+ c] * d[2] }
            for k in 0..<joints {
                let w = weights[v &* joints &+ k]
                if w == 0 { continue }
                let g = dTransforms + 12 &* k
                for row in 0..<3 {
                    let s = w * d[row]
                    for column in 0..<3 { g[3 &* row &+ column] += s * x[column] }
                    g[9 &+ row] += s
                }
            }
        }
    }
}

@inline(__always)
private func blend<T: Scalar>(_ w: UnsafePointer<T>, _ transforms: UnsafePointer<T>, _ joints: Int, _ m: UnsafeMutablePointer<T>) {
    for e in 0..<12 { m[e] = 0 }
    for k in 0..<joints {
        if w[k] == 0 { continue }
        for e in 0..<12 { m[e] += w[k] * transforms[12 &* k &+ e] }
    }
}
