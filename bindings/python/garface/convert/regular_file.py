"""Reading whole files that are given from outside: regular ones, of a stated size at most."""
from __future__ import annotations

import os
import stat

from .problem import ConversionError


def check_regular(path: str | os.PathLike[str]) -> None:
    """ConversionError where there is no regular file: for readers that open files themselves."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ConversionError(f"{os.fspath(path)}: is not a regular file")
    except OSError as problem:
        raise ConversionError(f"{os.fspath(path)}: cannot be read: {problem.strerror or problem}") from None


def read_regular(path: str | os.PathLike[str], most: int, what: str = "expected at most") -> bytes:
    """The bytes of a file; ConversionError where it cannot be read, is no regular file, or has more than `most` bytes.

    Devices and pipes have no size to hold against a limit: they would be read until memory, or patience, ends.
    """
    source = os.fspath(path)
    try:
        # Not blocking: opening a pipe that nobody writes to would wait for ever.
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as f:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise ConversionError(f"{source}: is not a regular file")
            if found.st_size > most:
                raise ConversionError(f"{source}: has {found.st_size} bytes, {what} {most}")
            data = f.read(found.st_size + 1)
    except OSError as problem:
        raise ConversionError(f"{source}: cannot be read: {problem.strerror or problem}") from None
    if len(data) != found.st_size:
        raise ConversionError(f"{source}: changed while it was read")
    return data
