import Numerics

/// The picture maker a fit compares with the photo.
public enum FitRenderer: String, Sendable, CaseIterable {
    /// The generative adversarial renderer.
    case gar
    /// The classical baseline: vertex albedo under spherical-harmonics light.
    case sphericalHarmonics = "spherical_harmonics"
    /// None: landmarks and priors only.
    case none
}

/// A fit as data: the stages one after the other. Can be read from and written to JSON.
public struct FitSchedule: Sendable, Equatable {
    public var stages: [FitStage]
    public init(stages: [FitStage]) { self.stages = stages }

    public static func standard(_ renderer: FitRenderer) -> FitSchedule {
        switch renderer {
        case .none: FitSchedule(stages: [.landmarkStage()])
        case .gar: FitSchedule(stages: [.landmarkStage(), .garAppearance(), .garJoint()])
        case .sphericalHarmonics: FitSchedule(stages: [.landmarkStage(), .shAppearance(), .shJoint()])
        }
    }
}

extension FitStage {
    /// Pose, shift and scale, identity and expression from the 68 points.
    public static func landmarkStage() -> FitStage {
        var w = FitWeights()
        w.identityStart = 1
        w.expressionStart = 1
        return FitStage(
            name: "landmarks", optimiser: .gaussNewton, iterations: 20,
            blocks: [.rotation, .similarity, .identity, .expression], weights: w, tolerance: 1e-5)
    }

    /// GAR's look alone, the geometry held.
    public static func garAppearance() -> FitStage {
        var w = FitWeights()
        w.landmarks = 0
        w.photometric = 300
        w.perceptual = 30
        w.wMean = 1
        w.wSpread = 4
        return FitStage(
            name: "appearance", optimiser: .adam, iterations: 40, blocks: [.wPlus], weights: w,
            stepSizes: [.wPlus: 0.05])
    }

    /// Geometry and look together, both held by their priors.
    public static func garJoint() -> FitStage {
        var w = garAppearance().weights
        w.landmarks = 0.5
        w.identityStart = 1
        w.expressionStart = 1
        return FitStage(
            name: "joint", optimiser: .adam, iterations: 80,
            blocks: [.wPlus, .identity, .expression, .rotation, .similarity], weights: w,
            stepSizes: [.wPlus: 0.02])
    }

    public static func shAppearance() -> FitStage {
        var w = FitWeights()
        w.landmarks = 0
        w.photometric = 300
        w.albedoSmoothness = 1
        w.albedo = 1
        return FitStage(name: "appearance", optimiser: .adam, iterations: 40, blocks: [.albedo, .light], weights: w)
    }

    public static func shJoint() -> FitStage {
        var w = shAppearance().weights
        w.landmarks = 0.5
        w.identityStart = 1
        w.expressionStart = 1
        return FitStage(
            name: "joint", optimiser: .adam, iterations: 80,
            blocks: [.albedo, .light, .identity, .expression, .rotation, .similarity], weights: w)
    }
}
