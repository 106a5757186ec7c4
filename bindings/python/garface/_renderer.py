"""GAR: normal maps, styles and noise in, a picture out, with gradients."""
from __future__ import annotations

import ctypes
import functools
import json
import os
from typing import Any

import numpy as np

from ._head import HeadModel, placed
from ._image import Image
from . import errors
from ._library import Owned, check, floats, instance, integer, lib, numbers, path, pointer, real, seed_number, text, wrong
from ._signatures import CONSTANTS, Handle

PRECISIONS = {"single": CONSTANTS["GAR_PRECISION_SINGLE"], "bfloat16": CONSTANTS["GAR_PRECISION_BFLOAT16"]}


class Renderer(Owned):
    """A generative adversarial renderer. It holds working memory: one thread at a time.

    `size` pixels a side, `latent` numbers in z and w, `rows` rows in w+. The pyramid of normal maps and the noise maps
    come as flat arrays: [3, r, r] for r = 4, 8, ... size, and [r, r] for 4, 8, 8, 16, 16, ... size, size;
    `split_normals` and `split_noise` give views of the single maps.

    Args:
        file: a safetensors file of kind "gar"; None takes the one inside the library.
        precision: in what convolutions multiply: "single", or "bfloat16", which takes about a quarter less time and is off
            by 0.003 on average (of values from -1 to 1), gradients by a tenth. InvalidArgumentError where processor or renderer cannot.
    """

    _release = "gar_renderer_release"

    def __init__(self, file: str | os.PathLike[str] | None = None, precision: str = "single") -> None:
        if not isinstance(precision, str) or precision not in PRECISIONS:
            raise wrong("precision", precision, f"one of {', '.join(PRECISIONS)}")
        handle = Handle()
        check(lib.gar_renderer_load(None if file is None else path(file, "file"), ctypes.byref(handle)))
        super().__init__(handle)
        check(lib.gar_renderer_set_precision(handle, PRECISIONS[precision]))
        sizes = [ctypes.c_int32() for _ in range(5)]
        check(lib.gar_renderer_get_sizes(handle, *map(ctypes.byref, sizes)))
        self.size, self.latent, self.rows, self.normal_count, self.noise_count = (s.value for s in sizes)

    @functools.cached_property
    def configuration(self) -> dict[str, Any]:
        """Sizes, channels, the aligned frame and how normals are sampled."""
        return json.loads(text(lib.gar_renderer_get_json, self._handle))

    @property
    def mean_w(self) -> np.ndarray:
        """The mean w, float32 (latent,)."""
        out = np.empty(self.latent, np.float32)
        check(lib.gar_renderer_get_mean_w(self._handle, pointer(out)))
        return out

    def sample_z(self, seed: int) -> np.ndarray:
        """z ~ N(0, 1), float32 (latent,), from a seed."""
        out = np.empty(self.latent, np.float32)
        check(lib.gar_renderer_sample_z(self._handle, seed_number(seed), pointer(out)))
        return out

    def map(self, z: Any, truncation: float = 1.0) -> np.ndarray:
        """w (latent,) of z (latent,): mean + truncation * (mapping(z) - mean)."""
        z, out = floats(z, (self.latent,), "z"), np.empty(self.latent, np.float32)
        check(lib.gar_renderer_map(self._handle, pointer(z), real(truncation, "truncation"), pointer(out)))
        return out

    def map_backward(self, z: Any, d_w: Any, truncation: float = 1.0) -> np.ndarray:
        """The gradient by z (latent,), given the gradient by w (latent,)."""
        z, d_w = floats(z, (self.latent,), "z"), floats(d_w, (self.latent,), "d_w")
        out = np.empty(self.latent, np.float32)
        truncation = real(truncation, "truncation")
        check(lib.gar_renderer_map_backward(self._handle, pointer(z), truncation, pointer(d_w), pointer(out)))
        return out

    def w_plus(self, w: Any) -> np.ndarray:
        """w+ (rows, latent) with the same w (latent,) in every row."""
        return np.repeat(floats(w, (self.latent,), "w")[None], self.rows, axis=0)

    def mix(self, first: Any, second: Any, row: int) -> np.ndarray:
        """Style mixing, float32 (rows, latent): rows before `row` from the first w+, those from it on from the second.

        The first rows style the coarse layers of the picture, the last ones the fine layers.

        Args:
            first, second: w+ (rows, latent), or w (latent,) for the same w in every row.
            row: 0 to `rows`.
        """
        first, second = self._rows_of(first, "first"), self._rows_of(second, "second")
        out = np.empty((self.rows, self.latent), np.float32)
        row = integer(row, "row", 0, self.rows)
        check(lib.gar_renderer_mix(self._handle, pointer(first), pointer(second), row, pointer(out)))
        return out

    def _rows_of(self, value: Any, name: str) -> np.ndarray:
        """w+ (rows, latent) of a w+, or of a w (latent,) for every row."""
        array = numbers(value, name, f"numbers of shape {(self.rows, self.latent)} or {(self.latent,)}")
        if array.ndim == 1:
            array = np.repeat(floats(array, (self.latent,), name)[None], self.rows, axis=0)
        return floats(array, (self.rows, self.latent), name)

    def sample_noise(self, seed: int) -> np.ndarray:
        """Gaussian noise maps, flat float32 (noise_count,), from a seed."""
        out = np.empty(self.noise_count, np.float32)
        check(lib.gar_renderer_sample_noise(self._handle, seed_number(seed), pointer(out)))
        return out

    def rasterize(
        self, head: HeadModel, vertices: Any, yaw: float = 0, pitch: float = 0, roll: float = 0, scale: float = 1,
        shift: tuple[float, float] = (0, 0),
    ) -> np.ndarray:
        """The pyramid of camera-space normal maps, flat float32 (normal_count,), of vertices (V, 3) in mm.

        Angles in degrees; `scale` and `shift` (mm, right and up) place the head in the aligned frame.
        """
        vertices = floats(vertices, (instance(head, HeadModel, "head").vertex_count, 3), "vertices")
        pose = placed(yaw, pitch, roll, scale, shift)
        out = np.empty(self.normal_count, np.float32)
        check(lib.gar_renderer_rasterize(self._handle, head._handle, pointer(vertices), pointer(pose), pointer(out)))
        self._vertex_count = head.vertex_count
        return out

    def rasterize_backward(self, d_normals: Any) -> tuple[np.ndarray, np.ndarray]:
        """Gradients by vertices (V, 3) and by yaw, pitch, roll, scale, shift (6,) of the last `rasterize`."""
        d_normals = floats(d_normals, (self.normal_count,), "d_normals")
        d_vertices = np.zeros((getattr(self, "_vertex_count", 0), 3), np.float32)
        d_pose = np.empty(6, np.float32)
        check(lib.gar_renderer_rasterize_backward(self._handle, pointer(d_normals), pointer(d_vertices), pointer(d_pose)))
        return d_vertices, d_pose

    def render(self, w_plus: Any, normals: Any, noise: Any = None) -> np.ndarray:
        """A picture, float32 (3, size, size) in -1 to 1.

        Args:
            w_plus: (rows, latent), or (latent,) for the same w in every row.
            normals: the pyramid, flat (normal_count,).
            noise: the maps, flat (noise_count,); None for none.
        """
        w_plus = self._rows_of(w_plus, "w_plus")
        normals = floats(normals, (self.normal_count,), "normals")
        noise = None if noise is None else floats(noise, (self.noise_count,), "noise")
        out = np.empty((3, self.size, self.size), np.float32)
        check(lib.gar_renderer_render(self._handle, pointer(w_plus), pointer(normals), pointer(noise), pointer(out)))
        return out

    def render_backward(self, d_picture: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Gradients by w+ (rows, latent), normals (normal_count,) and noise (noise_count,) of the last `render`."""
        d_picture = floats(d_picture, (3, self.size, self.size), "d_picture")
        d_w = np.empty((self.rows, self.latent), np.float32)
        d_normals, d_noise = np.empty(self.normal_count, np.float32), np.empty(self.noise_count, np.float32)
        check(lib.gar_renderer_render_backward(self._handle, *map(pointer, (d_picture, d_w, d_normals, d_noise))))
        return d_w, d_normals, d_noise

    def split_normals(self, normals: np.ndarray) -> list[np.ndarray]:
        """Views (3, r, r) of the maps of a flat pyramid, r = 4, 8, ... size."""
        return _split(normals, "normals", [(3, 4 << i, 4 << i) for i in range(self.rows // 2)])

    def split_noise(self, noise: np.ndarray) -> list[np.ndarray]:
        """Views (r, r) of flat noise maps, one per layer."""
        return _split(noise, "noise", [(4 << ((i + 1) // 2),) * 2 for i in range(self.rows - 1)])


def _split(flat: np.ndarray, name: str, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    flat, total = numbers(flat, name), sum(int(np.prod(shape)) for shape in shapes)
    if flat.shape != (total,):
        raise errors.InvalidArgumentError(f"{name}: has shape {flat.shape}, expected {(total,)}")
    views, start = [], 0
    for shape in shapes:
        count = int(np.prod(shape))
        views.append(flat[start : start + count].reshape(shape))
        start += count
    return views


def image_from_picture(picture: Any) -> Image:
    """An 8-bit image of a picture (3, height, width) in -1 to 1, as `Renderer.render` gives it."""
    array = numbers(picture, "picture", "numbers of shape (3, height, width)")
    if array.ndim != 3:
        raise errors.InvalidArgumentError(f"picture: has shape {array.shape}, expected (3, height, width)")
    array = floats(array, (3, *array.shape[1:]), "picture")
    height, width = array.shape[1:]
    handle = Handle()
    check(lib.gar_image_from_picture(pointer(array), width, height, ctypes.byref(handle)))
    return Image._of(handle)
