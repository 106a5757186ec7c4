import CVectorKernels

/// One direction of a convolution on one sample: `[inputs, ...]` to `[outputs, ...]`, overwritten.
protocol VectorPass: AnyObject {
    func run(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>)
}

/// One of several equal shares of a pass's rows. What a share computes is the same however many there are.
struct Share {
    let part, parts: Int
    static let all = Share(part: 0, parts: 1)
    func of(_ rows: Int) -> Range<Int> { rows * part / parts..<rows * (part + 1) / parts }
}

/// A pass in shares, each with memory of its own, on as many threads.
final class SharedPass: VectorPass {
    private let shares: [VectorPass]

    /// Numbers of a map, all channels, below which it is no work for several threads.
    private static let least = 1 << 14

    /// - Parameter numbers: of the larger map.
    static func make(numbers: Int, _ pass: (Share) -> VectorPass) -> VectorPass {
        let parts = numbers < least ? 1 : partCount()
        return parts == 1 ? pass(.all) : SharedPass((0..<parts).map { pass(Share(part: $0, parts: parts)) })
    }

    private init(_ shares: [VectorPass]) { self.shares = shares }

    func run(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
        inParts(shares.count) { shares[$0].run(x, y) }
    }
}

/// A 1x1 convolution: a matrix product in place.
final class PointwisePass: VectorPass {
    private let kernels: VectorKernels
    private let weights: Tensor<Float>
    private let outputs, area: Int
    private let rows, places: [Int64]

    /// Nil for maps smaller than a vector.
    init?(_ kernels: VectorKernels, _ weights: Tensor<Float>, inputs: Int, outputs: Int, area: Int) {
        guard area >= kernels.lanes else { return nil }
        self.kernels = kernels
        self.weights = weights
        self.outputs = outputs
        self.area = area
        rows = (0..<inputs).map { Int64($0 * area) }
        // The last vector ends with the map; what it shares with the one before is computed twice.
        places = stride(from: 0, to: area, by: kernels.lanes).map { Int64(min($0, area - kernels.lanes)) }
    }

    func run(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
        kernels.table.pointee.product(
            weights.pointer, Int64(rows.count), rows, x, places, Int64(places.count), y, Int64(area), places, Int64(outputs))
    }
}

/// How many rows of a map are worked on at a time, so that what is copied of it stays in the cache.
enum Bands {
    /// Numbers of the copy.
    static let budget = 1 << 16

    static func height(_ rows: Int, numbersPerRow: Int) -> Int { max(1, min(rows, budget / max(1, numbersPerRow))) }
}

/// A 3x3 convolution of stride 1 and padding 1 as a product over nine shifts of each map.
final class DirectPass: VectorPass {
    private let inputs, height, width, pitch, plane, band: Int
    private let share: Range<Int>
    private let product: ShiftedProduct
    /// Maps with a margin: a column that the end of one row and the beginning of the next share, and a row on both sides.
    private let padded: Tensor<Float>

    init(_ kernels: VectorKernels, _ weights: Tensor<Float>, inputs: Int, outputs: Int, height: Int, width: Int, share: Share) {
        self.inputs = inputs
        self.height = height
        self.width = width
        self.share = share.of(height)
        let pitch = width + 1
        self.pitch = pitch
        band = Bands.height(max(1, self.share.count), numbersPerRow: max(inputs, outputs) * pitch)
        let plane = VectorKernels.spread((band + 2) * pitch + 1)
        self.plane = plane
        let taps = (0..<inputs).flatMap { c in (0..<9).map { c * plane + $0 / 3 * pitch + $0 % 3 } }
        product = ShiftedProduct(
            kernels, weights, outputs: outputs, rows: taps, pitch: pitch, largestHeight: band, width: width)
        padded = Tensor([inputs * plane + VectorKernels.slack])
    }

