import FaceModel
import GarfaceHeader
import Glibc
import Numerics

private let degree = Float.pi / 180

/// yaw, pitch, roll (degrees), scale, shift (mm) as the core has them.
func headPose(_ pose: UnsafePointer<Float>?) throws -> HeadPose<Float> {
    let p = try finite(pose, 6, "pose")
    guard p[3] > 1e-3, p[3] < 1e3 else { throw invalid("pose: the scale is \(p[3]), expected 0.001 to 1000") }
    return HeadPose(
        yaw: p[0] * degree, pitch: p[1] * degree, roll: p[2] * degree, logScale: logf(p[3]), tx: p[4], ty: p[5])
}

@_cdecl("gar_renderer_rasterize")
public func garRendererRasterize(
    _ renderer: OpaquePointer?, _ head: OpaquePointer?, _ vertices: UnsafePointer<Float>?, _ pose: UnsafePointer<Float>?,
    _ normals: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let renderer = try resolve(renderer, RendererHandle.self, "renderer")
        let head = try resolve(head, HeadHandle.self, "head")
        let vertices = try finite(vertices, 3 * head.model.vertexCount, "vertices")
        let pose = try headPose(pose), normals = try required(normals, "normals")
        try renderer.exclusively("renderer") {
            let work = renderer.rasterised?.head === head ? renderer.rasterised! : Rasterised(head: head, renderer: renderer)
            renderer.rasterised = work
            work.forward(vertices, pose: pose)
            gather(work.pyramid.maps, normals)
            try requireFinite(normals, renderer.normalCount, "normals", of: "vertices or pose")
        }
    }
}

@_cdecl("gar_renderer_rasterize_backward")
public func garRendererRasterizeBackward(
    _ renderer: OpaquePointer?, _ dNormals: UnsafePointer<Float>?, _ dVertices: UnsafeMutablePointer<Float>?,
    _ dPose: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let renderer = try resolve(renderer, RendererHandle.self, "renderer")
        let dNormals = try finite(dNormals, renderer.normalCount, "d_normals")
        let dVertices = try required(dVertices, "d_vertices"), dPose = try required(dPose, "d_pose")
        try renderer.exclusively("renderer") {
            guard let work = renderer.rasterised else {
                throw invalid("renderer: nothing has been rasterised; call gar_renderer_rasterize first")
            }
            let maps = renderer.normals.map { Tensor<Float>($0.shape) }
            scatter(dNormals, maps)
            work.backward(dMaps: maps, dVertices: dVertices, dPose: dPose)
            for k in 0..<3 { dPose[k] *= degree }
            dPose[3] /= expf(work.pose.logScale)
            try requireFinite(dVertices, 3 * work.head.model.vertexCount, "d_vertices", of: "d_normals, or what was rasterised")
            try requireFinite(dPose, 6, "d_pose", of: "d_normals, or what was rasterised")
        }
    }
}

@_cdecl("gar_renderer_render")
public func garRendererRender(
    _ renderer: OpaquePointer?, _ wPlus: UnsafePointer<Float>?, _ normals: UnsafePointer<Float>?,
    _ noise: UnsafePointer<Float>?, _ picture: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let renderer = try resolve(renderer, RendererHandle.self, "renderer")
        let wPlus = try finite(wPlus, renderer.wPlus.count, "w_plus")
        let normals = try finite(normals, renderer.normalCount, "normals")
        if noise != nil { _ = try finite(noise, renderer.noiseCount, "noise") }
        let picture = try required(picture, "picture")
        try renderer.exclusively("renderer") {
            renderer.wPlus.pointer.update(from: wPlus, count: renderer.wPlus.count)
            scatter(normals, renderer.normals)
            if let noise { scatter(noise, renderer.noise) }
            renderer.context.forward(
                wPlus: renderer.wPlus, normals: renderer.normals, noise: noise == nil ? nil : renderer.noise)
            renderer.hasRendered = true
            let image = renderer.context.image
            try requireFinite(image.pointer, image.count, "picture", of: "w_plus, normals or noise")
            picture.update(from: image.pointer, count: image.count)
        }
    }
}

@_cdecl("gar_renderer_render_backward")
public func garRendererRenderBackward(
    _ renderer: OpaquePointer?, _ dPicture: UnsafePointer<Float>?, _ dWPlus: UnsafeMutablePointer<Float>?,
    _ dNormals: UnsafeMutablePointer<Float>?, _ dNoise: UnsafeMutablePointer<Float>?
) -> gar_status {
    call {
        let renderer = try resolve(renderer, RendererHandle.self, "renderer")
        let side = renderer.model.configuration.size
        let dPicture = try finite(dPicture, 3 * side * side, "d_picture")
        try renderer.exclusively("renderer") {
            guard renderer.hasRendered else {
                throw invalid("renderer: nothing has been rendered; call gar_renderer_render first")
            }
            let gradient = Tensor<Float>([1, 3, side, side])
            gradient.pointer.update(from: dPicture, count: gradient.count)
            let w = dWPlus.map { _ in Tensor<Float>(renderer.wPlus.shape) }
            let n = dNormals.map { _ in renderer.normals.map { Tensor<Float>($0.shape) } }
            let e = dNoise.map { _ in renderer.noise.map { Tensor<Float>($0.shape) } }
            renderer.context.backward(dImage: gradient, dWPlus: w, dNormals: n, dNoise: e)
            for (tensors, out, name) in [
                (w.map { [$0] }, dWPlus, "d_w_plus"), (n, dNormals, "d_normals"), (e, dNoise, "d_noise"),
            ] {
                guard let tensors, let out else { continue }
                gather(tensors, out)
                let count = tensors.reduce(0) { $0 + $1.count }
                try requireFinite(out, count, name, of: "d_picture, or what was rendered")
            }
        }
    }
}

@_cdecl("gar_image_from_picture")
public func garImageFromPicture(
    _ picture: UnsafePointer<Float>?, _ width: Int32, _ height: Int32, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> gar_status {
    call {
        try create(out, "out") {
            let width = Int(width), height = Int(height)
            try RGBImage.checkSize(width: width, height: height)
            let area = width * height
            let picture = try finite(picture, 3 * area, "picture")
            let pixels = [UInt8](unsafeUninitializedCapacity: 3 * area) { buffer, count in
                for i in 0..<area {
                    for c in 0..<3 {
                        buffer[3 * i + c] = UInt8(max(0, min(255, ((picture[c * area + i] + 1) * 127.5).rounded())))
                    }
                }
                count = 3 * area
            }
            return ImageHandle(try RGBImage(width: width, height: height, pixels: pixels))
        }
    }
}
