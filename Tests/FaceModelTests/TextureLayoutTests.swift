import FaceModel
import Numerics
import Testing

@Suite struct TextureLayoutTests {
    /// Twice the signed area of every triangle.
    private func areas(_ layout: TextureLayout) -> [Double] {
        (0..<layout.triangles.count / 3).map { t in
            let p = (0..<3).map { k -> SIMD2<Double> in
                let i = 2 * Int(layout.triangles[3 * t + k])
                return SIMD2(Double(layout.coordinates[i]), Double(layout.coordinates[i + 1]))
            }
            return (p[1].x - p[0].x) * (p[2].y - p[0].y) - (p[1].y - p[0].y) * (p[2].x - p[0].x)
        }
    }

    /// Every texel belongs to one triangle at most: counts the triangles over each point of a grid.
    private func doubled(_ layout: TextureLayout, side: Int) -> (covered: Int, doubled: Int) {
        var count = [Int](repeating: 0, count: side * side)
        for t in 0..<layout.triangles.count / 3 {
            let p = (0..<3).map { k -> SIMD2<Double> in
                let i = 2 * Int(layout.triangles[3 * t + k])
                return SIMD2(Double(layout.coordinates[i]), Double(layout.coordinates[i + 1])) * Double(side)
            }
            let low = (p.map(\.x).min() ?? 0, p.map(\.y).min() ?? 0), high = (p.map(\.x).max() ?? 0, p.map(\.y).max() ?? 0)
            for j in max(0, Int(low.1))..<min(side, Int(high.1) + 1) {
                for i in max(0, Int(low.0))..<min(side, Int(high.0) + 1) {
                    let q = SIMD2(Double(i) + 0.5, Double(j) + 0.5)
                    let inside = (0..<3).allSatisfy { k in
                        let a = p[k], b = p[(k + 1) % 3]
                        return (b.x - a.x) * (q.y - a.y) - (b.y - a.y) * (q.x - a.x) > 1e-7
                    }
                    if inside { count[j * side + i] += 1 }
                }
            }
        }
        return (count.count { $0 > 0 }, count.count { $0 > 1 })
    }

    /// As the library unwraps it, whatever layout the file has.
    private func unwrapped(_ model: HeadModel<Float>) -> TextureLayout {
        var points = [Float](repeating: 0, count: 3 * model.landmarks.count)
        model.landmarks.positions(model.mean.pointer, into: &points)
        return TextureLayout(
            unwrapping: model.mean.array, triangles: model.triangles,
            focus: SIMD3(Double(points[90]), Double(points[91]), Double(points[92])))
    }

