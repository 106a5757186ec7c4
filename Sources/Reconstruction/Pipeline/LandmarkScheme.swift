import Inversion
import Numerics

/// The orders in which people and detectors give the points of a face.
public enum LandmarkScheme: String, CaseIterable, Sendable {
    /// The 68 of iBUG, Multi-PIE, 300-W and dlib: one order.
    case ibug68 = "ibug-68"
    /// Eye centres, nose tip, mouth corners, image left first: MTCNN, RetinaFace and others.
    case five
    /// dlib's 5: outer and inner corner of the subject's left eye, of the right eye, base of the nose.
    case dlib5 = "dlib-5"
    /// The 468 of MediaPipe's face mesh, or 478 with the irises.
    case mediapipe

    /// What that many points are, where nothing else is said.
    public init?(count: Int) {
        switch count {
        case 5: self = .five
        case 68: self = .ibug68
        case let n where MeshDetectorPoints.counts.contains(n): self = .mediapipe
        default: return nil
        }
    }

    func holds(_ count: Int) -> Bool { LandmarkScheme(count: count) == (self == .dlib5 ? .five : self) }

    /// The landmarks that dlib's 5 are, in its order.
    static let dlib5Landmarks = [45, 42, 36, 39, 33]
}

extension ReconstructionOptions {
    /// Takes points of any scheme, (u, v) in photo pixels, and how sure each is (0 to 1, nil for fully). The scheme follows
    /// from their number where it is nil.
    public mutating func setLandmarks(_ points: [Double], confidences: [Double]? = nil, scheme: LandmarkScheme? = nil) throws {
        let count = points.count / 2
        guard let scheme = scheme ?? LandmarkScheme(count: count) else {
            throw GarfaceError(.invalidArgument, "landmarks: \(count) points, expected 5, 68, 468 or 478")
        }
        guard scheme.holds(count) else {
            throw GarfaceError(.invalidArgument, "landmarks: \(count) points are not of the scheme \(scheme.rawValue)")
        }
        if let confidences, confidences.count != count {
            throw GarfaceError(
                .invalidArgument, "landmarks: \(count) points need as many confidences, found \(confidences.count)")
        }
        pointConfidences = confidences
        switch scheme {
        case .five: points5 = points
        case .ibug68: points68 = points
        case .mediapipe:
            guard confidences == nil else {
                throw GarfaceError(.invalidArgument, "landmarks: the points of a mesh come without confidences")
            }
            meshPoints = points
        case .dlib5:
            var all = [Double](repeating: 0, count: 136), seen = [Double](repeating: 0, count: 68)
            for (i, landmark) in LandmarkScheme.dlib5Landmarks.enumerated() {
                (all[2 * landmark], all[2 * landmark + 1]) = (points[2 * i], points[2 * i + 1])
                seen[landmark] = confidences?[i] ?? 1
            }
            points68 = all
            pointConfidences = seen
        }
    }
}
