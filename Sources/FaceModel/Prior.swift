import Numerics

/// What is known of the expression coefficients before a face is seen.
public enum ExpressionPrior: String, Sendable {
    /// Each lies in [0,1] and moves one way only (ARKit-style shapes): zero is the face at rest.
    case unitInterval = "unit-interval"
    /// Principal components of unit variance.
    case normal
}

/// Weights of `HeadModel.priorEnergy`.
public struct PriorWeights: Sendable {
    /// On half the squared identity coefficients (1 = the coefficients' own normal distribution).
    public var identity: Double
    /// On half the squared expression coefficients, times each one's precision.
    public var expression: Double
    /// On the sum of the expression coefficients (unit interval only): keeps unused ones at zero.
    public var sparsity: Double
    /// On half the squared distance outside [0,1] (unit interval only).
    public var bounds: Double
    public init(identity: Double = 1, expression: Double = 1, sparsity: Double = 0.3, bounds: Double = 1000) {
        self.identity = identity
        self.expression = expression
        self.sparsity = sparsity
        self.bounds = bounds
    }
}

extension HeadModel {
    /// Minus the log prior of the coefficients, up to a constant. Adds its gradients (nil leaves one out).
    ///
    /// Identity: `w/2 |a|^2`. Expression, unit interval: `sum w/2 p b^2 + s b + B/2 (max(0,-b)^2 + max(0,b-1)^2)`, with
    /// precision p: once differentiable, so that optimisers without bounds rest at `b = -s/B`, just outside.
    @discardableResult
    public func priorEnergy(
        identity: UnsafePointer<T>, expression: UnsafePointer<T>, weights: PriorWeights = .init(),
        dIdentity: UnsafeMutablePointer<T>?, dExpression: UnsafeMutablePointer<T>?
    ) -> T {
        var energy: T = 0
        let w = T(weights.identity)
        for k in 0..<identityCount {
            energy += w / 2 * identity[k] * identity[k]
            dIdentity?[k] += w * identity[k]
        }
        let bounded = expressionPrior == .unitInterval
        let sparsity = bounded ? T(weights.sparsity) : 0
        let bounds = bounded ? T(weights.bounds) : 0
        for k in 0..<expressionCount {
            let b = expression[k]
            let p = T(weights.expression) * expressionPrecision[k]
            let outside = min(b, 0) + max(b - 1, 0)
            energy += p / 2 * b * b + sparsity * b + bounds / 2 * outside * outside
            dExpression?[k] += p * b + sparsity + bounds * outside
        }
        return energy
    }

    /// Puts expression coefficients back into their range (nothing to do for a normal prior).
    public func clampExpression(_ expression: UnsafeMutablePointer<T>) {
        guard expressionPrior == .unitInterval else { return }
        for k in 0..<expressionCount { expression[k] = max(0, min(1, expression[k])) }
    }

    /// Identity coefficients from their distribution N(0,1), all modes.
    public func sampleIdentity(_ random: inout RandomGenerator) -> [T] {
        (0..<identityCount).map { _ in T(random.normal()) }
    }

    /// An expression of the kind that real faces were fitted with.
    ///
    /// Two rows of the fitted table are mixed at a random ratio and scaled by a factor between 0.5 and 1.5; mouthClose is held
    /// at or below jawOpen, which it corrects. Without a table: normal, of the prior's precision; or cubes of uniform numbers for a
    /// unit-interval prior.
    public func sampleExpression(_ random: inout RandomGenerator) -> [T] {
        let n = expressionCount
        let rows = expressionSamples.count / n
        guard rows > 0 else {
            return (0..<n).map { k in
                let u = random.uniform()
                return expressionPrior == .normal ? T(random.normal()) / expressionPrecision[k].squareRoot() : T(u * u * u)
            }
        }
        let first = min(rows - 1, Int(random.uniform() * Double(rows)))
        let second = min(rows - 1, Int(random.uniform() * Double(rows)))
        let mix = random.uniform()
        let scale = (0.5 + random.uniform()) / 255
        var result = (0..<n).map { k -> T in
            let value = mix * Double(expressionSamples[first * n + k]) + (1 - mix) * Double(expressionSamples[second * n + k])
            return T(min(1, value * scale))
        }
        if let close = expressionNames.firstIndex(of: "mouthClose"), let open = expressionNames.firstIndex(of: "jawOpen") {
            result[close] = min(result[close], result[open])
        }
        return result
    }
}
