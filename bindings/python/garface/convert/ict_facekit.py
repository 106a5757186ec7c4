"""An ICT-FaceKit folder (FaceXModel): OBJ files of the mean face, of one step along each identity mode, and of each expression.

generic_neutral_mesh.obj; identity000.obj, identity001.obj, ... without gaps; every other .obj is an expression of its name.
Centimetres.
"""
from __future__ import annotations

import os
import pathlib

import numpy as np

from .head_file import Head
from .landmark_mapping import built_in
from .landmark_places import Places
from .obj_file import read_obj
from .problem import ConversionError

VERTICES = 26719
NEUTRAL = "generic_neutral_mesh.obj"

# The first vertex of each part, as its README lists them.
PARTS = (
    (0, "skin"), (11248, "mouth_socket"), (13294, "eye_sockets"), (14062, "gums_tongue"), (17039, "teeth"), (21451, "eyes"),
    (24591, "eye_details"),
)
# What covers the eyes and lashes has no volume, and its normals would hide the eyes.
SURFACE_VERTICES = 24591


def read(source: str | os.PathLike[str], places: Places | None = None) -> Head:
    folder = pathlib.Path(source)
    neutral = folder / NEUTRAL
    if not neutral.exists():
        raise ConversionError(f"{folder}: has no {NEUTRAL}; expected an ICT-FaceKit folder (FaceXModel)")
    mean, triangles = read_obj(neutral)
    identity = []
    while (file := folder / f"identity{len(identity):03d}.obj").exists():
        identity.append(_displacement(file, mean))
    if not identity:
        raise ConversionError(f"{folder}: has no identity000.obj")
    others = sorted(f for f in folder.glob("*.obj") if f.name != NEUTRAL and not f.name.startswith("identity"))
    expression = [_displacement(file, mean) for file in others]
    part, part_names = None, ("skin",)
    if len(mean) == VERTICES:
        starts = np.array([start for start, _ in PARTS])
        part = np.searchsorted(starts, np.arange(VERTICES), side="right") - 1
        part_names = tuple(name for _, name in PARTS)
        triangles = triangles[(triangles < SURFACE_VERTICES).all(1)]
        places = built_in("ict_facekit") if places is None else places
    if places is None:
        raise ConversionError(
            f"{neutral}: has {len(mean)} vertices, the published model {VERTICES}; its landmarks need a mapping (--landmarks FILE)")
    return Head(
        source=os.fspath(folder), family="ict-facekit", millimetres=10.0,
        description="ICT Face Model Light (USC Institute for Creative Technologies, MIT licence)", mean=mean,
        identity=np.array(identity), expression=np.array(expression).reshape(-1, *mean.shape), triangles=triangles,
        expression_names=[file.stem for file in others], expression_prior="unit-interval", places=places, part=part,
        part_names=part_names)


def _displacement(file: pathlib.Path, mean: np.ndarray) -> np.ndarray:
    shape, _ = read_obj(file, faces=False)
    if shape.shape != mean.shape:
        raise ConversionError(f"{file}: has {len(shape)} vertices, {NEUTRAL} {len(mean)}; expected as many")
    return shape - mean
