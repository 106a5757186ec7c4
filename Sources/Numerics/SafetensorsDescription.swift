extension SafetensorsFile {
    /// What this library's files say of themselves: the JSON under the metadata key "garface"; nil where there is none.
    public func description() throws -> JSONValue? {
        guard let text = metadata["garface"] else { return nil }
        do { return try JSONValue(parsing: text) } catch let error as GarfaceError {
            throw GarfaceError(.malformedFile, "\(name): metadata \"garface\": \(error.message)")
        }
    }
}
