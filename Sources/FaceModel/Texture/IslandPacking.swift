/// Room in the unit square for every island: the largest on top over the whole width, the rest in rows below it.
///
/// - Parameter sizes: how long a side each wants, in any unit.
func packed(_ sizes: [Double]) -> [(origin: SIMD2<Double>, size: SIMD2<Double>)] {
    // Between islands, so that a blurred texture does not leak from one to the next.
    let margin = 6.0 / 1024
    guard let main = sizes.indices.max(by: { sizes[$0] < sizes[$1] }) else { return [] }
    let rest = sizes.indices.filter { $0 != main }.sorted { sizes[$0] != sizes[$1] ? sizes[$0] > sizes[$1] : $0 < $1 }
    let strip = rest.isEmpty ? 0 : 0.2
    var cells = [(origin: SIMD2<Double>, size: SIMD2<Double>)](repeating: (.zero, .zero), count: sizes.count)
    cells[main] = (SIMD2(margin, strip + margin), SIMD2(1 - 2 * margin, 1 - strip - 2 * margin))
    guard let largest = rest.first else { return cells }
    // Rows of squares, largest first, made smaller until they fit. Small parts get a little more than their share.
    var scale = strip
    while true {
        var x = 0.0, y = strip, row = 0.0
        for i in rest {
            let side = scale * max(0.15, (sizes[i] / max(sizes[largest], 1e-12)).squareRoot())
            if x + side > 1 {
                x = 0
                y -= row
                row = 0
            }
            row = max(row, side)
            let inner = max(side - 2 * margin, side / 2)
            cells[i] = (SIMD2(x, y - side) + (side - inner) / 2, SIMD2(inner, inner))
            x += side
        }
        if y - row >= -1e-12 || scale < 1e-4 { return cells }
        scale *= 0.97
    }
}
