"""Basel Face Model 2009: 01_MorphableModel.mat, and expressions fitted to it.

Fields shapeMU (3V x 1), shapePC (3V x K), shapeEV (K x 1, standard deviations), tl (F x 3, from 1); micrometres. The model
has no expressions. A folder with Exp_Pca.bin and std_exp.txt, as Deep3DFaceRecon's users have it, brings them: they are on
53215 of the 53490 vertices, which BFM_exp_idx.mat (trimIndex) in the same folder names.
"""
from __future__ import annotations

import os
import pathlib

import numpy as np

from .expression_pca import read_expression_pca
from .head_file import Head, check_indices
from .landmark_mapping import built_in
from .landmark_places import Places
from .mat_file import MatFile
from .problem import ConversionError

VERTICES = 53490


def read(source: str | os.PathLike[str], places: Places | None = None, expressions: str | None = None) -> Head:
    file = MatFile(source)
    mean = file.vertices("shapeMU")
    identity = file.basis("shapePC", len(mean), file.vector("shapeEV"))
    triangles = file.triangles("tl")
    check_indices(file.path, "triangles", triangles, len(mean))
    if places is None:
        if len(mean) != VERTICES:
            raise ConversionError(
                f"{file.path}: has {len(mean)} vertices, the published model {VERTICES}; its landmarks need a mapping "
                "(--landmarks FILE)")
        places = built_in("basel_2009")
    basis = np.zeros((0, len(mean), 3))
    if expressions is not None:
        offset, basis, kept = _expressions(expressions, len(mean))
        if kept is not None:
            # Vertices without expressions (rims and the throat) are left out.
            new = np.full(len(mean), -1, np.int64)
            new[kept] = np.arange(len(kept))
            mean, identity, triangles, places = mean[kept], identity[:, kept], new[triangles], _moved(places, new)
            triangles = triangles[(triangles >= 0).all(1)]
        mean = mean + offset
    return Head(
        source=file.path, family="basel-2009", description="Basel Face Model 2009 (University of Basel)", millimetres=1e-3,
        mean=mean, identity=identity, expression=basis, triangles=triangles,
        expression_names=[f"expression_{k}" for k in range(len(basis))], expression_prior="normal", places=places)


def _expressions(folder: str, vertices: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The mean expression (N, 3), the basis (K, N, 3), and which of the model's vertices they are on (None: all)."""
    index = pathlib.Path(folder) / "BFM_exp_idx.mat"
    kept = None
    if index.exists():
        file = MatFile(index)
        kept = file.indices(file.vector("trimIndex"), "trimIndex")
        check_indices(file.path, "trimIndex entries", kept, vertices)
    mean, basis = read_expression_pca(folder, vertices if kept is None else len(kept))
    return mean, basis, kept


def _moved(places: Places, new: np.ndarray) -> Places:
    """Landmarks by the new numbers of their vertices; those that lose a vertex are left to be estimated."""
    moved = {k: (tuple(int(new[v]) if v < len(new) else -1 for v in corners), w) for k, (corners, w) in places.known.items()}
    return Places({k: place for k, place in moved.items() if min(place[0]) >= 0})
