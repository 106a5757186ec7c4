"""Fields of MATLAB files, by name and shape."""
from __future__ import annotations

import os
from typing import Any

import numpy as np

from .problem import ConversionError


class MatFile:
    """A .mat file before version 7.3 (scipy reads those; HDF5 ones are refused with what to do)."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from scipy.io import loadmat

        self.path = os.fspath(path)
        try:
            self.fields: dict[str, Any] = loadmat(self.path)
        except OSError as problem:
            raise ConversionError(f"{self.path}: cannot be read: {problem.strerror or problem}") from None
        except NotImplementedError:
            raise ConversionError(f"{self.path}: is a .mat file of version 7.3; save it again with -v7") from None
        except Exception as problem:  # scipy's reader raises whatever damaged bytes lead it to
            raise ConversionError(f"{self.path}: is not a MATLAB file, or damaged: {problem}") from None

    def numbers(self, name: str) -> np.ndarray:
        """A field of real numbers, of any shape."""
        if name not in self.fields:
            there = ", ".join(sorted(k for k in self.fields if not k.startswith("__"))) or "none"
            raise ConversionError(f"{self.path}: field \"{name}\" is missing; the fields are: {there}")
        value = np.asarray(self.fields[name])
        if value.dtype.kind not in "biuf":
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

    def triangles(self, name: str) -> np.ndarray:
        """(F, 3) vertex numbers, which count from 1 in MATLAB, as numbers from 0."""
        return self.matrix(name, None, 3).astype(np.int64) - 1
