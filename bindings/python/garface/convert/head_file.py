"""A head model on its way into the library's file: units, axes, triangles, landmarks, and the writing."""
from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

import numpy as np

from .landmark_places import Places, complete_places
from .problem import ConversionError
from .safetensors_file import write_safetensors

# Outer eye corners further apart or nearer than this, mm, mean that the unit is not what the reader took it for.
EYE_SPAN_MM = (60.0, 130.0)

# The library's own limits, see Sources/FaceModel/HeadModelHeader.swift.
MOST_VERTICES, MOST_MODES = 1_000_000, 1_000


@dataclasses.dataclass
class Skin:
    """What turns a linear model into a skinned one. K joints, the first the root, which never turns."""

    joint_names: list[str]
    parents: np.ndarray         # (K,) int, -1 for the root
    regressor: np.ndarray       # (K, V): joints = regressor @ vertices before skinning and correctives
    weights: np.ndarray         # (V, K), each row sums to 1
    correctives: np.ndarray     # (9 (K - 1), V, 3) for the entries of R - 1, joint after joint, row-major
    precision: list[float]      # of each turn about x, y, z of the joints but the root, 3 (K - 1): 1 / radians^2


@dataclasses.dataclass
class ContourTable:
    """Places of the 17 jaw landmarks by the head's yaw, for models that publish them."""

    yaw: np.ndarray             # (N,) degrees, rising, positive to the subject's left
    triangles: np.ndarray       # (N, 17, 3) vertex numbers
    barycentrics: np.ndarray    # (N, 17, 3)


@dataclasses.dataclass
class Head:
    """A model as a reader found it, in the unit and the axes of its file.

    vertices = mean + identity a + expression b (+ cross a b) before skinning; a of unit variance.
    """

    source: str                 # the file, for sentences
    family: str                 # such as "basel-2017": the coefficients of one family mean the same
    description: str            # what it is and whose
    millimetres: float          # the unit of the arrays
    mean: np.ndarray            # (V, 3)
    identity: np.ndarray        # (I, V, 3)
    expression: np.ndarray      # (E, V, 3)
    triangles: np.ndarray       # (F, 3), numbers from 0
    expression_names: list[str]
    expression_prior: str       # "normal" or "unit-interval"
    places: Places              # known landmarks
    part: np.ndarray | None = None
    part_names: tuple[str, ...] = ("skin",)
    cross: np.ndarray | None = None     # (I, E, V, 3)
    skin: Skin | None = None
    contour: ContourTable | None = None


def write_head(head: Head, target: str | os.PathLike[str]) -> list[int]:
    """Brings a model into the library's conventions and writes it; returns the landmarks that had to be estimated.

    Millimetres; x to the subject's left, y up, z out of the face; triangles counter-clockwise from outside; the origin where
    the inner 51 landmarks have the same centre as the default head's, for the aligned frame is built around it.
    """
    _check(head)
    scale = head.millimetres
    mean = head.mean.astype(np.float64) * scale
    triangles = outward(mean, _without_degenerate(head.triangles))
    places, estimated = complete_places(head.source, mean, triangles, head.places)
    points = places.positions(mean)
    _check_axes(head.source, points)
    shift = places.reference_centre() - points[17:].mean(0)
    mean = mean + shift
    names = list(head.expression_names)
    basis = head.expression * scale
    if len(basis) == 0:
        # The format has at least one expression; this one moves nothing.
        names, basis = ["none"], np.zeros((1, *head.mean.shape))
    tensors = {
        "mean": mean.astype(np.float32),
        "triangles": triangles.astype(np.int32),
        "landmark_triangles": places.triangles.astype(np.int32),
        "landmark_barycentrics": places.barycentrics.astype(np.float32),
        "identity": (head.identity * scale).astype(np.float32),
        "expression": basis.astype(np.float32),
        "part": (np.zeros(len(mean)) if head.part is None else head.part).astype(np.uint8),
    }
    description: dict[str, Any] = {
        "kind": "head-model", "version": 1, "units": "mm", "family": head.family, "expression_prior": head.expression_prior,
        "expression_names": names, "part_names": list(head.part_names), "source": head.description,
        "origin_shift_mm": [round(float(x), 4) for x in shift], "landmarks_estimated": estimated,
    }
    if head.cross is not None:
        description.update(version=2, geometry="bilinear")
        tensors["cross"] = (head.cross * scale).astype(np.float32)
    if head.skin is not None:
        description.update(version=2, geometry="skinned", joint_names=list(head.skin.joint_names))
        tensors.update(
            joint_parents=head.skin.parents.astype(np.int32), joint_regressor=head.skin.regressor.astype(np.float32),
            joint_rest=(head.skin.regressor @ (head.mean.astype(np.float64) * scale) + shift).astype(np.float32),
            skin_weights=head.skin.weights.astype(np.float32),
            pose_correctives=(head.skin.correctives * scale).astype(np.float32),
            expression_precision=np.array([1.0] * len(names) + list(head.skin.precision), np.float32))
    if head.contour is not None:
        # An older library would ignore the table and trace the contour itself.
        tensors.update(
            contour_yaw=head.contour.yaw.astype(np.float32), contour_triangles=head.contour.triangles.astype(np.int32),
            contour_barycentrics=head.contour.barycentrics.astype(np.float32))
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise ConversionError(f"{head.source}: {name} has values too large for 32-bit numbers in mm; the file is damaged, or in another unit")
    write_safetensors(target, tensors, {"garface": json.dumps(description, separators=(",", ":"))})
    return estimated


