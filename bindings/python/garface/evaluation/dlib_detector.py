"""dlib's 68-point predictor and face recognition network: judges that had no part in training.

Needs the extra ``[evaluate]``: ``pip install 'garface[evaluate]'`` (packages dlib-bin and face_recognition_models).
The predictor was trained on 300-W photographs, the recognition network on about three million photographs of faces.
"""
from __future__ import annotations

import importlib.util
import pathlib
from typing import Any

import numpy as np

from garface.evaluation.known_faces import Frame
from garface.evaluation.resize import resize

WORKING_SIZE = 512     # least side of the picture that dlib is shown: its points are whole pixels
# dlib's own face box on frontal portraits: side, and centre relative to the mean of the inner 51 points, mm. Depth from
# how the box lags behind turning heads.
BOX_SIDE = 140.0
BOX_CENTRE = np.array([0.0, -3.5, -11.0])
# Boxes tried: shift right and up (mm), side. What they agree on depends less on the box, more on the picture.
BOXES = ((0, 0, 1.0), (4, 4, 1.05), (-4, 4, 0.95), (4, -4, 0.95), (-4, -4, 1.05))


def _dlib() -> Any:
    try:
        import dlib
    except ImportError:
        raise SystemExit(
            "dlib is missing: pip install 'garface[evaluate]', or dlib-bin and face_recognition_models") from None
    return dlib


def _model(name: str) -> str:
    # The package imports pkg_resources, which newer setuptools lack; its files are all that is needed.
    package = importlib.util.find_spec("face_recognition_models")
    folders = package.submodule_search_locations if package else None
    for folder in folders or []:
        file = pathlib.Path(folder) / "models" / name
        if file.is_file():
            return str(file)
    raise SystemExit(f"{name} is missing: pip install 'garface[evaluate]', or face_recognition_models")


def face_box(points: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Left, bottom, right, top, camera mm, of the box that dlib would find round 68 points (68, 3)."""
    centre = points[17:].mean(0) + rotation @ BOX_CENTRE
    return np.concatenate([centre[:2] - BOX_SIDE / 2, centre[:2] + BOX_SIDE / 2])


def enlarged(picture: np.ndarray) -> np.ndarray:
    """At least ``WORKING_SIZE`` a side."""
    return resize(picture, max(WORKING_SIZE, len(picture)))


class Detector:
    """Landmarks and recognition features of a face whose box is known, in pictures of the aligned frame."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self._dlib = _dlib()
        self._predictor = self._dlib.shape_predictor(_model("shape_predictor_68_face_landmarks.dat"))
        self._recogniser: Any = None

    def _shape(self, picture: np.ndarray, box: np.ndarray, right: float, up: float, side: float) -> Any:
        middle, half = box.reshape(2, 2).mean(0) + [right, up], side * (box[2:] - box[:2]) / 2
        (left, bottom), (right, top) = self.frame.pixels(np.stack([middle - half, middle + half]), len(picture))
        return self._predictor(picture, self._dlib.rectangle(*(int(round(v)) for v in (left, top, right, bottom))))

    def landmarks(self, picture: np.ndarray, box: np.ndarray) -> np.ndarray:
        """(68, 2) camera mm in a picture (S, S, 3): the mean over slightly different boxes, least and largest left out."""
        picture = enlarged(picture)
        shapes = [[(p.x, p.y) for p in self._shape(picture, box, *change).parts()] for change in BOXES]
        return self.frame.millimetres(np.sort(shapes, axis=0)[1:-1].mean(0), len(picture))

    def identity(self, picture: np.ndarray, box: np.ndarray) -> np.ndarray:
        """128 numbers; distances below 0.6 are meant to be the same person."""
        if self._recogniser is None:
            self._recogniser = self._dlib.face_recognition_model_v1(_model("dlib_face_recognition_resnet_model_v1.dat"))
        picture = enlarged(picture)
        return np.array(self._recogniser.compute_face_descriptor(picture, self._shape(picture, box, *BOXES[0])))
