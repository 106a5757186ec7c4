import Numerics
import Renderer
import Testing

func resource(_ name: String) throws -> SafetensorsFile {
    let folder = #filePath.split(separator: "/").dropLast().joined(separator: "/")
    return try SafetensorsFile(path: "/\(folder)/Resources/\(name).safetensors")
}

func largestDifference<T: Scalar>(_ a: Tensor<T>, _ b: Tensor<T>) -> Double {
    a.shape == b.shape ? zip(a.buffer, b.buffer).reduce(0) { max($0, abs(Double($1.0) - Double($1.1))) } : .infinity
}

/// The largest difference over the largest expected value.
func relativeDifference<T: Scalar>(_ a: Tensor<T>, _ expected: Tensor<T>) -> Double {
    largestDifference(a, expected) / expected.buffer.reduce(0) { max($0, abs(Double($1))) }
}

/// Golden numbers of the published network: image to 1e-4, gradients to 1e-3 relative, by every convolution path.
@Suite struct GoldenTests {
    private func maps<T: Scalar>(_ file: SafetensorsFile, _ prefix: String, _ sizes: [Int]) throws -> [Tensor<T>] {
        try sizes.map { try file.tensor("\(prefix).\($0)") }
    }

    /// Joining two w+ of one w each is mixing the two w.
    @Test func stylesMix() throws {
        let gar = try GAR<Float>(file: resource("gar64.weights"))
        let w = gar.map(try resource("gar64.cases").tensor("z")), other = gar.truncate(w, psi: 0.5)
        for row in 0...gar.styleCount {
            let joined = gar.wPlus(joining: gar.wPlus(w), gar.wPlus(other), at: row)
            #expect(joined.array == gar.wPlus(mixing: [w, other], crossovers: [row]).array)
        }
    }

    private func gar64<T: Scalar>(_ type: T.Type, _ path: ConvolutionPath) throws {
        let gar = try GAR<T>(file: resource("gar64.weights"), convolution: path)
        let cases = try resource("gar64.cases")
        #expect(gar.configuration.size == 64)
        #expect(gar.configuration.latentSize == 32)
        #expect(gar.configuration.mappingDepth == 4)
        #expect(gar.configuration.styleMapChannels == 3)
        #expect(gar.configuration.channels == [4: 20, 8: 20, 16: 16, 32: 12, 64: 8])
        #expect(gar.styleCount == 10)
        #expect(gar.noiseShapes == [4, 8, 8, 16, 16, 32, 32, 64, 64])

        let w = gar.map(try cases.tensor("z"))
        #expect(largestDifference(w, try cases.tensor("w")) < 1e-5)
        let normals: [Tensor<T>] = try maps(cases, "normals", gar.configuration.resolutions)
        let noise: [Tensor<T>] = try maps(cases, "noise", Array(0..<9))
        let context = try GARContext(gar, batch: 2)
        context.forward(wPlus: gar.wPlus(w), normals: normals, noise: noise)
        #expect(largestDifference(context.image, try cases.tensor("image")) < 1e-4)

        let dW = Tensor<T>([2, 10, 32])
        let dNormals = normals.map { Tensor<T>($0.shape) }
        let dNoise = noise.map { Tensor<T>($0.shape) }
        context.backward(dImage: try cases.tensor("cotangent"), dWPlus: dW, dNormals: dNormals, dNoise: dNoise)
        #expect(relativeDifference(dW, try cases.tensor("grad.w_plus")) < 1e-3)
        for (r, d) in zip(gar.configuration.resolutions, dNormals) {
            #expect(relativeDifference(d, try cases.tensor("grad.normals.\(r)")) < 1e-3, "normals \(r)")
        }
        for (i, d) in dNoise.enumerated() {
            #expect(relativeDifference(d, try cases.tensor("grad.noise.\(i)")) < 1e-3, "noise \(i)")
        }

        let truncated = gar.truncate(w, psi: 0.7, towards: try cases.tensor("mean_w"))
        context.forward(wPlus: gar.wPlus(truncated), normals: normals, noise: noise)
        #expect(largestDifference(context.image, try cases.tensor("image.truncated_0.7")) < 1e-4)
    }

    private func gar32wide<T: Scalar>(_ type: T.Type, _ path: ConvolutionPath) throws {
        let gar = try GAR<T>(file: resource("gar32wide.weights"), convolution: path)
        let cases = try resource("gar32wide.cases")
        #expect(gar.configuration.styleMapChannels == 8)
        #expect(gar.configuration.mappingDepth == 2)
        let (first, second): (Tensor<T>, Tensor<T>) = (try cases.tensor("z.first"), try cases.tensor("z.second"))
        let wPlus = gar.wPlus(mixing: [gar.map(first), gar.map(second)], crossovers: [3])
        #expect(largestDifference(wPlus, try cases.tensor("w_plus")) < 1e-5)
        let normals: [Tensor<T>] = try maps(cases, "normals", gar.configuration.resolutions)
        let context = try GARContext(gar, batch: 2)
        context.forward(wPlus: wPlus, normals: normals, noise: try maps(cases, "noise", Array(0..<7)))
        #expect(largestDifference(context.image, try cases.tensor("image")) < 1e-4)

        let dWPlus = Tensor<T>(wPlus.shape)
        let dNormals = normals.map { Tensor<T>($0.shape) }
        context.backward(dImage: try cases.tensor("cotangent"), dWPlus: dWPlus, dNormals: dNormals)
        let dW = gar.wPlusBackward(dWPlus, crossovers: [3])
        #expect(relativeDifference(gar.mapBackward(first, dW: dW[0]), try cases.tensor("grad.z.first")) < 1e-3)
        #expect(relativeDifference(gar.mapBackward(second, dW: dW[1]), try cases.tensor("grad.z.second")) < 1e-3)
        for (r, d) in zip(gar.configuration.resolutions, dNormals) {
            #expect(relativeDifference(d, try cases.tensor("grad.normals.\(r)")) < 1e-3, "normals \(r)")
        }
    }

    @Test(arguments: ConvolutionPath.available) func narrowSingle(_ path: ConvolutionPath) throws { try gar64(Float.self, path) }
    @Test(arguments: ConvolutionPath.available) func narrowDouble(_ path: ConvolutionPath) throws { try gar64(Double.self, path) }
    @Test(arguments: ConvolutionPath.available) func wideSingle(_ path: ConvolutionPath) throws { try gar32wide(Float.self, path) }
    @Test(arguments: ConvolutionPath.available) func wideDouble(_ path: ConvolutionPath) throws { try gar32wide(Double.self, path) }
}
