// Sources of Reconstruction.
