"""Progress callbacks of long calls."""
from __future__ import annotations

from typing import Any, Callable, Optional

from ._library import check, function
from ._signatures import ProgressCallback

# The fraction done and the stage; what it returns says whether to go on, None counting as True.
Progress = Callable[[float, str], Optional[bool]]


class ProgressBridge:
    """A Python callable as the library's callback.

    None counts as true, so that a function without `return` goes on; anything else by its truth, so that 0 and
    numpy.False_ cancel like False. An exception cancels and is raised again.
    """

    def __init__(self, progress: Progress | None) -> None:
        self.exception: BaseException | None = None
        self.callback = ProgressCallback()
        if progress is None:
            return
        function(progress, "progress")

        def call(_user: Any, fraction: float, stage: bytes) -> bool:
            try:
                answer = progress(fraction, stage.decode("utf-8", "replace"))
                return answer is None or bool(answer)
            except BaseException as problem:  # KeyboardInterrupt too: it must not vanish in C
                self.exception = problem
                return False

        self.callback = ProgressCallback(call)

    def check(self, status: int) -> None:
        if self.exception is not None:
            raise self.exception
        check(status)
