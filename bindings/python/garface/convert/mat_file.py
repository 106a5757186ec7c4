"""Fields of MATLAB files, by name and shape.

The format (versions 5 to 7, the default of MATLAB and of scipy) is read here and not by scipy, whose reader crashes the
process on some damaged files. Every size is held against what is there before it is used; what is no array of real numbers is
stepped over.
"""
from __future__ import annotations

import os
import struct
import zlib

import numpy as np

from .problem import ConversionError
from .regular_file import read_regular

LARGEST_FILE = 1 << 31
LARGEST_FIELD = 1 << 32     # bytes, when unpacked

# How numbers are stored, and which class of array they become.
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
MATRIX, COMPRESSED = 14, 15
COMPLEX = 0x800


class _Damaged(Exception):
    pass


class MatFile:
    """A .mat file before version 7.3 (those are HDF5 inside, and are refused with what to do)."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        data = read_regular(path, LARGEST_FILE)
        if data[512:520] == b"\x89HDF\r\n\x1a\n" or data[:8] == b"\x89HDF\r\n\x1a\n":
            raise ConversionError(f"{self.path}: is a .mat file of version 7.3; save it again with -v7")
        # Arrays of real numbers; None for fields that hold something else.
        self.fields: dict[str, np.ndarray | None] = {}
        try:
            if len(data) < 128 or data[126:128] not in (b"IM", b"MI"):
                raise _Damaged("it does not begin as one of version 5 to 7 does")
            order = "<" if data[126:128] == b"IM" else ">"
            position = 128
            while position < len(data):
                kind, body, position = _element(memoryview(data), position, order)
                if kind == COMPRESSED:
                    kind, body = _unpacked(body, order)
                if kind == MATRIX:
                    name, value = _matrix(body, order)
                    self.fields[name] = value
        except _Damaged as problem:
            raise ConversionError(f"{self.path}: is not a MATLAB file, or damaged: {problem}") from None
        except MemoryError:
            raise ConversionError(f"{self.path}: there is not enough memory for its fields") from None

    def numbers(self, name: str) -> np.ndarray:
        """A field of real numbers, of any shape."""
        if name not in self.fields:
            there = ", ".join(sorted(self.fields)) or "none"
            raise ConversionError(f"{self.path}: field \"{name}\" is missing; the fields are: {there}")
        value = self.fields[name]
        if value is None:
            raise ConversionError(f"{self.path}: field \"{name}\" does not hold real numbers")
        return value

    def vector(self, name: str, count: int | None = None) -> np.ndarray:
        """A field with one dimension that counts, which may stand or lie."""
        value = self.numbers(name)
        if max(value.shape, default=0) != value.size or (count is not None and value.size != count):
            wanted = "a row or column" + ("" if count is None else f" of {count} numbers")
            raise ConversionError(f"{self.path}: field \"{name}\" has shape {value.shape}, expected {wanted}")
        return value.reshape(-1)

    def matrix(self, name: str, rows: int | None, columns: int | None) -> np.ndarray:
        value = self.numbers(name)
        fits = value.ndim == 2 and all(w is None or w == n for w, n in zip((rows, columns), value.shape))
        if not fits:
            shown = " x ".join("any" if n is None else str(n) for n in (rows, columns))
            raise ConversionError(f"{self.path}: field \"{name}\" has shape {value.shape}, expected {shown}")
        return value

    def vertices(self, name: str) -> np.ndarray:
        """x y z x y z ... as (V, 3)."""
        value = self.vector(name)
        if value.size == 0 or value.size % 3:
            raise ConversionError(f"{self.path}: field \"{name}\" has {value.size} numbers, expected three for each vertex")
        return value.reshape(-1, 3).astype(np.float64)

    def basis(self, name: str, vertices: int, deviations: np.ndarray | None = None) -> np.ndarray:
        """Columns of x y z x y z ... as (K, V, 3), each times its deviation."""
        value = self.matrix(name, 3 * vertices, None).astype(np.float64)
        if deviations is not None:
            if deviations.size != value.shape[1]:
                raise ConversionError(
                    f"{self.path}: field \"{name}\" has {value.shape[1]} columns but there are {deviations.size} deviations")
            value = value * deviations
        return value.T.reshape(-1, vertices, 3)

    def indices(self, value: np.ndarray, name: str) -> np.ndarray:
        """Numbers that count from 1, as MATLAB's do and mostly as floating point, as int64 from 0."""
        if not (np.isfinite(value).all() and (value == np.rint(value)).all() and (np.abs(value.astype(np.float64)) < 2**31).all()):
            raise ConversionError(f"{self.path}: field \"{name}\" holds values that are not whole numbers of vertices")
        return value.astype(np.int64) - 1

    def triangles(self, name: str) -> np.ndarray:
        """(F, 3) vertex numbers from 0."""
        return self.indices(self.matrix(name, None, 3), name)


