import Numerics

/// The picture maker a fit compares with the photo.
public enum FitRenderer: String, Sendable, CaseIterable {
    /// The generative adversarial renderer.
    case gar
    /// The classical baseline: vertex albedo under spherical-harmonics light.
    case sphericalHarmonics = "spherical_harmonics"
    /// None: landmarks and priors only.
    case none

    /// What a stage can move with it.
    var blocks: [ParameterBlock] {
        ParameterBlock.allCases.filter(\.isGeometry)
            + {
                switch self {
                case .gar: [.wPlus, .noise]
                case .sphericalHarmonics: [.albedo, .light]
                case .none: []
                }
            }()
    }

    var words: String {
        switch self {
        case .gar: "the renderer gar"
        case .sphericalHarmonics: "the renderer sh (spherical harmonics)"
        case .none: "a fit without renderer"
        }
    }
}

/// A fit as data: the stages one after the other. Can be read from and written to JSON.
public struct FitSchedule: Sendable, Equatable {
    public var stages: [FitStage]
    public init(stages: [FitStage]) { self.stages = stages }

    public static func standard(_ renderer: FitRenderer) -> FitSchedule {
        switch renderer {
        case .none: FitSchedule(stages: [.landmarkStage()])
        case .gar: FitSchedule(stages: [.landmarkStage(), .garAppearance(), .garCoarse(), .garJoint()])
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

    /// GAR's look alone, the geometry held: just enough to begin the joint stage with a picture that resembles.
    public static func garAppearance() -> FitStage {
        FitStage(
            name: "appearance", optimiser: .adam, iterations: 20, blocks: [.wPlus], weights: pictureWeights(),
            stepSizes: [.wPlus: 0.05], pictureLimit: coarsePicture)
    }

    /// Geometry and look together, both held by their priors, in a small picture, whose iterations cost a third; shape in long steps.
    public static func garCoarse() -> FitStage {
        var stage = garJoint()
        (stage.name, stage.iterations, stage.pictureLimit) = ("coarse", 30, coarsePicture)
        stage.stepSizes[.identity] = 0.3
        return stage
    }

    /// The rest of the way, in a picture of 128 px: larger ones cost four times as much and say no more about shape.
    public static func garJoint() -> FitStage {
        FitStage(
            name: "joint", optimiser: .adam, iterations: 90,
            blocks: [.wPlus, .identity, .expression, .rotation, .similarity], weights: pictureWeights(),
            stepSizes: [.wPlus: 0.02, .identity: 0.2, .expression: 0.02, .rotation: 0.01, .similarity: 0.3], silhouettes: true,
            pictureLimit: finePicture)
    }

    private static var coarsePicture: Int { 64 }
    private static var finePicture: Int { 128 }

    public static func shAppearance() -> FitStage {
        FitStage(
            name: "appearance", optimiser: .adam, iterations: 20, blocks: [.albedo, .light], weights: pictureWeights(),
            stepSizes: [.albedo: 0.02, .light: 0.02])
    }

    public static func shJoint() -> FitStage {
        FitStage(
            name: "joint", optimiser: .adam, iterations: 200,
            blocks: [.albedo, .light, .identity, .expression, .rotation, .similarity], weights: pictureWeights(),
            stepSizes: [.identity: 0.05, .rotation: 0.01], silhouettes: true)
    }

    /// The same for both renderers, so that they can be compared; terms that do not apply to one are zero in it.
    private static func pictureWeights() -> FitWeights {
        var w = FitWeights()
        w.photometric = 3000
        w.perceptual = 300
        // With 1 or 2 the picture pulls points of portraits away from where the start has them; with more it brings them nearer, and
        // shape ends farther from the truth.
        w.landmarks = 3.5
        // Without them the picture shuts eyes: a mean aspect of .21 where people have .26.
        w.openings = 9
        w.identity = 0.5
        w.identityStart = 0.1
        w.expressionStart = 1
        w.wMean = 1
        // GAR is trained with one w for all its rows: rows free of each other explain shape away as look.
        w.wSpread = 4000
        w.albedo = 100
        w.albedoSmoothness = 1
        return w
    }
}
