"""Progress callbacks of long calls."""
from __future__ import annotations

from typing import Any, Callable, Optional

from . import errors
from ._library import check, function
from ._signatures import ProgressCallback

# The fraction done and the stage; what it returns says whether to go on, None counting as True.
Progress = Callable[[float, str], Optional[bool]]


class Bridge:
    """What a Python callable answers, as the library's callbacks do, and what came of it.

    None counts as true, so that a function without `return` goes on; anything else by its truth, so that 0 and
    numpy.False_ cancel like False. An exception cancels and is raised again.
    """

    def __init__(self) -> None:
        self.exception: BaseException | None = None
        self._has_refused = False

    def goes_on(self, ask: Callable[[], Any]) -> bool:
        try:
            answer = ask()
            refuses = answer is not None and not answer
        except BaseException as problem:  # KeyboardInterrupt too: it must not vanish in C
            self.exception = problem
            return False
        self._has_refused |= refuses
        return not refuses

    def check(self, status: int) -> None:
        """Raises what the callable raised, or else what the library says."""
        if self.exception is not None:
            raise self.exception
        try:
            check(status)
        except errors.CancelledError:
            # Nobody refused: Ctrl-C came before the callback's first line, where ctypes alone sees it, and cancels.
            if self._has_refused:
                raise
            raise KeyboardInterrupt from None


class ProgressBridge(Bridge):
    """Without a callable there is a callback, too: Python acts upon Ctrl-C only while it runs."""

    def __init__(self, progress: Progress | None) -> None:
        super().__init__()
        if progress is not None:
            function(progress, "progress")

        def call(_user: Any, fraction: float, stage: bytes) -> bool:
            return self.goes_on(lambda: None if progress is None else progress(fraction, stage.decode("utf-8", "replace")))

        self.callback = ProgressCallback(call)
