import Fitting
import Numerics

/// Schedules as they are given from outside.
extension FitSchedule {
    /// The largest step of a block. The unknowns are of the order of one: Adam would throw them about with more, and what
    /// is held in a range would only run from one end to the other.
    public static let largestStep = 1.0

    /// As `init(json:)`, but an empty list of stages is a schedule too: the inverse network's start, nothing refined. Steps
    /// beyond `largestStep` are refused.
    public init(given json: JSONValue) throws {
        let list = json["stages"]?.array
        for (index, stage) in (list ?? []).enumerated() {
            for (name, value) in stage["steps"]?.object ?? [] {
                guard let step = value.double, !(0...Self.largestStep).contains(step) else { continue }
                throw GarfaceError(
                    .malformedFile,
                    "schedule: stage \(index): the step of \"\(name)\" is \(step), expected 0 to \(Self.largestStep)")
            }
        }
        if list?.isEmpty == true { self.init(stages: []) } else { try self.init(json: json) }
    }
}
