import CWideKernels

/// The library's own ways to a convolution of blocked maps: what each wants of weights and memory, and its call.
enum BlockedKernel: Hashable {
    /// 3x3 by Winograd's algorithm.
    case winograd
    /// 3x3 of maps of 4 x 4 pixels, directly.
    case small
    /// What doubles the size, by Winograd's algorithm.
    case up
    /// What doubles the size of maps of 4 x 4 pixels, directly.
    case smallUp

    /// The channels of a call and the size of its smaller map.
    struct Shape {
        let inputs, outputs, height, width: Int32
    }

    /// What one of several parts of a call works on.
    struct Part {
        let scratch: UnsafeMutablePointer<Float>
        let number, count: Int32
    }

    /// - Parameters:
    ///   - plain: `[out, in, 3, 3]`.
    ///   - adjoint: towards the input.
    func weights(_ plain: Tensor<Float>, adjoint: Bool) -> Tensor<Float> {
        let (count, make) =
            switch self {
            case .winograd: (garface_winograd_weight_count, garface_winograd_weights)
            case .small: (garface_small_weight_count, garface_small_weights)
            case .up: (garface_up_weight_count, garface_up_weights)
            case .smallUp: (garface_small_weight_count, garface_small_up_weights)
            }
        let (o, i) = (Int32(plain.shape[0]), Int32(plain.shape[1]))
        let u = Tensor<Float>([count(i, o)])
        withExtendedLifetime(plain) { make(plain.pointer, i, o, adjoint, u.pointer) }
        return u
    }

    /// Numbers of working memory for each part.
    func scratchCount(_ s: Shape) -> Int {
        switch self {
        case .winograd: garface_winograd_scratch(s.inputs, s.outputs, s.height, s.width)
        case .small, .smallUp: garface_small_scratch(s.inputs, s.outputs, s.height, s.width)
        case .up: garface_up_scratch(s.inputs, s.outputs, s.height, s.width)
        }
    }

    /// `y = conv(x * scale)` of one sample. `u`: of `weights`, or those in bfloat16 where `half`.
    func forward(
        _ x: UnsafePointer<Float>, scale: UnsafePointer<Float>?, _ u: UnsafePointer<Float>, half: Bool,
        _ y: UnsafeMutablePointer<Float>, _ s: Shape, _ part: Part
    ) {
        switch self {
        case .winograd:
            garface_winograd(x, scale, u, half, y, s.inputs, s.outputs, s.height, s.width, part.scratch, part.number, part.count)
        case .small:
            garface_small(x, scale, u, y, s.inputs, s.outputs, part.scratch, part.number, part.count)
        case .up:
            garface_up(x, scale, u, half, y, s.inputs, s.outputs, s.height, s.width, part.scratch, part.number, part.count)
        case .smallUp:
            garface_small_up(x, scale, u, y, s.inputs, s.outputs, part.scratch, part.number, part.count)
        }
    }

    /// The gradient to the input from `dy`, whose channels are the shape's inputs. `u`: of `weights`, adjoint.
    func backward(
        _ dy: UnsafePointer<Float>, _ u: UnsafePointer<Float>, half: Bool, _ dx: UnsafeMutablePointer<Float>, _ s: Shape, _ part: Part
    ) {
        switch self {
        case .winograd, .small:
            forward(dy, scale: nil, u, half: half, dx, s, part)
        case .up:
            garface_up_adjoint(dy, u, half, dx, s.inputs, s.outputs, s.height, s.width, part.scratch, part.number, part.count)
        case .smallUp:
            garface_small_up_adjoint(dy, u, dx, s.inputs, s.outputs, part.number, part.count)
        }
    }
}

/// A convolution's weights as these kernels read them, made when first asked for and shared by all contexts.
final class BlockedWeightCache: Sendable {
    private struct Key: Hashable {
        let kernel: BlockedKernel
        let adjoint, half: Bool
    }

    private let made = MadeOnceEach<Key, Tensor<Float>>()

    /// - Parameter half: in bfloat16, two numbers in the place of one.
    func weights(_ kernel: BlockedKernel, adjoint: Bool, half: Bool, of plain: () -> Tensor<Float>) -> Tensor<Float> {
        made.value(Key(kernel: kernel, adjoint: adjoint, half: half)) {
            let w = plain(), u = kernel.weights(w, adjoint: adjoint)
            return half ? Self.halved(u, depth: w.shape[adjoint ? 0 : 1], columns: w.shape[adjoint ? 1 : 0]) : u
        }
    }

    private static func halved(_ u: Tensor<Float>, depth: Int, columns: Int) -> Tensor<Float> {
        let numbers = Tensor<Float>([(u.count + 1) / 2])
        let bits = UnsafeMutableRawPointer(numbers.pointer).assumingMemoryBound(to: UInt16.self)
        withExtendedLifetime(u) { garface_half_weights(u.pointer, Int32(depth), Int32(columns), bits) }
        return numbers
    }
}