def outward(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """The triangles, all turned over if the surface as given faces inwards.

    Seen from the middle of a face, whether it is a mask or a closed head, most of the surface faces away.
    """
    corners = vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flux = ((corners.mean(1) - vertices.mean(0)) * normals).sum()
    return triangles if flux >= 0 else triangles[:, [0, 2, 1]]


def _without_degenerate(triangles: np.ndarray) -> np.ndarray:
    t = triangles
    return t[(t[:, 0] != t[:, 1]) & (t[:, 1] != t[:, 2]) & (t[:, 2] != t[:, 0])]


def _check(head: Head) -> None:
    count = len(head.mean)
    expected = {
        "mean": (head.mean, (count, 3)), "identity": (head.identity, (len(head.identity), count, 3)),
        "expression": (head.expression, (len(head.expression_names), count, 3)),
    }
    if head.cross is not None:
        expected["cross terms"] = (head.cross, (len(head.identity), len(head.expression), count, 3))
    if head.skin is not None:
        joints = len(head.skin.joint_names)
        expected["joint parents"] = (head.skin.parents, (joints,))
        expected["joint regressor"] = (head.skin.regressor, (joints, count))
        expected["skin weights"] = (head.skin.weights, (count, joints))
        expected["pose correctives"] = (head.skin.correctives, (9 * (joints - 1), count, 3))
    for name, (array, shape) in expected.items():
        if array.shape != shape:
            raise ConversionError(f"{head.source}: {name} has shape {array.shape}, expected {shape}")
        if not np.isfinite(array).all():
            raise ConversionError(f"{head.source}: {name} holds values that are not finite")
    if not 4 <= count <= MOST_VERTICES:
        raise ConversionError(f"{head.source}: has {count} vertices, expected 4 to {MOST_VERTICES}")
    for name, basis in (("identity", head.identity), ("expression", head.expression)):
        if len(basis) > MOST_MODES:
            raise ConversionError(f"{head.source}: has {len(basis)} {name} modes, expected at most {MOST_MODES}")
    if len(head.identity) == 0:
        raise ConversionError(f"{head.source}: has no identity mode")
    check_indices(head.source, "triangles", head.triangles, count)


def check_indices(source: str, what: str, indices: np.ndarray, count: int) -> None:
    """Vertex numbers must be of vertices that exist."""
    if indices.size and (indices.min() < 0 or indices.max() >= count):
        bad = indices[(indices < 0) | (indices >= count)].flat[0]
        raise ConversionError(f"{source}: {what} name vertex {bad} (from 0), but there are {count} vertices")


def _check_axes(source: str, points: np.ndarray) -> None:
    span = points[45] - points[36]
    if not EYE_SPAN_MM[0] <= np.linalg.norm(span) <= EYE_SPAN_MM[1]:
        raise ConversionError(
            f"{source}: the outer eye corners are {np.linalg.norm(span):.4g} mm apart, expected {EYE_SPAN_MM[0]:.0f} to "
            f"{EYE_SPAN_MM[1]:.0f}; the file is in another unit (see --millimetres), or the landmark mapping is of another model")
    eyes, mouth = points[36:48].mean(0), points[48:].mean(0)
    if span[0] <= 0 or eyes[1] <= mouth[1] or points[30, 2] <= eyes[2]:
        raise ConversionError(
            f"{source}: x must go to the subject's left, y up and z out of the face, but the landmarks lie otherwise; the file has "
            "other axes (see --axes), or the landmark mapping is of another model")
