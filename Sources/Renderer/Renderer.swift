// Sources of Renderer.
