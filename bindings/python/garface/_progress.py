"""Progress callbacks of long calls."""
from __future__ import annotations

from typing import Any, Callable, Optional

from . import errors
from ._library import check, function
from ._signatures import ProgressCallback

# The fraction done and the stage; what it returns says whether to go on, None counting as True.
Progress = Callable[[float, str], Optional[bool]]


class ProgressBridge:
    """A Python callable as the library's callback.

    None counts as true, so that a function without `return` goes on; anything else by its truth, so that 0 and
    numpy.False_ cancel like False. An exception cancels and is raised again. Without a callable there is a callback, too:
    Python acts upon Ctrl-C only while it runs.
    """

    def __init__(self, progress: Progress | None) -> None:
        self.exception: BaseException | None = None
        self._has_refused = False
        if progress is not None:
            function(progress, "progress")

        def call(_user: Any, fraction: float, stage: bytes) -> bool:
            try:
                answer = None if progress is None else progress(fraction, stage.decode("utf-8", "replace"))
                refuses = answer is not None and not answer
                self._has_refused |= refuses
                return not refuses
            except BaseException as problem:  # KeyboardInterrupt too: it must not vanish in C
                self.exception = problem
                return False

        self.callback = ProgressCallback(call)

    def check(self, status: int) -> None:
        check_callback(status, self.exception, self._has_refused)


def check_callback(status: int, exception: BaseException | None, has_refused: bool) -> None:
    """Raises what a callback raised, or else what the library says."""
    if exception is not None:
        raise exception
    try:
        check(status)
    except errors.CancelledError:
        # Nobody refused: Ctrl-C came before the callback's first line, where ctypes alone sees it, and cancels.
        if has_refused:
            raise
        raise KeyboardInterrupt from None
