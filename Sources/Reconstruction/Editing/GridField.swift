/// Several numbers on a small square grid.
struct GridField {
    let side: Int
    let channels: Int
    /// [side,side,channels]
    private(set) var values: [Float]

    init(side: Int, channels: Int, values: [Float]) {
        self.side = side
        self.channels = channels
        self.values = values
    }

    /// Numbers carried from where they are known to everywhere, as smoothly as can be: the least sum of
    /// `weight * (x - known)^2` in the cells and of squared differences between neighbours.
    /// - Parameters:
    ///   - known: [side,side,channels].
    ///   - weight: [side,side], against 1 for a pair of neighbours; 0 where nothing is known.
    ///   - held: [side,side], cells that stay zero; nil for none.
    init(membraneOn side: Int, channels: Int, known: [Float], weight: [Float], held: [Bool]?) {
        var x = [Float](repeating: 0, count: side * side * channels)
        let largest = known.reduce(0) { max($0, abs($1)) }
        if largest > 0 {
            // Over-relaxed: the system is symmetric, so this converges.
            for _ in 0..<Self.sweeps {
                var move: Float = 0
                for j in 0..<side {
                    for i in 0..<side {
                        let p = j * side + i
                        if held?[p] == true { continue }
                        var count = weight[p]
                        if i > 0 { count += 1 }
                        if i + 1 < side { count += 1 }
                        if j > 0 { count += 1 }
                        if j + 1 < side { count += 1 }
                        for c in 0..<channels {
                            let k = p * channels + c
                            var sum = weight[p] * known[k]
                            if i > 0 { sum += x[k - channels] }
                            if i + 1 < side { sum += x[k + channels] }
                            if j > 0 { sum += x[k - side * channels] }
                            if j + 1 < side { sum += x[k + side * channels] }
                            let step = sum / count - x[k]
                            x[k] += Self.relaxation * step
                            move = max(move, abs(step))
                        }
                    }
                }
                if move < Self.tolerance * largest { break }
            }
        }
        self.init(side: side, channels: channels, values: x)
    }

    private static let sweeps = 500, relaxation: Float = 1.9, tolerance: Float = 1e-4

    /// Means of each cell and those around it (1 2 1, both ways), `times` over.
    func blurred(times: Int) -> GridField {
        var from = values
        for pass in 0..<2 * times {
            let step = pass % 2 == 0 ? channels : side * channels
            var to = from
            for p in 0..<side * side {
                let at = pass % 2 == 0 ? p % side : p / side
                for c in 0..<channels {
                    let k = p * channels + c
                    to[k] = 0.5 * from[k] + 0.25 * (from[at > 0 ? k - step : k] + from[at + 1 < side ? k + step : k])
                }
            }
            from = to
        }
        return GridField(side: side, channels: channels, values: from)
    }

    /// Bilinear at (x, y), cells having their centres at whole numbers; the edge is continued.
    @inline(__always)
    func sample(_ x: Float, _ y: Float, _ channel: Int) -> Float {
        let limit = Float(side - 1)
        let x = max(0, min(limit, x)), y = max(0, min(limit, y))
        let i = min(Int(x), side - 2), j = min(Int(y), side - 2)
        let fx = x - Float(i), fy = y - Float(j)
        let p = (j * side + i) * channels + channel, below = p + side * channels
        let upper = values[p] * (1 - fx) + values[p + channels] * fx
        let lower = values[below] * (1 - fx) + values[below + channels] * fx
        return upper * (1 - fy) + lower * fy
    }
}

/// For every cell the distance to the nearest one of `inside`, in cells; two sweeps of a 3-4 chamfer.
func chamferDistance(_ inside: [Bool], side: Int) -> [Float] {
    var d = inside.map { $0 ? Float(0) : .infinity }
    let straight: Float = 1, slanted: Float = 4 / 3
    for backwards in [false, true] {
        for step in 0..<side * side {
            let p = backwards ? side * side - 1 - step : step
            let i = p % side, j = p / side, s = backwards ? 1 : -1
            func look(_ di: Int, _ dj: Int, _ length: Float) {
                let x = i + di, y = j + dj
                if x >= 0, y >= 0, x < side, y < side { d[p] = min(d[p], d[y * side + x] + length) }
            }
            look(s, 0, straight)
            look(0, s, straight)
            look(s, s, slanted)
            look(-s, s, slanted)
        }
    }
    return d
}
