// Sources of Inversion.
