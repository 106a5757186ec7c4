"""Which pixels of the aligned frame show a portrait's face, by its own fit."""
from __future__ import annotations

import dataclasses

import numpy as np

import garface
from garface.evaluation.known_faces import Frame, Studio
from garface.evaluation.portrait_fits import Portrait

FACE_RADIUS = 95.0     # mm round the nose tip


@dataclasses.dataclass(frozen=True)
class Placement:
    """How a portrait's fit stands in the aligned frame that the library chose for it."""

    roll: float             # degrees, counter-clockwise in the picture
    scale: float
    shift: np.ndarray       # mm, right and up

    @classmethod
    def of(cls, result: garface.Result, photo_size: int, frame: Frame) -> Placement:
        found = result.parameters["aligned_frame"]
        scale = photo_size / found["size_px"]
        roll = -found["roll_degrees"]
        # From the centre of the library's frame to that of the photo, which is the fit's.
        middle = (photo_size - 1) / 2 - np.array(found["centre_px"])
        step = 2 * frame.half / found["size_px"] * middle * [1, -1]
        turn = garface.pose_matrix(0, 0, roll)[:2, :2].astype(np.float64)
        # The frame's centre lies above the model's origin, about which the head turns and grows.
        up = np.array([0, frame.centre_y])
        return cls(roll, scale, turn @ step + up - scale * turn @ up)


class Masks:
    """Pixels of the face and of the head in the aligned frame, by the portrait's fit."""

    def __init__(self, studio: Studio) -> None:
        self.studio, head = studio, studio.head
        mean = head.evaluate()
        near = np.linalg.norm(mean - head.landmarks(mean)[30], axis=1) < FACE_RADIUS
        self.face = head.triangles[near[head.triangles].all(1)]

    def __call__(self, portrait: Portrait, place: Placement) -> tuple[np.ndarray, np.ndarray]:
        """Booleans (S, S): face, head."""
        import cv2

        studio, geometry = self.studio, portrait.geometry
        vertices = studio.head.evaluate(geometry.identity, geometry.expression)
        normals = studio.renderer.rasterize(
            studio.head, vertices, geometry.yaw, geometry.pitch, place.roll, place.scale, tuple(place.shift))
        head = np.abs(studio.renderer.split_normals(normals)[-1]).sum(0) > 0
        rotation = garface.pose_matrix(geometry.yaw, geometry.pitch, place.roll)
        posed = place.scale * vertices @ rotation.T
        posed[:, :2] += place.shift
        corners = studio.frame.pixels(posed, studio.renderer.size)[self.face]
        a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        ahead = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0      # v points down: seen from outside they turn this way
        face = np.zeros(head.shape, np.uint8)
        for corner in np.rint(corners[ahead] * 16).astype(np.int32):
            cv2.fillConvexPoly(face, corner, 1, shift=4)
        return (face > 0) & head, head
