"""Many photos."""
from __future__ import annotations

import ctypes
import json
import os
from typing import Any, Callable, Iterable, Optional

from . import _signatures as c
from ._library import function, integer, lib, path, wrong
from ._models import Models, as_models
from ._progress import Bridge
from ._reconstruct import _Options
from ._result import selection

# Photos that are through, of how many, and the row of the one that just was; None counts as going on.
BatchProgress = Callable[[int, int, "dict[str, Any]"], Optional[bool]]


class _Bridge(Bridge):
    """Gathers the rows and hands them to a Python callable. An exception in it, Ctrl-C too, ends the batch and is raised again."""

    def __init__(self, progress: BatchProgress | None) -> None:
        super().__init__()
        self.rows: list[dict[str, Any]] = []
        if progress is not None:
            function(progress, "progress")

        def through_with(through: int, total: int, row: bytes | None) -> Any:
            if row is None:
                return None
            self.rows.append(json.loads(row))
            return None if progress is None else progress(through, total, self.rows[-1])

        def call(_user: Any, through: int, total: int, row: bytes | None) -> bool:
            return self.goes_on(lambda: through_with(through, total, row))

        self.callback = c.BatchCallback(call)


def batch(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    models: Models | None = None,
    renderer: str = "gar",
    all_faces: bool = False,
    schedule: Any = None,
    files: Iterable[str] = ("standard",),
    seed: int = 0,
    threads: int = 0,
    retry_failures: bool = True,
    manifest: bool = True,
    progress: BatchProgress | None = None,
) -> list[dict[str, Any]]:
    """Reconstructs many photos, several at a time, each into a folder of its own below `output`.

    A photo that fails does not end the batch. The same call again does only what is missing, what failed, and photos or
    options that have changed, so a batch that was ended (Ctrl-C, a crash) goes on where it was.

    Args:
        inputs: photos, folders that are searched with all below them, text files with a path in each line; one or several.
        output: the folder; a photo's result is at the photo's path below the folder that was searched, or as it was given.
        threads: photos at a time; 0: one per core. They share the models, and the library lets go of Python's lock.
        retry_failures: whether photos that failed in an earlier call are tried again.
        manifest: whether manifest.csv and manifest.json are written to `output`; each folder has its batch.json anyhow.
        progress: called with the photos that are through, of how many, and the row of the one that just was. It cancels by
            returning something false other than None.

    The other options are those of `reconstruct` and `reconstruct_file`.

    Returns:
        A row for each photo, in order: "photo", "folder", "status" ("done" or "failed"), "code" and "error" (the number and
        name of a gar_status), "message", "faces", "files", "seconds", ...

    Raises:
        CancelledError: `progress` cancelled. FileError: an input that is no photo and no list, or no photo in any.
        UnwritableError: the output.
    """
    models = as_models(models)
    try:
        single = isinstance(inputs, (str, os.PathLike))
        paths = [path(one, "inputs") for one in ([inputs] if single else inputs)]
    except TypeError:
        raise wrong("inputs", inputs, "a path, or several") from None
    if not paths:
        raise wrong("inputs", inputs, "at least one path")
    options = _Options(renderer, None, None, None, seed, schedule, None)
    options.struct.all_faces = bool(all_faces)
    options.struct.files = selection(files)
    bridge, settings = _Bridge(progress), c.BatchOptions()
    lib.gar_batch_options_init(ctypes.byref(settings))
    settings.threads = integer(threads, "threads", 0, 256)
    settings.retry_failures, settings.write_manifest = bool(retry_failures), bool(manifest)
    settings.progress = bridge.callback
    array = (ctypes.c_char_p * len(paths))(*paths)
    bridge.check(
        lib.gar_batch_run(
            models._handle, array, len(paths), path(output, "output"), options.reference, ctypes.byref(settings), None, None))
    return sorted(bridge.rows, key=lambda row: row["index"])
