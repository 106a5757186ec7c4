"""FLAME 2020 and 2023: generic_model.pkl and the like, or the same fields as .npz; with landmark embeddings.

Fields v_template (V, 3), shapedirs (V, 3, N: 300 of shape, then expressions), posedirs (V, 3, 9 (K - 1)), J_regressor (K, V),
kintree_table (2, K), weights (V, K), f (F, 3) from 0; metres. Joints: root, neck, jaw, left eye, right eye.

Embeddings, by their fields: lmk_face_idx (51) and lmk_b_coords (51, 3), landmarks 17 to 67; the same (79, 17) and
(79, 17, 3), the jaw for a yaw of 0 to -39 and then 1 to 39 degrees; or static_lmk_..., dynamic_lmk_... and full_lmk_... in one
file.
"""
from __future__ import annotations

import os
from typing import Any, Sequence

import numpy as np

from .head_file import ContourTable, Head, Skin, check_indices
from .inert_pickle import read_fields
from .landmark_places import Places
from .problem import ConversionError

JOINTS = ("root", "neck", "jaw", "eye_left", "eye_right")
SHAPES = 300

# How far joints turn about x (nodding, opening), y and z: standard deviations in radians. The neck hardly: in one picture
# its turn and the head's own are told apart by little.
TURNS = {"neck": (0.05, 0.05, 0.05), "jaw": (0.2, 0.03, 0.03), "eye_left": (0.2, 0.25, 0.02), "eye_right": (0.2, 0.25, 0.02)}
OTHER_TURNS = (0.1, 0.1, 0.1)


def read(
    source: str | os.PathLike[str], places: Places | None = None, embedding: Sequence[str | os.PathLike[str]] = (),
    shapes: int = SHAPES,
) -> Head:
    path = os.fspath(source)
    fields = read_fields(path)
    mean = _numbers(path, fields, "v_template", (None, 3))
    count = len(mean)
    basis = np.moveaxis(_numbers(path, fields, "shapedirs", (count, 3, None)), 2, 0)
    triangles = _numbers(path, fields, "f", (None, 3)).astype(np.int64)
    check_indices(path, "f entries", triangles, count)
    table = _numbers(path, fields, "kintree_table", (2, None)).astype(np.int64)
    joints = table.shape[1]
    regressor = _numbers(path, fields, "J_regressor", (joints, count))
    weights = _numbers(path, fields, "weights", (count, joints))
    poses = np.moveaxis(_numbers(path, fields, "posedirs", (count, 3, 9 * (joints - 1))), 2, 0)
    parents = table[0].copy()
    parents[0] = -1     # written as 2^32 - 1
    if not 2 <= joints <= 64 or not all(0 <= parents[k] < k for k in range(1, joints)):
        raise ConversionError(f"{path}: kintree_table: every joint but the first must follow its parent")
    if (weights < 0).any() or np.abs(weights.sum(1) - 1).max() > 1e-2:
        raise ConversionError(f"{path}: weights: must not be below 0 and must sum to 1 for each vertex")
    names = list(JOINTS) if joints == len(JOINTS) else ["root", *(f"joint_{k}" for k in range(1, joints))]
    skin = Skin(
        names, parents, regressor, weights / weights.sum(1, keepdims=True), poses,
        [1 / turn**2 for name in names[1:] for turn in TURNS.get(name, OTHER_TURNS)])
    found, contour = _embeddings(embedding, triangles)
    if places is None:
        if not found:
            raise ConversionError(
                f"{path}: landmarks come in files of their own: give FLAME's (--embedding, once for each) or a mapping (--landmarks)")
        places = Places(found)
    expression = basis[shapes:]
    return Head(
        source=path, family="flame", description="FLAME (Max Planck Institute for Intelligent Systems)", millimetres=1000.0,
        mean=mean, identity=basis[:shapes], expression=expression, triangles=triangles,
        expression_names=[f"expression_{k}" for k in range(len(expression))], expression_prior="normal", places=places,
        skin=skin, contour=contour)


def _numbers(path: str, fields: dict[str, Any], name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    if name not in fields:
        raise ConversionError(f"{path}: field \"{name}\" is missing; the fields are: {', '.join(sorted(fields)) or 'none'}")
    value = fields[name]
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        raise ConversionError(f"{path}: field \"{name}\" does not hold an array of numbers that can be read")
    if value.ndim != len(shape) or any(w is not None and w != n for w, n in zip(shape, value.shape)):
        shown = tuple("any" if n is None else n for n in shape)
        raise ConversionError(f"{path}: field \"{name}\" has shape {value.shape}, expected {shown}")
    return value.astype(np.float64)


def _embeddings(files: Sequence[str | os.PathLike[str]], triangles: np.ndarray) -> tuple[dict, ContourTable | None]:
    """The places of landmarks, and those of the jaw by yaw."""
    found: dict[int, Any] = {}
    contour, whole = None, False
    for file in files:
        path = os.fspath(file)
        fields = read_fields(path)
        known = False
        for prefix in ("", "static_", "full_", "dynamic_"):
            faces, weights = _pair(path, fields, prefix, triangles)
            if faces is None:
                continue
            known = True
            if faces.shape == (51,):
                found.update({k: v for k, v in _places(faces, weights, triangles, 17).items() if not whole})
            elif faces.size == 68:
                found.update(_places(faces.reshape(68), weights.reshape(68, 3), triangles, 0))
                whole = True
            elif faces.shape == (79, 17):
                # Rows 0 to 39 are for turns of that many degrees to the subject's right, 40 to 78 for 1 to 39 to their left.
                order = [*range(39, -1, -1), *range(40, 79)]
                contour = ContourTable(np.arange(-39.0, 40.0), triangles[faces[order]], weights[order])
            else:
                raise ConversionError(f"{path}: an embedding of {faces.shape} points, expected 51, 68 or 79 x 17")
        if not known:
            raise ConversionError(f"{path}: has no landmark embedding that can be read; the fields are: {', '.join(sorted(fields))}")
    if contour is not None and not whole:
        front = 39
        found.update({
            k: (tuple(int(v) for v in contour.triangles[front, k]), tuple(float(w) for w in contour.barycentrics[front, k]))
            for k in range(17)})
    return found, contour


def _pair(path: str, fields: dict[str, Any], prefix: str, triangles: np.ndarray):
    """The triangles and weights of one embedding of a file; (None, None) where it has none of that name that can be read."""
    index, coordinates = (
        (f"{prefix}lmk_faces_idx", f"{prefix}lmk_bary_coords") if prefix else ("lmk_face_idx", "lmk_b_coords"))
    faces, weights = fields.get(index), fields.get(coordinates)
    for array in (faces, weights):
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
            return None, None
    faces, weights = faces.astype(np.int64), weights.astype(np.float64)
    if weights.shape != (*faces.shape, 3):
        raise ConversionError(f"{path}: {coordinates} has shape {weights.shape}, expected {(*faces.shape, 3)}")
    if faces.size and (faces.min() < 0 or faces.max() >= len(triangles)):
        raise ConversionError(f"{path}: {index} names a triangle beyond the model's {len(triangles)}")
    if not np.isfinite(weights).all() or np.abs(weights.sum(-1) - 1).max(initial=0) > 1e-2:
        raise ConversionError(f"{path}: {coordinates} must sum to 1")
    return faces, weights / weights.sum(-1, keepdims=True)


def _places(faces: np.ndarray, weights: np.ndarray, triangles: np.ndarray, first: int) -> dict:
    return {
        first + i: (tuple(int(v) for v in triangles[face]), tuple(float(w) for w in weights[i])) for i, face in enumerate(faces)}
