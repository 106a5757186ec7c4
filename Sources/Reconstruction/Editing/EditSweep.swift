import Numerics

/// Numbers of an edit that run from one value to another, together, over some pictures.
public struct EditSweep: Sendable {
    public struct Run: Sendable, Equatable {
        public var name: String
        public var from, to: Double
    }
    public var runs: [Run]
    /// Pictures, both ends included.
    public var count: Int

    public static let largestCount = 1000

    /// Names beside those of expressions.
    public static let names = [
        "yaw", "pitch", "roll", "identity", "expression", "look", "mix-identity", "mix-expression", "mix-look",
    ]

    /// Reads "yaw=-40:40:9", or several that run together: "yaw=-40:40:9,jawOpen=0:1".
    public init(parsing text: String) throws {
        func wrong(_ what: String) -> GarfaceError {
            GarfaceError(.invalidArgument, "sweep: \(what); expected name=from:to:count, such as yaw=-40:40:9")
        }
        runs = []
        var count: Int?
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false)
            guard sides.count == 2, !sides[0].isEmpty else { throw wrong("\"\(part)\" has no name and numbers") }
            let numbers = sides[1].split(separator: ":", omittingEmptySubsequences: false)
            guard numbers.count == 2 || numbers.count == 3, let from = Double(numbers[0]), let to = Double(numbers[1]),
                from.isFinite, to.isFinite
            else { throw wrong("\"\(part)\" has no numbers from:to:count") }
            if numbers.count == 3 {
                guard let n = Int(numbers[2]), (1...Self.largestCount).contains(n) else {
                    throw wrong("\"\(numbers[2])\" is no number of pictures from 1 to \(Self.largestCount)")
                }
                guard count == nil || count == n else { throw wrong("what runs together has one number of pictures") }
                count = n
            }
            guard !runs.contains(where: { $0.name == sides[0] }) else { throw wrong("\"\(sides[0])\" is there twice") }
            runs.append(Run(name: String(sides[0]), from: from, to: to))
        }
        guard let count else { throw wrong("\"\(text)\" does not say how many pictures") }
        self.count = count
    }

    /// The edit of the i-th picture.
    public func edit(_ i: Int, of base: FaceEdit) -> FaceEdit {
        var edit = base
        let share = count > 1 ? Double(i) / Double(count - 1) : 0
        for run in runs {
            let value = run.from + share * (run.to - run.from)
            switch run.name {
            case "yaw": edit.yaw = value
            case "pitch": edit.pitch = value
            case "roll": edit.roll = value
            case "identity": edit.identityGain = Float(value)
            case "expression": edit.expressionGain = Float(value)
            case "look": edit.lookGain = Float(value)
            case "mix-identity": edit.identityShare = Float(value)
            case "mix-expression": edit.expressionShare = Float(value)
            case "mix-look": edit.lookShare = Float(value)
            default: edit.expressions.append((run.name, Float(value)))
            }
        }
        return edit
    }

    /// Throws where a name is neither one of these nor an expression of the head.
    func check(_ expressionNames: [String]) throws {
        for run in runs where !Self.names.contains(run.name) {
            do { _ = try FaceEdit.indices(run.name, in: expressionNames) } catch is GarfaceError {
                throw GarfaceError(
                    .invalidArgument,
                    "sweep: \"\(run.name)\" is neither one of \(Self.names.joined(separator: ", ")) nor an expression of the head model")
            }
        }
    }
}
