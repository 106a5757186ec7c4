"""Surrey Face Model as eos stores it: sfm_shape_3448.bin and expression_blendshapes_3448.bin.

A model is a version (uint32, 1 to 4), a shape and a colour model, and from version 2 on an expression model; each a mean, a
basis (older files: the basis times the deviations, then the basis), variances and triangles. Blendshapes are a name and a
displacement each. Millimetres.
"""
from __future__ import annotations

import os

import numpy as np

from .cereal_file import CerealFile
from .head_file import Head
from .landmark_mapping import built_in
from .landmark_places import Places
from .problem import ConversionError

VERTICES = 3448


def read(
    source: str | os.PathLike[str], places: Places | None = None, blendshapes: str | os.PathLike[str] | None = None
) -> Head:
    file = CerealFile(source)
    version = file.number("I", "the version")
    if not 1 <= version <= 4:
        raise ConversionError(f"{file.path}: version {version} of an eos model; 1 to 4 can be read")
    mean, identity, triangles = _pca(file, "the shape model")
    _pca(file, "the colour model")
    vertices = mean.size // 3
    names: list[str] = []
    expression, prior = np.zeros((0, vertices, 3)), "normal"
    if blendshapes is not None:
        names, expression, prior = *_blendshapes(CerealFile(blendshapes), vertices), "unit-interval"
    elif version >= 2 and not file.number("B", "the expression model"):
        if file.number("i", "the kind of expression model") == 0:
            rest, expression, _ = _pca(file, "the expression model")
            if rest.size != mean.size:
                raise ConversionError(f"{file.path}: the expression model has {rest.size} numbers, the shape model {mean.size}")
            mean, names = mean + rest, [f"expression_{k}" for k in range(len(expression))]
        else:
            names, expression = _blendshapes(file, vertices)
            prior = "unit-interval"
    if places is None:
        if vertices != VERTICES:
            raise ConversionError(
                f"{file.path}: has {vertices} vertices; a landmark mapping is built in for {VERTICES} only (--landmarks FILE)")
        places = built_in("surrey_3448")
    return Head(
        source=file.path, family=f"surrey-{vertices}", description="Surrey Face Model (University of Surrey)", millimetres=1.0,
        mean=mean.reshape(-1, 3), identity=identity, expression=expression, triangles=triangles, expression_names=names,
        expression_prior=prior, places=places)


def _pca(file: CerealFile, what: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean (3V), the basis (K, V, 3) for unit variance, the triangles."""
    mean = file.matrix(f"the mean of {what}").reshape(-1).astype(np.float64)
    first = file.matrix(f"the basis of {what}").astype(np.float64)
    if mean.size % 3 or (mean.size and first.shape[0] != mean.size):
        raise ConversionError(f"{file.path}: {what} has a mean of {mean.size} numbers and a basis of shape {first.shape}")
    # Where a second matrix of the same shape follows, the first is scaled already.
    scaled = mean.size > 0 and first.shape[1] > 0 and file.peek("ii") == first.shape
    if scaled:
        file.matrix(f"the second basis of {what}")
    variance = file.matrix(f"the variances of {what}").reshape(-1).astype(np.float64)
    if variance.size != first.shape[1] or not (variance >= 0).all():
        raise ConversionError(f"{file.path}: {what} has {first.shape[1]} modes and {variance.size} variances, or one below 0")
    basis = first if scaled else first * np.sqrt(variance)
    return mean, basis.T.reshape(variance.size, mean.size // 3, 3), file.triangles(f"the triangles of {what}")


def _blendshapes(file: CerealFile, vertices: int) -> tuple[list[str], np.ndarray]:
    names, shapes = [], []
    for _ in range(file.count(16, "the blendshapes")):
        names.append(file.text("a blendshape's name"))
        shape = file.matrix(f"blendshape \"{names[-1]}\"")
        if shape.size != 3 * vertices:
            raise ConversionError(
                f"{file.path}: blendshape \"{names[-1]}\" has {shape.size} numbers, expected {3 * vertices} as the model has vertices")
        shapes.append(shape.reshape(vertices, 3).astype(np.float64))
    return names, np.array(shapes).reshape(-1, vertices, 3)
