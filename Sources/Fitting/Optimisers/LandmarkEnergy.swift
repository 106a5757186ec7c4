import COpenBLAS
import FaceModel
import Numerics

/// The energy that landmark stages lower, its Jacobian and its bounds.
package struct LandmarkEnergy {
    package let identityCount, expressionCount: Int
    let observed: LandmarkObservations
    let weights: FitWeights
    private let sights: [Sight]
    /// Which unknowns this stage moves.
    let free: [Bool]
    let identityStart, expressionStart: [Double]
    let identityPrecision, expressionStartPrecision, expressionPrecision: [Double]
    let bounded: Bool
    let c = 4.0
    package var count: Int { 6 + identityCount + expressionCount }

    package init(head: HeadModel<Float>, stage: FitStage, problem: FitProblem, observed: LandmarkObservations) {
        let ni = head.identityCount, ne = head.expressionCount
        (identityCount, expressionCount) = (ni, ne)
        self.observed = observed
        weights = stage.weights
        sights = Self.sights(observed, openings: stage.weights.openings)
        func filled(_ a: [Float], _ n: Int, _ value: Double) -> [Double] {
            (0..<n).map { $0 < a.count ? Double(a[$0]) : value }
        }
        identityStart = filled(problem.identityCentre.isEmpty ? problem.start.identity : problem.identityCentre, ni, 0)
        expressionStart = filled(problem.expressionCentre.isEmpty ? problem.start.expression : problem.expressionCentre, ne, 0)
        identityPrecision = filled(problem.identityPrecision, ni, 1)
        expressionStartPrecision = filled(problem.expressionPrecision, ne, 1)
        expressionPrecision = head.expressionPrecision.map { Double($0) }
        bounded = head.expressionPrior == .unitInterval
        free =
            Array(repeating: stage.blocks.contains(.rotation), count: 3)
            + Array(repeating: stage.blocks.contains(.similarity), count: 3)
            + Array(repeating: stage.blocks.contains(.identity), count: ni)
            + Array(repeating: stage.blocks.contains(.expression), count: ne)
    }

    package func unknowns(of s: FitState) -> [Double] {
        [s.yaw, s.pitch, s.roll, s.logScale, s.shiftX, s.shiftY].map(Double.init)
            + s.identity.prefix(identityCount).map(Double.init) + s.expression.prefix(expressionCount).map(Double.init)
    }

    func write(_ x: [Double], to s: inout FitState) {
        (s.yaw, s.pitch, s.roll) = (Float(x[0]), Float(x[1]), Float(x[2]))
        (s.logScale, s.shiftX, s.shiftY) = (Float(x[3]), Float(x[4]), Float(x[5]))
        s.identity = x[6..<6 + identityCount].map { Float($0) }
        s.expression = x[(6 + identityCount)...].map { Float($0) }
    }

    /// One thing that was seen: a point, or the gap from the second point to the first, with the inverse of its expected error.
    private struct Sight {
        let first: Int, second: Int?
        let weight: Double

        /// The same of an array with `stride` values per point, `row` one of them.
        func value<T: BinaryFloatingPoint>(_ a: [T], _ stride: Int, _ row: Int, from start: Int = 0) -> Double {
            let one = Double(a[start + stride * first + row])
            return second.map { one - Double(a[start + stride * $0 + row]) } ?? one
        }

        func point(_ shape: [Double]) -> SIMD3<Double> { .init(value(shape, 3, 0), value(shape, 3, 1), value(shape, 3, 2)) }
    }

    private static func sights(_ observed: LandmarkObservations, openings: Float) -> [Sight] {
        let points = (0..<68).map { Sight(first: $0, second: nil, weight: Double(observed.weights[$0])) }
        let gaps = Openings.pairs.map { upper, lower in
            Sight(
                first: upper, second: lower,
                weight: Openings.weight(
                    Double(observed.weights[upper]), Double(observed.weights[lower]), precision: Double(openings)))
        }
        return (points + gaps).filter { $0.weight != 0 }
    }

    /// (68, 3) points in model space.
    private func shape(_ x: [Double], _ points: PointModel<Float>) -> [Double] { points.positions(at: x[6...]) }

    package func evaluate(_ x: [Double], _ points: PointModel<Float>) -> EnergyTerms {
        let shape = shape(x, points)
        let r = Rotation.matrix(yaw: x[0], pitch: x[1], roll: x[2])
        let s = Double.exponential(x[3])
        var terms = EnergyTerms()
        for sight in sights {
            let w = sight.weight, q = residual(sight, shape, r, s, x)
            terms.landmarks += c * c * Double.logarithm(1 + w * w * (q.0 * q.0 + q.1 * q.1) / (c * c))
        }
        terms.landmarks *= Double(weights.landmarks)
        for k in 0..<identityCount {
            let a = x[6 + k], d = a - identityStart[k]
            terms.identity += Double(weights.identity) * a * a + Double(weights.identityStart) * identityPrecision[k] * d * d
        }
        for k in 0..<expressionCount {
            let b = x[6 + identityCount + k], d = b - expressionStart[k]
            terms.expression += Double(weights.expression) * expressionPrecision[k] * b * b
            terms.expression += Double(weights.expressionStart) * expressionStartPrecision[k] * d * d
            if bounded { terms.expression += Double(weights.expressionOneSided) * b }
        }
        return terms
    }

    private func residual(_ sight: Sight, _ shape: [Double], _ r: [Double], _ s: Double, _ x: [Double]) -> (Double, Double) {
        let p = sight.point(shape)
        func along(_ row: Int) -> Double {
            let o = 3 * row, shift = sight.second == nil ? x[4 + row] : 0      // a gap does not know where it is
            return sight.value(observed.positions, 2, row) - s * (r[o] * p[0] + r[o + 1] * p[1] + r[o + 2] * p[2]) - shift
        }
        return (along(0), along(1))
    }

    /// J^T W J + D and the downhill right-hand side, both without damping and bounds.
    package func normalEquations(_ x: [Double], _ points: PointModel<Float>) -> (hessian: [Double], gradient: [Double]) {
        let n = count, shape = shape(x, points)
        let r = Rotation.matrix(yaw: x[0], pitch: x[1], roll: x[2])
        let dr = Rotation.derivatives(yaw: x[0], pitch: x[1], roll: x[2])
        let s = Double.exponential(x[3])
        let rows = 2 * sights.count
        var jacobian = [Double](repeating: 0, count: rows * n)
        var weighted = [Double](repeating: 0, count: rows)
        let width = 3 * points.count, basis = points.basis(at: x[6...])
        for (i, sight) in sights.enumerated() {
            let w = sight.weight, e = residual(sight, shape, r, s, x)
            let q = (Double(weights.landmarks) * w * w / (1 + w * w * (e.0 * e.0 + e.1 * e.1) / (c * c))).squareRoot()
            let p = sight.point(shape)
            for row in 0..<2 {
                let j = (2 * i + row) * n, o = 3 * row
                func along(_ m: [Double]) -> Double { s * (m[o] * p[0] + m[o + 1] * p[1] + m[o + 2] * p[2]) }
                jacobian[j] = q * along(dr.yaw)
                jacobian[j + 1] = q * along(dr.pitch)
                jacobian[j + 2] = q * along(dr.roll)
                jacobian[j + 3] = q * along(r)
                if sight.second == nil { jacobian[j + 4 + row] = q }
                for k in 0..<identityCount + expressionCount {
                    func moved(_ axis: Int) -> Double { sight.value(basis, 3, axis, from: k * width) }
                    jacobian[j + 6 + k] = q * s * (r[o] * moved(0) + r[o + 1] * moved(1) + r[o + 2] * moved(2))
                }
                weighted[2 * i + row] = q * (row == 0 ? e.0 : e.1)
            }
        }
        var hessian = [Double](repeating: 0, count: n * n)
        Double.gemm(true, false, n, n, rows, 1, jacobian, n, jacobian, n, 0, &hessian, n)
        var gradient = [Double](repeating: 0, count: n)
        Double.gemv(true, rows, n, 1, jacobian, n, weighted, 0, &gradient)
        for k in 0..<identityCount {
            let i = 6 + k, a = x[i]
            let start = Double(weights.identityStart) * identityPrecision[k]
            hessian[i * n + i] += Double(weights.identity) + start
            gradient[i] -= Double(weights.identity) * a + start * (a - identityStart[k])
        }
        for k in 0..<expressionCount {
            let i = 6 + identityCount + k, b = x[i]
            let rest = Double(weights.expression) * expressionPrecision[k]
            let start = Double(weights.expressionStart) * expressionStartPrecision[k]
            hessian[i * n + i] += rest + start
            gradient[i] -= rest * b + start * (b - expressionStart[k])
            if bounded { gradient[i] -= Double(weights.expressionOneSided) / 2 }
        }
        return (hessian, gradient)
    }

    /// Whether an unknown does not move: not of this stage, or an expression that presses against a bound.
    func isHeld(_ i: Int, _ gradient: [Double], at x: [Double], shapeHeld: Bool) -> Bool {
        if !free[i] || (shapeHeld && i >= 6) { return true }
        guard bounded && i >= 6 + identityCount else { return false }
        return (x[i] <= 0 && gradient[i] < 0) || (x[i] >= 1 && gradient[i] > 0)
    }

    /// The damped step, zero in held unknowns and in expressions that press against a bound; nil if singular.
    func solve(
        _ hessian: [Double], _ gradient: [Double], at x: [Double], damping: Double, shapeHeld: Bool
    ) -> [Double]? {
        let n = count
        var a = hessian, g = gradient
        for i in 0..<n {
            if isHeld(i, gradient, at: x, shapeHeld: shapeHeld) {
                for j in 0..<n {
                    a[i * n + j] = 0
                    a[j * n + i] = 0
                }
                a[i * n + i] = 1
                g[i] = 0
            } else {
                a[i * n + i] += damping * hessian[i * n + i] + 1e-9
            }
        }
        var info: Int32 = 0
        dposv_("U", [Int32(n)], [1], &a, [Int32(n)], &g, [Int32(n)], &info)
        return info == 0 && g.allSatisfy(\.isFinite) ? g : nil
    }

    func stepped(_ x: [Double], by step: [Double], limit: Double) -> [Double] {
        var y = x
        for i in 0..<count {
            let d = i == 3 ? max(-0.3, min(0.3, step[i])) : step[i]
            y[i] = x[i] + d
            if i >= 6 && i < 6 + identityCount { y[i] = max(-limit, min(limit, y[i])) }
            if i >= 6 + identityCount && bounded { y[i] = max(0, min(1, y[i])) }
        }
        return y
    }
}
