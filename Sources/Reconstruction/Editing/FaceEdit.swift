import FaceModel
import Inversion
import Numerics
import Renderer

/// What is changed in a face. Everything left alone stays: hold the look and change the geometry, or the other way round.
///
/// Identity, expression and look are each made in this order: what is there, or what replaces it; mixed with another's; times
/// a gain; and at last single expressions set by name.
public struct FaceEdit: Sendable {
    /// Degrees, of the head in the photo; nil keeps.
    public var yaw, pitch, roll: Double?
    /// Degrees added to that.
    public var turn = (yaw: 0.0, pitch: 0.0, roll: 0.0)

    /// All coefficients, instead of those there are.
    public var identity, expression: [Float]?
    /// Times what the coefficients are: 0 the mean face, or the face at rest; above 1 more pronounced than it is.
    public var identityGain: Float = 1, expressionGain: Float = 1
    /// Single expressions: a name, or that of a pair without its _L or _R, and its coefficient. A blink takes, by its share, from
    /// the same eye what holds it open, unless that is named as well.
    public var expressions: [(name: String, value: Float)] = []

    /// Whose identity, expression or look is mixed in.
    public var identityOf, expressionOf, lookOf: FaceParameters?
    /// How far towards the other's: 0 not at all, 1 all the way; beyond is allowed.
    public var identityShare: Float = 0, expressionShare: Float = 0, lookShare: Float = 0
    /// The rows of w+ that the other look takes part in, coarse to fine; nil for all.
    public var lookRows: Range<Int>?

    /// w+ [rows, latent] instead of what there is.
    public var wPlus: [Float]?
    /// Seeds a random look (z) instead of what there is.
    public var lookSeed: UInt64?
    /// Seeds the look that is mixed in, where it is nobody's. With `lookSeed` the mixing is one of z, else of w+.
    public var otherLookSeed: UInt64?
    /// How far random looks may go from the mean.
    public var truncation: Float = 0.7
    /// Times how far the look is from the mean: less calms down what a strongly fitted look does in other poses.
    public var lookGain: Float = 1

    /// How much of the photo's detail is carried along, 0 to 1.
    public var detail: Float = 1

    public init() {}

    /// Gains, shares and coefficients beyond this are mistakes.
    private static let limit: Float = 100

    /// Throws for what is wrong whatever the face.
    func check() throws {
        func require(_ ok: Bool, _ name: String, _ value: some CustomStringConvertible, _ expected: String) throws {
            if !ok { throw GarfaceError(.invalidArgument, "edit: \(name) is \(value), expected \(expected)") }
        }
        let angles = [
            ("yaw", yaw ?? 0), ("pitch", pitch ?? 0), ("roll", roll ?? 0), ("turn in yaw", turn.yaw), ("turn in pitch", turn.pitch),
            ("turn in roll", turn.roll),
        ]
        for (name, angle) in angles { try require(abs(angle) <= 360, name, angle, "degrees from -360 to 360") }
        let numbers = [
            ("identity gain", identityGain), ("expression gain", expressionGain), ("look gain", lookGain),
            ("share of the other identity", identityShare), ("share of the other expression", expressionShare),
            ("share of the other look", lookShare),
        ]
        for (name, value) in numbers + expressions.map({ ($0.name, $0.value) }) {
            try require(abs(value) <= Self.limit, name, value, "a number from \(-Self.limit) to \(Self.limit)")
        }
        try require(truncation >= 0 && truncation <= 1, "truncation", truncation, "0 to 1")
        try require(detail >= 0 && detail <= 1, "detail", detail, "0 to 1")
    }

    /// The face after the edit.
    func applied(to face: FaceParameters, models: ReconstructionModels) throws -> FaceParameters {
        try check()
        var result = face
        result.identity = try edited(
            face.identity, identity, mixedWith: identityOf?.identity, identityShare, gain: identityGain, "identity")
        result.expression = try edited(
            face.expression, expression, mixedWith: expressionOf?.expression, expressionShare, gain: expressionGain, "expression")
        for change in expressions {
            for i in try Self.indices(change.name, in: models.head.expressionNames) { result.expression[i] = change.value }
        }
        try shutEyes(&result.expression, models.head.expressionNames)
        let degree = Double.pi / 180
        if let yaw { result.pose.yaw = yaw * degree }
        if let pitch { result.pose.pitch = pitch * degree }
        // The frame's own roll is part of the head's in the photo.
        if let roll { result.pose.roll = roll * degree - face.frame.roll }
        result.pose.yaw += turn.yaw * degree
        result.pose.pitch += turn.pitch * degree
        result.pose.roll += turn.roll * degree
        if let gar = models.gar { try look(&result, gar) }
        return result
    }

    /// What holds an eye open against a blink.
    private static let openers = ["eyeWide", "eyeLookUp"]

    /// Fitted eyes are often a little wide or turned up; added to a whole blink that leaves a slit.
    private func shutEyes(_ expression: inout [Float], _ names: [String]) throws {
        let named = try Set(expressions.flatMap { try Self.indices($0.name, in: names) })
        for side in ["_L", "_R"] {
            guard let blink = names.firstIndex(of: "eyeBlink" + side), named.contains(blink) else { continue }
            for opener in Self.openers {
                guard let i = names.firstIndex(of: opener + side), !named.contains(i) else { continue }
                expression[i] *= max(0, min(1, 1 - expression[blink]))
            }
        }
    }

