/// Points of the plane, some fixed and every other one the weighted mean of its neighbours.
struct WeightedMeans {
    private(set) var places: [SIMD2<Double>]
    private var isFixed: [Bool]
    private var gathered: [[Int32: Double]]
    // Rows of the system, one after the other: neighbours and weights that sum to 1.
    private var start: [Int] = []
    private var neighbour: [Int32] = []
    private var weight: [Double] = []
    /// How far beyond its mean a point is moved in a sweep.
    private var step = 1.9

    init(count: Int) {
        places = .init(repeating: .zero, count: count)
        isFixed = .init(repeating: false, count: count)
        gathered = .init(repeating: [:], count: count)
    }

    mutating func fix(_ i: Int, at place: SIMD2<Double>) {
        places[i] = place
        isFixed[i] = true
    }

    mutating func add(from i: Int, to j: Int, _ value: Double) { gathered[i][Int32(j), default: 0] += value }

    func meanWeight(of i: Int) -> Double {
        gathered[i].isEmpty ? 1 : gathered[i].values.sorted().reduce(0, +) / Double(gathered[i].count)
    }

    /// Call once, after the last `add`.
    mutating func finish() {
        start = [0]
        for row in gathered {
            for j in row.keys.sorted() {
                neighbour.append(j)
                weight.append(row[j] ?? 0)
            }
            start.append(neighbour.count)
        }
        gathered = []
        normalise()
    }

    mutating func divideWeights(by values: [Double]) {
        for k in weight.indices { weight[k] /= max(1e-6, values[Int(neighbour[k])]) }
        normalise()
    }

    private mutating func normalise() {
        for i in 0..<start.count - 1 {
            let sum = weight[start[i]..<start[i + 1]].reduce(0, +)
            if sum > 0 { for k in start[i]..<start[i + 1] { weight[k] /= sum } }
        }
    }

    /// Successive over-relaxation, from the present places.
    mutating func solve(tolerance: Double, sweeps: Int = 20_000) {
        let count = places.count, begin = places
        var done = 0, last = Double.infinity
        while done < sweeps {
            var largest = 0.0
            let factor = step
            places.withUnsafeMutableBufferPointer { places in
                for i in 0..<count where !isFixed[i] && start[i] < start[i + 1] {
                    var mean = SIMD2<Double>()
                    for k in start[i]..<start[i + 1] { mean += weight[k] * places[Int(neighbour[k])] }
                    let move = mean - places[i]
                    places[i] += factor * move
                    largest = max(largest, abs(move.x), abs(move.y))
                }
            }
            done += 1
            if largest < tolerance { break }
            // Means lie between the fixed points. Where steps this long run away from them (weights differ by direction),
            // shorter ones begin anew.
            if done % 20 == 0 {
                if largest > 4 || (done % 200 == 0 && largest > last) {
                    places = begin
                    step = 1 + 0.7 * (step - 1)
                    last = .infinity
                } else if done % 200 == 0 {
                    last = largest
                }
            }
        }
    }
}
