import Glibc
import Numerics

/// The 68 points as a person would mark them in a picture: at the places that people mark, and the jaw line on the visible
/// contour.
///
/// The first 17 landmarks run along the jaw from the subject's right ear to the left. On a turned head the jaw line of the
/// far side hides behind the cheek, and annotators mark the cheek's outline instead. For each jaw landmark this type holds a
/// line on the surface along which it may slide: the cut of the mean head's skin with the plane through the landmark across
/// the jaw line, from the landmark towards the middle of the face (over the cheek for points near the ear, up the chin for
/// those below), up to `reach` of the distance to the nose tip. In a given pose the landmark takes the place on its line that
/// lies farthest out in the picture, outwards being square to the projected jaw line. A line's end is the landmark itself,
/// so where the jaw line is the outline (a frontal view) or faces the viewer (the near side) the place stays.
///
/// Nothing on a jaw says where its third point is: people mark the ends and the chin, and the others at equal distances in the
/// picture. Where a model says which places people mark, the points divide the line through the places that were found so.
///
/// The chosen places are weighted sums of vertices: differentiable as such, and to be chosen anew as the pose changes. Sliding
/// adds nothing to the gradient of the outward coordinate, which is extremal along the line.
public struct ContourLines: Sendable {
    /// Candidates per jaw landmark; the first is the landmark's own place.
    private let lines: [[MeshPlace]]
    private let base: LandmarkEmbedding
    /// The model's own answer, which then replaces the lines.
    private let table: ContourTable?
    private let isEven: Bool

    public static let jawCount = 17
    static let chin = 8
    static let noseTip = 30
    static let reach = 0.55

    /// Traces the lines on the mean head. A landmark whose line cannot be traced has its static place alone.
    public init<T: Scalar>(_ model: HeadModel<T>) {
        isEven = model.saysWhatPeopleMark
        base = model.annotatedLandmarks
        table = model.contourTable
        if table != nil {
            lines = []
            return
        }
        let mean = model.mean.converted(to: Double.self)
        var tracer = SurfaceTracer(model: model, vertices: mean.array)
        var points = [Double](repeating: 0, count: 3 * base.count)
        base.positions(mean.pointer, into: &points)
        func point(_ i: Int) -> SIMD3<Double> { .init(points[3 * i], points[3 * i + 1], points[3 * i + 2]) }
        var lines: [[MeshPlace]] = []
        for j in 0..<Self.jawCount {
            let place = base.place(j)
            let along = point(min(j + 1, Self.jawCount - 1)) - point(max(j - 1, 0))
            let inward = point(Self.noseTip) - point(j)
            let length = Self.reach * (inward * inward).sum().squareRoot()
            lines.append([place] + tracer.trace(from: place.onSurface, normal: along, towards: inward, length: length))
        }
        self.lines = lines
    }

    /// Of how many places each of the 17 points is offered the outermost.
    public var candidateCounts: [Int] {
        table.map { Array(repeating: $0.places.count, count: Self.jawCount) } ?? lines.map(\.count)
    }

    /// The 68 landmarks for this pose: jaw points on the visible contour, the rest at the places that people mark.
    /// - Parameters: `vertices` `[V,3]` of the posed or unposed head; `rotation` [9] that brings them to camera space.
    public func embedding<T: Scalar>(_ vertices: UnsafePointer<T>, rotation: [T]) -> LandmarkEmbedding {
        let r = rotation.map { Double($0) }
        if let table {
            return base.replacing(firstBy: table.places(rotation: r))
        }
        func project(_ p: MeshPlace) -> SIMD2<Double> {
            var q = SIMD3<Double>()
            for k in p.indices.indices {
                let v = vertices + 3 * Int(p.indices[k])
                q += p.weights[k] * SIMD3(Double(v[0]), Double(v[1]), Double(v[2]))
            }
            return .init(r[0] * q.x + r[1] * q.y + r[2] * q.z, r[3] * q.x + r[4] * q.y + r[5] * q.z)
        }
        let places = lines.map { $0.map(project) }
        var chosen = [Int](repeating: 0, count: lines.count)
        // The outward direction follows from the jaw line's picture, and that from the choice: a second round settles it.
        for _ in 0..<2 {
            let jaw = (0..<lines.count).map { places[$0][chosen[$0]] }
            for j in 0..<lines.count {
                let along = jaw[min(j + 1, lines.count - 1)] - jaw[max(j - 1, 0)]
                // The points run counter-clockwise in the picture, from image left by the chin to image right.
                let outward = SIMD2(along.y, -along.x)
                var best = -Double.infinity
                for (i, place) in places[j].enumerated() {
                    let distance = (place * outward).sum()
                    if distance > best { (best, chosen[j]) = (distance, i) }
                }
            }
        }
        let contour = (0..<lines.count).map { (place: lines[$0][chosen[$0]], at: places[$0][chosen[$0]]) }
        guard isEven else { return base.replacing(firstBy: contour.map(\.place)) }
        return base.replacing(
            firstBy: Self.even(contour[...Self.chin]) + Self.even(contour[Self.chin...]).dropFirst())
    }

    private typealias Seen = (place: MeshPlace, at: SIMD2<Double>)

