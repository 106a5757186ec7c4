import Testing
import Rasterizer
