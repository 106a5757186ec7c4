"""The head model and poses."""
from __future__ import annotations

import ctypes
import functools
import json
import os
from typing import Any

import numpy as np

from ._library import Owned, check, floats, integer, lib, path, pointer, real, seed_number, text
from ._signatures import Handle


class HeadModel(Owned):
    """A 3D morphable model of the head, in millimetres. Immutable; any thread.

    Model space: x to the subject's left, y up, z out of the face. V vertices, I identity and E expression
    coefficients; identity has unit variance, expression lies in 0 to 1 (the default head and others whose
    `expression_prior` says so). `geometry` is linear, bilinear, or skinned: then the last expression coefficients are the
    turns of the joints, an axis times an angle in radians each.

    Args:
        file: a safetensors file of kind "head-model"; None takes the one inside the library.
    """

    _release = "gar_head_release"

    def __init__(self, file: str | os.PathLike[str] | None = None) -> None:
        handle = Handle()
        check(lib.gar_head_load(None if file is None else path(file, "file"), ctypes.byref(handle)))
        super().__init__(handle)
        sizes = [ctypes.c_int32() for _ in range(4)]
        check(lib.gar_head_get_sizes(handle, *map(ctypes.byref, sizes)))
        self.vertex_count, self.triangle_count, self.identity_count, self.expression_count = (s.value for s in sizes)

    @functools.cached_property
    def _info(self) -> dict[str, Any]:
        return json.loads(text(lib.gar_head_get_json, self._handle))

    @property
    def expression_names(self) -> list[str]:
        """Names of the E expression coefficients, in order."""
        return list(self._info["expression_names"])

    @property
    def geometry(self) -> str:
        """"linear", "bilinear" or "skinned"."""
        return str(self._info["geometry"])

    @property
    def expression_prior(self) -> str:
        """"unit-interval": expression coefficients lie in 0 to 1; "normal": they are deviations, about 0."""
        return str(self._info["expression_prior"])

    @property
    def family(self) -> str | None:
        """Whose coefficients these are, such as "flame"; None for the default head's, which the inverse network reads."""
        return self._info["family"]

    @property
    def part_names(self) -> list[str]:
        """Names of the parts that `parts` refers to."""
        return list(self._info["part_names"])

    @functools.cached_property
    def triangles(self) -> np.ndarray:
        """int32 (F, 3): vertex indices, counter-clockwise from outside."""
        out = np.empty((self.triangle_count, 3), np.int32)
        count = ctypes.c_size_t()
        check(lib.gar_head_get_triangles(self._handle, pointer(out), out.size, ctypes.byref(count)))
        out.flags.writeable = False
        return out

    @functools.cached_property
    def parts(self) -> np.ndarray:
        """uint8 (V,): for each vertex an index into `part_names`."""
        out = np.empty(self.vertex_count, np.uint8)
        count = ctypes.c_size_t()
        check(lib.gar_head_get_parts(self._handle, pointer(out), out.size, ctypes.byref(count)))
        out.flags.writeable = False
        return out

    @functools.cached_property
    def uvs(self) -> np.ndarray:
        """float32 (U, 2): texture coordinates, u right, v up, 0 to 1. A vertex on a seam has several rows.

        The layout that the model's file brings, as the default model's does, or else the mean head unwrapped, which takes
        about a second the first time.
        """
        count = ctypes.c_size_t()
        check(lib.gar_head_get_uvs(self._handle, None, 0, ctypes.byref(count)))
        out = np.empty((count.value // 2, 2), np.float32)
        check(lib.gar_head_get_uvs(self._handle, pointer(out), out.size, ctypes.byref(count)))
        out.flags.writeable = False
        return out

    @functools.cached_property
    def uv_triangles(self) -> np.ndarray:
        """int32 (F, 3): rows of `uvs` for the corners of `triangles`."""
        out = np.empty((self.triangle_count, 3), np.int32)
        count = ctypes.c_size_t()
        check(lib.gar_head_get_uv_triangles(self._handle, pointer(out), out.size, ctypes.byref(count)))
        out.flags.writeable = False
        return out

    def _vertices(self, value: Any, name: str = "vertices") -> np.ndarray:
        return floats(value, (self.vertex_count, 3), name)

    def _coefficients(self, identity: Any, expression: Any) -> tuple[np.ndarray, np.ndarray]:
        a = np.zeros(self.identity_count) if identity is None else identity
        b = np.zeros(self.expression_count) if expression is None else expression
        return floats(a, (self.identity_count,), "identity"), floats(b, (self.expression_count,), "expression")

    def evaluate(self, identity: Any = None, expression: Any = None) -> np.ndarray:
        """Vertices, float32 (V, 3), mm in model space.

        Args:
            identity: (I,) coefficients; None means the mean face.
            expression: (E,) coefficients; None means at rest.
        """
        a, b = self._coefficients(identity, expression)
        out = np.empty((self.vertex_count, 3), np.float32)
        check(lib.gar_head_evaluate(self._handle, pointer(a), pointer(b), pointer(out)))
        return out

    def evaluate_backward(
        self, d_vertices: Any, identity: Any = None, expression: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Gradients by identity (I,) and expression (E,), given the gradient by the vertices (V, 3).

        A linear head's do not depend on the coefficients; for others they are taken at `identity` and `expression`, None
        meaning zeros.
        """
        d_vertices = self._vertices(d_vertices, "d_vertices")
        at = self._coefficients(identity, expression)
        a, b = np.empty(self.identity_count, np.float32), np.empty(self.expression_count, np.float32)
        if self.geometry == "linear":
            check(lib.gar_head_evaluate_backward(self._handle, *map(pointer, (d_vertices, a, b))))
        else:
            check(lib.gar_head_evaluate_backward_at(self._handle, *map(pointer, (*at, d_vertices, a, b))))
        return a, b

    def normals(self, vertices: Any) -> np.ndarray:
        """Area-weighted unit normals, float32 (V, 3), of vertices (V, 3)."""
        vertices = self._vertices(vertices)
        out = np.empty_like(vertices)
        check(lib.gar_head_normals(self._handle, pointer(vertices), pointer(out)))
        return out

    def normals_backward(self, vertices: Any, d_normals: Any) -> np.ndarray:
        """The gradient by the vertices (V, 3), given the gradient by the normals (V, 3)."""
        vertices, d_normals = self._vertices(vertices), self._vertices(d_normals, "d_normals")
        out = np.empty_like(vertices)
        check(lib.gar_head_normals_backward(self._handle, pointer(vertices), pointer(d_normals), pointer(out)))
        return out

    def landmarks(self, vertices: Any) -> np.ndarray:
        """The model's own 68 landmarks, fixed to the surface: float32 (68, 3), in the space of the vertices (V, 3)."""
        vertices = self._vertices(vertices)
        out = np.empty((68, 3), np.float32)
        check(lib.gar_head_landmarks(self._handle, pointer(vertices), pointer(out)))
        return out

    def landmarks_backward(self, d_landmarks: Any) -> np.ndarray:
        """The gradient by the vertices (V, 3), given the gradient by the landmarks (68, 3)."""
        d_landmarks = floats(d_landmarks, (68, 3), "d_landmarks")
        out = np.empty((self.vertex_count, 3), np.float32)
        check(lib.gar_head_landmarks_backward(self._handle, pointer(d_landmarks), pointer(out)))
        return out

    def landmarks_contour(self, vertices: Any, yaw: float, pitch: float, roll: float) -> np.ndarray:
        """The 68 landmarks (68, 3) where people mark them, the jaw on the outline visible in a pose (degrees); model space."""
        vertices = self._vertices(vertices)
        out = np.empty((68, 3), np.float32)
        check(lib.gar_head_landmarks_contour(self._handle, pointer(vertices), *_angles(yaw, pitch, roll), pointer(out)))
        return out

    def sample(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """A random person: identity (I,) ~ N(0, 1) and an expression (E,) as real faces have it."""
        a, b = np.empty(self.identity_count, np.float32), np.empty(self.expression_count, np.float32)
        check(lib.gar_head_sample(self._handle, seed_number(seed), pointer(a), pointer(b)))
        return a, b

    def prior(self, identity: Any, expression: Any) -> tuple[float, np.ndarray, np.ndarray]:
        """Minus the log prior of coefficients, up to a constant, and its gradients (I,) and (E,)."""
        a = floats(identity, (self.identity_count,), "identity")
        b = floats(expression, (self.expression_count,), "expression")
        energy, da, db = np.empty(1, np.float32), np.empty_like(a), np.empty_like(b)
        check(lib.gar_head_prior(self._handle, *map(pointer, (a, b, energy, da, db))))
        return float(energy[0]), da, db

    def depth(
        self, vertices: Any, yaw: float = 0, pitch: float = 0, roll: float = 0, scale: float = 1,
        shift: tuple[float, float] = (0, 0), size: int = 256,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Depth (size, size) in mm in the aligned frame, NaN beside the head, and which vertices are visible, bool (V,).

        Angles in degrees; `scale` and `shift` (mm, right and up) place the head in the aligned frame.
        """
        vertices, pose = self._vertices(vertices), placed(yaw, pitch, roll, scale, shift)
        size = integer(size, "size", 1, 4096)
        depth, visible = np.empty((size, size), np.float32), np.empty(self.vertex_count, np.uint8)
        check(lib.gar_head_depth(self._handle, pointer(vertices), pointer(pose), size, pointer(depth), pointer(visible)))
        return depth, visible.astype(bool)

    def shade(
        self, vertices: Any, albedo: Any, light: Any, yaw: float = 0, pitch: float = 0, roll: float = 0, scale: float = 1,
        shift: tuple[float, float] = (0, 0), size: int = 256,
    ) -> np.ndarray:
        """The classical renderer: a picture (3, size, size) in -1 to 1 of vertex colours under spherical-harmonics light.

        Args:
            albedo: (V, 3) red, green, blue. light: (9, 3); the header's gar_head_shade states the basis.
            The others are those of `depth`.
        """
        vertices, pose = self._vertices(vertices), placed(yaw, pitch, roll, scale, shift)
        albedo, light = floats(albedo, (self.vertex_count, 3), "albedo"), floats(light, (9, 3), "light")
        size = integer(size, "size", 1, 2048)
        out = np.empty((3, size, size), np.float32)
        check(lib.gar_head_shade(self._handle, *map(pointer, (vertices, pose, albedo, light)), size, pointer(out)))
        return out


def placed(yaw: float, pitch: float, roll: float, scale: float, shift: Any) -> np.ndarray:
    """A pose as the library takes it, float32 (6,)."""
    return floats([*_angles(yaw, pitch, roll), real(scale, "scale"), *floats(shift, (2,), "shift")], (6,), "pose")


def _angles(yaw: float, pitch: float, roll: float) -> tuple[float, float, float]:
    return real(yaw, "yaw"), real(pitch, "pitch"), real(roll, "roll")


def pose_matrix(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """R = Rz(roll) Rx(-pitch) Ry(yaw), float32 (3, 3), from degrees; maps model to camera space."""
    out = np.empty((3, 3), np.float32)
    check(lib.gar_pose_matrix(*_angles(yaw, pitch, roll), pointer(out)))
    return out


def pose_angles(matrix: Any) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees of a rotation matrix (3, 3)."""
    matrix = floats(matrix, (3, 3), "matrix")
    angles = np.empty(3, np.float32)
    check(lib.gar_pose_angles(pointer(matrix), *(pointer(angles[i:]) for i in range(3))))
    return float(angles[0]), float(angles[1]), float(angles[2])
