// Sources of Rasterizer.
