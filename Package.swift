// swift-tools-version: 6.0
import Foundation
import PackageDescription

// The base is OpenBLAS and libpng. oneDNN (fast convolution) and libjpeg-turbo are used when their
// headers are there at build time; GARFACE_WITHOUT_ONEDNN=1 and GARFACE_WITHOUT_JPEG=1 leave them out.
let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
func present(_ header: String, unless variable: String) -> Bool {
    if ProcessInfo.processInfo.environment[variable] == "1" { return false }
    return ["/usr/include", "/usr/local/include", "/usr/include/x86_64-linux-gnu", "/usr/include/aarch64-linux-gnu"]
        .contains { FileManager.default.fileExists(atPath: $0 + "/" + header) }
}
let hasOneDNN = present("dnnl.h", unless: "GARFACE_WITHOUT_ONEDNN")
let hasJPEG = present("jpeglib.h", unless: "GARFACE_WITHOUT_JPEG")

let numericsSettings: [SwiftSetting] = hasOneDNN ? [.define("GARFACE_ONEDNN")] : []
let codecSettings: [CSetting] = hasJPEG ? [.define("GARFACE_JPEG")] : []

let package = Package(
    name: "garface",
    products: [
        .library(name: "garface", type: .dynamic, targets: ["CGarface"]),
        .executable(name: "garface-cli", targets: ["garface"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        // C libraries
        .systemLibrary(name: "COpenBLAS"),
        .systemLibrary(name: "COneDNN"),
        .systemLibrary(name: "GarfaceHeader", path: "Include"),
        .target(
            name: "CImageCodecs", cSettings: codecSettings,
            linkerSettings: [.linkedLibrary("png")] + (hasJPEG ? [.linkedLibrary("jpeg")] : [])),
        .target(name: "CViewPage", exclude: ["page"], cSettings: [.unsafeFlags(["-std=c23"])]),
        .target(name: "CDefaultModels", exclude: ["models"], cSettings: [.unsafeFlags(["-std=c23"])]),

        // Vector code: convolutions of planar maps without oneDNN and bases of heads (AVX2 or AVX-512); the renderer in blocks of
        // 16 channels and the rasteriser (the same), which look at the processor for both
        .target(name: "CVectorKernels", dependencies: ["CWideKernels"]),
        .target(name: "CWideKernels"),

        // The method, bottom to top
        .target(
            name: "Numerics", dependencies: ["COpenBLAS", "CVectorKernels", "CWideKernels"] + (hasOneDNN ? ["COneDNN"] : []),
            swiftSettings: numericsSettings, linkerSettings: hasOneDNN ? [.linkedLibrary("dnnl")] : []),
        .target(name: "FaceModel", dependencies: ["Numerics", "CDefaultModels"]),
        .target(name: "Rasterizer", dependencies: ["Numerics", "CWideKernels", "FaceModel"]),
        .target(name: "Renderer", dependencies: ["Numerics", "CWideKernels", "CDefaultModels"]),
        .target(name: "Inversion", dependencies: ["Numerics", "FaceModel", "CDefaultModels"]),
        .target(name: "Fitting", dependencies: ["Numerics", "FaceModel", "Rasterizer", "Renderer", "Inversion"]),
        .target(
            name: "Reconstruction",
            dependencies: [
                "Numerics", "FaceModel", "Rasterizer", "Renderer", "Inversion", "Fitting", "CImageCodecs", "CViewPage",
            ]),
        .target(
            name: "CGarface",
            dependencies: [
                "Numerics", "FaceModel", "Rasterizer", "Renderer", "Inversion", "Fitting", "Reconstruction", "GarfaceHeader",
            ],
            exclude: ["exports.map"],
            linkerSettings: [
                .unsafeFlags([
                    "-static-stdlib", "-use-ld=lld", "-Xlinker", "-soname", "-Xlinker", "libgarface.so.1",
                    "-Xlinker", "--version-script=\(root)/Sources/CGarface/exports.map",
                ])
            ]),
        // Linked with the static Swift libraries, so that the installed tool needs no Swift; the argument
        // parser uses Foundation's essentials, whose static parts have to be named.
        .executableTarget(
            name: "garface",
            dependencies: [
                "Numerics", "FaceModel", "Rasterizer", "Renderer", "Inversion", "Fitting", "Reconstruction",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: numericsSettings,
            linkerSettings: [
                .unsafeFlags(["-static-stdlib", "-use-ld=lld"]), .linkedLibrary("_FoundationCShims"),
                .linkedLibrary("_FoundationCollections"), .linkedLibrary("swiftSynchronization"),
                .linkedLibrary("dispatch"), .linkedLibrary("BlocksRuntime"),
            ]),

        .testTarget(name: "NumericsTests", dependencies: ["Numerics"]),
        .testTarget(name: "FaceModelTests", dependencies: ["FaceModel"]),
        .testTarget(name: "RasterizerTests", dependencies: ["Rasterizer", "FaceModel"], exclude: ["Resources"]),
        .testTarget(name: "RendererTests", dependencies: ["Renderer"], exclude: ["Resources"]),
        .testTarget(name: "InversionTests", dependencies: ["Inversion"], exclude: ["Resources"]),
        .testTarget(name: "FittingTests", dependencies: ["Fitting"]),
        .testTarget(name: "ReconstructionTests", dependencies: ["Reconstruction"], exclude: ["Resources"]),
    ],
    cLanguageStandard: .gnu17
)
