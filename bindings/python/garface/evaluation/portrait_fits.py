"""Portraits that show the aligned frame as a whole, with the head model fitted to each: the same input as for training.

A folder holds ``fits.npz`` and the pictures ``00000.webp`` ... (or those in ``photos/``); or it is a packed set of
aligned colour portraits, as ``python -m garface.training prepare`` writes it. The portraits with index % 15 == 7 are
the test split, which training leaves out.
"""
from __future__ import annotations

import argparse
import dataclasses
import pathlib
from typing import Sequence

import numpy as np

import garface
from garface.evaluation.known_faces import Frame, Geometry
from garface.evaluation.resize import resize

ANNOTATED_SIZE = 256    # pixels a side of the pictures that the annotation was made on
TEST = (15, 7)
FIELDS = {"rotation", "landmarks68", "expression", "identity", "landmark_offset_mm", "half_mm", "centre_y_mm"}


@dataclasses.dataclass(frozen=True)
class Portrait:
    """A portrait, its fit, and the annotation moved to the model's own points: (68, 2), camera mm."""

    index: int
    stored: pathlib.Path | np.ndarray       # the picture: its file, or as a packed set holds it
    geometry: Geometry
    points: np.ndarray

    def picture(self, size: int | None = None) -> np.ndarray:
        """uint8 (size, size, 3); as stored for None."""
        stored = _read(self.stored) if isinstance(self.stored, pathlib.Path) else np.array(self.stored)
        return resize(stored, size or len(stored))


def _read(file: pathlib.Path) -> np.ndarray:
    import cv2

    picture = cv2.imread(str(file))
    if picture is None:
        raise FileNotFoundError(f"{file}: no such picture, or not readable as one")
    return picture[:, :, ::-1]


@dataclasses.dataclass(frozen=True)
class Fits:
    """All portraits of a folder, an entry each; angles in degrees, points in camera mm."""

    index: np.ndarray
    stored: Sequence[pathlib.Path | np.ndarray]
    identity: np.ndarray
    expression: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray
    points: np.ndarray


def folder_fits(folder: pathlib.Path) -> Fits:
    file = folder / "fits.npz"
    if not file.is_file():
        raise FileNotFoundError(
            f"{file} is missing: neither a folder of portraits with fits nor a packed set of them "
            "(see python -m garface.training prepare)")
    with np.load(file) as fits:
        if "scale" in fits.files:
            raise ValueError(f"{folder}: crops with a camera each; portraits are needed here, aligned and in colour")
        if missing := FIELDS.difference(fits.files):
            raise ValueError(f"{file} lacks {', '.join(sorted(missing))}: no fits of portraits")
        rotation, annotated = fits["rotation"].astype(np.float64), fits["landmarks68"].astype(np.float64)
        frame = Frame(float(fits["half_mm"]), float(fits["centre_y_mm"]))
        offset = np.einsum("nij,lj->nli", rotation, fits["landmark_offset_mm"].astype(np.float64))[..., :2]
        identity, expression = fits["identity"], fits["expression"]
    count = len(rotation)
    inner = folder / "photos" if (folder / "photos").is_dir() else folder
    yaw, pitch, _ = np.array([garface.pose_angles(r) for r in rotation]).reshape(count, 3).T
    points = np.array([frame.millimetres(a, ANNOTATED_SIZE) for a in annotated]) - offset
    return Fits(np.arange(count), [inner / f"{i:05d}.webp" for i in range(count)], identity, expression, yaw, pitch, points)


def packed_fits(folder: pathlib.Path) -> Fits:
    from garface.training.data import CENTRE_Y_MM, HALF_MM, load_portraits

    faces = load_portraits(str(folder), cache=None, size=None)
    frame, size = Frame(HALF_MM, CENTRE_Y_MM), faces.images.shape[1]
    points = np.array([frame.millimetres(p, size) for p in faces.landmarks])
    return Fits(
        faces.index, faces.images, faces.identity, faces.expression, np.degrees(faces.yaw), np.degrees(faces.pitch), points)


def read_fits(folder: pathlib.Path) -> Fits:
    """Of either kind of folder; FileNotFoundError or ValueError say what was expected."""
    return packed_fits(folder) if (folder / "images.npy").is_file() else folder_fits(folder)


def portraits_folder(text: str) -> pathlib.Path:
    """A folder that ``read_portraits`` can read, for argparse."""
    try:
        read_fits(pathlib.Path(text))
    except (ValueError, OSError) as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
    return pathlib.Path(text)


def read_portraits(folder: pathlib.Path, head: garface.HeadModel, test_only: bool = True) -> list[Portrait]:
    """The test split, or all."""
    fits = read_fits(folder)
    every, first = TEST if test_only else (1, 0)
    chosen = np.flatnonzero(fits.index % every == first)
    if not len(chosen):
        raise SystemExit(
            f"{folder}: none of its {len(fits.index)} portraits is of the test split (index % {every} == {first})")
    identities = np.zeros((len(fits.identity), head.identity_count), np.float32)
    identities[:, : fits.identity.shape[1]] = fits.identity
    expressions = fits.expression.astype(np.float32)

    def portrait(i: int) -> Portrait:
        geometry = Geometry(identities[i], expressions[i], float(fits.yaw[i]), float(fits.pitch[i]))
        return Portrait(int(fits.index[i]), fits.stored[i], geometry, fits.points[i])
    return [portrait(i) for i in chosen]
