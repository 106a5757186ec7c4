import Testing
import FaceModel
