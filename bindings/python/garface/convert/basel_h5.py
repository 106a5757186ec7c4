"""Basel Face Models 2017 and 2019 (and 2009 in that layout): .h5 files.

Groups shape and, where there is one, expression, each with model/mean (3V), model/pcaBasis (3V, K), model/pcaVariance (K);
shape/representer/cells (3, F) from 0; millimetres. metadata/landmarks/json lists named points of the mean face with their
coordinates, which stand in for a mapping where none is published.
"""
from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from .head_file import Head
from .landmark_mapping import built_in
from .landmark_places import Places
from .problem import ConversionError
from .regular_file import check_regular

# Vertices of model2017-1_bfm_nomouth.h5, whose mapping eos publishes.
VERTICES_2017_NOMOUTH = 53149

# The points of the file that are points of the 68, by what both are called.
NAMED = {
    "center.chin.tip": 8, "center.nose.tip": 30, "center.nose.attachement_to_philtrum": 33, "right.eye.corner_outer": 36,
    "right.eye.corner_inner": 39, "left.eye.corner_inner": 42, "left.eye.corner_outer": 45, "right.lips.corner": 48,
    "center.lips.upper.outer": 51, "left.lips.corner": 54, "center.lips.lower.outer": 57, "center.lips.upper.inner": 62,
    "center.lips.lower.inner": 66,
}

LARGEST_ARRAY = 1 << 29


def read(source: str | os.PathLike[str], places: Places | None = None, year: str = "2017") -> Head:
    import h5py

    path = os.fspath(source)
    check_regular(path)
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file, places, year)
    except ConversionError:
        raise
    except Exception as problem:  # h5py raises whatever damaged bytes lead it to
        raise ConversionError(f"{path}: cannot be read as HDF5, or is damaged: {problem}") from None


def _read(path: str, file: Any, places: Places | None, year: str) -> Head:
    mean, identity = _model(path, file, "shape")
    mean = mean.reshape(-1, 3)
    expression = np.zeros((0, *mean.shape))
    if "expression" in file:
        rest, expression = _model(path, file, "expression")
        if rest.size != mean.size:
            raise ConversionError(
                f"{path}: expression/model/mean has {rest.size} numbers, shape/model/mean {mean.size}; expected as many")
        mean = mean + rest.reshape(-1, 3)
    cells = _array(path, file, "shape/representer/cells", whole_numbers=True)
    if cells.ndim != 2 or 3 not in cells.shape:
        raise ConversionError(f"{path}: shape/representer/cells has shape {cells.shape}, expected (3, triangles)")
    triangles = cells.T if cells.shape[0] == 3 else cells
    if places is None and len(mean) == VERTICES_2017_NOMOUTH:
        places = built_in("basel_2017_nomouth")
    if places is None:
        places = _named(path, file, mean)
    return Head(
        source=path, family=f"basel-{year}-{len(mean)}", description=f"Basel Face Model {year} (University of Basel)",
        millimetres=1.0, mean=mean, identity=identity, expression=expression, triangles=triangles,
        expression_names=[f"expression_{k}" for k in range(len(expression))], expression_prior="normal", places=places)


def _array(path: str, file: Any, name: str, whole_numbers: bool = False) -> np.ndarray:
    if name not in file or not hasattr(file[name], "shape"):
        raise ConversionError(f"{path}: dataset \"{name}\" is missing")
    dataset = file[name]
    if dataset.dtype.kind not in ("iu" if whole_numbers else "iuf"):
        raise ConversionError(f"{path}: dataset \"{name}\" holds {dataset.dtype}, expected numbers")
    if dataset.size > LARGEST_ARRAY:
        raise ConversionError(f"{path}: dataset \"{name}\" of shape {dataset.shape} is too large for a face model")
    return np.asarray(dataset)


def _model(path: str, file: Any, group: str) -> tuple[np.ndarray, np.ndarray]:
    """The mean (3V) and the basis (K, V, 3) for unit variance."""
    mean = _array(path, file, f"{group}/model/mean").reshape(-1).astype(np.float64)
    basis = _array(path, file, f"{group}/model/pcaBasis").astype(np.float64)
    variance = _array(path, file, f"{group}/model/pcaVariance").reshape(-1).astype(np.float64)
    if mean.size == 0 or mean.size % 3:
        raise ConversionError(f"{path}: {group}/model/mean has {mean.size} numbers, expected three for each vertex")
    if basis.shape != (mean.size, variance.size):
        raise ConversionError(
            f"{path}: {group}/model/pcaBasis has shape {basis.shape}, expected {(mean.size, variance.size)} as the mean and the "
            "variances say")
    if not (variance >= 0).all():
        raise ConversionError(f"{path}: {group}/model/pcaVariance holds a value that is not a variance")
    return mean, (basis * np.sqrt(variance)).T.reshape(variance.size, -1, 3)


def _named(path: str, file: Any, mean: np.ndarray) -> Places:
    """The vertices nearest to the file's own named points."""
    missing = ConversionError(
        f"{path}: {len(mean)} vertices: no landmark mapping is built in for this model, and metadata/landmarks/json does not "
        "name points of it; give a mapping (--landmarks FILE)")
    if "metadata/landmarks/json" not in file:
        raise missing
    value = file["metadata/landmarks/json"][()]
    if isinstance(value, np.ndarray):
        value = value.tobytes()
    try:
        entries = json.loads(value.rstrip(b"\0") if isinstance(value, bytes) else value)
        points = {entry["id"]: np.array(entry["coordinates"], np.float64) for entry in entries}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise missing from None
    found = {}
    for name, landmark in NAMED.items():
        if name in points and points[name].shape == (3,) and np.isfinite(points[name]).all():
            found[landmark] = int(((mean - points[name]) ** 2).sum(1).argmin())
    if not found:
        raise missing
    return Places.of_vertices(found)
