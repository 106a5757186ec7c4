/// Means of 2x2 pixels, planar: `[channels,n,n]` to `[channels,n/2,n/2]`.
@_specialize(where T == Float)
@_specialize(where T == Double)
public func halve<T: Scalar>(_ from: UnsafePointer<T>, _ channels: Int, _ n: Int, _ to: UnsafeMutablePointer<T>) {
    let half = n / 2
    for row in 0..<channels &* half {
        let upper = from + 2 &* row &* n, lower = upper + n
        let out = to + row &* half
        for i in 0..<half {
            out[i] = (upper[2 &* i] + upper[2 &* i &+ 1] + lower[2 &* i] + lower[2 &* i &+ 1]) * 0.25
        }
    }
}

/// Adds the gradient of `halve`, or with `adds` false overwrites with it.
@_specialize(where T == Float)
@_specialize(where T == Double)
public func halveBackward<T: Scalar>(
    _ dTo: UnsafePointer<T>, _ channels: Int, _ n: Int, _ dFrom: UnsafeMutablePointer<T>, adds: Bool = true
) {
    let half = n / 2
    for row in 0..<channels &* half {
        let upper = dFrom + 2 &* row &* n, lower = upper + n
        let g = dTo + row &* half
        if !adds {
            for i in 0..<half {
                let q = g[i] * 0.25
                upper[2 &* i] = q
                upper[2 &* i &+ 1] = q
                lower[2 &* i] = q
                lower[2 &* i &+ 1] = q
            }
            continue
        }
        for i in 0..<half {
            let q = g[i] * 0.25
            upper[2 &* i] += q
            upper[2 &* i &+ 1] += q
            lower[2 &* i] += q
            lower[2 &* i &+ 1] += q
        }
    }
}
