import Fitting
import Numerics

/// Schedules as they are given from outside.
extension FitSchedule {
    /// As `init(json:)`, but an empty list of stages is a schedule too: the inverse network's start, nothing refined.
    public init(given json: JSONValue) throws {
        if json["stages"]?.array?.isEmpty == true { self.init(stages: []) } else { try self.init(json: json) }
    }
}