    @Test func defaultHeadLiesFlatWithoutOverlap() throws {
        let model = try HeadModel<Float>.embedded()
        let layout = unwrapped(model)
        #expect(layout.triangles.count == model.triangles.count)
        #expect(layout.coordinates.allSatisfy { $0 >= 0 && $0 <= 1 })
        for (corner, t) in layout.triangles.enumerated() { #expect(layout.vertex[Int(t)] == model.triangles[corner]) }
        #expect(areas(layout).count { $0 <= 0 } == 0)
        let (covered, doubled) = doubled(layout, side: 512)
        #expect(doubled == 0)
        #expect(Double(covered) / (512 * 512) > 0.75)
        // Seams add few vertices.
        #expect(layout.count < model.vertexCount + 1000)
        // The file has this very layout: what the library makes of other models is what is tested here.
        let own = model.textureLayout()
        #expect(own.triangles == layout.triangles && own.vertex == layout.vertex)
        #expect(zip(own.coordinates, layout.coordinates).allSatisfy { abs($0 - $1) < 1e-4 })
    }

    /// The front looks as in a photo: the subject's left on the right, the brow above the chin, the nose in the middle.
    @Test func frontIsUpright() throws {
        let model = try HeadModel<Float>.embedded()
        let layout = model.textureLayout()
        var place = [SIMD2<Float>](repeating: .zero, count: model.vertexCount)
        for (i, v) in layout.vertex.enumerated() { place[Int(v)] = SIMD2(layout.coordinates[2 * i], layout.coordinates[2 * i + 1]) }
        func landmark(_ i: Int) -> SIMD2<Float> {
            (0..<3).reduce(.zero) { $0 + Float(model.landmarks.weights[3 * i + $1]) * place[Int(model.landmarks.indices[3 * i + $1])] }
        }
        #expect(landmark(45).x > landmark(42).x && landmark(42).x > landmark(39).x && landmark(39).x > landmark(36).x)
        #expect(landmark(27).y > landmark(30).y && landmark(30).y > landmark(51).y && landmark(51).y > landmark(8).y)
        #expect(abs(landmark(30).x - 0.5) < 0.03)
        // The face gets its share of the picture.
        #expect(landmark(16).x - landmark(0).x > 0.3 && landmark(27).y - landmark(8).y > 0.15)
    }

    @Test func sameEveryTime() throws {
        let model = try HeadModel<Float>.embedded()
        let a = unwrapped(model), b = unwrapped(model)
        #expect(a.coordinates == b.coordinates && a.triangles == b.triangles && a.vertex == b.vertex)
    }

    /// A closed cube needs a seam; a square none; two triangles that share one edge with a third only a fallback.
    @Test func smallMeshes() {
        let cube: [Float] = [-1, -1, -1, 1, -1, -1, 1, 1, -1, -1, 1, -1, -1, -1, 1, 1, -1, 1, 1, 1, 1, -1, 1, 1]
        let sides: [Int32] = [
            4, 5, 6, 4, 6, 7, 1, 0, 3, 1, 3, 2, 0, 4, 7, 0, 7, 3, 5, 1, 2, 5, 2, 6, 7, 6, 2, 7, 2, 3, 0, 1, 5, 0, 5, 4,
        ]
        let closed = TextureLayout(unwrapping: cube, triangles: sides, focus: nil)
        #expect(closed.count > 8 && areas(closed).allSatisfy { $0 > 0 } && doubled(closed, side: 256).doubled == 0)
        let square = TextureLayout(unwrapping: Array(cube[12...]), triangles: [0, 1, 2, 0, 2, 3], focus: nil)
        #expect(square.count == 4 && areas(square).allSatisfy { $0 > 0 })
        let book = TextureLayout(unwrapping: cube, triangles: [4, 5, 6, 4, 5, 1, 4, 5, 2], focus: nil)
        #expect(book.triangles.count == 9 && book.coordinates.allSatisfy { $0 >= 0 && $0 <= 1 })
    }

    @Test func layoutsFromOutsideAreChecked() throws {
        let mesh: [Int32] = [0, 1, 2, 0, 2, 3]
        let good: [Float] = [0, 0, 1, 0, 1, 1, 0, 1]
        #expect(try TextureLayout(coordinates: good, triangles: mesh, mesh: mesh, name: "x").vertex == [0, 1, 2, 3])
        func fails(_ coordinates: [Float], _ triangles: [Int32]) -> Bool {
            do {
                _ = try TextureLayout(coordinates: coordinates, triangles: triangles, mesh: mesh, name: "x")
                return false
            } catch let error as GarfaceError { return error.kind == .malformedFile } catch { return false }
        }
        #expect(fails(good, [0, 1, 2, 0, 2, 4]) && fails(good, [0, 1, 2, 0, 2, -1]) && fails(good, [0, 1, 2, 1, 2, 3]))
        #expect(fails(good, [0, 1, 2]) && fails([0, 0, 1.5, 0, 1, 1, 0, 1], mesh) && fails([.nan, 0, 1, 0, 1, 1, 0, 1], mesh))
        #expect(fails(good + [0.5, 0.5], mesh))
    }
}