    private func edited(
        _ own: [Float], _ replacement: [Float]?, mixedWith other: [Float]?, _ share: Float, gain: Float, _ name: String
    ) throws -> [Float] {
        for (given, what) in [(replacement, name), (other, "the other \(name)")] {
            guard let given else { continue }
            guard given.count == own.count, given.allSatisfy(\.isFinite) else {
                throw GarfaceError(
                    .invalidArgument, "edit: \(what) has \(given.count) coefficients, expected \(own.count) finite numbers")
            }
        }
        if let bad = replacement?.first(where: { abs($0) > Self.limit }) {
            throw GarfaceError(
                .invalidArgument, "edit: \(name) holds \(bad), expected coefficients from \(-Self.limit) to \(Self.limit)")
        }
        var result = replacement ?? own
        if share != 0 {
            guard let other else { throw GarfaceError(.invalidArgument, "edit: a share of another \(name) needs the other face") }
            result = zip(result, other).map { $0 + share * ($1 - $0) }
        }
        return gain == 1 ? result : result.map { gain * $0 }
    }

    private func look(_ face: inout FaceParameters, _ gar: GAR<Float>) throws {
        let latent = gar.configuration.latentSize, count = gar.styleCount * latent
        func fitting(_ w: [Float], _ name: String) throws -> [Float] {
            guard w.count == count, w.allSatisfy(\.isFinite) else {
                throw GarfaceError(
                    .invalidArgument,
                    "edit: \(name) has \(w.isEmpty ? "no w+; the face was fitted without GAR" : "\(w.count) numbers in w+, expected \(count) finite ones")"
                )
            }
            return w
        }
        let before = face.wPlus
        if let wPlus { face.wPlus = try fitting(wPlus, "w_plus") }
        if let lookSeed { face.wPlus = gar.randomLook(seed: lookSeed, truncation: truncation) }
        if lookShare != 0 {
            let other: [Float]
            var blendsZ = false
            if let lookOf {
                other = try fitting(lookOf.wPlus, "the other face")
            } else if let otherLookSeed {
                blendsZ = lookSeed != nil
                other =
                    blendsZ
                    ? gar.randomLook(between: lookSeed ?? 0, and: otherLookSeed, share: lookShare, truncation: truncation)
                    : gar.randomLook(seed: otherLookSeed, truncation: truncation)
            } else {
                throw GarfaceError(.invalidArgument, "edit: a share of another look needs the other face, or a seed")
            }
            let rows = lookRows ?? 0..<gar.styleCount
            guard rows.lowerBound >= 0, rows.upperBound <= gar.styleCount else {
                throw GarfaceError(
                    .invalidArgument, "edit: rows \(rows.lowerBound) to \(rows.upperBound) of w+; the renderer has \(gar.styleCount)")
            }
            let own = try fitting(face.wPlus, "the face")
            for i in rows.lowerBound * latent..<rows.upperBound * latent {
                face.wPlus[i] = blendsZ ? other[i] : own[i] + lookShare * (other[i] - own[i])
            }
        }
        if lookGain != 1, !face.wPlus.isEmpty {
            for i in face.wPlus.indices {
                let mean = gar.meanW.pointer[i % latent]
                face.wPlus[i] = mean + lookGain * (face.wPlus[i] - mean)
            }
        }
        if !face.wPlus.isEmpty { face.wRows = gar.styleCount }
        // Noise maps were fitted together with the look; another one has none.
        if face.wPlus != before && (lookSeed != nil || wPlus != nil) { face.noise = [] }
    }

    /// The coefficients of a name: one, or the two of a pair. ARKit's eyeBlinkLeft is eyeBlink_L.
    static func indices(_ name: String, in names: [String]) throws -> [Int] {
        if let i = names.firstIndex(of: name) { return [i] }
        for (side, own) in [("Left", "_L"), ("Right", "_R")] where name.hasSuffix(side) {
            if let i = names.firstIndex(of: name.dropLast(side.count) + own) { return [i] }
        }
        let pair = names.indices.filter { names[$0] == name + "_L" || names[$0] == name + "_R" }
        if !pair.isEmpty { return pair }
        throw GarfaceError(
            .invalidArgument,
            "edit: the head model has no expression \"\(name)\"; it has \(names.joined(separator: ", "))"
                + (names.contains { $0.hasSuffix("_L") } ? "; a name without its _L or _R means both" : ""))
    }

    /// Reads "jawOpen=0.6, mouthSmile=0.3".
    public mutating func setExpressions(parsing text: String) throws {
        for part in text.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false)
            guard sides.count == 2, !sides[0].isEmpty, let value = Float(sides[1]), value.isFinite else {
                throw GarfaceError(.invalidArgument, "edit: \"\(part)\" is no expression; expected name=number, such as jawOpen=0.6")
            }
            expressions.append((String(sides[0]), value))
        }
    }
}
