"""Pictures: whatever a caller has, as the library takes it."""
from __future__ import annotations

import ctypes
import os
from typing import Union

import numpy as np

from . import errors
from ._library import Owned, check, lib, path, pointer
from ._signatures import Handle

ImageLike = Union[str, "os.PathLike[str]", np.ndarray, "Image"]


class Image(Owned):
    """An 8-bit RGB picture held by the library. Immutable; any thread.

    Args:
        source: the path of a PNG or JPEG file, or an array of shape (height, width, 3) or (height, width) and type
            uint8. Rows may have gaps; other layouts are copied.
    """

    _release = "gar_image_release"

    def __init__(self, source: ImageLike) -> None:
        handle = Handle()
        if isinstance(source, np.ndarray):
            array = source
            if array.dtype != np.uint8:
                raise errors.InvalidArgumentError(f"image: has type {array.dtype}, expected uint8")
            if array.ndim == 2:
                array = np.repeat(array[:, :, None], 3, axis=2)
            if array.ndim != 3 or array.shape[2] != 3:
                raise errors.InvalidArgumentError(f"image: has shape {source.shape}, expected (height, width, 3)")
            height, width = array.shape[:2]
            rows_only = array.strides[2] == 1 and array.strides[1] == 3 and array.strides[0] >= 3 * width
            if not rows_only:
                array = np.ascontiguousarray(array)
            stride = array.strides[0] if height > 1 else 0
            check(lib.gar_image_create(pointer(array), width, height, stride, ctypes.byref(handle)))
        elif isinstance(source, (str, os.PathLike)):
            check(lib.gar_image_load(path(source), ctypes.byref(handle)))
        else:
            raise errors.InvalidArgumentError(f"image: is a {type(source).__name__}, expected a path or a numpy array")
        super().__init__(handle)

    @classmethod
    def decode(cls, data: bytes) -> Image:
        """A picture from the bytes of a PNG or JPEG file."""
        handle = Handle()
        buffer = np.frombuffer(data, dtype=np.uint8)
        check(lib.gar_image_decode(pointer(buffer), buffer.size, ctypes.byref(handle)))
        return cls._of(handle)

    @classmethod
    def _of(cls, handle: Handle) -> Image:
        image = cls.__new__(cls)
        Owned.__init__(image, handle)
        return image

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = ctypes.c_int32(), ctypes.c_int32()
        check(lib.gar_image_get_size(self._handle, ctypes.byref(width), ctypes.byref(height)))
        return width.value, height.value

    def array(self) -> np.ndarray:
        """A copy of the pixels, uint8 (height, width, 3)."""
        width, height = self.size
        pixels = np.empty((height, width, 3), np.uint8)
        count = ctypes.c_size_t()
        check(lib.gar_image_get_pixels(self._handle, pointer(pixels), pixels.size, ctypes.byref(count)))
        return pixels

    def save(self, file: str | os.PathLike[str]) -> None:
        """Writes a .png, .jpg or .jpeg file."""
        check(lib.gar_image_write(self._handle, path(file)))


def as_image(source: ImageLike) -> Image:
    """`source` as an Image, itself if it is one."""
    return source if isinstance(source, Image) else Image(source)
