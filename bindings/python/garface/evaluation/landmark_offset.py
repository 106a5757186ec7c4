"""Where a detector's points lie relative to the head model's own, as a constant of the model."""
from __future__ import annotations

import numpy as np


def mean_offset(found: np.ndarray, points: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """The offset (68, 3), mm in model space, z zero, that brings the model's points nearest to the found ones.

    found (n, 68, 2) and points (n, 68, 2 or 3): camera mm; rotations (n, 3, 3): model to camera. Least squares over the
    faces: the mean, where all look ahead.
    """
    turn = rotations[:, :2, :2]
    normal = np.einsum("nij,nik->jk", turn, turn)
    right = np.einsum("nij,nli->lj", turn, found - points[..., :2])
    offset = np.zeros((points.shape[1], 3))
    offset[:, :2] = np.linalg.solve(normal, right.T).T
    return offset


def moved(points: np.ndarray, rotation: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Points (68, 2 or 3), camera mm, where the detector would see them: (68, 2)."""
    return points[:, :2] + (offset @ rotation.T)[:, :2]