    func run(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
        var row = share.lowerBound
        while row < share.upperBound {
            let rows = min(band, share.upperBound - row)
            for c in 0..<inputs {
                for r in 0..<rows + 2 {
                    let to = padded.pointer + c * plane + r * pitch + 1
                    let source = row + r - 1
                    if source < 0 || source >= height {
                        to.update(repeating: 0, count: width)
                    } else {
                        to.update(from: x + (c * height + source) * width, count: width)
                    }
                }
            }
            product.run(padded.pointer, height: rows, y + row * width, area: height * width)
            row += rows
        }
    }
}

/// A 3x3 convolution of stride 2, as a product over the maps' four kinds of pixels: in even or odd rows and columns.
final class StridedPass: VectorPass {
    private let kernels: VectorKernels
    private let g: PlainConvolution
    private let pitch, plane, band: Int
    private let share: Range<Int>
    private let product: ShiftedProduct
    /// `[inputs, 4, plane]`: the pixels of even rows and columns, even and odd, odd and even, odd and odd.
    private let sorted: Tensor<Float>
    /// A row with its margins.
    private let row: Tensor<Float>

    init(_ kernels: VectorKernels, _ weights: Tensor<Float>, _ g: PlainConvolution, share: Share) {
        self.kernels = kernels
        self.g = g
        self.share = share.of(g.outputHeight)
        let pitch = g.outputWidth + 1
        self.pitch = pitch
        band = Bands.height(max(1, self.share.count), numbersPerRow: max(4 * g.inputChannels, g.outputChannels) * pitch)
        let plane = VectorKernels.spread((band + 1) * pitch)
        self.plane = plane
        let taps = (0..<g.inputChannels).flatMap { c in
            (0..<9).map { tap in
                let (a, b) = (tap / 3, tap % 3)
                return (4 * c + 2 * (a % 2) + b % 2) * plane + a / 2 * pitch + b / 2
            }
        }
        product = ShiftedProduct(
            kernels, weights, outputs: g.outputChannels, rows: taps, pitch: pitch, largestHeight: band, width: g.outputWidth)
        sorted = Tensor([4 * g.inputChannels * plane + VectorKernels.slack])
        row = Tensor([2 * pitch + VectorKernels.slack])
    }

    func run(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
        var first = share.lowerBound
        while first < share.upperBound {
            let rows = min(band, share.upperBound - first)
            for c in 0..<g.inputChannels {
                for r in 0..<2 * rows + 1 {
                    let source = 2 * first + r - g.padding
                    let to = sorted.pointer + (4 * c + 2 * (r % 2)) * plane + r / 2 * pitch
                    if source < 0 || source >= g.inputHeight {
                        to.update(repeating: 0, count: pitch)
                        (to + plane).update(repeating: 0, count: pitch)
                    } else {
                        // Places before the map, and after it, stay zero.
                        (row.pointer + g.padding).update(
                            from: x + (c * g.inputHeight + source) * g.inputWidth, count: g.inputWidth)
                        kernels.table.pointee.split(row.pointer, Int64(pitch), to, to + plane)
                    }
                }
            }
            product.run(sorted.pointer, height: rows, y + first * g.outputWidth, area: g.outputArea)
            first += rows
        }
    }
}

/// The transposed 3x3 convolution of stride 2: four products, one for each kind of pixel of the larger map.
final class TransposedPass: VectorPass {
    private let kernels: VectorKernels
    private let g: PlainConvolution
    private let pitch, plane, band: Int
    private let share: Range<Int>
    private let phases: [Phase]
    /// The smaller maps with a margin before and after: see `DirectPass`.
    private let padded: Tensor<Float>
    /// `[4, channels, ...]`: the pixels of even rows and columns, even and odd, odd and even, odd and odd.
    private let sorted: Tensor<Float>
    private let row: Tensor<Float>
    private let places: [Int64]

    private struct Phase {
        let weights: Tensor<Float>
        let rows: [Int64]
    }

