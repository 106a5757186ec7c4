import FaceModel
import Inversion

/// Where a frame of a photo has a head that is posed inside it.
extension Similarity {
    /// The frame in which the head is upright, centred and at its own scale.
    func upright(_ pose: HeadPose<Double>, _ aligned: AlignedFrame) -> Similarity {
        composed(
            roll: pose.roll, logScale: pose.logScale, tx: pose.tx, ty: pose.ty, halfMM: aligned.half, centreYMM: aligned.centreY)
    }

    /// The head's camera in the photo.
    func camera(_ pose: HeadPose<Double>, _ aligned: AlignedFrame) -> Camera<Double> {
        let place = camera(logScale: pose.logScale, tx: pose.tx, ty: pose.ty, halfMM: aligned.half, centreYMM: aligned.centreY)
        return Camera(
            rotation: Rotation.matrix(yaw: pose.yaw, pitch: pose.pitch, roll: roll + pose.roll), scale: place.scale, tx: place.tx,
            ty: place.ty)
    }
}