def _element(data: memoryview, position: int, order: str) -> tuple[int, memoryview, int]:
    """An element's kind and bytes, and where the next one begins."""
    if position + 8 > len(data):
        raise _Damaged(f"an element begins at byte {position}, and there are {len(data)}")
    kind, size = struct.unpack_from(order + "II", data, position)
    if kind >> 16:                                  # up to four bytes, in the tag itself
        kind, size = kind & 0xFFFF, kind >> 16
        if size > 4:
            raise _Damaged(f"a small element claims {size} bytes")
        return kind, data[position + 4 : position + 4 + size], position + 8
    start = position + 8
    if size > len(data) - start:
        raise _Damaged(f"an element claims {size} bytes at byte {start}, and there are {len(data)}")
    padding = 0 if kind == COMPRESSED else -size % 8
    return kind, data[start : start + size], start + size + padding


def _unpacked(body: memoryview, order: str) -> tuple[int, memoryview]:
    """The one element of compressed bytes, which says its size first."""
    inflater = zlib.decompressobj()
    try:
        tag = inflater.decompress(body, 8)
        if len(tag) < 8:
            raise _Damaged("a compressed field ends before its size")
        kind, size = struct.unpack(order + "II", tag)
        # Deflate makes nothing smaller than a 1032nd.
        if size > LARGEST_FIELD or size > 1032 * len(body) + 64:
            raise _Damaged(f"a compressed field of {len(body)} bytes claims {size}")
        content = inflater.decompress(inflater.unconsumed_tail, size) if size else b""
    except zlib.error as problem:
        raise _Damaged(f"a compressed field: {problem}") from None
    if len(content) < size:
        raise _Damaged(f"a compressed field claims {size} bytes and has {len(content)}")
    return kind, memoryview(content)


def _matrix(body: memoryview, order: str) -> tuple[str, np.ndarray | None]:
    """A field's name, and its numbers where it holds real ones."""
    kind, flags, position = _element(body, 0, order)
    if kind != 6 or len(flags) != 8:
        raise _Damaged("a field has no flags")
    (flag,) = struct.unpack_from(order + "I", flags)
    kind, dimensions, position = _element(body, position, order)
    if kind != 5 or len(dimensions) % 4 or not 8 <= len(dimensions) <= 32:
        raise _Damaged("a field has no dimensions, or more than eight")
    shape = struct.unpack(f"{order}{len(dimensions) // 4}i", dimensions)
    kind, name, position = _element(body, position, order)
    if kind not in (1, 2, 16):
        raise _Damaged("a field has no name")
    label = bytes(name).decode("utf-8", "replace")
    if flag & 0xFF not in CLASSES or flag & COMPLEX:
        return label, None
    kind, numbers, _ = _element(body, position, order)
    count = 1
    for n in shape:
        count *= n
        if n < 0 or count > LARGEST_FIELD:
            raise _Damaged(f"field \"{label}\" has shape {shape}")
    if kind not in STORED or count * np.dtype(STORED[kind]).itemsize != len(numbers):
        raise _Damaged(f"field \"{label}\" has shape {shape} and {len(numbers)} bytes")
    # Written in the smallest kind that holds the values; columns come first.
    stored = np.frombuffer(numbers, order + STORED[kind])
    return label, stored.astype(CLASSES[flag & 0xFF]).reshape(shape, order="F")
