"""Where a detector's points lie relative to the head model's own, as a constant of the model."""
from __future__ import annotations

import numpy as np


DEPTH_PRECISION = 0.2     # points are found to 1 or 2 mm and lie some 3 mm too deep or too high: what holds depth to zero


def mean_offset(found: np.ndarray, points: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """The offset (68, 3), mm in model space, that brings the model's points nearest to the found ones.

    found (n, 68, 2) and points (n, 68, 2 or 3): camera mm; rotations (n, 3, 3): model to camera. Least squares over the
    faces. Depth shows where heads are turned; it is zero where none is.
    """
    turn = rotations[:, :2, :]
    normal = np.einsum("nij,nik->jk", turn, turn)
    right = np.einsum("nij,nli->lj", turn, found - points[..., :2])
    return np.linalg.solve(normal + np.diag([0, 0, DEPTH_PRECISION]), right.T).T


def moved(points: np.ndarray, rotation: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Points (68, 2 or 3), camera mm, where the detector would see them: (68, 2)."""
    return points[:, :2] + (offset @ rotation.T)[:, :2]
