"""Portraits that show the aligned frame as a whole, with the head model fitted to each.

A folder holds ``fits.npz`` and the pictures ``00000.webp`` ... (or those in ``photos/``), as for training. The
portraits with index % 15 == 7 are the test split, which training leaves out.
"""
from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

import garface
from garface.evaluation.known_faces import Frame, Geometry
from garface.evaluation.resize import resize

ANNOTATED_SIZE = 256    # pixels a side of the pictures that the annotation was made on
TEST = (15, 7)


@dataclasses.dataclass(frozen=True)
class Portrait:
    """A portrait, its fit, and the annotation moved to the model's own points: (68, 2), camera mm."""

    index: int
    file: pathlib.Path
    geometry: Geometry
    points: np.ndarray

    def picture(self, size: int | None = None) -> np.ndarray:
        """uint8 (size, size, 3); as stored for None."""
        import cv2

        stored = cv2.imread(str(self.file))
        if stored is None:
            raise FileNotFoundError(self.file)
        return resize(stored[:, :, ::-1], size or len(stored))


def read_portraits(folder: pathlib.Path, head: garface.HeadModel, test_only: bool = True) -> list[Portrait]:
    """The test split, or all."""
    with np.load(folder / "fits.npz") as file:
        rotations, annotated = file["rotation"].astype(np.float64), file["landmarks68"].astype(np.float64)
        expressions, fitted = file["expression"].astype(np.float32), file["identity"].astype(np.float32)
        offset = file["landmark_offset_mm"].astype(np.float64)
        frame = Frame(float(file["half_mm"]), float(file["centre_y_mm"]))
    inner = folder / "photos" if (folder / "photos").is_dir() else folder
    identities = np.zeros((len(fitted), head.identity_count), np.float32)
    identities[:, : fitted.shape[1]] = fitted
    every, first = TEST if test_only else (1, 0)
    portraits = []
    for i in range(first, len(rotations), every):
        yaw, pitch, _ = garface.pose_angles(rotations[i])
        points = frame.millimetres(annotated[i], ANNOTATED_SIZE) - (offset @ rotations[i].T)[:, :2]
        geometry = Geometry(identities[i], expressions[i], yaw, pitch)
        portraits.append(Portrait(i, inner / f"{i:05d}.webp", geometry, points))
    return portraits
