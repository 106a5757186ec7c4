"""Values of a cereal binary archive, as eos writes its models: little-endian, without names or gaps."""
from __future__ import annotations

import os
import struct

import numpy as np

from .problem import ConversionError
from .regular_file import read_regular

LARGEST_FILE = 1 << 31


class CerealFile:
    """Reads one value after the other; every size is held against what is left of the file before it is used."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.data = read_regular(path, LARGEST_FILE)
        self.position = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.position

    def take(self, count: int, what: str) -> bytes:
        if not 0 <= count <= self.left:
            raise ConversionError(
                f"{self.path}: {what} needs {count} bytes at byte {self.position}, and {self.left} are left; it is truncated, or not "
                "a model as eos writes them")
        self.position += count
        return self.data[self.position - count : self.position]

    def number(self, layout: str, what: str) -> int:
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout), what))[0]

    def peek(self, layout: str) -> tuple[int, ...] | None:
        """Numbers ahead, left where they are; None at the end."""
        size = struct.calcsize("<" + layout)
        return struct.unpack_from("<" + layout, self.data, self.position) if size <= self.left else None

    def count(self, element: int, what: str) -> int:
        """How many elements of at least that many bytes follow."""
        count = self.number("Q", what)
        if count * element > self.left:
            raise ConversionError(f"{self.path}: {what} claims {count} elements, more than the file holds")
        return count

    def text(self, what: str) -> str:
        return self.take(self.count(1, what), what).decode("utf-8", "replace")

    def matrix(self, what: str) -> np.ndarray:
        """An Eigen matrix of floats: int32 rows and columns, then columns one after the other."""
        rows, columns = self.number("i", what), self.number("i", what)
        if rows < 0 or columns < 0:
            raise ConversionError(f"{self.path}: {what} claims {rows} x {columns} numbers")
        values = np.frombuffer(self.take(4 * rows * columns, what), "<f4")
        return values.reshape(columns, rows).T

    def triangles(self, what: str) -> np.ndarray:
        """(F, 3) int32."""
        return np.frombuffer(self.take(12 * self.count(12, what), what), "<i4").reshape(-1, 3).astype(np.int64)
