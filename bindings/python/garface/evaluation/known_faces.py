"""Faces of which everything is known, in the renderer's aligned frame.

Points are camera millimetres: x right, y up, origin at the head model's. A picture of any number of pixels shows the
square of +-``half`` mm round a centre ``centre_y`` mm above the origin.
"""
from __future__ import annotations

import dataclasses

import numpy as np

import garface


@dataclasses.dataclass(frozen=True)
class Geometry:
    """A head as it stands in the aligned frame; angles in degrees."""

    identity: np.ndarray
    expression: np.ndarray
    yaw: float = 0.0
    pitch: float = 0.0

    def posed(self, yaw: float, pitch: float | None = None) -> Geometry:
        """The same head in another pose."""
        return dataclasses.replace(self, yaw=yaw, pitch=self.pitch if pitch is None else pitch)

    def expressing(self, head: garface.HeadModel, **values: float) -> Geometry:
        """The same with some expressions, by name, set; ``eyeBlink=0.5`` sets both sides of one that has sides.

        mouthClose, which corrects jawOpen, stays at most as large.
        """
        expression, names = self.expression.copy(), head.expression_names
        for name, value in values.items():
            for side in [name] if name in names else [name + "_L", name + "_R"]:
                expression[names.index(side)] = value
        close, jaw = names.index("mouthClose"), names.index("jawOpen")
        expression[close] = min(expression[close], expression[jaw])
        return dataclasses.replace(self, expression=expression)

    def reshaped(self, mode: int, change: float) -> Geometry:
        """The same with one identity coefficient moved."""
        identity = self.identity.copy()
        identity[mode] += change
        return dataclasses.replace(self, identity=identity)


@dataclasses.dataclass(frozen=True)
class Frame:
    """The aligned frame, mm."""

    half: float
    centre_y: float

    def pixels(self, points: np.ndarray, size: int) -> np.ndarray:
        """(n, 2 or 3) camera mm -> (n, 2) pixels of a picture of ``size``: centres at whole numbers, v down."""
        ndc = np.stack([points[:, 0], self.centre_y - points[:, 1]], 1) / self.half
        return ((ndc + 1) * size - 1) / 2

    def millimetres(self, pixels: np.ndarray, size: int) -> np.ndarray:
        """(n, 2) pixels -> (n, 2) camera mm."""
        ndc = (2 * np.asarray(pixels, float) + 1) / size - 1
        return np.stack([self.half * ndc[:, 0], self.centre_y - self.half * ndc[:, 1]], 1)


class Studio:
    """A renderer and a head: pictures of geometries, and where their landmarks are."""

    def __init__(self, renderer: garface.Renderer, head: garface.HeadModel) -> None:
        self.renderer, self.head = renderer, head
        self.frame = Frame(renderer.configuration["half_mm"], renderer.configuration["centre_y_mm"])

    def w(self, seed: int) -> np.ndarray:
        """The w of a random z."""
        return self.renderer.map(self.renderer.sample_z(seed))

    def picture(self, geometry: Geometry, w: np.ndarray) -> np.ndarray:
        """uint8 (S, S, 3), noise maps zero."""
        vertices = self.head.evaluate(geometry.identity, geometry.expression)
        normals = self.renderer.rasterize(self.head, vertices, geometry.yaw, geometry.pitch)
        with garface.image_from_picture(self.renderer.render(w, normals)) as image:
            return image.array()

    def points(self, geometry: Geometry) -> np.ndarray:
        """The 68 landmarks where people mark them, the jaw on the visible contour: (68, 3) camera mm."""
        vertices = self.head.evaluate(geometry.identity, geometry.expression)
        points = self.head.landmarks_contour(vertices, geometry.yaw, geometry.pitch, 0)
        return points.astype(np.float64) @ self.rotation(geometry).T

    def own_points(self, geometry: Geometry) -> np.ndarray:
        """The head model's own 68 landmarks, fixed to the surface: (68, 3) camera mm."""
        points = self.head.landmarks(self.head.evaluate(geometry.identity, geometry.expression))
        return points.astype(np.float64) @ self.rotation(geometry).T

    def interocular(self, geometry: Geometry) -> float:
        """Distance of the outer eye corners in space, mm."""
        points = self.own_points(geometry)
        return float(np.linalg.norm(points[36] - points[45]))

    @staticmethod
    def rotation(geometry: Geometry) -> np.ndarray:
        """(3, 3), model to camera space."""
        return garface.pose_matrix(geometry.yaw, geometry.pitch, 0).astype(np.float64)
