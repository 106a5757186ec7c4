"""Several photos of one person."""
from __future__ import annotations

import ctypes
import os
from typing import Any, Iterable

from . import _signatures as c
from ._image import ImageLike, as_image
from ._library import instance, lib, wrong
from ._models import Face, Models, as_models
from ._reconstruct import Progress, _Options
from ._result import Result


def reconstruct_person(
    photos: Iterable[ImageLike],
    *,
    models: Models | None = None,
    renderer: str = "gar",
    faces: Iterable[Face | None] | None = None,
    seed: int = 0,
    schedule: Any = None,
    progress: Progress | None = None,
) -> list[Result | None]:
    """Reconstructs one person from several photos: one identity for all, an expression, pose and look for each.

        >>> results = garface.reconstruct_person(["a.jpg", "b.jpg", "c.jpg"])
        >>> identity = next(r for r in results if r).identity

    Args:
        photos: 1 to 64, each as for `reconstruct`.
        faces: for each photo one of its `detect_faces`, or None to take the largest.

    The other options are those of `reconstruct`.

    Returns:
        A result for each photo, None where no face was found. Their losses and stages are those of all photos together.

    Raises:
        NoFaceError: no face was found in any of the photos.
    """
    if isinstance(photos, (str, bytes, os.PathLike)):
        raise wrong("photos", photos, "several photos; one stands in a list, [photo]")
    models = as_models(models)
    try:
        images = [as_image(photo, f"photos[{i}]") for i, photo in enumerate(photos)]
    except TypeError:
        raise wrong("photos", photos, "several photos") from None
    given = [None] * len(images) if faces is None else list(faces)
    if len(given) != len(images):
        raise wrong("faces", faces, f"{len(images)} faces or None, one for each photo")
    options = _Options(renderer, None, None, None, seed, schedule, progress)
    handles = (c.Handle * max(1, len(images)))(*(image._handle for image in images))
    places = (c.Face * max(1, len(images)))(
        *(c.Face() if face is None else instance(face, Face, f"faces[{i}]")._c() for i, face in enumerate(given)))
    out = (c.Handle * max(1, len(images)))()
    status = lib.gar_reconstruct_person(
        models._handle, handles, len(images), places, options.reference, out, None)
    options.bridge.check(status)
    return [Result(c.Handle(handle.value)) if handle.value else None for handle in out[: len(images)]]
