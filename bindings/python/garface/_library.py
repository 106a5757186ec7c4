"""Finds libgarface.so, declares its functions and turns statuses into exceptions."""
from __future__ import annotations

import ctypes
import ctypes.util
import operator
import os
import pathlib
import reprlib
from typing import Any

import numpy as np

from . import errors
from ._signatures import CONSTANTS, SIGNATURES

_OK = CONSTANTS["GAR_OK"]
_HERE = pathlib.Path(__file__).resolve().parent


def _candidates() -> list[str]:
    """Where the library is looked for, in order."""
    chosen = os.environ.get("GARFACE_LIBRARY")
    if chosen:
        return [chosen]
    places = [_HERE / "libgarface.so.1", _HERE / "libgarface.so"]
    # A checkout: bindings/python/garface -> the package's root.
    places.append(_HERE.parents[2] / ".build/release/libgarface.so")
    # An install prefix: PREFIX/lib/python3/garface or the like.
    places += [parent / "lib/libgarface.so.1" for parent in list(_HERE.parents)[:5]]
    found = [str(place) for place in places if place.exists()]
    return found + ["libgarface.so.1"]


def _load() -> ctypes.CDLL:
    problems = []
    for name in _candidates():
        try:
            library = ctypes.CDLL(name)
        except OSError as problem:
            problems.append(f"{name}: {problem}")
            continue
        for function, (result, arguments) in SIGNATURES.items():
            try:
                symbol = getattr(library, function)
            except AttributeError:
                raise ImportError(f"{name}: has no {function}; it is of another version than this package") from None
            symbol.restype = result
            symbol.argtypes = arguments
        return library
    raise ImportError(
        "libgarface.so was not found; build it (swift build -c release) and set GARFACE_LIBRARY to its path "
        "(.build/release/libgarface.so of the checkout), or install it (bindings/c/install.sh).\n" + "\n".join(problems)
    )


class _Library:
    """The C library, loaded when it is first used: garface.training works without it."""

    def __getattr__(self, name: str) -> Any:
        loaded = self.__dict__.get("_loaded") or self.__dict__.setdefault("_loaded", _load())
        function = getattr(loaded, name)
        setattr(self, name, function)
        return function


lib: Any = _Library()


def check(status: int) -> None:
    """Raises the exception for a status that is not GAR_OK."""
    if status != _OK:
        raise errors.error(status, lib.gar_last_error().decode("utf-8", "replace"))


def text(function: Any, *arguments: Any) -> str:
    """Calls a function that fills a text buffer (buffer, capacity, count last)."""
    count = ctypes.c_size_t()
    check(function(*arguments, None, 0, ctypes.byref(count)))
    buffer = ctypes.create_string_buffer(count.value)
    check(function(*arguments, buffer, count.value, ctypes.byref(count)))
    return buffer.value.decode("utf-8")


# Arguments as the library takes them. All of these raise InvalidArgumentError, a ValueError too, with a sentence that names
# the argument and says what is expected of it.


def wrong(name: str, value: Any, expected: str) -> errors.InvalidArgumentError:
    """The error for an argument of a wrong type or value."""
    return errors.InvalidArgumentError(f"{name}: is {reprlib.repr(value)}, expected {expected}")


def path(value: str | os.PathLike[str], name: str) -> bytes:
    """A path in UTF-8."""
    try:
        encoded = os.fsencode(value)
        encoded.decode("utf-8")
    except TypeError:
        raise wrong(name, value, "a path: text or an os.PathLike") from None
    except UnicodeError:
        raise wrong(name, value, "a path that can be written in UTF-8") from None
    if b"\0" in encoded:
        raise wrong(name, value, "a path without a zero byte")
    return encoded


def integer(value: Any, name: str, least: int, most: int) -> int:
    """A whole number in a range."""
    expected = f"a whole number from {least} to {most}"
    try:
        number = operator.index(value)
    except TypeError:
        raise wrong(name, value, expected) from None
    if not least <= number <= most:
        raise wrong(name, number, expected)
    return number


def seed_number(value: Any, name: str = "seed") -> int:
    """A seed: what an unsigned 64-bit number holds."""
    return integer(value, name, 0, 2**64 - 1)


def real(value: Any, name: str) -> float:
    """A number; whether it is finite and in range, the library checks."""
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise wrong(name, value, "a number") from None


def numbers(value: Any, name: str, expected: str = "numbers") -> np.ndarray:
    """`value` as an array of real numbers of any shape."""
    try:
        array = np.asarray(value)
    except Exception:  # ragged lists, arrays of another device, ...: every package has its own
        raise wrong(name, value, expected) from None
    if array.dtype.kind not in "biuf":
        raise wrong(name, value, expected)
    return array


def floats(value: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """`value` as a contiguous float32 array of that shape; no copy where it is one already."""
    array = numbers(value, name, f"numbers of shape {shape}")
    if array.shape != shape:
        raise errors.InvalidArgumentError(f"{name}: has shape {array.shape}, expected {shape}")
    with np.errstate(over="ignore"):  # infinities are refused by the library
        return np.ascontiguousarray(array, dtype=np.float32)


def instance(value: Any, kind: type, name: str) -> Any:
    """`value`, which must be of a class of this package."""
    if not isinstance(value, kind):
        raise wrong(name, value, f"a garface.{kind.__name__}")
    return value


def function(value: Any, name: str) -> Any:
    """`value`, which must be callable."""
    if not callable(value):
        raise wrong(name, value, "a function")
    return value


def pointer(array: np.ndarray | None) -> Any:
    """The array's first element for ctypes; None stays None."""
    if array is None:
        return None
    kinds = {"float32": ctypes.c_float, "uint8": ctypes.c_uint8, "int32": ctypes.c_int32}
    return array.ctypes.data_as(ctypes.POINTER(kinds[array.dtype.name]))


class Owned:
    """A handle with its release function."""

    _release = ""
    # What to do where one would copy or pickle it.
    _instead = "share the object itself between threads, and create another one in each process"

    def __init__(self, handle: ctypes.c_void_p) -> None:
        self._owned = handle

    @property
    def _handle(self) -> ctypes.c_void_p:
        if self._owned is None:
            raise errors.InvalidArgumentError(f"this garface.{type(self).__name__} has been closed; create another one")
        return self._owned

    def close(self) -> None:
        """Releases the object now. It is released by itself when nothing refers to it any more."""
        handle, self._owned = getattr(self, "_owned", None), None
        if handle:
            getattr(lib, self._release)(handle)

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:  # the interpreter is going down
            pass

    def __reduce_ex__(self, _protocol: Any) -> Any:
        # A handle is a number of this process: a second owner would release the first one's object, and in another
        # process it would mean another object. copy, deepcopy and pickle all come here.
        raise TypeError(f"a garface.{type(self).__name__} cannot be copied or pickled: {self._instead}")

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
