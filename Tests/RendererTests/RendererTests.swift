import Testing
import Renderer
