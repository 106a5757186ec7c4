import Glibc
import Inversion
import Numerics
import Testing

/// Against outputs and gradients computed by PyTorch from the same weight files.
@Suite struct InverseNetworkTests {
    @Test(arguments: ConvolutionPath.available)
    func agreesInSingle(path: ConvolutionPath) throws { try agrees(Float.self, path) }

    @Test func agreesInDouble() throws { try agrees(Double.self, .gemm) }

    private func agrees<T: Scalar>(_ type: T.Type, _ path: ConvolutionPath) throws {
        let network = try InverseNetwork<T>(file: resource("inverse.random.safetensors"), path: path)
        let cases = try resource("inverse.random.cases.safetensors")
        func expected(_ name: String) throws -> [Double] { try (cases.tensor("output." + name) as Tensor<Double>).array }
        let estimate = try network.run(cases.tensor("input"), context: network.context())
        #expect(relativeError(estimate.identity, try expected("identity")) < 1e-4)
        #expect(relativeError(estimate.expression, try expected("expression").map { max(0, min(1, $0)) }) < 1e-4)
        let pose = try expected("pose")
        #expect(relativeError([estimate.yaw, estimate.pitch, estimate.roll], Array(pose[0..<3])) < 1e-4)
        #expect(
            relativeError([estimate.logScale, estimate.tx, estimate.ty], [max(-1.5, min(1.5, pose[3])), pose[4], pose[5]]) < 1e-4)
        #expect(relativeError(estimate.wOffset, try expected("w")) < 1e-4)
        #expect(relativeError(estimate.landmarks, try expected("landmarks")) < 1e-4)
        #expect(
            relativeError(estimate.landmarkSigma.map { log($0) }, try expected("landmark_log_sigma").map { max(-12, min(3, $0)) })
                < 1e-4)
        #expect(relativeError([estimate.faceLogit], try expected("face")) < 1e-4)
    }

    /// The gradient of `sum((F_k(x) - F_k(other))^2)` to the input.
    @Test(arguments: ConvolutionPath.available)
    func featureGradients(path: ConvolutionPath) throws {
        try featureGradients(Float.self, path)
        if path == .gemm { try featureGradients(Double.self, path) }
    }

    private func featureGradients<T: Scalar>(_ type: T.Type, _ path: ConvolutionPath) throws {
        let network = try InverseNetwork<T>(file: resource("inverse.random.safetensors"), path: path)
        let cases = try resource("inverse.random.cases.safetensors")
        let input: Tensor<T> = try cases.tensor("input"), other: Tensor<T> = try cases.tensor("other_input")
        let context = try network.context()
        for k in 0..<3 {
            context.forward(other.pointer)
            let target = context.levels[k].array
            context.forward(input.pointer)
            let gradient = Tensor<T>(context.levels[k].shape)
            var loss = 0.0
            for i in 0..<gradient.count {
                let d = context.levels[k][i] - target[i]
                loss += Double(d * d)
                gradient[i] = 2 * d
            }
            let dInput = Tensor<T>(input.shape)
            context.backward(dLevels: (0..<3).map { $0 == k ? gradient : nil }, dInput: dInput.pointer)
            let expected: Tensor<T> = try cases.tensor("feature_gradient.\(k)")
            #expect(relativeError(dInput.array, expected.array) < 1e-4)
            #expect(relativeError([loss], try (cases.tensor("feature_loss.\(k)") as Tensor<Double>).array) < 1e-4)
        }
    }

    /// In double precision against central differences, all levels and a mask together; halved once and twice, too.
    @Test(arguments: [nil, 20, 10]) func perceptualLossGradient(_ largestSide: Int?) throws {
        let network = try InverseNetwork<Double>(file: resource("inverse.random.safetensors"), path: .gemm)
        let cases = try resource("inverse.random.cases.safetensors")
        let x: Tensor<Double> = try cases.tensor("input"), target: Tensor<Double> = try cases.tensor("other_input")
        let mask = Tensor<Double>([36, 36])
        for i in 0..<mask.count { mask[i] = i % 36 < 25 ? 1 : 0.25 }
        let loss = try PerceptualLoss(network.features, height: 36, width: 36, levelWeights: [1, 0.5, 2], largestSide: largestSide)
        loss.setTarget(target.pointer, mask: mask.pointer)
        let gradient = Tensor<Double>(x.shape)
        let value = loss(x.pointer, scale: 3, dPicture: gradient.pointer)
        #expect(value > 0.1)
        var rng = RandomGenerator(seed: 2)
        for _ in 0..<20 {
            let i = Int(rng.uniform() * Double(x.count)), h = 1e-5, kept = x[i]
            x[i] = kept + h
            let up = loss(x.pointer, dPicture: nil)
            x[i] = kept - h
            let down = loss(x.pointer, dPicture: nil)
            x[i] = kept
            let difference = 3 * (up - down) / (2 * h)
            #expect(abs(difference - gradient[i]) < 1e-6 * max(1, abs(difference)), "element \(i)")
        }
        #expect(loss(target.pointer, dPicture: nil) == 0)
        #expect(
            errorKind { _ = try PerceptualLoss(network.features, height: 36, width: 36, levelWeights: [1]) } == .invalidArgument)
    }

    @Test func refusesWrongFiles() throws {
        let name = "inverse.random.safetensors"
        #expect(
            errorKind { _ = try InverseNetwork<Float>(file: resource("face_detector.random.safetensors")) } == .wrongModelKind)
        #expect(errorKind { _ = try FaceDetector(file: resource(name)) } == .wrongModelKind)
        func kind(_ from: String, _ to: String, drop: String? = nil) throws -> GarfaceError.Kind? {
            let file = try altered(
                name,
                metadata: { text in
                    guard let range = text.firstRange(of: from) else {
                        Issue.record("metadata has no \(from)")
                        return text
                    }
                    return text.replacingCharacters(in: range, with: to)
                }, drop: drop)
            return errorKind { _ = try InverseNetwork<Float>(file: file) }
        }
        #expect(try kind("\"version\": 1", "\"version\": 2") == .wrongModelKind)
        #expect(try kind("\"input_size\": 36", "\"input_size\": 100000000") == .malformedFile)
        #expect(try kind("\"input_size\": 36", "\"input_size\": 48") == .malformedFile)
        #expect(try kind("\"stride\": 2", "\"stride\": 3") == .malformedFile)
        #expect(try kind("\"in\": 6", "\"in\": 7") == .malformedFile)
        #expect(try kind("\"pose\": [6]", "\"pose\": [7]") == .malformedFile)
        #expect(try kind("\"w_rows\": 1", "\"w_rows\": 2") == .malformedFile)
        #expect(try kind("{", "[") == .malformedFile)
        #expect(try kind("\"version\": 1", "\"version\": 1", drop: "layers.1.bias") == .malformedFile)
        #expect(try kind("\"version\": 1", "\"version\": 1") == nil)
        func deviations(_ list: String) throws -> GarfaceError.Kind? {
            try kind("\"version\": 1", "\"version\": 1, \"expression_deviation\": \(list)")
        }
        #expect(try deviations("[0.1]") == .malformedFile)
        #expect(try deviations("0.1") == .malformedFile)
        #expect(try deviations("[" + String(repeating: "0.1, ", count: 54) + "0]") == .malformedFile)
        #expect(try deviations("[" + String(repeating: "0.1, ", count: 54) + "\"wide\"]") == .malformedFile)
    }

    /// A file may say how far its coefficients are off; without that, nothing is claimed.
    @Test func readsDeviations() throws {
        let name = "inverse.random.safetensors"
        let silent = try InverseNetwork<Float>(file: resource(name))
        #expect(silent.identityDeviation == nil && silent.expressionDeviation == nil)
        let values = (0..<silent.identityCount).map { 0.25 + Double($0) / 64 }
        let file = try altered(
            name,
            metadata: {
                guard let range = $0.firstRange(of: "\"version\": 1") else { return $0 }
                return $0.replacingCharacters(in: range, with: "\"version\": 1, \"identity_deviation\": \(values)")
            })
        #expect(try InverseNetwork<Float>(file: file).identityDeviation == values)
    }
}

