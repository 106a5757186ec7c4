// Sources of FaceModel.
