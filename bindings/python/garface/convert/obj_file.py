"""Vertices and faces of OBJ files."""
from __future__ import annotations

import os

import numpy as np

from .problem import ConversionError
from .regular_file import read_regular

LARGEST_FILE = 1 << 28


def read_obj(path: str | os.PathLike[str], faces: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and triangles (F, 3) from 0; polygons become fans. Texture coordinates, normals, groups are skipped."""
    lines = read_regular(path, LARGEST_FILE).decode("utf-8", "replace").splitlines()
    vertices: list[list[float]] = []
    triangles: list[tuple[int, int, int]] = []
    for number, line in enumerate(lines, 1):
        try:
            if line.startswith("v "):
                x, y, z = line.split()[1:4]
                vertices.append([float(x), float(y), float(z)])
            elif faces and line.startswith("f "):
                corners = [int(word.split("/")[0]) for word in line.split()[1:]]
                corners = [c - 1 if c > 0 else len(vertices) + c if c < 0 else -1 for c in corners]
                if len(corners) < 3 or min(corners) < 0 or max(corners) >= 1 << 31:
                    raise ValueError
                triangles += [(corners[0], b, c) for b, c in zip(corners[1:], corners[2:])]
        except ValueError:
            raise ConversionError(f"{path}: line {number}: expected a vertex (v x y z) or a face (f a b c)") from None
    return np.array(vertices, np.float64).reshape(-1, 3), np.array(triangles, np.int64).reshape(-1, 3)
