/// What went wrong, as a kind a program can test and a sentence a person can act on:
/// which file, which field, what was expected.
public struct GarfaceError: Error, CustomStringConvertible, Sendable {
    public enum Kind: Int32, Sendable {
        case invalidArgument, fileNotFound, fileUnreadable, fileUnwritable, malformedFile, unsupportedFormat
        case wrongModelKind, noFace, tooLarge, outOfMemory, cancelled, numericalFailure, internalFailure
    }
    public let kind: Kind
    public let message: String
    public init(_ kind: Kind, _ message: String) { self.kind = kind; self.message = message }
    public var description: String { message }
}
