"""Exceptions: one class per kind of failure, all derived from :class:`GarfaceError`."""
from __future__ import annotations

from ._signatures import CONSTANTS


class GarfaceError(Exception):
    """A call of the library failed. ``str(error)`` is a sentence a person can act on.

    Attributes:
        status: the library's status code (``GAR_...`` of garface.h).
    """

    status: int = CONSTANTS["GAR_INTERNAL_ERROR"]


class InvalidArgumentError(GarfaceError, ValueError):
    """An argument is missing, of a wrong type, out of range or not finite, or the object has been closed."""


class FileError(GarfaceError, OSError):
    """A file could not be read."""

    def __str__(self) -> str:  # OSError would print its arguments as a tuple
        return str(self.args[0]) if self.args else ""


class MissingFileError(FileError, FileNotFoundError):
    """No such file or folder."""


class UnwritableError(FileError):
    """A file or folder cannot be written."""


class MalformedFileError(FileError):
    """A file is truncated or damaged."""


class UnsupportedFormatError(FileError):
    """A file format that this build does not read."""


class WrongModelError(GarfaceError, ValueError):
    """Weights of another kind, version or size than expected."""


class NoFaceError(GarfaceError):
    """The picture shows no face that could be found."""


class TooLargeError(GarfaceError, ValueError):
    """A picture or file beyond the library's limits."""


class OutOfMemoryError(GarfaceError, MemoryError):
    """Memory ran out."""


class CancelledError(GarfaceError):
    """The progress callback returned something false other than None."""


class NumericalError(GarfaceError, ArithmeticError):
    """A computation gave no finite result."""


class BusyError(GarfaceError):
    """Another thread is using this object."""


class InternalError(GarfaceError):
    """A defect of the library."""


_CLASSES: dict[str, type[GarfaceError]] = {
    "GAR_INVALID_ARGUMENT": InvalidArgumentError,
    "GAR_BUFFER_TOO_SMALL": InternalError,
    "GAR_FILE_NOT_FOUND": MissingFileError,
    "GAR_FILE_UNREADABLE": FileError,
    "GAR_FILE_UNWRITABLE": UnwritableError,
    "GAR_MALFORMED_FILE": MalformedFileError,
    "GAR_UNSUPPORTED_FORMAT": UnsupportedFormatError,
    "GAR_WRONG_MODEL": WrongModelError,
    "GAR_NO_FACE": NoFaceError,
    "GAR_TOO_LARGE": TooLargeError,
    "GAR_OUT_OF_MEMORY": OutOfMemoryError,
    "GAR_CANCELLED": CancelledError,
    "GAR_NUMERICAL_FAILURE": NumericalError,
    "GAR_BUSY": BusyError,
    "GAR_INTERNAL_ERROR": InternalError,
}
_BY_STATUS = {CONSTANTS[name]: kind for name, kind in _CLASSES.items()}


def error(status: int, message: str) -> GarfaceError:
    """The exception for a status."""
    made = _BY_STATUS.get(status, GarfaceError)(message)
    made.status = status
    return made
