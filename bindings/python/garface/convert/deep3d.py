"""Deep3DFaceRecon's BFM_model_front.mat: the Basel model cropped to the face, with expressions.

Fields meanshape (1 x 3V), idBase (3V x K) and exBase (3V x E), both for unit variance, tri (F x 3, from 1), keypoints (1 x 68,
from 1, the iBUG points as vertices); the unit is a decimetre.
"""
from __future__ import annotations

import os

import numpy as np

from .head_file import Head
from .landmark_places import Places
from .mat_file import MatFile


def read(source: str | os.PathLike[str], places: Places | None = None) -> Head:
    file = MatFile(source)
    mean = file.vertices("meanshape")
    identity, expression = file.basis("idBase", len(mean)), file.basis("exBase", len(mean))
    if places is None:
        points = file.indices(file.vector("keypoints", 68), "keypoints")
        places = Places.of_vertices({k: int(v) for k, v in enumerate(points)})
    return Head(
        source=file.path, family="basel-2009-deep3d",
        description="Basel Face Model 2009 (University of Basel) with expressions, cropped as by Deep3DFaceRecon",
        millimetres=100.0, mean=mean, identity=identity, expression=expression, triangles=file.triangles("tri"),
        expression_names=[f"expression_{k}" for k in range(len(expression))], expression_prior="normal", places=places)
