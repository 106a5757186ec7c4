import Numerics

/// How far eyes and mouth are open: vectors between points that face each other.
///
/// Both points of a pair are found with nearly the same error, so what lies between them is known far better than either,
/// and decides whether an eye is shut; among the distances of 68 points it hardly counts.
enum Openings {
    /// Eyelids and inner lips, upper and lower, of the 68 points.
    static let pairs: [(upper: Int, lower: Int)] = [(37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65)]

    /// Inverse of a gap's expected error, 1/mm: that of two points with errors of their own, times the root of `precision`.
    static func weight<T: Scalar>(_ upper: T, _ lower: T, precision: T) -> T {
        guard upper != 0, lower != 0 else { return 0 }
        let squares: T = upper * upper + lower * lower
        return upper * lower * (precision / squares).squareRoot()
    }
}
