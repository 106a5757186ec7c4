import FaceModel
import Fitting
import Inversion
import Numerics

extension ReconstructionResult {
    /// Everything but pictures and meshes, with units in the names.
    public var json: JSONValue {
        func list(_ values: some Sequence<Double>) -> JSONValue { .array(values.map { .number($0) }) }
        var members: [(String, JSONValue)] = [
            ("kind", .string("reconstruction")), ("version", .number(1)),
            ("renderer", .string(renderer.rawValue)), ("start", .string(start.rawValue)),
            ("photo", .object([("width", .number(Double(photoWidth))), ("height", .number(Double(photoHeight)))])),
            ("face_probability", .number(faceProbability)), ("covered_share", .number(coveredShare)),
        ]
        if let box {
            members.append(
                (
                    "detection",
                    .object([
                        ("centre_px", list([box.centreX, box.centreY])), ("frame_size_px", .number(box.size)),
                        ("roll_degrees", .number(box.roll * 180 / .pi)), ("score", .number(box.score)),
                    ])
                ))
        }
        members += [
            (
                "camera",
                .object([
                    ("model", .string("weak perspective: u = scale (R p).x + t.x, v = -scale (R p).y + t.y")),
                    ("scale_px_per_mm", .number(camera.scale)), ("rotation_row_major", list(camera.rotation)),
                    ("translation_px", list([camera.tx, camera.ty])), ("matrix_3x4", list(camera.matrix)),
                ])
            ),
            ("pose_degrees", poseJSON),
            ("gaze_degrees", gaze?.json ?? .null),
            ("gaze_direction_camera_space", gaze.map { list($0.direction(camera.rotation)) } ?? .null),
            ("identity", list(identity.map { Double($0) })),
            ("expression", .object(zip(expressionNames, expression).map { ($0, .number(Double($1))) })),
            (
                "aligned_frame",
                .object([
                    ("centre_px", list([frame.centreX, frame.centreY])), ("size_px", .number(frame.size)),
                    ("roll_degrees", .number(frame.roll * 180 / .pi)), ("half_mm", .number(alignedFrame.half)),
                    ("centre_y_mm", .number(alignedFrame.centreY)),
                    ("head_yaw_pitch_roll_logscale_tx_ty", list(pose.array)),
                ])
            ),
            ("part_names", .array(neutral.partNames.map { .string($0) })),
            ("landmarks_px", .array(Self.rows(landmarks, 2))),
            ("converged", .bool(converged)),
            (
                "stages",
                .array(
                    stages.map {
                        .object([
                            ("stage", .string($0.stage)), ("iterations", .number(Double($0.iterations))),
                            ("ended", .string($0.reason.rawValue)), ("energy_start", .number($0.first)),
                            ("energy_end", .number($0.last)),
                        ])
                    })
            ),
            ("timing_seconds", .object(timing.map { ($0.step, .number($0.seconds)) })),
            (
                "losses",
                .array(
                    history.map { record in
                        .object(
                            [("stage", .string(record.stage)), ("iteration", .number(Double(record.iteration)))]
                                + record.terms.named.map { ($0.name, .number($0.value)) })
                    })
            ),
        ]
        return .object(members)
    }

    /// The head's angles in the photo, degrees.
    var poseJSON: JSONValue {
        let angles = anglesInDegrees
        return .object([("yaw", .number(angles.yaw)), ("pitch", .number(angles.pitch)), ("roll", .number(angles.roll))])
    }

    /// The landmarks in every form.
    public var landmarkJSON: JSONValue {
        .object([
            ("kind", .string("landmarks")), ("version", .number(1)),
            ("order", .string("68 Multi-PIE/iBUG points; pixel centres at integers, first pixel 0, v down")),
            ("visible_contour_px", .array(Self.rows(landmarks, 2))), ("static_px", .array(Self.rows(staticLandmarks, 2))),
            ("static_model_mm", .array(Self.rows(landmarks3D, 3))),
        ])
    }

    private static func rows(_ values: [Double], _ width: Int) -> [JSONValue] {
        stride(from: 0, to: values.count - width + 1, by: width).map { i in
            .array((i..<i + width).map { .number(values[$0]) })
        }
    }

