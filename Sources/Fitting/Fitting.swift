// Sources of Fitting.
