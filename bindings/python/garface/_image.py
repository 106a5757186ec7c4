"""Pictures: whatever a caller has, as the library takes it."""
from __future__ import annotations

import ctypes
import os
from typing import Any, Union

import numpy as np

from . import errors
from ._library import Owned, check, lib, path, pointer, wrong
from ._signatures import Handle

def _over_white(pixels: np.ndarray) -> np.ndarray:
    """RGBA -> RGB, as files with alpha are read."""
    alpha = pixels[:, :, 3:].astype(np.uint32)
    return ((pixels[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _pixels_of(picture: Any, name: str) -> np.ndarray:
    """Of Pillow's: (height, width, 4), or (height, width) of one in 16 bits."""
    if picture.mode.startswith("I;16"):
        return ((np.asarray(picture).astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if picture.mode[:1] in ("I", "F"):
        raise errors.InvalidArgumentError(
            f"{name}: is a picture of mode {picture.mode}, expected one of 8 or 16 bits, such as RGB or I;16")
    return np.asarray(picture.convert("RGBA"))      # palettes may have alpha, too


ImageLike = Union[str, "os.PathLike[str]", np.ndarray, "Image"]


class Image(Owned):
    """An 8-bit RGB picture held by the library. Immutable; any thread.

    Args:
        source: the path of a PNG or JPEG file; an array of type uint8 and shape (height, width, 3), (height, width, 4) with
            alpha, which is laid over white, or (height, width) or (height, width, 1) in grey; or a picture of Pillow's, as
            it stands: what is found is in its own pixels, whatever its EXIF orientation says (files are turned upright). Rows may
            have gaps; other layouts are copied.
    """

    _release = "gar_image_release"
    _instead = "keep its pixels (image.array()), from which an Image can be made again"

    def __init__(self, source: ImageLike) -> None:
        super().__init__(self._read(source, "source"))

    @staticmethod
    def _read(source: ImageLike, name: str) -> Handle:
        handle = Handle()
        if hasattr(source, "getbands") and hasattr(source, "convert"):
            source = _pixels_of(source, name)
        if isinstance(source, np.ndarray):
            array = source
            if array.dtype != np.uint8:
                raise errors.InvalidArgumentError(f"{name}: has type {array.dtype}, expected uint8")
            if array.ndim == 2:
                array = array[:, :, None]
            if array.ndim == 3 and array.shape[2] == 4:
                array = _over_white(array)
            elif array.ndim == 3 and array.shape[2] == 1:
                array = np.repeat(array, 3, axis=2)
            if array.ndim != 3 or array.shape[2] != 3:
                raise errors.InvalidArgumentError(
                    f"{name}: has shape {source.shape}, expected (height, width, 3), with 4 or 1 for alpha or grey, or (height, width)")
            height, width = array.shape[:2]
            rows_only = array.strides[2] == 1 and array.strides[1] == 3 and array.strides[0] >= 3 * width
            if not rows_only:
                array = np.ascontiguousarray(array)
            stride = array.strides[0] if height > 1 else 0
            check(lib.gar_image_create(pointer(array), width, height, stride, ctypes.byref(handle)))
        elif isinstance(source, (str, os.PathLike)):
            check(lib.gar_image_load(path(source, name), ctypes.byref(handle)))
        else:
            raise wrong(name, source, "a path, a uint8 array (height, width, 3) or a picture of Pillow's")
        return handle

    @classmethod
    def decode(cls, data: bytes) -> Image:
        """A picture from the bytes of a PNG or JPEG file."""
        handle = Handle()
        try:
            buffer = np.frombuffer(data, dtype=np.uint8) if len(data) else np.zeros(0, np.uint8)
        except (TypeError, ValueError, AttributeError):
            raise wrong("data", data, "the bytes of a PNG or JPEG file") from None
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
        check(lib.gar_image_write(self._handle, path(file, "file")))


def as_image(source: ImageLike, name: str = "photo") -> Image:
    """`source`, the argument of that name, as an Image; itself if it is one."""
    return source if isinstance(source, Image) else Image._of(Image._read(source, name))
