import FaceModel
import Numerics

extension FitProblem {
    /// Everything a fit will index, checked before it begins. `size` is the renderer's, nil without one.
    func check(head: HeadModel<Float>, size: Int?) throws {
        func require(_ ok: Bool, _ what: @autoclosure () -> String) throws {
            if !ok { throw GarfaceError(.invalidArgument, "fit: " + what()) }
        }
        if let size {
            try require(
                target.count == 3 * size * size && inside.count == size * size,
                "the target must be (3, \(size), \(size)) and its mask (\(size), \(size)); found \(target.count) and \(inside.count) values")
            try require(target.allSatisfy(\.isFinite) && inside.allSatisfy(\.isFinite), "the target holds values that are not finite")
            if let around = surroundings {
                let side = PhotoSurroundings.side(target: size)
                try require(
                    around.side == side && around.values.allSatisfy(\.isFinite),
                    "the surroundings of a target of \(size) pixels must have \(side), all finite; found \(around.side)")
            }
        }
        try require(
            start.identity.count == head.identityCount && start.expression.count == head.expressionCount,
            "the start must have \(head.identityCount) identity and \(head.expressionCount) expression coefficients; "
                + "found \(start.identity.count) and \(start.expression.count)")
        let pose = [start.yaw, start.pitch, start.roll, start.logScale, start.shiftX, start.shiftY]
        try require(
            (start.identity + start.expression + identityCentre + expressionCentre + identityPrecision + expressionPrecision + start.wPlus + start.noise + pose).allSatisfy(\.isFinite),
            "the start holds values that are not finite")
        if let landmarks {
            try require(
                landmarks.positions.count == 136 && landmarks.weights.count == 68,
                "68 landmarks need 136 coordinates and 68 weights; found \(landmarks.positions.count) and \(landmarks.weights.count)")
            try require(
                landmarks.positions.allSatisfy(\.isFinite) && landmarks.weights.allSatisfy { $0.isFinite && $0 >= 0 },
                "landmarks must be finite and their weights at least 0")
        }
    }
}
