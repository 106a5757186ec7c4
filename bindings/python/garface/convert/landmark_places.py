"""Where the 68 landmarks sit on a model: known vertices, and for the rest the default head's places."""
from __future__ import annotations

import dataclasses
import importlib.resources
from typing import Mapping

import numpy as np

from .problem import ConversionError

# Fewer known points than this do not say where a head's other points are.
LEAST_KNOWN = 6


@dataclasses.dataclass
class Places:
    """Landmarks (0 to 67, iBUG order) as three vertices with weights each; those that are not known are absent."""

    known: dict[int, tuple[tuple[int, int, int], tuple[float, float, float]]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of_vertices(cls, vertices: Mapping[int, int]) -> "Places":
        """Landmarks that are vertices. Their triangles are found later."""
        return cls({k: ((v, v, v), (1.0, 0.0, 0.0)) for k, v in vertices.items()})

    @property
    def triangles(self) -> np.ndarray:
        return np.array([self.known[k][0] for k in sorted(self.known)], np.int64).reshape(-1, 3)

    @property
    def barycentrics(self) -> np.ndarray:
        return np.array([self.known[k][1] for k in sorted(self.known)], np.float64).reshape(-1, 3)

    def positions(self, vertices: np.ndarray) -> np.ndarray:
        """Of the known landmarks, in their order."""
        return (vertices[self.triangles] * self.barycentrics[..., None]).sum(1)

    @staticmethod
    def reference_centre() -> np.ndarray:
        """The centre of the inner 51 points of the default head, mm."""
        return reference_points()[17:].mean(0)


def reference_points() -> np.ndarray:
    """(68, 3): the landmarks of the default head's mean face, mm."""
    text = importlib.resources.files(__package__).joinpath("data/default_head_landmarks.txt").read_text("utf-8")
    return np.array([[float(x) for x in line.split()] for line in text.splitlines() if line and line[0] != "#"])


def complete_places(
    source: str, vertices: np.ndarray, triangles: np.ndarray, places: Places
) -> tuple[Places, list[int]]:
    """All 68 places, and the numbers of those that were estimated.

    The default head's landmarks are laid over the known ones by the best similarity; a landmark that is not known goes to the
    vertex nearest to where it falls.
    """
    known = sorted(places.known)
    for k in known:
        corners = places.known[k][0]
        if not (0 <= k < 68):
            raise ConversionError(f"{source}: landmark {k} is mapped; they are numbered 0 to 67")
        if min(corners) < 0 or max(corners) >= len(vertices):
            raise ConversionError(f"{source}: landmark {k} is mapped to vertex {max(corners)}, of {len(vertices)} vertices")
    if len(known) < LEAST_KNOWN:
        raise ConversionError(
            f"{source}: {len(known)} landmarks are known, at least {LEAST_KNOWN} are needed; give a mapping (--landmarks FILE)")
    result = dict(places.known)
    estimated = [k for k in range(68) if k not in result]
    if estimated:
        reference = reference_points()
        matrix, shift = similarity(reference[known], Places({k: places.known[k] for k in known}).positions(vertices))
        used = np.unique(triangles)
        for k in estimated:
            target = reference[k] @ matrix.T + shift
            nearest = int(used[((vertices[used] - target) ** 2).sum(1).argmin()])
            result[k] = ((nearest, nearest, nearest), (1.0, 0.0, 0.0))
    return Places({k: _on_triangle(source, k, place, triangles) for k, place in result.items()}), estimated


def _on_triangle(source: str, landmark: int, place, triangles: np.ndarray):
    """A landmark that is a vertex gets a triangle that has it: the jaw's contour is traced from there."""
    corners, weights = place
    if corners[0] != corners[1]:
        return place
    found = np.flatnonzero((triangles == corners[0]).any(1))
    if len(found) == 0:
        raise ConversionError(f"{source}: landmark {landmark} is mapped to vertex {corners[0]}, which no triangle has")
    a, b, c = (int(v) for v in triangles[found[0]])
    while a != corners[0]:
        a, b, c = b, c, a
    return (a, b, c), weights


def similarity(points: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The scaled rotation (3, 3) and shift (3,) that bring points nearest to targets."""
    p, q = points - points.mean(0), targets - targets.mean(0)
    u, s, vt = np.linalg.svd(q.T @ p)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt)) or 1])
    matrix = (u * sign) @ vt * ((s * sign).sum() / max((p**2).sum(), 1e-30))
    return matrix, targets.mean(0) - points.mean(0) @ matrix.T
