import FaceModel
import Numerics
import Rasterizer
import Renderer

/// The head as GAR shows it from several sides, in the look that was reconstructed.
enum GARViews {
    /// Turns from the pose of the photo's frame, degrees: GAR follows geometry to about 40 degrees of yaw.
    private static let directions: [(yaw: Double, pitch: Double)] = [(0, 0), (-40, 0), (40, 0), (-20, 0), (20, 0), (0, 20), (0, -20)]

    /// Empty where GAR took no part. Without noise: the maps were fitted to the photo's pixels, which other sides do not share.
    /// `mesh` is in model space.
    static func views(_ result: ReconstructionResult, mesh: Mesh, neighbours: VertexNeighbours) throws -> [SurfaceView] {
        guard let gar = result.models.gar, result.wRows == gar.styleCount, !result.wPlus.isEmpty else { return [] }
        let c = gar.configuration
        let styles = Tensor<Float>([1, gar.styleCount, c.latentSize], result.wPlus)
        let context = try GARContext(gar)
        let pyramid = NormalPyramid<Float>(
            size: c.size, sampling: c.normalSampling, triangles: mesh.triangles, vertexCount: mesh.vertexCount)
        let frame = AlignedFrame(half: c.halfMM, centreY: c.centreYMM)
        let normalsOf = VertexNormals<Float>(topology: MeshTopology(triangles: mesh.triangles, vertexCount: mesh.vertexCount))
        var ndc = mesh.vertices, normals = mesh.vertices
        return directions.map { direction in
            let pose = HeadPose<Float>(yaw: Float(direction.yaw * .pi / 180), pitch: Float(direction.pitch * .pi / 180))
            frame.forward(mesh.vertices, count: mesh.vertexCount, pose: pose, into: &ndc)
            normalsOf.forward(ndc, into: &normals)
            pyramid.forward(ndc: ndc, normals: normals)
            context.forward(wPlus: styles, normals: pyramid.maps)
            return SurfaceView(
                planes: context.image.array, side: c.size, inside: nil, ndc: ndc, normals: normals, mesh: mesh, neighbours: neighbours)
        }
    }
}
