/// Continues colours beyond the islands of a texture, so that blurring and small mip levels take nothing foreign in: ever
/// coarser means of what is known, laid under the finer ones.
func fillAround(_ texels: inout [SIMD3<Float>], covered: [Bool], side: Int) {
    var levels: [(side: Int, sum: [SIMD3<Float>], weight: [Float])] = [(side, texels, covered.map { $0 ? 1 : 0 })]
    for p in texels.indices where !covered[p] { levels[0].sum[p] = .zero }
    while let last = levels.last, last.side > 1 {
        let half = (last.side + 1) / 2
        var sum = [SIMD3<Float>](repeating: .zero, count: half * half), weight = [Float](repeating: 0, count: half * half)
        for y in 0..<last.side {
            for x in 0..<last.side {
                let from = y * last.side + x, to = (y / 2) * half + x / 2
                guard last.weight[from] > 0 else { continue }
                sum[to] += last.sum[from] / last.weight[from]
                weight[to] += 1
            }
        }
        levels.append((half, sum, weight))
    }
    var below: [SIMD3<Float>] = [], belowSide = 0
    for level in levels.reversed() {
        var filled = [SIMD3<Float>](repeating: .zero, count: level.side * level.side)
        for y in 0..<level.side {
            for x in 0..<level.side {
                let p = y * level.side + x
                if level.weight[p] > 0 {
                    filled[p] = level.sum[p] / level.weight[p]
                } else if belowSide > 0 {
                    filled[p] = below[(y / 2) * belowSide + x / 2]
                }
            }
        }
        (below, belowSide) = (filled, level.side)
    }
    texels = below
}
