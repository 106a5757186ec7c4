"""Photo in, face out: in one call or stage by stage."""
from __future__ import annotations

import ctypes
import json
import os
from typing import Any, Iterable

import numpy as np

from . import _signatures as c
from . import errors
from ._image import ImageLike, as_image
from ._landmarks import COUNTS, SCHEMES
from ._library import Owned, check, floats, instance, lib, numbers, path, pointer, seed_number, text, wrong
from ._models import Face, Models, as_models, detect_faces
from ._progress import Progress, ProgressBridge
from ._result import Result, selection

_RENDERERS = {
    "gar": c.CONSTANTS["GAR_RENDERER_GAR"],
    "sh": c.CONSTANTS["GAR_RENDERER_SH"],
    "landmarks": c.CONSTANTS["GAR_RENDERER_LANDMARKS"],
    "start": c.CONSTANTS["GAR_RENDERER_START"],
}


def _renderer_kind(renderer: str) -> int:
    if not isinstance(renderer, str) or renderer not in _RENDERERS:
        raise wrong("renderer", renderer, f"one of {', '.join(_RENDERERS)}")
    return _RENDERERS[renderer]


class _Options:
    """gar_options, with the arrays it points at kept alive."""

    def __init__(
        self, renderer: str, landmarks: Any, face: Face | None, box: Any, seed: int, schedule: Any, progress: Progress | None,
        confidences: Any = None, order: str | None = None,
    ) -> None:
        self.bridge = ProgressBridge(progress)
        options = c.Options()
        lib.gar_options_init(ctypes.byref(options))
        options.renderer = _renderer_kind(renderer)
        options.seed = seed_number(seed)
        options.progress = self.bridge.callback
        if landmarks is not None:
            expected = f"numbers of shape (N, 2), N being {', '.join(map(str, COUNTS[:-1]))} or {COUNTS[-1]}"
            points = numbers(landmarks, "landmarks", expected)
            if points.ndim != 2 or points.shape[0] not in COUNTS or points.shape[1] != 2:
                raise errors.InvalidArgumentError(f"landmarks: has shape {points.shape}, expected {expected}")
            self.landmarks = floats(points, points.shape, "landmarks")
            options.landmarks, options.landmark_count = pointer(self.landmarks), len(points)
            if confidences is not None:
                self.confidences = floats(confidences, (len(points),), "landmark_confidences")
                options.landmark_confidences = pointer(self.confidences)
            options.landmark_scheme = _scheme(order)
        elif confidences is not None or order is not None:
            raise errors.InvalidArgumentError("landmark_confidences and landmark_order: go with landmarks, and none are given")
        if face is not None:
            self.face = instance(face, Face, "face")._c()
            options.face = ctypes.pointer(self.face)
        if box is not None:
            self.box = floats(box, (4,), "box")
            options.box = pointer(self.box)
        if schedule is not None:
            options.schedule = _schedule_text(schedule)
        self.struct = options

    @property
    def reference(self) -> Any:
        return ctypes.byref(self.struct)


def _scheme(order: str | None) -> int:
    if order is not None and not isinstance(order, str) or order not in SCHEMES:
        raise wrong("landmark_order", order, f"None or one of {', '.join(name for name in SCHEMES if name)}")
    return SCHEMES[order]


def _schedule_text(schedule: Any) -> bytes:
    """JSON of a schedule; a single stage is wrapped."""
    expected = "stages as standard_schedule gives them, a list of stages, one stage, or JSON text"
    try:
        if isinstance(schedule, (list, tuple)):
            schedule = {"stages": schedule}
        elif isinstance(schedule, dict) and "stages" not in schedule:
            schedule = {"stages": [schedule]}
        elif not isinstance(schedule, (dict, str)):
            raise TypeError
        encoded = (schedule if isinstance(schedule, str) else json.dumps(schedule)).encode("utf-8")
        if b"\0" in encoded:
            raise ValueError
    except (TypeError, ValueError, RecursionError):  # what JSON cannot hold, or UTF-8 cannot
        raise wrong("schedule", schedule, expected) from None
    return encoded


def reconstruct(
    photo: ImageLike,
    *,
    models: Models | None = None,
    renderer: str = "gar",
    landmarks: Any = None,
    landmark_confidences: Any = None,
    landmark_order: str | None = None,
    face: Face | None = None,
    box: Any = None,
    seed: int = 0,
    schedule: Any = None,
    progress: Progress | None = None,
) -> Result:
    """Reconstructs one face of a photo.

    Args:
        photo: a path (PNG, or JPEG where built in), a uint8 array (height, width, 3), a picture of Pillow's,
            or an Image.
        models: None takes the models inside the library.
        renderer: "gar" (the method), "sh" (the spherical-harmonics baseline), "landmarks" (no renderer) or "start"
            (no refinement).
        landmarks: 5, 68, 468 or 478 points, (N, 2), photo pixels: eye centres, nose tip and mouth corners; iBUG's and dlib's
            68 as people mark them, such as `Result.landmarks` (not the static ones); MediaPipe's face mesh. See
            `load_landmarks`, `mediapipe_landmarks` and `dlib_landmarks`.
        landmark_confidences: (N,) how sure each of 5 or 68 points is, 0 to 1: a point's expected error is 1 mm divided by
            it, and 0 leaves the point out; None means all 1.
        landmark_order: None where the number of points says it, else "five", "ibug-68", "mediapipe" or "dlib-5".
        face: one of `detect_faces`. box: (left, top, width, height) in pixels. At most one of landmarks, face, box.
        seed: seeds every random choice.
        schedule: stages of the fit, see `standard_schedule`; None takes the standard ones.
        progress: called with the fraction done and the stage. It cancels by returning something false (False, 0,
            numpy.False_); None, what a function without `return` gives, goes on.

    Raises:
        NoFaceError: no face was found. CancelledError: `progress` cancelled. FileError: the photo.
    """
    image, models = as_image(photo), as_models(models)
    options = _Options(
        renderer, landmarks, face, box, seed, schedule, progress, landmark_confidences, landmark_order)
    handle = c.Handle()
    status = lib.gar_reconstruct(models._handle, image._handle, options.reference, ctypes.byref(handle))
    options.bridge.check(status)
    return Result(handle)