    /// The numbers a renderer or another program needs, single precision.
    public func safetensors() -> [UInt8] {
        let angles = anglesInDegrees
        var writer = SafetensorsWriter(metadata: [
            "garface": JSONValue.object([
                ("kind", .string("reconstruction")), ("version", .number(1)), ("renderer", .string(renderer.rawValue)),
                ("half_mm", .number(alignedFrame.half)), ("centre_y_mm", .number(alignedFrame.centreY)),
            ]).serialized()
        ])
        func add(_ name: String, _ shape: [Int], _ values: some Collection<Double>) {
            writer.add(name, Tensor<Float>(shape, values.map { Float($0) }))
        }
        writer.add("identity", Tensor<Float>([identity.count], identity))
        writer.add("expression", Tensor<Float>([expression.count], expression))
        add("frame_pose", [6], pose.array)
        add("frame", [4], [frame.centreX, frame.centreY, frame.size, frame.roll])
        add("photo_size", [2], [Double(photoWidth), Double(photoHeight)])
        add("angles_degrees", [3], [angles.yaw, angles.pitch, angles.roll])
        add("camera.rotation", [3, 3], camera.rotation)
        add("camera.scale", [1], [camera.scale])
        add("camera.translation", [2], [camera.tx, camera.ty])
        add("camera.matrix", [3, 4], camera.matrix)
        add("landmarks", [landmarks.count / 2, 2], landmarks)
        add("landmarks_static", [staticLandmarks.count / 2, 2], staticLandmarks)
        add("landmarks_3d", [landmarks3D.count / 3, 3], landmarks3D)
        if let gaze { add("gaze_degrees", [2], [gaze.yaw, gaze.pitch]) }
        if wRows > 0 { writer.add("w_plus", Tensor<Float>([wRows, wPlus.count / wRows], wPlus)) }
        if !noise.isEmpty { writer.add("noise", Tensor<Float>([noise.count], noise)) }
        return writer.bytes()
    }
}

/// What `ReconstructionResult.safetensors` wrote, read back: enough to render the face again, or to edit it.
public struct SavedParameters: Sendable {
    /// The file's name, for sentences.
    public let name: String
    public let parameters: FaceParameters
    /// Width and height; nil in files of before this was kept.
    public let photoSize: (width: Int, height: Int)?
    public let renderer: ReconstructionRenderer
    /// What the renderer's frame was, mm.
    public let alignedFrame: AlignedFrame

    public init(file: SafetensorsFile) throws {
        guard let text = file.metadata["garface"], let header = try? JSONValue(parsing: text),
            header["kind"]?.string == "reconstruction"
        else { throw GarfaceError(.wrongModelKind, "\(file.name): is not a file of reconstruction parameters") }
        guard header["version"]?.int == 1 else {
            throw GarfaceError(.wrongModelKind, "\(file.name): reconstruction parameters of version 1 are read")
        }
        func values(_ name: String, _ dimensions: Int) throws -> (shape: [Int], values: [Float]) {
            let tensor: Tensor<Float> = try file.tensor(name)
            guard tensor.shape.count == dimensions, tensor.buffer.allSatisfy(\.isFinite) else {
                throw GarfaceError(
                    .malformedFile, "\(file.name): tensor \"\(name)\": expected \(dimensions) dimensions of finite numbers")
            }
            return (tensor.shape, tensor.array)
        }
        let numbers = try values("frame_pose", 1).values
        guard numbers.count == 6, abs(numbers[3]) < 5 else {
            throw GarfaceError(.malformedFile, "\(file.name): tensor \"frame_pose\": expected 6 numbers")
        }
        let place = try values("frame", 1).values.map { Double($0) }
        guard place.count == 4 else {
            throw GarfaceError(.malformedFile, "\(file.name): tensor \"frame\": expected 4 numbers")
        }
        let frame = Similarity(centreX: place[0], centreY: place[1], size: place[2], roll: place[3])
        guard frame.isUsable else {
            throw GarfaceError(.malformedFile, "\(file.name): tensor \"frame\" is no place in a photo")
        }
        let styles = file.contains("w_plus") ? try values("w_plus", 2) : (shape: [0, 0], values: [])
        name = file.name
        parameters = FaceParameters(
            identity: try values("identity", 1).values, expression: try values("expression", 1).values,
            pose: HeadPose(numbers.map { Double($0) }), frame: frame, wPlus: styles.values, wRows: styles.shape[0],
            noise: file.contains("noise") ? try values("noise", 1).values : [])
        if file.contains("photo_size") {
            let size = try values("photo_size", 1).values
            let sides = 1...Float(RGBImage.maximumSide)
            guard size.count == 2, size.allSatisfy(sides.contains) else {
                throw GarfaceError(.malformedFile, "\(file.name): tensor \"photo_size\": expected width and height")
            }
            photoSize = (Int(size[0]), Int(size[1]))
        } else {
            photoSize = nil
        }
        renderer = header["renderer"]?.string.flatMap(ReconstructionRenderer.init) ?? .gar
        alignedFrame = AlignedFrame(half: header["half_mm"]?.double ?? 115, centreY: header["centre_y_mm"]?.double ?? 5)
    }
}
