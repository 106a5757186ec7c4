import Numerics

/// Meshes as files, in millimetres, with vertex normals. Vertex colours only where asked for: some evaluation readers stumble
/// over them.
public enum MeshFile {
    /// Wavefront OBJ; the parts of the head are groups.
    public static func obj(_ mesh: Mesh, comment: String = "") throws -> [UInt8] {
        try mesh.check()
        var text = ASCIIText()
        text.reserve(mesh.vertexCount * 64 + mesh.triangleCount * 40)
        text.add("# garface head, millimetres, y up\n")
        if !comment.isEmpty { text.add("# \(comment.split(separator: "\n").joined(separator: " "))\n") }
        text.addRows("v", mesh.vertices, width: 3, digits: 4)
        text.addRows("vn", mesh.normals, width: 3, digits: 5)
        text.addFaces(mesh, textureCorners: nil)
        return text.bytes
    }

    /// Binary little-endian PLY.
    /// - Parameter colours: [V,3] sRGB, 0 to 1; nil for none.
    public static func ply(_ mesh: Mesh, colours: [Float]? = nil, comment: String = "") throws -> [UInt8] {
        try mesh.check()
        guard colours.map({ $0.count == mesh.vertices.count }) ?? true else {
            throw GarfaceError(.internalFailure, "ply: expected a colour for each of \(mesh.vertexCount) vertices")
        }
        var header = "ply\nformat binary_little_endian 1.0\ncomment garface head, millimetres\n"
        if !comment.isEmpty { header += "comment \(comment.split(separator: "\n").joined(separator: " "))\n" }
        header += "element vertex \(mesh.vertexCount)\n"
        for name in ["x", "y", "z", "nx", "ny", "nz"] { header += "property float \(name)\n" }
        if colours != nil { for name in ["red", "green", "blue"] { header += "property uchar \(name)\n" } }
        header += "element face \(mesh.triangleCount)\nproperty list uchar int vertex_indices\nend_header\n"
        var bytes = Array(header.utf8)
        bytes.reserveCapacity(bytes.count + 24 * mesh.vertexCount + 13 * mesh.triangleCount)
        func append<T: FixedWidthInteger>(_ value: T) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }
        for i in 0..<mesh.vertexCount {
            for k in 0..<3 { append(mesh.vertices[3 * i + k].bitPattern) }
            for k in 0..<3 { append(mesh.normals[3 * i + k].bitPattern) }
            if let colours { for k in 0..<3 { bytes.append(UInt8(max(0, min(255, (255 * colours[3 * i + k]).rounded())))) } }
        }
        for t in 0..<mesh.triangleCount {
            bytes.append(3)
            for k in 0..<3 { append(mesh.triangles[3 * t + k]) }
        }
        return bytes
    }

    /// Triangles by the part of their first vertex, in the order of the parts.
    static func groups(_ mesh: Mesh) -> [(String, [Int])] {
        guard !mesh.part.isEmpty else { return [("", Array(0..<mesh.triangleCount))] }
        var groups = mesh.partNames.map { ($0, [Int]()) }
        var rest: [Int] = []
        for t in 0..<mesh.triangleCount {
            let part = Int(mesh.part[Int(mesh.triangles[3 * t])])
            if part < groups.count { groups[part].1.append(t) } else { rest.append(t) }
        }
        return (groups + [("rest", rest)]).filter { !$0.1.isEmpty }
    }
}

extension ASCIIText {
    /// Lines of a keyword and `width` numbers each.
    mutating func addRows(_ keyword: String, _ values: [Float], width: Int, digits: Int) {
        for i in 0..<values.count / width {
            add(keyword)
            for k in 0..<width {
                add(" ")
                add(values[width * i + k], digits)
            }
            add("\n")
        }
    }

    /// The triangles, group by group: vertex, texture coordinate where there are any, and normal of each corner.
    mutating func addFaces(_ mesh: Mesh, textureCorners: [Int32]?) {
        for (part, triangles) in MeshFile.groups(mesh) {
            if !part.isEmpty { add("g \(part)\n") }
            for t in triangles {
                add("f")
                for k in 0..<3 {
                    let v = Int(mesh.triangles[3 * t + k]) + 1
                    add(" ")
                    add(v)
                    add("/")
                    if let textureCorners { add(Int(textureCorners[3 * t + k]) + 1) }
                    add("/")
                    add(v)
                }
                add("\n")
            }
        }
    }
}

/// Text built byte by byte: formatting half a million numbers through `String` would take seconds.
struct ASCIIText {
    private(set) var bytes: [UInt8] = []

    mutating func reserve(_ count: Int) { bytes.reserveCapacity(count) }
    mutating func add(_ text: String) { bytes.append(contentsOf: text.utf8) }

    mutating func add(_ value: Int) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        digits(value.magnitude, least: 1)
    }

    /// With `places` decimals; finite and below 1e9 in magnitude (checked by the caller), else 0.
    mutating func add(_ value: Float, _ places: Int) {
        var unit = 1.0
        for _ in 0..<places { unit *= 10 }
        let scaled = (Double(value) * unit).rounded()
        guard abs(scaled) < 1e15 else { return add(0) }
        if scaled < 0 { bytes.append(UInt8(ascii: "-")) }
        let whole = UInt(abs(scaled)), one = UInt(unit)
        digits(whole / one, least: 1)
        bytes.append(UInt8(ascii: "."))
        digits(whole % one, least: places)
    }

    private mutating func digits(_ value: UInt, least: Int) {
        let start = bytes.count
        var rest = value
        while rest > 0 || bytes.count - start < least {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        }
        bytes[start...].reverse()
    }
}
