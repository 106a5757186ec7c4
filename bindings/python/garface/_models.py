"""The learnt models, and finding faces."""
from __future__ import annotations

import ctypes
import dataclasses
import functools
import json
import os
import threading
from typing import Any

from ._image import ImageLike, as_image
from ._library import Owned, check, instance, lib, path, real, text, wrong
from . import _signatures as c


@dataclasses.dataclass(frozen=True)
class Face:
    """A face in a photo: the square that the head fills in the aligned frame.

    Attributes:
        centre: (u, v) of the square's centre, photo pixels.
        size: the square's side, pixels: 230 mm of the head model.
        roll: degrees, positive counter-clockwise in the picture.
        score: 0 to 1, how sure the detector is.
    """

    centre: tuple[float, float]
    size: float
    roll: float = 0.0
    score: float = 1.0

    def _c(self) -> c.Face:
        try:
            u, v = self.centre
        except (TypeError, ValueError):
            raise wrong("face.centre", self.centre, "two numbers, (u, v)") from None
        named = dict(size=self.size, roll=self.roll, score=self.score)
        return c.Face(
            real(u, "face.centre"), real(v, "face.centre"), *(real(value, f"face.{name}") for name, value in named.items()))


class Models(Owned):
    """Everything that was learnt: head model, renderer, inverse network, face detector. Immutable; any thread.

    Args:
        head_model, renderer, inverse_network, face_detector: safetensors files that replace the models inside the
            library; None keeps the one inside.
    """

    _release = "gar_models_release"

    def __init__(
        self,
        head_model: str | os.PathLike[str] | None = None,
        renderer: str | os.PathLike[str] | None = None,
        inverse_network: str | os.PathLike[str] | None = None,
        face_detector: str | os.PathLike[str] | None = None,
    ) -> None:
        files = c.ModelFiles()
        lib.gar_model_files_init(ctypes.byref(files))
        given = dict(
            head_model=head_model, renderer=renderer, inverse_network=inverse_network, face_detector=face_detector)
        for name, file in given.items():
            if file is not None:
                setattr(files, name, path(file, name))
        handle = c.Handle()
        check(lib.gar_models_load(ctypes.byref(files), ctypes.byref(handle)))
        super().__init__(handle)

    @functools.cached_property
    def info(self) -> dict[str, Any]:
        """For each model its file (None for the one inside the library) and sizes."""
        return json.loads(text(lib.gar_models_get_json, self._handle))

    @staticmethod
    def default() -> Models:
        """The models inside the library, loaded once per process."""
        global _default
        with _lock:
            if _default is None:
                _default = Models()
            return _default


def as_models(models: Models | None) -> Models:
    """`models`, or those inside the library for None."""
    return Models.default() if models is None else instance(models, Models, "models")


_default: Models | None = None
_lock = threading.Lock()


def detect_faces(photo: ImageLike, models: Models | None = None) -> list[Face]:
    """The faces of a photo, the most prominent first; empty where there is none.

    Args:
        photo: a path, a uint8 array (height, width, 3), a picture of Pillow's, or an Image.
        models: None takes the models inside the library.
    """
    image, models = as_image(photo), as_models(models)
    count, capacity = ctypes.c_size_t(), 1000
    buffer = (c.Face * capacity)()
    check(lib.gar_faces_detect(models._handle, image._handle, buffer, capacity, ctypes.byref(count)))
    return [
        Face((face.centre_u, face.centre_v), face.size, face.roll, face.score) for face in list(buffer)[: count.value]
    ]
