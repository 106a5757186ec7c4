"""garface: one photo in, a 3D face out, by inverting a generative adversarial renderer.

    >>> import garface
    >>> result = garface.reconstruct("photo.jpg")
    >>> result.vertices.shape, result.yaw

Units are millimetres, degrees and photo pixels; Include/garface.h states every convention.
"""
from __future__ import annotations

import json as _json
from typing import Any, Callable

from ._batch import batch
from ._head import HeadModel, pose_angles, pose_matrix
from ._image import Image
from ._landmarks import dlib_landmarks, load_landmarks, mediapipe_landmarks
from ._library import check as _check
from ._library import function as _function
from ._library import integer as _integer
from ._library import lib as _lib
from ._models import Face, Models, detect_faces
from ._person import reconstruct_person
from ._reconstruct import Fit, reconstruct, reconstruct_all, reconstruct_file, standard_schedule
from ._renderer import Renderer, image_from_picture
from ._result import Result, load_result, write_view
from ._signatures import LogCallback as _LogCallback
from ._track import TrackedFrame, Tracker, track
from .errors import (
    BusyError,
    CancelledError,
    FileError,
    GarfaceError,
    InternalError,
    InvalidArgumentError,
    MalformedFileError,
    MissingFileError,
    NoFaceError,
    NumericalError,
    OutOfMemoryError,
    TooLargeError,
    UnsupportedFormatError,
    UnwritableError,
    WrongModelError,
)


def build_info() -> dict[str, Any]:
    """What the library was built with: version, convolution paths, image formats."""
    return _json.loads(_lib.gar_build_info())


def set_thread_count(count: int) -> None:
    """How many threads the library may work on in this process, 1 to 256 (1 unless this is called). Call it before loading models.

    A second one makes a fit a third quicker where a core is idle, and a fifth slower where none is. Photos on several Python
    threads, or ``batch``, scale better.
    """
    _check(_lib.gar_threads_set(_integer(count, "count", 1, 256)))


def set_log(callback: Callable[[str], None] | None) -> None:
    """Sends the library's messages (models loaded, faces found, stages run) to `callback`; None drops them.

        >>> garface.set_log(logging.getLogger("garface").info)
    """
    global _log
    if callback is None:
        bridge = _LogCallback()
    else:
        receive = _function(callback, "callback")
        bridge = _LogCallback(lambda _user, message: receive(message.decode("utf-8", "replace")))
    _lib.gar_log_set(bridge, None)
    _log = bridge  # the library holds no reference: this one keeps it alive


_log: Any = None


def __getattr__(name: str) -> Any:
    if name == "__version__":      # asked of the library when wanted: garface.training works without it
        return build_info()["version"]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [name for name in dir() if not name.startswith("_") and name not in ("annotations", "errors", "Any", "Callable")]
