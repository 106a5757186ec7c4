import Numerics
import Rasterizer

/// A differentiable renderer as the fit sees it: GAR, or the classical baseline it is compared with.
protocol PictureMaker<T>: AnyObject {
    associatedtype T: Scalar
    /// Side of the square picture, pixels.
    var size: Int { get }
    /// (1, 3, size, size) in [-1, 1], after `render`.
    var image: Tensor<T> { get }
    /// The rasterised head that the last `geometryChanged` made.
    var raster: RasterBuffer<T> { get }
    /// Sides of the noise maps, coarse to fine; empty where the renderer takes none.
    var noiseSides: [Int] { get }
    /// How many unknowns of that block this renderer brings.
    func count(of block: ParameterBlock) -> Int
    /// Appearance to begin with where the start has none; the head has been posed.
    func initialise(_ p: UnsafeMutablePointer<T>, layout: ParameterLayout, head: PosedHead<T>)
    /// Rasterises the posed head anew (or, frozen, keeps its triangle ids).
    func geometryChanged(_ head: PosedHead<T>, freezeCoverage: Bool)
    func render(_ p: UnsafePointer<T>, layout: ParameterLayout)
    /// Adds the gradient of the active appearance blocks to `gradient` and, where `head` is given, of the geometry to it
    /// (with `silhouettes`: also what moving outlines do).
    func backward(
        _ dImage: Tensor<T>, _ p: UnsafePointer<T>, layout: ParameterLayout, active: Set<ParameterBlock>,
        head: PosedHead<T>?, silhouettes: Bool, gradient: UnsafeMutablePointer<T>)
    /// Prior energies of the appearance blocks, gradients added.
    func stylePrior(
        _ p: UnsafePointer<T>, layout: ParameterLayout, weights: FitWeights, active: Set<ParameterBlock>,
        gradient: UnsafeMutablePointer<T>) -> T
    func albedoPrior(
        _ p: UnsafePointer<T>, layout: ParameterLayout, weights: FitWeights, active: Set<ParameterBlock>,
        gradient: UnsafeMutablePointer<T>) -> T
}