    /// The taps, as places in the kernel, that reach the pixels of each kind, with the row and column they come from.
    private static let taps: [[(tap: Int, row: Int, column: Int)]] = [
        [(0, 0, 0), (2, 0, -1), (6, -1, 0), (8, -1, -1)], [(1, 0, 0), (7, -1, 0)], [(3, 0, 0), (5, 0, -1)], [(4, 0, 0)],
    ]

    /// - Parameter g: the convolution that this is the transposed one of.
    init(_ kernels: VectorKernels, _ g: PlainConvolution, share: Share, weights: (_ taps: [Int]) -> Tensor<Float>) {
        self.kernels = kernels
        self.g = g
        self.share = share.of(g.outputHeight + 1)
        let pitch = g.outputWidth + 1
        self.pitch = pitch
        band = Bands.height(max(1, self.share.count), numbersPerRow: max(g.outputChannels, 4 * g.inputChannels) * pitch)
        let plane = VectorKernels.spread((band + 1) * pitch + 1)
        self.plane = plane
        phases = Self.taps.map { taps in
            Phase(
                weights: weights(taps.map(\.tap)),
                rows: (0..<g.outputChannels).flatMap { c in
                    taps.map { Int64(c * plane + (1 + $0.row) * pitch + 1 + $0.column) }
                })
        }
        let count = kernels.rounded(band * pitch)
        places = stride(from: 0, to: count, by: kernels.lanes).map(Int64.init)
        padded = Tensor([g.outputChannels * plane + VectorKernels.slack])
        sorted = Tensor([4 * g.inputChannels * count + VectorKernels.slack])
        row = Tensor([2 * pitch + VectorKernels.slack])
    }

    func run(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
        let (h, w) = (g.outputHeight, g.outputWidth)
        var first = share.lowerBound
        while first < share.upperBound {
            let rows = min(band, share.upperBound - first)
            for c in 0..<g.outputChannels {
                for r in 0...rows {
                    let to = padded.pointer + c * plane + r * pitch + 1
                    let source = first + r - 1
                    if source < 0 || source >= h {
                        to.update(repeating: 0, count: w)
                    } else {
                        to.update(from: x + (c * h + source) * w, count: w)
                    }
                }
            }
            let vectors = (rows * pitch + kernels.lanes - 1) / kernels.lanes
            let area = vectors * kernels.lanes
            for (k, phase) in phases.enumerated() {
                kernels.table.pointee.product(
                    phase.weights.pointer, Int64(phase.rows.count), phase.rows, padded.pointer, places, Int64(vectors),
                    sorted.pointer + k * g.inputChannels * area, Int64(area), places, Int64(g.inputChannels))
            }
            for c in 0..<g.inputChannels {
                for r in 0..<2 * rows {
                    let target = 2 * first + r - g.padding
                    if target < 0 || target >= g.inputHeight { continue }
                    let even = sorted.pointer + (2 * (r % 2) * g.inputChannels + c) * area + r / 2 * pitch
                    let odd = even + g.inputChannels * area
                    kernels.table.pointee.merge(even, odd, Int64(pitch), row.pointer)
                    (y + (c * g.inputHeight + target) * g.inputWidth).update(from: row.pointer + g.padding, count: g.inputWidth)
                }
            }
            first += rows
        }
    }
}

/// A 3x3 convolution of stride 1 and padding 1 by Winograd's F(4x4, 3x3).
final class WinogradPass: VectorPass {
    private let kernels: VectorKernels
    private let weights: Tensor<Float>
    private let inputs, outputs, height, width: Int
    /// Tiles of 4x4 pixels in a row, rows of tiles, and how many of these are worked on at a time.
    private let across, down, band: Int
    private let share: Range<Int>
    /// Numbers from map to map, and from element to element, of what is multiplied and of the products.
    private let pitch, inputStep, outputStep: Int
    private let transformed, products: Tensor<Float>
    private let rows, places: [Int64]
    private let scratch, zeros, lines: Tensor<Float>

