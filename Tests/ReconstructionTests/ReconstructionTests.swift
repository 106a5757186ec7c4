import Testing
import Reconstruction
