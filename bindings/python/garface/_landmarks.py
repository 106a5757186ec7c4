"""Points of a face from files and detectors."""
from __future__ import annotations

import ctypes
import os
from typing import Any

import numpy as np

from . import _signatures as c
from ._library import check, integer, lib, numbers, path, pointer, real, wrong

SCHEMES = {
    None: c.CONSTANTS["GAR_LANDMARKS_BY_COUNT"],
    "five": c.CONSTANTS["GAR_LANDMARKS_FIVE"],
    "ibug-68": c.CONSTANTS["GAR_LANDMARKS_IBUG68"],
    "mediapipe": c.CONSTANTS["GAR_LANDMARKS_MEDIAPIPE"],
    "dlib-5": c.CONSTANTS["GAR_LANDMARKS_DLIB5"],
}

# Points per face that `reconstruct` takes.
COUNTS = (5, 68, 468, 478)

# The left-right partner of each of iBUG's 68 points.
LANDMARK_SWAP = np.r_[np.arange(16, -1, -1), np.arange(26, 16, -1), 27:31, np.arange(35, 30, -1), 45, 44, 43, 42, 47, 46,
                      39, 38, 37, 36, 41, 40, np.arange(54, 47, -1), np.arange(59, 54, -1), np.arange(64, 59, -1), 67, 66, 65]


def load_landmarks(file: str | os.PathLike[str], first_pixel: float = 0) -> tuple[np.ndarray, np.ndarray]:
    """The points (N, 2) of a file, in photo pixels, and their confidences (N,), 1 where the file has none.

    Args:
        file: a .pts file, or lines of u and v and, if known, a confidence from 0 to 1 (of 468 or 478 points: a depth, which
            is not looked at).
        first_pixel: what the file calls the first pixel's centre: 0, or 1 in the files of 300-W.
    """
    name, count = path(file, "file"), ctypes.c_size_t()
    check(lib.gar_landmarks_load(name, None, 0, ctypes.byref(count)))
    out = np.empty((count.value // 3, 3), np.float32)
    check(lib.gar_landmarks_load(name, pointer(out), out.size, ctypes.byref(count)))
    return out[:, :2] - np.float32(real(first_pixel, "first_pixel")), out[:, 2].copy()


def mediapipe_landmarks(landmarks: Any, width: int, height: int) -> np.ndarray:
    """The points of one face as MediaPipe gives them, in photo pixels: (468, 2) or (478, 2).

    Args:
        landmarks: a list of objects with x and y (`result.face_landmarks[0]`, or `multi_face_landmarks[0].landmark`), or an
            array (N, 2) or (N, 3), in widths and heights of the picture.
        width, height: of the picture, pixels.
    """
    expected = "468 or 478 points with x and y, in widths and heights of the picture"
    try:
        values = [(point.x, point.y) for point in landmarks]
    except (TypeError, AttributeError):
        values = landmarks
    points = numbers(values, "landmarks", expected)
    if points.ndim != 2 or points.shape[0] not in (468, 478) or points.shape[1] not in (2, 3):
        raise wrong("landmarks", np.shape(points), expected)
    size = [integer(width, "width", 1, 1 << 20), integer(height, "height", 1, 1 << 20)]
    return (points[:, :2] * size - 0.5).astype(np.float32)


def dlib_landmarks(shape: Any) -> np.ndarray:
    """The points of dlib's shape predictor (a full_object_detection) in photo pixels: (68, 2), or (5, 2).

    Its 68 points are in iBUG order; its 5 are the scheme "dlib-5".
    """
    try:
        points = [(shape.part(i).x, shape.part(i).y) for i in range(shape.num_parts)]
    except (TypeError, AttributeError):
        raise wrong("shape", shape, "what dlib's shape predictor returns") from None
    return np.array(points, np.float32).reshape(-1, 2)