    /// Numbers of the transformed maps and of the products, for the second-level cache.
    private static let budget = 3 << 16
    private static let fewestTiles = 64

    init(
        _ kernels: VectorKernels, _ weights: Tensor<Float>, inputs: Int, outputs: Int, height: Int, width: Int, share: Share
    ) {
        self.kernels = kernels
        self.weights = weights
        self.inputs = inputs
        self.outputs = outputs
        self.height = height
        self.width = width
        across = (width + 3) / 4
        down = (height + 3) / 4
        self.share = share.of(down)
        // With many channels the weights are the larger part: they are not read again for a handful of tiles.
        let tiles = max(Self.budget / (36 * (inputs + outputs)), Self.fewestTiles)
        band = max(1, min(self.share.count, tiles / across))
        // Eight tiles are written at a time: there must be room for seven more.
        let pitch = VectorKernels.spread(kernels.rounded(band * across) + 8)
        self.pitch = pitch
        inputStep = VectorKernels.spread(inputs * pitch)
        outputStep = VectorKernels.spread(outputs * pitch)
        transformed = Tensor([36 * inputStep + VectorKernels.slack])
        products = Tensor([36 * outputStep + VectorKernels.slack])
        rows = (0..<inputs).map { Int64($0 * pitch) }
        places = stride(from: 0, to: kernels.rounded(band * across), by: kernels.lanes).map(Int64.init)
        scratch = Tensor([6 * (4 * across + 96)])
        zeros = Tensor([width + VectorKernels.slack])
        lines = Tensor([4 * (4 * across + VectorKernels.slack)])
    }

    func run(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
        var first = share.lowerBound
        while first < share.upperBound {
            let tileRows = min(band, share.upperBound - first)
            transform(x, first, tileRows)
            let blocks = (outputs + 7) / 8
            for e in 0..<36 {
                kernels.table.pointee.product(
                    weights.pointer + e * blocks * inputs * 8, Int64(inputs), rows, transformed.pointer + e * inputStep, places,
                    Int64((tileRows * across + kernels.lanes - 1) / kernels.lanes), products.pointer + e * outputStep,
                    Int64(pitch), places, Int64(outputs))
            }
            collect(y, first, tileRows)
            first += tileRows
        }
    }

    private func transform(_ x: UnsafePointer<Float>, _ first: Int, _ tileRows: Int) {
        withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: 6) { six in
            for c in 0..<inputs {
                for t in 0..<tileRows {
                    for r in 0..<6 {
                        let row = 4 * (first + t) + r - 1
                        six[r] =
                            row < 0 || row >= height ? UnsafePointer(zeros.pointer) : x + (c * height + row) * width
                    }
                    kernels.table.pointee.winograd_input(
                        six.baseAddress!, Int64(width), Int64(across), transformed.pointer + c * pitch + t * across,
                        Int64(inputStep), scratch.pointer)
                }
            }
        }
    }

    private func collect(_ y: UnsafeMutablePointer<Float>, _ first: Int, _ tileRows: Int) {
        let linePitch = 4 * across + VectorKernels.slack
        withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<Float>?.self, capacity: 4) { four in
            for o in 0..<outputs {
                for t in 0..<tileRows {
                    let row = 4 * (first + t)
                    let target = y + (o * height + row) * width
                    let inPlace = width % 32 == 0 && row + 4 <= height
                    for r in 0..<4 { four[r] = inPlace ? target + r * width : lines.pointer + r * linePitch }
                    kernels.table.pointee.winograd_output(
                        products.pointer + o * pitch + t * across, Int64(outputStep), Int64(across), four.baseAddress!)
                    if inPlace { continue }
                    for r in 0..<min(4, height - row) {
                        (target + r * width).update(from: lines.pointer + r * linePitch, count: width)
                    }
                }
            }
        }
    }
}
