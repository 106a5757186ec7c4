import FaceModel
import Numerics
import Testing

@Suite struct RotationTests {
    /// Where the nose (+z) and the top of the head (+y) go, in camera space.
    func move(_ r: [Double], _ p: [Double]) -> [Double] {
        (0..<3).map { r[3 * $0] * p[0] + r[3 * $0 + 1] * p[1] + r[3 * $0 + 2] * p[2] }
    }

    @Test func signs() {
        let nose = [0.0, 0, 1], top = [0.0, 1, 0]
        let yaw = Rotation.matrix(yaw: 0.4, pitch: 0.0, roll: 0.0)
        #expect(move(yaw, nose)[0] > 0.3 && abs(move(yaw, nose)[1]) < 1e-12, "turning to their left: nose to image right")
        let pitch = Rotation.matrix(yaw: 0.0, pitch: 0.4, roll: 0.0)
        #expect(move(pitch, nose)[1] > 0.3 && abs(move(pitch, nose)[0]) < 1e-12, "looking up: nose up")
        let roll = Rotation.matrix(yaw: 0.0, pitch: 0.0, roll: 0.4)
        #expect(move(roll, top)[0] < -0.3 && move(roll, nose) == nose, "counter-clockwise: head top to image left")
    }

    @Test func isTheProductOfTheDocumentedMatrices() {
        let (y, p, r) = (0.5, -0.3, 0.9)
        func c(_ x: Double) -> Double { Double.cosine(x) }
        func s(_ x: Double) -> Double { Double.sine(x) }
        let rz: [Double] = [c(r), -s(r), 0, s(r), c(r), 0, 0, 0, 1]
        let rx: [Double] = [1, 0, 0, 0, c(p), s(p), 0, -s(p), c(p)]
        let ry: [Double] = [c(y), 0, s(y), 0, 1, 0, -s(y), 0, c(y)]
        func times(_ a: [Double], _ b: [Double]) -> [Double] {
            (0..<9).map { i -> Double in
                let row = 3 * (i / 3), column = i % 3
                return a[row] * b[column] + a[row + 1] * b[3 + column] + a[row + 2] * b[6 + column]
            }
        }
        let expected = times(rz, times(rx, ry))
        let m = Rotation.matrix(yaw: y, pitch: p, roll: r)
        for k in 0..<9 { #expect(abs(m[k] - expected[k]) < 1e-14) }
    }

    @Test func decomposeInverts() {
        var random = RandomGenerator(seed: 3)
        for _ in 0..<200 {
            let a = (random.uniform(-3.1, 3.1), random.uniform(-1.5, 1.5), random.uniform(-3.1, 3.1))
            let b = Rotation.decompose(Rotation.matrix(yaw: a.0, pitch: a.1, roll: a.2))
            #expect(abs(a.0 - b.yaw) < 1e-9 && abs(a.1 - b.pitch) < 1e-9 && abs(a.2 - b.roll) < 1e-9)
        }
        // Straight up: yaw and roll are one and the same turn; the matrix comes back all the same.
        let up = Rotation.matrix(yaw: 0.3, pitch: Double.pi / 2, roll: 0.2)
        let d = Rotation.decompose(up)
        let again = Rotation.matrix(yaw: d.yaw, pitch: d.pitch, roll: d.roll)
        for k in 0..<9 { #expect(abs(up[k] - again[k]) < 1e-8) }
    }

    @Test func anglesAreNeverMinusPi() {
        let turned = Rotation.decompose([-1, 0, 0, 0, 1, 0, 0.0, 0, -1]), tilted = Rotation.decompose([-1, 0.0, 0, 0, -1, 0, 0, 0, 1])
        #expect(turned.yaw == .pi && tilted.roll == .pi)
    }

    @Test func derivativesMatchDifferences() {
        let x = [0.4, -0.25, 0.7], h = 1e-6
        let d = Rotation.derivatives(yaw: x[0], pitch: x[1], roll: x[2])
        for (axis, analytic) in [d.yaw, d.pitch, d.roll].enumerated() {
            var up = x, down = x
            up[axis] += h
            down[axis] -= h
            let a = Rotation.matrix(yaw: up[0], pitch: up[1], roll: up[2])
            let b = Rotation.matrix(yaw: down[0], pitch: down[1], roll: down[2])
            for k in 0..<9 { #expect(abs((a[k] - b[k]) / (2 * h) - analytic[k]) < 1e-9) }
        }
    }

    @Test func cameraFollowsItsFormula() {
        let r = Rotation.matrix(yaw: 0.3, pitch: 0.2, roll: -0.1)
        let camera = Camera(rotation: r, scale: 2.5, tx: 320, ty: 240)
        let p = [10.0, -20, 30]
        var uv = [0.0, 0]
        camera.project(p, count: 1, into: &uv)
        let q = move(r, p)
        #expect(abs(uv[0] - (2.5 * q[0] + 320)) < 1e-10 && abs(uv[1] - (-2.5 * q[1] + 240)) < 1e-10)
        let m = camera.matrix
        #expect(m.count == 12 && abs(m[8] * 10 + m[9] * -20 + m[10] * 30 - 2.5 * q[2]) < 1e-10)
    }
}
