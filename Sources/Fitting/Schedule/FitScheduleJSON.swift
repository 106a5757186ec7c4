import Numerics

/// Schedules as JSON: {"stages": [{"name", "optimiser", "iterations", "blocks", "weights", "steps", "tolerance",
/// "silhouettes", "picture_limit", "precision"}]}.
extension FitSchedule {
    public var json: JSONValue {
        .object([("stages", .array(stages.map(\.json)))])
    }

    /// Reads JSON text; what is wrong with it is said of the schedule.
    public init(parsing text: [UInt8]) throws {
        let json: JSONValue
        do { json = try JSONValue(parsing: text) } catch let error as GarfaceError {
            throw GarfaceError(error.kind, "schedule: \(error.message)")
        }
        try self.init(json: json)
    }

    /// Throws where a stage moves what the renderer does not have.
    public func check(_ renderer: FitRenderer) throws {
        for (i, stage) in stages.enumerated() {
            guard let odd = stage.blocks.first(where: { !renderer.blocks.contains($0) }) else { continue }
            throw GarfaceError(
                .malformedFile,
                "schedule: stage \(i): \(renderer.words) has no block \"\(odd.rawValue)\"; it has "
                    + renderer.blocks.map(\.rawValue).joined(separator: ", "))
        }
    }

    /// An empty list is a schedule too: the inverse network's start, nothing refined.
    public init(json: JSONValue) throws {
        guard let list = json["stages"]?.array, list.count <= 64 else {
            throw GarfaceError(.malformedFile, "schedule: expected a \"stages\" list of at most 64 stages")
        }
        stages = try list.enumerated().map { try FitStage(json: $0.element, index: $0.offset) }
    }
}

extension FitStage {
    /// The largest step of a block. The unknowns are of the order of one: Adam would throw them about with more, and what
    /// is held in a range would only run from one end to the other.
    static let largestStep = 1.0

    var json: JSONValue {
        .object([
            ("name", .string(name)),
            ("optimiser", .string(optimiser.rawValue)),
            ("iterations", .number(Double(iterations))),
            ("blocks", .array(blocks.map { .string($0.rawValue) })),
            ("weights", .object(FitWeights.fields.map { ($0.name, .number(Double(weights[keyPath: $0.path]))) })),
            ("steps", .object(blocks.map { ($0.rawValue, .number(Double(step($0)))) })),
            ("tolerance", .number(Double(tolerance))),
            ("silhouettes", .bool(silhouettes)),
        ] + (pictureLimit.map { [("picture_limit", .number(Double($0)))] } ?? [])
            + (precision == .single ? [] : [("precision", .string(precision.rawValue))]))
    }

    init(json: JSONValue, index: Int) throws {
        func fail(_ what: String) -> GarfaceError { GarfaceError(.malformedFile, "schedule: stage \(index): \(what)") }
        let known = [
            "name", "optimiser", "iterations", "blocks", "weights", "steps", "tolerance", "silhouettes", "picture_limit",
            "precision",
        ]
        for (key, _) in json.object ?? [] where !known.contains(key) {
            throw fail("unknown entry \"\(key)\"; expected " + known.joined(separator: ", "))
        }
        for key in ["weights", "steps"] where json[key] != nil && json[key]?.object == nil {
            throw fail("\"\(key)\" must be an object of numbers")
        }
        if let name = json["name"], name.string == nil { throw fail("\"name\" must be text") }
        if let flag = json["silhouettes"], flag.bool == nil { throw fail("\"silhouettes\" must be true or false") }
        if let limit = json["picture_limit"] {
            guard let side = limit.int, (Self.leastPicture...4096).contains(side) else {
                throw fail("\"picture_limit\" must be a whole number of pixels from \(Self.leastPicture) to 4096")
            }
        }
        guard let precision = json["precision"].map({ ProductPrecision(rawValue: $0.string ?? "") }) ?? .single else {
            throw fail("\"precision\" must be one of " + ProductPrecision.allCases.map(\.rawValue).joined(separator: ", "))
        }
        guard let optimiser = Optimiser(rawValue: json["optimiser"]?.string ?? "") else {
            throw fail("\"optimiser\" must be one of " + Optimiser.allCases.map(\.rawValue).joined(separator: ", "))
        }
        guard let iterations = json["iterations"]?.int, (0...100_000).contains(iterations) else {
            throw fail("\"iterations\" must be a whole number from 0 to 100000")
        }
        var blocks: [ParameterBlock] = []
        for name in json["blocks"]?.array ?? [] {
            guard let block = ParameterBlock(rawValue: name.string ?? "") else {
                throw fail("unknown block; expected one of " + ParameterBlock.allCases.map(\.rawValue).joined(separator: ", "))
            }
            if !blocks.contains(block) { blocks.append(block) }
        }
        guard !blocks.isEmpty else { throw fail("\"blocks\" must name at least one block") }
        if optimiser == .gaussNewton, let odd = blocks.first(where: { !$0.isGeometry }) {
            throw fail("gauss_newton moves geometry blocks only, not \(odd.rawValue)")
        }
        var weights = FitWeights()
        for (name, value) in json["weights"]?.object ?? [] {
            guard let field = FitWeights.fields.first(where: { $0.name == name }) else {
                throw fail("unknown weight \"\(name)\"; expected one of " + FitWeights.fields.map(\.name).joined(separator: ", "))
            }
            weights[keyPath: field.path] = try Self.nonNegative(value, "weight \"\(name)\"", fail)
        }
        var steps: [ParameterBlock: Float] = [:]
        for (name, value) in json["steps"]?.object ?? [] {
            guard let block = ParameterBlock(rawValue: name) else { throw fail("unknown block \"\(name)\" in \"steps\"") }
            guard let step = value.double, (0...Self.largestStep).contains(step) else {
                throw fail("the step of \"\(name)\" must be a number from 0 to \(Self.largestStep)")
            }
            steps[block] = Float(step)
        }
        let tolerance = try json["tolerance"].map { try Self.nonNegative($0, "\"tolerance\"", fail) } ?? 0
        self.init(
            name: json["name"]?.string ?? "stage \(index)", optimiser: optimiser, iterations: iterations, blocks: blocks,
            weights: weights, stepSizes: steps, tolerance: tolerance, silhouettes: json["silhouettes"]?.bool ?? false,
            pictureLimit: json["picture_limit"]?.int, precision: precision)
    }

    private static func nonNegative(_ v: JSONValue, _ what: String, _ fail: (String) -> GarfaceError) throws -> Float {
        guard let x = v.double, x.isFinite, x >= 0, x <= 1e9 else { throw fail("\(what) must be a number from 0 to 1e9") }
        return Float(x)
    }
}
