import CDefaultModels
import Numerics

extension GAR {
    /// The renderer that the library carries.
    public static func embedded(convolution: ConvolutionPath = .best) throws -> GAR<T> {
        var size = 0
        let start = garface_default_renderer(&size)
        guard size > 0 else {
            throw GarfaceError(.fileNotFound, "this build carries no renderer: give a weight file of kind \"gar\"")
        }
        let memory = UnsafeRawBufferPointer(start: start, count: size)
        return try GAR(file: SafetensorsFile(memory: memory, name: "the embedded renderer"), convolution: convolution)
    }
}
