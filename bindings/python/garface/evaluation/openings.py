"""How far eyes and lips are open, from 68 points (68, 2 or 3) of any unit."""
from __future__ import annotations

import numpy as np

# Points that face each other across an opening, upper and lower.
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
LIPS = ((61, 67), (62, 66), (63, 65))


def _distance(points: np.ndarray, a: int, b: int) -> float:
    return float(np.linalg.norm(points[a] - points[b]))


def eye_aspect(points: np.ndarray) -> float:
    """Height of the eye opening over its width, mean of both eyes."""
    def one(k: int) -> float:
        return (_distance(points, k + 1, k + 5) + _distance(points, k + 2, k + 4)) / (2 * _distance(points, k, k + 3))
    return (one(36) + one(42)) / 2


def lip_opening(points: np.ndarray) -> float:
    """Mean gap of the inner lips over the distance of the outer eye corners."""
    gap = sum(_distance(points, a, b) for a, b in LIPS) / len(LIPS)
    return gap / _distance(points, 36, 45)
