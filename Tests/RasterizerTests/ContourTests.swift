import FaceModel
import Numerics
import Rasterizer
import Testing

@Suite struct ContourTests {
    /// Distance in pixels from an NDC point to the nearest pixel side between head and background.
    func distanceToSilhouette(_ x: Double, _ y: Double, _ buffer: RasterBuffer<Double>) -> Double {
        let n = buffer.width
        let u = (1 + x) * Double(n) / 2 - 0.5, v = (1 - y) * Double(n) / 2 - 0.5
        var best = Double.infinity
        for j in 0..<n - 1 {
            for i in 0..<n - 1 {
                let here = buffer.ids[j * n + i] >= 0
                for (di, dj) in [(1, 0), (0, 1)] where here != (buffer.ids[(j + dj) * n + i + di] >= 0) {
                    let du = u - Double(i) - Double(di) / 2, dv = v - Double(j) - Double(dj) / 2
                    best = min(best, (du * du + dv * dv).squareRoot())
                }
            }
        }
        return best
    }

    func points(_ head: PosedHead<Double>, _ lines: ContourLines) -> (visible: [Double], fixed: [Double]) {
        var visible = [Double](repeating: 0, count: 204), fixed = visible
        lines.embedding(head.vertices.pointer, rotation: head.pose.rotation).positions(head.ndc.pointer, into: &visible)
        head.model.annotatedLandmarks.positions(head.ndc.pointer, into: &fixed)
        return (visible, fixed)
    }

    /// Distance in mm from a point to the line through the fixed jaw points.
    func distanceToJaw(_ j: Int, _ visible: [Double], _ fixed: [Double]) -> Double {
        func at(_ p: [Double], _ i: Int) -> SIMD2<Double> { .init(p[3 * i], p[3 * i + 1]) }
        return (0..<16).map { i in
            let a = at(fixed, i), step = at(fixed, i + 1) - a, away = at(visible, j) - a
            let rest = away - step * min(max((away * step).sum() / (step * step).sum(), 0), 1)
            return (rest * rest).sum().squareRoot() * 115
        }.min()!
    }

    @Test(arguments: [40.0, -40, 30]) func farSideLiesOnTheSilhouette(_ yaw: Double) throws {
        let head = try PosedHead<Double>()
        let lines = ContourLines(head.model)
        head.set([yaw * degree])
        let buffer = RasterBuffer<Double>(width: 256, height: 256)
        rasterize(
            vertices: head.ndc.pointer, vertexCount: head.vertexCount, triangles: head.model.triangles, into: buffer)
        let (visible, fixed) = points(head, lines)
        // The far cheek, from the ear down to where the neck comes up behind the jaw.
        for j in yaw > 0 ? Array(11...16) : Array(0...5) {
            let d = distanceToSilhouette(visible[3 * j], visible[3 * j + 1], buffer)
            #expect(d < 1.5, "jaw point \(j): \(d) px from the outline")
        }
        let moved = yaw > 0 ? 15 : 1
        #expect(distanceToSilhouette(fixed[3 * moved], fixed[3 * moved + 1], buffer) > 4, "the static point is elsewhere")
        // The near side keeps to the line of its places, everything but the jaw to the places.
        for j in yaw > 0 ? Array(0...6) : Array(10...16) {
            #expect(distanceToJaw(j, visible, fixed) < 1, "jaw point \(j) moved")
        }
        #expect(Array(visible[51...]) == Array(fixed[51...]))
    }

    @Test func frontalReducesToTheStaticLine() throws {
        let head = try PosedHead<Double>()
        let lines = ContourLines(head.model)
        #expect(lines.candidateCounts.count == 17 && lines.candidateCounts.allSatisfy { $0 > 10 })
        for x in [[0.0], [3 * degree, 0.03]] {
            head.set(x)
            let (visible, fixed) = points(head, lines)
            for j in 0..<17 { #expect(distanceToJaw(j, visible, fixed) < 2.5, "jaw point \(j), mm") }
        }
    }

    /// Between the ends and the chin no place of a jaw is marked: people put points at equal distances.
    @Test(arguments: [0.0, 20, -35, 46, -60], [0.1, -0.2]) func theJawIsDividedEvenly(_ yaw: Double, _ pitch: Double) throws {
        let head = try PosedHead<Double>()
        head.set([yaw * degree, pitch])
        let (visible, _) = points(head, ContourLines(head.model))
        let gaps = (0..<16).map { j in
            let dx = visible[3 * j + 3] - visible[3 * j], dy = visible[3 * j + 4] - visible[3 * j + 1]
            return (dx * dx + dy * dy).squareRoot()
        }
        for side in [gaps[..<8], gaps[8...]] {
            // Equal along the line, which bends between two points at the corner of the jaw.
            #expect(side.max()! < (abs(yaw) < 40 ? 1.1 : 1.5) * side.min()!, "\(side)")
        }
    }

    @Test func aPosedRotationGivesTheSameChoice() throws {
        // The choice asks for the picture's geometry only: model vertices with a rotation, or vertices already rotated.
        let head = try PosedHead<Double>()
        let lines = ContourLines(head.model)
        head.set([0.5, 0.1])
        let a = lines.embedding(head.vertices.pointer, rotation: head.pose.rotation)
        let b = lines.embedding(head.ndc.pointer, rotation: Rotation.matrix(yaw: 0.0, pitch: 0, roll: 0))
        #expect(a.indices == b.indices)
    }
}
