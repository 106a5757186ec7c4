"""Frames of a film."""
from __future__ import annotations

import ctypes
import dataclasses
import os
from typing import Any, Iterable, Iterator

import numpy as np

from . import _signatures as c
from ._image import ImageLike, as_image
from ._library import Owned, check, floats, instance, integer, lib, path, pointer, real, wrong
from ._models import Face, Models, as_models
from ._reconstruct import _renderer_kind

_FILES = {"csv": c.CONSTANTS["GAR_TRACK_CSV"], "arrays": c.CONSTANTS["GAR_TRACK_ARRAYS"], "glb": c.CONSTANTS["GAR_TRACK_GLB"],
          "all": c.CONSTANTS["GAR_TRACK_ALL"]}


@dataclasses.dataclass(frozen=True)
class TrackedFrame:
    """A face in one frame, smoothed.

    Attributes:
        index: from 0. time: seconds.
        found: whether the face is there; where not, the numbers are NaN.
        face_probability: what the inverse network thinks of the place that was looked at.
        yaw, pitch, roll: degrees; they run on past half a turn.
        scale, tx, ty: the camera, u = scale * (R p).x + tx, v = -scale * (R p).y + ty, p in mm.
        gaze_yaw, gaze_pitch: where the eyes look, degrees to the head's left and up; NaN where the frame does not tell.
        expression: (E,) in the order of `HeadModel.expression_names`.
        landmarks, landmarks_static: (68, 2) pixels: where people mark them; the head model's own.
    """

    index: int
    time: float
    found: bool
    face_probability: float
    yaw: float
    pitch: float
    roll: float
    scale: float
    tx: float
    ty: float
    gaze_yaw: float
    gaze_pitch: float
    expression: np.ndarray
    landmarks: np.ndarray
    landmarks_static: np.ndarray


class Tracker(Owned):
    """Follows one face through frames, one by one. It holds working memory: one thread at a time.

        >>> tracker = garface.Tracker(lag=0, identity_frames=5)
        >>> for picture in camera:
        ...     for frame in tracker.push(picture):
        ...         print(frame.index, frame.yaw)
        >>> tracker.finish()
        >>> tracker.write("out")          # track.csv, track.json, track.safetensors, track.glb

    Each frame is looked at where the face was before; a face that is lost is searched in every frame until it is found
    again. The identity is settled from the first frames together, and held.

    Args:
        lag: how many frames later a frame is given out: what has been seen by then smooths it. 0: at once.
        identity_frames: how many of the first frames with the face settle the identity; they are held back until then.
        identity: who it is, where that is known (`Result.identity`): nothing is held back.
        frames_per_second: for frames without a time.
        smoothing: how much noise is reckoned with, beside what was measured; 0: nothing is smoothed, and there is no lag.
        renderer: "landmarks" (tens of ms), "start" (the inverse network's reading) or "gar" (refined as well, seconds).
        face: the one to follow, in the first frame; None takes the most prominent.
        keep: whether frames are kept for `write`.
    """

    _release = "gar_tracker_release"

    def __init__(
        self, *, models: Models | None = None, renderer: str = "landmarks", lag: int = 3, identity_frames: int = 10,
        identity: Any = None, frames_per_second: float = 25.0, smoothing: float = 1.0, face: Face | None = None, keep: bool = True,
    ) -> None:
        models = as_models(models)
        options = c.TrackerOptions()
        lib.gar_tracker_options_init(ctypes.byref(options))
        options.renderer = _renderer_kind(renderer)
        options.lag = integer(lag, "lag", 0, 250)
        options.identity_frames = integer(identity_frames, "identity_frames", 1, 250)
        options.frames_per_second = real(frames_per_second, "frames_per_second")
        options.smoothing = real(smoothing, "smoothing")
        options.keep_frames = bool(keep)
        sizes = models.info["head_model"]["sizes"]
        self._expressions = int(sizes["expression"])
        if identity is not None:
            array = floats(identity, (int(sizes["identity"]),), "identity")
            options.identity = pointer(array)
        if face is not None:
            place = instance(face, Face, "face")._c()
            options.face = ctypes.pointer(place)
        handle = c.Handle()
        check(lib.gar_tracker_create(models._handle, ctypes.byref(options), ctypes.byref(handle)))
        super().__init__(handle)

    def push(self, frame: ImageLike, time: float | None = None) -> list[TrackedFrame]:
        """Takes the next frame and returns those that are ready: usually the one `lag` frames back.

        Args:
            frame: as a photo for `reconstruct`; all of one size.
            time: seconds, growing from frame to frame; None counts on by `frames_per_second`.
        """
        ready = ctypes.c_int32()
        moment = -1.0 if time is None else real(time, "time")
        if time is not None and not moment >= 0:
            raise wrong("time", time, "seconds from 0 on")
        image = as_image(frame, "frame")
        check(lib.gar_tracker_push(self._handle, image._handle, moment, ctypes.byref(ready)))
        return self._pop(ready.value)

    def finish(self) -> list[TrackedFrame]:
        """The frames that are left."""
        ready = ctypes.c_int32()
        check(lib.gar_tracker_finish(self._handle, ctypes.byref(ready)))
        return self._pop(ready.value)

    def _pop(self, count: int) -> list[TrackedFrame]:
        out = []
        for _ in range(count):
            frame = c.TrackedFrame()
            expression = np.empty(self._expressions, np.float32)
            landmarks, static = np.empty((68, 2), np.float32), np.empty((68, 2), np.float32)
            check(lib.gar_tracker_pop(self._handle, ctypes.byref(frame), *map(pointer, (expression, landmarks, static))))
            numbers = {name: getattr(frame, name) for name, _ in c.TrackedFrame._fields_}
            out.append(TrackedFrame(expression=expression, landmarks=landmarks, landmarks_static=static, **numbers))
        return out

    @property
    def identity(self) -> np.ndarray | None:
        """(I,) who it is; None before that is settled."""
        count = ctypes.c_size_t()
        check(lib.gar_tracker_get_identity(self._handle, None, 0, ctypes.byref(count)))
        if not count.value:
            return None
        out = np.empty(count.value, np.float32)
        check(lib.gar_tracker_get_identity(self._handle, pointer(out), out.size, ctypes.byref(count)))
        return out

    def write(self, folder: str | os.PathLike[str], files: Iterable[str] = ("all",)) -> None:
        """Writes the frames given out so far, all files or none.

        Args:
            files: of "csv" (track.csv), "arrays" (track.safetensors, described by track.json), "glb" (track.glb: the head with
                expressions and motion, and the frames' camera) and "all".
        """
        try:
            names = [files] if isinstance(files, str) else list(files)
            chosen = 0
            for name in names:
                chosen |= _FILES[name]
        except (TypeError, KeyError):
            raise wrong("files", files, f"some of {', '.join(_FILES)}") from None
        check(lib.gar_tracker_write(self._handle, path(folder, "folder"), chosen))


def track(frames: Iterable[ImageLike], **options: Any) -> Iterator[TrackedFrame]:
    """Follows one face through frames; options as for `Tracker`.

        >>> for frame in garface.track(frames, lag=2):
        ...     print(frame.time, frame.yaw, frame.found)

    A frame comes out `lag` frames after it went in; the first ones together, as soon as the identity is settled.
    """
    with Tracker(keep=False, **options) as tracker:
        for frame in frames:
            yield from tracker.push(frame)
        yield from tracker.finish()
