import GarfaceHeader
import Numerics
import Renderer

@_cdecl("gar_renderer_load")
public func garRendererLoad(_ path: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<OpaquePointer?>?) -> gar_status {
    call {
        try create(out, "out") {
            guard path != nil else { return try RendererHandle(try .embedded()) }
            return try RendererHandle(try GAR(file: SafetensorsFile(path: try text(path, "path"))))
        }
    }
}

@_cdecl("gar_renderer_release")
public func garRendererRelease(_ renderer: OpaquePointer?) { HandleTable.shared.release(renderer, as: RendererHandle.self) }

@_cdecl("gar_renderer_set_precision")
public func garRendererSetPrecision(_ renderer: OpaquePointer?, _ precision: gar_precision) -> gar_status {
    call {
        let renderer = try resolve(renderer, RendererHandle.self, "renderer")
        try renderer.exclusively("renderer") {
            switch precision {
            case gar_precision(GAR_PRECISION_SINGLE): try renderer.setPrecision(.single)
            case gar_precision(GAR_PRECISION_BFLOAT16): try renderer.setPrecision(.bfloat16)
            default: throw GarfaceError(.invalidArgument, "precision: \(precision) is none of GAR_PRECISION_...")
            }
        }
    }
}

@_cdecl("gar_renderer_get_sizes")
public func garRendererGetSizes(
    _ renderer: OpaquePointer?, _ size: UnsafeMutablePointer<Int32>?, _ latent: UnsafeMutablePointer<Int32>?,
    _ rows: UnsafeMutablePointer<Int32>?, _ normals: UnsafeMutablePointer<Int32>?, _ noise: UnsafeMutablePointer<Int32>?
) -> gar_status {
    call {
        let renderer = try resolve(renderer, RendererHandle.self, "renderer")
        let size = try required(size, "size"), latent = try required(latent, "latent"), rows = try required(rows, "rows")
        let normals = try required(normals, "normals"), noise = try required(noise, "noise")
        size.pointee = Int32(renderer.model.configuration.size)
        latent.pointee = Int32(renderer.model.configuration.latentSize)
        rows.pointee = Int32(renderer.model.styleCount)
        normals.pointee = Int32(renderer.normalCount)
        noise.pointee = Int32(renderer.noiseCount)
    }
}

@_cdecl("gar_renderer_get_json")
public func garRendererGetJson(
    _ renderer: OpaquePointer?, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> gar_status {
    call {
        let renderer = try resolve(renderer, RendererHandle.self, "renderer")
        try deliver(description(of: renderer.model.configuration).serialized(), buffer, capacity, count)
    }
}

func description(of c: GARConfiguration) -> JSONValue {
    .object([
        ("size", .number(Double(c.size))), ("latent_size", .number(Double(c.latentSize))),
        ("n_mlp", .number(Double(c.mappingDepth))), ("n_stylemap", .number(Double(c.styleMapChannels))),
        ("channels", .object(c.channels.sorted { $0.key < $1.key }.map { (String($0.key), .number(Double($0.value))) })),
        ("half_mm", .number(c.halfMM)), ("centre_y_mm", .number(c.centreYMM)),
        ("normal_sampling", .string(c.normalSampling.rawValue)),
    ])
}

@_cdecl("gar_renderer_get_mean_w")
public func garRendererGetMeanW(_ renderer: OpaquePointer?, _ w: UnsafeMutablePointer<Float>?) -> gar_status {
    call {
        let model = try resolve(renderer, RendererHandle.self, "renderer").model
        gather([model.meanW], try required(w, "w"))
    }
}

@_cdecl("gar_renderer_sample_z")
public func garRendererSampleZ(_ renderer: OpaquePointer?, _ seed: UInt64, _ z: UnsafeMutablePointer<Float>?) -> gar_status {
    call {
        let model = try resolve(renderer, RendererHandle.self, "renderer").model
        let z = try required(z, "z")
        var random = RandomGenerator(seed: seed)
        for i in 0..<model.configuration.latentSize { z[i] = Float(random.normal()) }
    }
}

/// z as a tensor. The mapping network begins by dividing z by its root mean square: a square beyond the largest number
/// would make every w the same.
private func latentTensor(_ z: UnsafePointer<Float>, _ count: Int) throws -> Tensor<Float> {
    let input = Tensor<Float>([1, count])
    input.pointer.update(from: z, count: count)
    guard Float.dot(count, input.pointer, input.pointer).isFinite else {
        throw GarfaceError(.numericalFailure, "z: so large that the sum of its squares is not finite")
    }
    return input
}

private func checkTruncation(_ psi: Float) throws {
    guard psi >= 0, psi <= 1 else { throw invalid("truncation: is \(psi), expected 0 to 1") }
}

@_cdecl("gar_renderer_map")
public func garRendererMap(
    _ renderer: OpaquePointer?, _ z: UnsafePointer<Float>?, _ truncation: Float, _ w: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let model = try resolve(renderer, RendererHandle.self, "renderer").model
        let latent = model.configuration.latentSize
        let z = try finite(z, latent, "z"), w = try required(w, "w")
        try checkTruncation(truncation)
        let input = try latentTensor(z, latent)
        gather([model.truncate(model.map(input), psi: truncation)], w)
        try requireFinite(w, latent, "w", of: "z")
    }
}

@_cdecl("gar_renderer_map_backward")
public func garRendererMapBackward(
    _ renderer: OpaquePointer?, _ z: UnsafePointer<Float>?, _ truncation: Float, _ dW: UnsafePointer<Float>?,
    _ dZ: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let model = try resolve(renderer, RendererHandle.self, "renderer").model
        let latent = model.configuration.latentSize
        let z = try finite(z, latent, "z"), dW = try finite(dW, latent, "d_w"), dZ = try required(dZ, "d_z")
        try checkTruncation(truncation)
        let input = try latentTensor(z, latent), gradient = Tensor<Float>([1, latent])
        for i in 0..<latent { gradient.pointer[i] = truncation * dW[i] }
        gather([model.mapBackward(input, dW: gradient)], dZ)
        try requireFinite(dZ, latent, "d_z", of: "z or d_w")
    }
}

@_cdecl("gar_renderer_mix")
public func garRendererMix(
    _ renderer: OpaquePointer?, _ first: UnsafePointer<Float>?, _ second: UnsafePointer<Float>?, _ row: Int32,
    _ wPlus: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let model = try resolve(renderer, RendererHandle.self, "renderer").model
        let latent = model.configuration.latentSize, rows = model.styleCount
        let first = try finite(first, rows * latent, "first"), second = try finite(second, rows * latent, "second")
        let wPlus = try required(wPlus, "w_plus")
        guard (0...rows).contains(Int(row)) else { throw invalid("row: is \(row), expected 0 to \(rows)") }
        let both = [first, second].map { given in
            let tensor = Tensor<Float>([1, rows, latent])
            tensor.pointer.update(from: given, count: rows * latent)
            return tensor
        }
        gather([model.wPlus(joining: both[0], both[1], at: Int(row))], wPlus)
    }
}

@_cdecl("gar_renderer_sample_noise")
public func garRendererSampleNoise(
    _ renderer: OpaquePointer?, _ seed: UInt64, _ noise: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let model = try resolve(renderer, RendererHandle.self, "renderer").model
        let noise = try required(noise, "noise")
        gather(model.noise(seed: seed), noise)
    }
}
