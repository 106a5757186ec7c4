"""FaceWarehouse as a bilinear model in a .mat file.

The collection publishes meshes; who made a .mat of them chose its names. Looked for is the one field of three dimensions:
3V numbers (x y z x y z ...), identities and expressions, in this order or with the 3V last; expression 0 is the face at rest.
Identities are people, or, with a field `identity_factors` (people x identities), the core of a decomposition whose people have
those factors. The faces are a field tri, triangles, faces or f (from 1, three or four vertices each), or an OBJ file. The unit
is a decimetre. Out come identity modes of unit variance, expressions from 0 to 1, and their products.
"""
from __future__ import annotations

import os

import numpy as np

from .head_file import MOST_MODES, Head
from .landmark_places import Places
from .mat_file import MatFile
from .obj_file import read_obj
from .problem import ConversionError

MODES = 50
FACES = ("tri", "triangles", "faces", "f")


def read(
    source: str | os.PathLike[str], places: Places | None = None, mesh: str | os.PathLike[str] | None = None
) -> Head:
    file = MatFile(source)
    tensor = _tensor(file)
    people, expressions, width = tensor.shape
    if places is None:
        raise ConversionError(f"{file.path}: no landmark mapping of this model is published; give one (--landmarks FILE)")
    factors = np.eye(people)
    if "identity_factors" in file.fields:
        factors = file.matrix("identity_factors", None, people).astype(np.float64)
    if len(factors) < 2:
        raise ConversionError(f"{file.path}: {len(factors)} people; identity modes need at least 2")
    middle = np.einsum("p,pex->ex", factors.mean(0), tensor)
    modes = np.einsum("kp,pex->kex", _identity_modes(tensor, factors), tensor)
    vertices = width // 3
    return Head(
        source=file.path, family="facewarehouse", description="FaceWarehouse (Zhejiang University)", millimetres=100.0,
        mean=middle[0].reshape(vertices, 3), identity=modes[:, 0].reshape(-1, vertices, 3),
        expression=(middle[1:] - middle[0]).reshape(-1, vertices, 3), triangles=_triangles(file, mesh),
        expression_names=[f"expression_{k}" for k in range(1, expressions)], expression_prior="unit-interval", places=places,
        cross=(modes[:, 1:] - modes[:, :1]).reshape(len(modes), expressions - 1, vertices, 3))


def _tensor(file: MatFile) -> np.ndarray:
    """(people, expressions, 3V)."""
    names = [k for k, v in file.fields.items() if isinstance(v, np.ndarray) and v.ndim == 3 and v.dtype.kind in "iuf"]
    if len(names) != 1:
        raise ConversionError(f"{file.path}: has {len(names)} fields of three dimensions, expected one")
    tensor = file.numbers(names[0]).astype(np.float64)
    if tensor.shape[0] == max(tensor.shape):
        tensor = np.moveaxis(tensor, 0, 2)
    people, expressions, width = tensor.shape
    if width != max(tensor.shape) or width % 3 or expressions < 2 or people < 1 or expressions > MOST_MODES:
        raise ConversionError(
            f"{file.path}: field \"{names[0]}\" has shape {file.fields[names[0]].shape}, expected 3 x vertices, identities and at least 2 "
            "expressions")
    if not np.isfinite(tensor).all():
        raise ConversionError(f"{file.path}: field \"{names[0]}\" holds values that are not finite")
    return tensor


def _identity_modes(tensor: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """(K, people): weights of the tensor's identities that make modes of unit variance, largest first."""
    centred = factors - factors.mean(0)
    flat = tensor.reshape(len(tensor), -1)
    products = centred @ (flat @ flat.T) @ centred.T
    values, vectors = np.linalg.eigh(products)
    order = np.argsort(values)[::-1]
    kept = [k for k in order[:MODES] if values[k] > 1e-10 * max(values[order[0]], 1e-30)]
    return vectors[:, kept].T @ centred / np.sqrt(len(factors) - 1)


def _triangles(file: MatFile, mesh: str | os.PathLike[str] | None) -> np.ndarray:
    if mesh is not None:
        return read_obj(mesh)[1]
    for name in FACES:
        if name in file.fields:
            faces = file.indices(file.matrix(name, None, None), name)
            if faces.shape[1] == 4:
                return np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]])
            if faces.shape[1] == 3:
                return faces
            raise ConversionError(f"{file.path}: field \"{name}\" has shape {faces.shape}, expected three or four vertices a face")
    raise ConversionError(f"{file.path}: has no faces (a field {', '.join(FACES)}); give an OBJ file (--mesh)")
