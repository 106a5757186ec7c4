import Testing
import Inversion
