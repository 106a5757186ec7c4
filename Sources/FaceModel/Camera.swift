import Glibc
import Numerics

/// Weak perspective, model millimetres to photo pixels: `u = s (R p).x + tx`, `v = -s (R p).y + ty`, pixel centres at
/// integers, v down.
public struct Camera<T: Scalar>: Sendable {
    /// Row-major [9], model to camera.
    public var rotation: [T]
    /// Pixels per millimetre.
    public var scale: T
    /// Where the model's origin lands, pixels.
    public var tx, ty: T

    public init(rotation: [T], scale: T, tx: T, ty: T) {
        precondition(rotation.count == 9, "a rotation has nine numbers")
        self.rotation = rotation
        self.scale = scale
        self.tx = tx
        self.ty = ty
    }

    /// The 3x4 matrix `[u v depth]^T = M [x y z 1]^T`, row-major; depth in pixels, growing towards the viewer.
    public var matrix: [T] {
        let r = rotation.map { $0 * scale }
        return [r[0], r[1], r[2], tx, -r[3], -r[4], -r[5], ty, r[6], r[7], r[8], 0]
    }

    /// Row-major [9], camera to model: the inverse of a rotation is its transpose.
    public var rotationToModel: [T] {
        let r = rotation
        return [r[0], r[3], r[6], r[1], r[4], r[7], r[2], r[5], r[8]]
    }

    /// Pixels `[count,2]` of model points `[count,3]`.
    public func project(_ points: UnsafePointer<T>, count: Int, into pixels: UnsafeMutablePointer<T>) {
        let m = matrix
        for i in 0..<count {
            let x = points[3 * i], y = points[3 * i + 1], z = points[3 * i + 2]
            pixels[2 * i] = m[0] * x + m[1] * y + m[2] * z + m[3]
            pixels[2 * i + 1] = m[4] * x + m[5] * y + m[6] * z + m[7]
        }
    }
}

/// Where the head is inside the aligned frame: the geometry parameters of a fit beside shape.
public struct HeadPose<T: Scalar>: Sendable, Equatable {
    /// Radians; signs as in `Rotation`.
    public var yaw, pitch, roll: T
    /// Natural logarithm of the scale (0 where the alignment was right).
    public var logScale: T
    /// Shift, mm in the aligned frame, x right, y up.
    public var tx, ty: T

    public init(yaw: T = 0, pitch: T = 0, roll: T = 0, logScale: T = 0, tx: T = 0, ty: T = 0) {
        self.yaw = yaw
        self.pitch = pitch
        self.roll = roll
        self.logScale = logScale
        self.tx = tx
        self.ty = ty
    }

    /// In the order yaw, pitch, roll, log scale, tx, ty.
    public init(_ values: [T]) {
        precondition(values.count == 6, "a pose has six numbers")
        self.init(
            yaw: values[0], pitch: values[1], roll: values[2], logScale: values[3], tx: values[4], ty: values[5])
    }

    public var array: [T] { [yaw, pitch, roll, logScale, tx, ty] }
    public var rotation: [T] { Rotation.matrix(yaw: yaw, pitch: pitch, roll: roll) }
}

/// The square picture in which a renderer sees every head: orthographic, `half` mm to each side, its centre `centreY` mm
/// above the model's origin. Both come from the renderer's weight file.
///
///     ndc x = (s (R p).x + tx) / half     ndc y = (s (R p).y + ty - centreY) / half     ndc z = s (R p).z / half
///
/// All three axes share one scale, so vertex normals computed from NDC vertices are the camera-space normals.
public struct AlignedFrame: Sendable, Equatable {
    /// Millimetres.
    public var half, centreY: Double
    public init(half: Double = 115, centreY: Double = 5) {
        self.half = half
        self.centreY = centreY
    }

    /// Model vertices `[count,3]` mm to NDC `[count,3]`.
    @_specialize(where T == Float)
    @_specialize(where T == Double)
    public func forward<T: Scalar>(
        _ vertices: UnsafePointer<T>, count: Int, pose: HeadPose<T>, into ndc: UnsafeMutablePointer<T>
    ) {
        let s = T.exponential(pose.logScale) / T(half)
        let r = Rotation.entries(yaw: pose.yaw, pitch: pose.pitch, roll: pose.roll)
        affineForward(vertices, count, .init { r[$0] * s }, [pose.tx / T(half), (pose.ty - T(centreY)) / T(half), 0], ndc)
    }

