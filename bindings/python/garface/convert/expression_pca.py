"""Exp_Pca.bin and std_exp.txt: expressions for the Basel model, as Deep3DFaceRecon and others use them.

Exp_Pca.bin: int32 K, then float32 mean (3N), then float32 components (K, 3N), little-endian, micrometres. std_exp.txt: K
standard deviations, separated by white space.
"""
from __future__ import annotations

import os
import pathlib

import numpy as np

from .problem import ConversionError
from .regular_file import read_regular

LARGEST_FILE = 1 << 31


def read_expression_pca(folder: str | os.PathLike[str], vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean expression (N, 3) and the basis (K, N, 3) for unit variance."""
    path = pathlib.Path(folder) / "Exp_Pca.bin"
    deviations = _deviations(pathlib.Path(folder) / "std_exp.txt")
    width = 3 * vertices
    data = read_regular(path, LARGEST_FILE)
    count = int(np.frombuffer(data[:4].ljust(4, b"\0"), "<i4")[0])
    expected = 4 + 4 * width * (1 + max(count, 0))
    if not 1 <= count <= 1000 or len(data) != expected:
        raise ConversionError(
            f"{path}: {len(data)} bytes and {count} components, but {count} components on {vertices} vertices take "
            f"{expected} bytes")
    values = np.frombuffer(data[4:], "<f4").astype(np.float64)
    if len(deviations) < count:
        raise ConversionError(f"{path}: has {count} components, but std_exp.txt only {len(deviations)} deviations")
    basis = values[width:].reshape(count, vertices, 3) * deviations[:count, None, None]
    return values[:width].reshape(vertices, 3), basis


def _deviations(path: pathlib.Path) -> np.ndarray:
    try:
        text = read_regular(path, 1 << 20, "a list of standard deviations has at most").decode("utf-8")
        return np.array([float(x) for x in text.split()])
    except ValueError:
        raise ConversionError(f"{path}: expected numbers separated by white space") from None
