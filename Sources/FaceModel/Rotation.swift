import Glibc
import Numerics

/// Head rotation, model to camera: `R = Rz(roll) Rx(-pitch) Ry(yaw)`, angles in radians, matrices row-major [9].
///
/// Camera: x right, y up, z towards the viewer. Yaw is positive when the subject turns to their left (the nose moves to the
/// image's right), pitch when looking up, roll counter-clockwise in the picture. With c, s for cosine and sine of y, p, r:
///
///     Ry(yaw) = | cy 0 sy |   Rx(-pitch) = | 1   0  0 |   Rz(roll) = | cr -sr 0 |
///               |  0 1  0 |                | 0  cp sp |              | sr  cr 0 |
///               |-sy 0 cy |                | 0 -sp cp |              |  0   0 1 |
public enum Rotation {
    public static func matrix<T: Scalar>(yaw: T, pitch: T, roll: T) -> [T] {
        list(entries(yaw: yaw, pitch: pitch, roll: roll))
    }

    /// The derivatives of `matrix` by yaw, pitch and roll.
    public static func derivatives<T: Scalar>(yaw: T, pitch: T, roll: T) -> (yaw: [T], pitch: [T], roll: [T]) {
        let d = derivativeEntries(yaw: yaw, pitch: pitch, roll: roll)
        return (list(d.yaw), list(d.pitch), list(d.roll))
    }

    private static func list<T>(_ m: InlineArray<9, T>) -> [T] { m.indices.map { m[$0] } }

    /// `matrix` and `derivatives` for loops that must not ask for memory.
    @_specialize(where T == Float)
    @_specialize(where T == Double)
    static func entries<T: Scalar>(yaw: T, pitch: T, roll: T) -> InlineArray<9, T> {
        product(yaw: (T.cosine(yaw), T.sine(yaw)), pitch: (T.cosine(pitch), T.sine(pitch)), roll: (T.cosine(roll), T.sine(roll)))
    }

    @_specialize(where T == Float)
    @_specialize(where T == Double)
    static func derivativeEntries<T: Scalar>(
        yaw: T, pitch: T, roll: T
    ) -> (yaw: InlineArray<9, T>, pitch: InlineArray<9, T>, roll: InlineArray<9, T>) {
        let y = (T.cosine(yaw), T.sine(yaw)), p = (T.cosine(pitch), T.sine(pitch)), r = (T.cosine(roll), T.sine(roll))
        // R is linear in (cos, sin) of each angle but for the constant 1 of its axis; the difference of two products drops it.
        func difference(_ a: InlineArray<9, T>, _ b: InlineArray<9, T>) -> InlineArray<9, T> { .init { a[$0] - b[$0] } }
        let zero: (T, T) = (0, 0)
        return (
            difference(product(yaw: (-y.1, y.0), pitch: p, roll: r), product(yaw: zero, pitch: p, roll: r)),
            difference(product(yaw: y, pitch: (-p.1, p.0), roll: r), product(yaw: y, pitch: zero, roll: r)),
            difference(product(yaw: y, pitch: p, roll: (-r.1, r.0)), product(yaw: y, pitch: p, roll: zero))
        )
    }

    /// The angles of a rotation matrix: yaw in (-pi,pi], pitch in [-pi/2,pi/2], roll in (-pi,pi]; roll is 0 where they are
    /// not unique (looking straight up or down).
    public static func decompose<T: Scalar>(_ r: [T]) -> (yaw: T, pitch: T, roll: T) {
        let m = r.map { Double($0) }
        let cosPitch = (m[1] * m[1] + m[4] * m[4]).squareRoot()
        let pitch = atan2(-m[7], cosPitch)
        // A minus zero would give -pi.
        func angle(_ y: Double, _ x: Double) -> T {
            let a = atan2(y, x)
            return T(a <= -Double.pi ? Double.pi : a)
        }
        if cosPitch < 1e-9 { return (angle(m[2], m[0]), T(pitch), 0) }
        return (angle(-m[6], m[8]), T(pitch), angle(-m[1], m[4]))
    }

    @_specialize(where T == Float)
    @_specialize(where T == Double)
    private static func product<T: Scalar>(yaw: (T, T), pitch: (T, T), roll: (T, T)) -> InlineArray<9, T> {
        let (cy, sy) = yaw, (cp, sp) = pitch, (cr, sr) = roll
        let m: InlineArray<9, T> = [cy, 0, sy, -sp * sy, cp, sp * cy, -cp * sy, -sp, cp * cy]
        return [
            cr * m[0] - sr * m[3], cr * m[1] - sr * m[4], cr * m[2] - sr * m[5],
            sr * m[0] + cr * m[3], sr * m[1] + cr * m[4], sr * m[2] + cr * m[5],
            m[6], m[7], m[8],
        ]
    }
}