    /// Adds the gradients by the vertices and by the six pose numbers (order of `HeadPose.array`); nil leaves one out.
    @_specialize(where T == Float)
    @_specialize(where T == Double)
    public func backward<T: Scalar>(
        _ vertices: UnsafePointer<T>, count: Int, pose: HeadPose<T>, dNdc: UnsafePointer<T>,
        dVertices: UnsafeMutablePointer<T>?, dPose: UnsafeMutablePointer<T>?
    ) {
        let s = T.exponential(pose.logScale) / T(half)
        let r = Rotation.entries(yaw: pose.yaw, pitch: pose.pitch, roll: pose.roll)
        if let dVertices { affineBackwardPoints(dNdc, count, .init { r[$0] * s }, dVertices) }
        guard let dPose else { return }
        let moments = affineMoments(vertices, dNdc, count)
        let d = Rotation.derivativeEntries(yaw: pose.yaw, pitch: pose.pitch, roll: pose.roll)
        for k in 0..<9 {
            dPose[0] += s * d.yaw[k] * moments[k]
            dPose[1] += s * d.pitch[k] * moments[k]
            dPose[2] += s * d.roll[k] * moments[k]
            dPose[3] += s * r[k] * moments[k]
        }
        dPose[4] += moments[9] / T(half)
        dPose[5] += moments[10] / T(half)
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func affineForward<T: Scalar>(
    _ p: UnsafePointer<T>, _ count: Int, _ m: InlineArray<9, T>, _ t: InlineArray<3, T>, _ q: UnsafeMutablePointer<T>
) {
    let (m0, m1, m2) = (m[0], m[1], m[2]), (m3, m4, m5) = (m[3], m[4], m[5]), (m6, m7, m8) = (m[6], m[7], m[8])
    let (t0, t1, t2) = (t[0], t[1], t[2])
    for i in 0..<count {
        let x = p[3 &* i], y = p[3 &* i &+ 1], z = p[3 &* i &+ 2]
        q[3 &* i] = m0 * x + m1 * y + m2 * z + t0
        q[3 &* i &+ 1] = m3 * x + m4 * y + m5 * z + t1
        q[3 &* i &+ 2] = m6 * x + m7 * y + m8 * z + t2
    }
}

@_specialize(where T == Float)
@_specialize(where T == Double)
func affineBackwardPoints<T: Scalar>(_ dq: UnsafePointer<T>, _ count: Int, _ m: InlineArray<9, T>, _ dp: UnsafeMutablePointer<T>) {
    let (m0, m1, m2) = (m[0], m[1], m[2]), (m3, m4, m5) = (m[3], m[4], m[5]), (m6, m7, m8) = (m[6], m[7], m[8])
    for i in 0..<count {
        let x = dq[3 &* i], y = dq[3 &* i &+ 1], z = dq[3 &* i &+ 2]
        dp[3 &* i] += m0 * x + m3 * y + m6 * z
        dp[3 &* i &+ 1] += m1 * x + m4 * y + m7 * z
        dp[3 &* i &+ 2] += m2 * x + m5 * y + m8 * z
    }
}

/// Nine numbers `sum dq p^T` (row-major), then `sum dq`.
@_specialize(where T == Float)
@_specialize(where T == Double)
func affineMoments<T: Scalar>(_ p: UnsafePointer<T>, _ dq: UnsafePointer<T>, _ count: Int) -> InlineArray<12, T> {
    var a0: T = 0, a1: T = 0, a2: T = 0, a3: T = 0, a4: T = 0, a5: T = 0, a6: T = 0, a7: T = 0, a8: T = 0
    var s0: T = 0, s1: T = 0, s2: T = 0
    for i in 0..<count {
        let x = p[3 &* i], y = p[3 &* i &+ 1], z = p[3 &* i &+ 2]
        let u = dq[3 &* i], v = dq[3 &* i &+ 1], w = dq[3 &* i &+ 2]
        a0 += u * x; a1 += u * y; a2 += u * z
        a3 += v * x; a4 += v * y; a5 += v * z
        a6 += w * x; a7 += w * y; a8 += w * z
        s0 += u; s1 += v; s2 += w
    }
    return [a0, a1, a2, a3, a4, a5, a6, a7, a8, s0, s1, s2]
}
