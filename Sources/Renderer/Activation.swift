import Numerics

// Leaky ReLU of slope 0.2 times sqrt 2, which keeps the variance, and the element-wise passes around it.

/// In place: `x = sqrt2 * leaky(x + bias[c])` over one sample [channels, area].
@_specialize(where T == Float)
@_specialize(where T == Double)
func biasLeakyKernel<T: Scalar>(_ x: UnsafeMutablePointer<T>, _ bias: UnsafePointer<T>, channels: Int, area: Int) {
    let high = T(2).squareRoot()
    let low = high * T(0.2)
    for c in 0..<channels {
        let b = bias[c]
        let p = x + c * area
        for i in 0..<area {
            let v = p[i] + b
            p[i] = v > 0 ? v * high : v * low
        }
    }
}

/// In place: the gradient before the activation from the gradient after it; `y` is the activation's output.
@_specialize(where T == Float)
@_specialize(where T == Double)
func leakyBackwardKernel<T: Scalar>(_ gradient: UnsafeMutablePointer<T>, _ y: UnsafePointer<T>, _ n: Int) {
    let high = T(2).squareRoot()
    let low = high * T(0.2)
    for i in 0..<n { gradient[i] *= y[i] > 0 ? high : low }
}

/// `y[c, i] = x[c, i] * s[c]`; x and y may be the same.
@_specialize(where T == Float)
@_specialize(where T == Double)
func scaleChannelsKernel<T: Scalar>(
    _ x: UnsafePointer<T>, _ s: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>, channels: Int, area: Int
) {
    for c in 0..<channels {
        let k = s[c]
        let a = x + c * area
        let b = y + c * area
        for i in 0..<area { b[i] = a[i] * k }
    }
}

/// `y = a * x + b * y`.
@_specialize(where T == Float)
@_specialize(where T == Double)
func combineKernel<T: Scalar>(_ a: T, _ x: UnsafePointer<T>, _ b: T, _ y: UnsafeMutablePointer<T>, _ n: Int) {
    if b == 1 {
        for i in 0..<n { y[i] += a * x[i] }
    } else {
        for i in 0..<n { y[i] = a * x[i] + b * y[i] }
    }
}