def reconstruct_all(
    photo: ImageLike, *, models: Models | None = None, renderer: str = "gar", seed: int = 0, schedule: Any = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Reconstructs every face of a photo, the most prominent first; options as for `reconstruct`, `progress` once per face."""
    image, models = as_image(photo), as_models(models)
    return [
        reconstruct(image, models=models, renderer=renderer, face=face, seed=seed, schedule=schedule, progress=progress)
        for face in detect_faces(image, models)
    ]


def reconstruct_file(
    photo: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    renderer: str = "gar",
    landmarks: Any = None,
    landmark_confidences: Any = None,
    landmark_order: str | None = None,
    face: Face | None = None,
    box: Any = None,
    all_faces: bool = False,
    seed: int = 0,
    schedule: Any = None,
    files: Iterable[str] = ("standard",),
    progress: Progress | None = None,
) -> None:
    """A photo in, a folder of meshes, parameters and pictures out, in one call of the library.

    It loads the models inside the library every time: for other models, or many photos, use
    ``reconstruct(photo, models=models).write(folder)``.

    Args:
        all_faces: every face that is found, not the most prominent only; the names of the files then open with face1_,
            face2_, ... It does not go with landmarks, face or box.
        files: which files to write, see `Result.write`. All of them are written, or none.

    The other options are those of `reconstruct`.
    """
    if all_faces and not (landmarks is None and face is None and box is None):
        raise errors.InvalidArgumentError("all_faces: searches the photo, and does not go with landmarks, face or box")
    options = _Options(
        renderer, landmarks, face, box, seed, schedule, progress, landmark_confidences, landmark_order)
    options.struct.all_faces = bool(all_faces)
    options.struct.files = selection(files)
    options.bridge.check(lib.gar_reconstruct_file(path(photo, "photo"), path(folder, "folder"), options.reference))


def standard_schedule(renderer: str = "gar") -> dict[str, Any]:
    """The standard stages of a renderer, as a dictionary that can be edited and given back."""
    return json.loads(text(lib.gar_schedule_get_json, _renderer_kind(renderer)))


class Fit(Owned):
    """A fit, stage by stage. It holds working memory: one thread at a time.

        >>> fit = garface.Fit("photo.jpg")
        >>> for stage in garface.standard_schedule()["stages"]:
        ...     fit.run(stage)
        ...     print(stage["name"], fit.result().history[-1]["total"])

    Arguments as for `reconstruct`; creating finds and aligns the face and starts from the inverse network.

    With `start`, a result (`load_result`, one that was edited, or one of another renderer), the fit begins where that ends,
    with its models; `photo` may then be None, which takes the result's own, and face and box are not looked at.
    """

    _release = "gar_fit_release"

    def __init__(
        self, photo: ImageLike | None = None, *, models: Models | None = None, renderer: str = "gar", landmarks: Any = None,
        landmark_confidences: Any = None, landmark_order: str | None = None, face: Face | None = None, box: Any = None,
        seed: int = 0, start: Result | None = None,
    ) -> None:
        image = None if photo is None and start is not None else as_image(photo)
        options = _Options(renderer, landmarks, face, box, seed, None, None, landmark_confidences, landmark_order)
        handle = c.Handle()
        if start is None:
            models = as_models(models)
            check(lib.gar_fit_create(models._handle, image._handle, options.reference, ctypes.byref(handle)))
        else:
            if models is not None:
                raise errors.InvalidArgumentError("models: a fit with a start takes the models of that result")
            result, own = instance(start, Result, "start"), None if image is None else image._handle
            check(lib.gar_fit_resume(result._handle, own, options.reference, ctypes.byref(handle)))
        super().__init__(handle)

    def run(self, schedule: Any = None, progress: Progress | None = None) -> None:
        """Runs stages from where the fit stands.

        Args:
            schedule: {"stages": [...]}, a list of stages, one stage, or JSON text; None takes the standard stages.
            progress: as for `reconstruct`.
        """
        bridge = ProgressBridge(progress)
        stages = None if schedule is None else _schedule_text(schedule)
        bridge.check(lib.gar_fit_run(self._handle, stages, bridge.callback, None))

    def result(self) -> Result:
        """The face as the fit stands, with the history so far."""
        handle = c.Handle()
        check(lib.gar_fit_get_result(self._handle, ctypes.byref(handle)))
        return Result(handle)
