import COpenBLAS
import FaceModel
import Numerics

/// `LandmarkGaussNewton` on several photos of one person: one identity, everything else photo by photo.
///
/// The normal equations have the shape of an arrow: photos meet in the identity alone. Each photo's own unknowns are
/// eliminated (Schur complement), so the work grows in proportion to the number of photos.
package struct JointLandmarkGaussNewton {
    let single: LandmarkGaussNewton

    func run(
        stage: FitStage, problems: [FitProblem], states: inout [FitState], record: (Int, EnergyTerms) throws -> Void
    ) throws -> StageOutcome {
        var own = stage
        own.weights = JointObjective.share(stage.weights, of: problems.count)
        var photos: [Photo] = []
        for (problem, state) in zip(problems, states) {
            guard let observed = problem.landmarks else {
                return StageOutcome(stage: stage.name, iterations: 0, reason: .noLandmarks, first: 0, last: 0)
            }
            let energy = LandmarkEnergy(head: single.head, stage: own, problem: problem, observed: observed)
            photos.append(
                Photo(
                    energy: energy, observed: observed, x: energy.unknowns(of: state),
                    points: PointModel(single.head, at: single.embedding(for: state, observed))))
        }
        let outcome = try DampedDescent(stage: stage).run(
            &photos, evaluate: { $0.reduce(into: EnergyTerms()) { $0 += $1.energy.evaluate($1.x, $1.points) } },
            moveContour: { photos in
                let following = photos.indices.filter { photos[$0].observed.areAnnotated }
                for k in following {
                    photos[k].energy.write(photos[k].x, to: &states[k])
                    photos[k].points = PointModel(single.head, at: single.embedding(for: states[k], photos[k].observed))
                }
                return !following.isEmpty
            },
            linearise: { photos in
                let equations = photos.map { $0.energy.normalEquations($0.x, $0.points) }
                return { damping, shapeHeld in
                    guard let steps = Self.solve(photos, equations, damping: damping, shapeHeld: shapeHeld) else { return nil }
                    var trial = photos
                    for k in trial.indices {
                        trial[k].x = trial[k].energy.stepped(trial[k].x, by: steps[k], limit: LandmarkGaussNewton.identityLimit)
                    }
                    return trial
                }
            }, record: record)
        for k in photos.indices { photos[k].energy.write(photos[k].x, to: &states[k]) }
        return outcome
    }

    package struct Photo {
        package let energy: LandmarkEnergy
        let observed: LandmarkObservations
        /// Pose, identity, expression; the identity is the same in all photos.
        package var x: [Double]
        package var points: PointModel<Float>

        package init(energy: LandmarkEnergy, observed: LandmarkObservations, x: [Double], points: PointModel<Float>) {
            (self.energy, self.observed, self.x, self.points) = (energy, observed, x, points)
        }
    }

    /// The damped step of every photo, each with the common step of the identity in it; nil if singular.
    package static func solve(
        _ photos: [Photo], _ equations: [(hessian: [Double], gradient: [Double])], damping: Double, shapeHeld: Bool
    ) -> [[Double]]? {
        let ni = photos[0].energy.identityCount, n = photos[0].energy.count, m = n - ni
        // A photo's own unknowns among its n.
        let own = Array(0..<6) + Array(6 + ni..<n)
        var schur = [Double](repeating: 0, count: ni * ni), right = [Double](repeating: 0, count: ni)
        var eliminated: [[Double]] = []
        let identityHeld = ni == 0 || !photos[0].energy.free[6] || shapeHeld
        for (photo, (h, g)) in zip(photos, equations) {
            let held = own.map { photo.energy.isHeld($0, g, at: photo.x, shapeHeld: shapeHeld) }
            var a = [Double](repeating: 0, count: m * m)
            // Column by column: B, then the right-hand side.
            var columns = [Double](repeating: 0, count: m * (ni + 1))
            for (r, i) in own.enumerated() {
                if held[r] {
                    a[r * m + r] = 1
                    continue
                }
                for (c, j) in own.enumerated() where !held[c] { a[r * m + c] = h[i * n + j] }
                a[r * m + r] += damping * h[i * n + i] + 1e-9
                if !identityHeld { for k in 0..<ni { columns[k * m + r] = h[i * n + 6 + k] } }
                columns[ni * m + r] = g[i]
            }
            let before = columns
            var info: Int32 = 0
            dposv_("U", [Int32(m)], [Int32(ni + 1)], &a, [Int32(m)], &columns, [Int32(m)], &info)
            guard info == 0, columns.allSatisfy(\.isFinite) else { return nil }
            for k in 0..<ni {
                for l in 0..<ni { schur[k * ni + l] += h[(6 + k) * n + 6 + l] }
                schur[k * ni + k] += damping * h[(6 + k) * n + 6 + k]
                right[k] += g[6 + k]
            }
            if !identityHeld {
                // Columns of B against columns of A^-1 [B, g]: B^T A^-1 B and B^T A^-1 g.
                var product = [Double](repeating: 0, count: ni * (ni + 1))
                Double.gemm(false, true, ni, ni + 1, m, 1, before, m, columns, m, 0, &product, ni + 1)
                for k in 0..<ni {
                    for l in 0..<ni { schur[k * ni + l] -= product[k * (ni + 1) + l] }
                    right[k] -= product[k * (ni + 1) + ni]
                }
            }
            eliminated.append(columns)
        }
        if identityHeld {
            right = [Double](repeating: 0, count: ni)
        } else {
            for k in 0..<ni { schur[k * ni + k] += 1e-9 }
            var info: Int32 = 0
            dposv_("U", [Int32(ni)], [1], &schur, [Int32(ni)], &right, [Int32(ni)], &info)
            guard info == 0, right.allSatisfy(\.isFinite) else { return nil }
        }
        return eliminated.map { columns in
            var step = [Double](repeating: 0, count: n)
            for k in 0..<ni { step[6 + k] = right[k] }
            for (r, i) in own.enumerated() {
                var d = columns[ni * m + r]
                for k in 0..<ni { d -= columns[k * m + r] * right[k] }
                step[i] = d
            }
            return step
        }
    }
}