@Suite struct FaceDetectorTests {
    @Test(arguments: ConvolutionPath.available)
    func agrees(path: ConvolutionPath) throws {
        let detector = try FaceDetector(file: resource("face_detector.random.safetensors"), path: path)
        let cases = try resource("face_detector.random.cases.safetensors")
        let expected: Tensor<Float> = try cases.tensor("output.cell")
        let found = try detector.cells(cases.tensor("input"))
        #expect(found.shape == expected.shape)
        #expect(relativeError(found.array, expected.array) < 1e-4)
    }

    /// Random weights see faces or not; whatever the picture's shape, nothing breaks and boxes are usable.
    @Test(arguments: [(1, 1), (3, 900), (64, 64), (700, 20), (333, 257)])
    func anySize(width: Int, height: Int) throws {
        let detector = try FaceDetector(file: resource("face_detector.random.safetensors"))
        var rng = RandomGenerator(seed: 3)
        var image = try RGBImage(width: width, height: height)
        for i in image.pixels.indices { image.pixels[i] = UInt8(rng.uniform() * 256) }
        var options = FaceDetectorOptions()
        options.threshold = 0.01
        options.maximumCount = 5
        let faces = try detector.detect(image, options: options)
        #expect(faces.count <= 5)
        #expect(faces.allSatisfy { $0.similarity.isUsable && $0.score > 0 })
        options.minimumSize = .nan
        options.maximumSize = -1
        _ = try detector.detect(image, options: options)
    }
}