    /// As many places as the line has, at equal distances along its picture, the ends where they are.
    private static func even(_ all: ArraySlice<Seen>) -> [MeshPlace] {
        let line = withoutFolds(Array(all))
        var travelled = [0.0]
        for (a, b) in zip(line, line.dropFirst()) {
            let step = b.at - a.at
            travelled.append(travelled[travelled.count - 1] + (step * step).sum().squareRoot())
        }
        let whole = travelled[line.count - 1]
        guard whole.isFinite, whole > 0 else { return all.map(\.place) }
        var segment = 0
        return (0..<all.count).map { i in
            if i == all.count - 1 { return line[line.count - 1].place }
            let wanted = whole * Double(i) / Double(all.count - 1)
            while segment < line.count - 2, travelled[segment + 1] < wanted { segment += 1 }
            let length = travelled[segment + 1] - travelled[segment]
            return line[segment].place.towards(line[segment + 1].place, length > 0 ? (wanted - travelled[segment]) / length : 0)
        }
    }

    /// The line without places at which it turns back: far to the side, neighbours change places in the picture.
    private static func withoutFolds(_ all: [Seen]) -> [Seen] {
        var line = all, i = 1
        while i < line.count - 1 {
            if ((line[i].at - line[i - 1].at) * (line[i + 1].at - line[i].at)).sum() < 0 {
                line.remove(at: i)
                i = max(i - 1, 1)
            } else {
                i += 1
            }
        }
        return line
    }
}

extension MeshPlace {
    /// The place on the triangle of the first three vertices, from where a fourth draws it.
    fileprivate var onSurface: MeshPlace {
        guard indices.count > 3, weights[3] != 1 else { return self }
        return MeshPlace(indices: Array(indices[..<3]), weights: weights[..<3].map { $0 / (1 - weights[3]) })
    }
}

/// Follows the cut of a plane with the skin from triangle to triangle.
struct SurfaceTracer {
    private let triangles: [Int32]
    private let vertices: [Double]
    /// For each directed edge (from, to) of the skin the triangle on its left.
    private var neighbours: [UInt64: Int32] = [:]

    init<T: Scalar>(model: HeadModel<T>, vertices: [Double]) {
        self.vertices = vertices
        triangles = model.triangles
        let skin = model.partNames.firstIndex(of: "skin").map { UInt8(truncatingIfNeeded: $0) }
        neighbours.reserveCapacity(triangles.count)
        for t in 0..<triangles.count / 3 {
            let corners = (0..<3).map { triangles[3 * t + $0] }
            if let skin, corners.contains(where: { model.part[Int($0)] != skin }) { continue }
            for k in 0..<3 { neighbours[Self.key(corners[k], corners[(k + 1) % 3])] = Int32(t) }
        }
    }

    private static func key(_ a: Int32, _ b: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: a)) << 32 | UInt64(UInt32(bitPattern: b))
    }

    private func position(_ v: Int32) -> SIMD3<Double> {
        .init(vertices[3 * Int(v)], vertices[3 * Int(v) + 1], vertices[3 * Int(v) + 2])
    }

    /// Edge points of the cut through `place` (in a triangle) with the plane of the given normal, walking the way that starts
    /// towards `towards`, for at most `length` mm of line.
    mutating func trace(from place: MeshPlace, normal: SIMD3<Double>, towards: SIMD3<Double>, length: Double) -> [MeshPlace] {
        let v = place.indices
        var origin = SIMD3<Double>()
        for (index, weight) in zip(v, place.weights) { origin += weight * position(index) }
        // A landmark may sit on a corner or an edge; a plane a little further inside cuts its triangle for certain.
        let centroid = (position(v[0]) + position(v[1]) + position(v[2])) / 3
        origin += 0.02 * (centroid - origin)
        func side(_ v: Int32) -> Double { ((position(v) - origin) * normal).sum() }
        // A crossing of the directed edge a -> b, seen from the triangle it leaves.
        func crossing(_ a: Int32, _ b: Int32) -> (MeshPlace, SIMD3<Double>)? {
            let da = side(a), db = side(b)
            guard (da < 0) != (db < 0) else { return nil }
            let t = da / (da - db)
            guard t.isFinite else { return nil }
            return (MeshPlace(indices: [a, b], weights: [1 - t, t]), position(a) + t * (position(b) - position(a)))
        }
        var best: (edge: (Int32, Int32), point: MeshPlace, position: SIMD3<Double>)?
        var bestAdvance = -Double.infinity
        for k in 0..<3 {
            let a = v[k], b = v[(k + 1) % 3]
            guard let (point, position) = crossing(a, b) else { continue }
            let advance = ((position - origin) * towards).sum()
            if advance > bestAdvance { (bestAdvance, best) = (advance, ((a, b), point, position)) }
        }
        var line: [MeshPlace] = []
        var last = origin
        var travelled = 0.0
        while let (edge, point, position) = best, line.count < 1000 {
            let step = position - last
            travelled += (step * step).sum().squareRoot()
            guard travelled <= length else { break }
            line.append(point)
            last = position
            guard let next = neighbours[Self.key(edge.1, edge.0)] else { break }
            best = nil
            for k in 0..<3 {
                let a = triangles[3 * Int(next) + k], b = triangles[3 * Int(next) + (k + 1) % 3]
                if a == edge.1 && b == edge.0 { continue }
                if let (point, position) = crossing(a, b) {
                    best = ((a, b), point, position)
                    break
                }
            }
        }
        return line
    }
}
