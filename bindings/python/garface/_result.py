"""A reconstructed face as numpy arrays."""
from __future__ import annotations

import ctypes
import functools
import json
import os
from typing import Any, Iterable

import numpy as np

from . import errors
from ._edit import EditOptions, picture_kind, sweep_text
from ._image import Image, ImageLike, as_image
from ._library import Owned, check, integer, lib, path, pointer, text, wrong
from ._models import Models, as_models
from ._progress import Progress, ProgressBridge
from ._signatures import CONSTANTS, Handle

_FILES = {
    name[len("GAR_WRITE_") :].lower(): value for name, value in CONSTANTS.items() if name.startswith("GAR_WRITE_")
}


def selection(files: Iterable[str]) -> int:
    """The sum of GAR_WRITE_... of names."""
    expected = f"some of {', '.join(_FILES)}"
    try:
        names = [files] if isinstance(files, str) else list(files)
    except TypeError:
        raise wrong("files", files, expected) from None
    if not names:
        raise wrong("files", files, expected)
    chosen = 0
    for name in names:
        if not isinstance(name, str) or name not in _FILES:
            raise errors.InvalidArgumentError(f"files: no {name!r}; expected {expected}")
        chosen |= _FILES[name]
    return chosen


class Result(Owned):
    """A reconstructed face. Immutable; any thread. Arrays are float32, read-only and made when first asked for.

    V vertices, I identity and E expression coefficients. Model space: mm, x to the subject's left, y up, z out of the
    face. Camera space: model space turned by the pose. Photo pixels: u right, v down, pixel centres at whole numbers.
    """

    _release = "gar_result_release"
    _instead = "write its files (result.write(folder)) or keep its arrays (result.vertices, result.parameters, ...)"

    def _array(self, name: str) -> np.ndarray:
        which = CONSTANTS["GAR_ARRAY_" + name]
        rank, shape = ctypes.c_int32(), (ctypes.c_int32 * 3)()
        check(lib.gar_result_get_shape(self._handle, which, ctypes.byref(rank), shape))
        out = np.empty(tuple(shape)[: rank.value], np.float32)
        count = ctypes.c_size_t()
        if out.size:
            check(lib.gar_result_get_array(self._handle, which, pointer(out), out.size, ctypes.byref(count)))
        out.flags.writeable = False
        return out

    @functools.cached_property
    def identity(self) -> np.ndarray:
        """(I,) identity coefficients, unit variance."""
        return self._array("IDENTITY")

    @functools.cached_property
    def expression(self) -> np.ndarray:
        """(E,) expression coefficients, 0 to 1."""
        return self._array("EXPRESSION")

    @functools.cached_property
    def pose(self) -> np.ndarray:
        """(3,) yaw, pitch and roll in degrees."""
        return self._array("POSE")

    @property
    def yaw(self) -> float:
        """Degrees, positive when the subject turns to their left."""
        return float(self.pose[0])

    @property
    def pitch(self) -> float:
        """Degrees, positive when the subject looks up."""
        return float(self.pose[1])

    @property
    def roll(self) -> float:
        """Degrees, positive counter-clockwise in the picture."""
        return float(self.pose[2])

    @property
    def gaze(self) -> tuple[float, float] | None:
        """Where the eyes look, degrees against the head: to its left, and up.

        None where the photo does not tell: eyes shut or hidden, glasses that mirror.
        """
        yaw, pitch = self._array("GAZE")
        return None if np.isnan(yaw) else (float(yaw), float(pitch))

    @functools.cached_property
    def camera(self) -> np.ndarray:
        """(3, 4): (u, v, depth) = camera @ (x, y, z, 1), from model mm to photo pixels."""
        return self._array("CAMERA")

    @functools.cached_property
    def w_plus(self) -> np.ndarray:
        """(R, L) styles of the renderer; empty where GAR took no part."""
        return self._array("WPLUS")

    @functools.cached_property
    def noise(self) -> np.ndarray:
        """Flat noise maps of the renderer, coarse to fine; empty where they are not used."""
        return self._array("NOISE")

    @functools.cached_property
    def landmarks(self) -> np.ndarray:
        """(68, 2) photo pixels, where people mark them: the jaw on the visible contour."""
        return self._array("LANDMARKS")

    @functools.cached_property
    def landmarks_static(self) -> np.ndarray:
        """(68, 2) photo pixels, the head model's own, fixed to the surface."""
        return self._array("LANDMARKS_STATIC")

    @functools.cached_property
    def landmarks_3d(self) -> np.ndarray:
        """(68, 3) fixed to the surface, mm in model space."""
        return self._array("LANDMARKS_3D")

    @functools.cached_property
    def vertices(self) -> np.ndarray:
        """(V, 3) with expression, mm in model space."""
        return self._array("VERTICES")

    @functools.cached_property
    def vertices_posed(self) -> np.ndarray:
        """(V, 3) with expression, mm in camera space."""
        return self._array("VERTICES_POSED")

    @functools.cached_property
    def vertices_neutral(self) -> np.ndarray:
        """(V, 3) without expression, mm in model space."""
        return self._array("VERTICES_NEUTRAL")

    @functools.cached_property
    def normals_posed(self) -> np.ndarray:
        """(V, 3) unit normals in camera space."""
        return self._array("NORMALS_POSED")

    @functools.cached_property
    def normal_map(self) -> np.ndarray:
        """(h, w, 3) unit normals in camera space on the photo's pixels; 0 beside the head.

        Photos above 2048 pixels a side are reduced by a whole number.
        """
        return self._array("NORMAL_MAP")

    @functools.cached_property
    def depth_map(self) -> np.ndarray:
        """(h, w) mm towards the viewer, 0 at the model's origin; NaN beside the head. Pixels as `normal_map`."""
        return self._array("DEPTH_MAP")

    @functools.cached_property
    def position_map(self) -> np.ndarray:
        """(h, w, 3) the model-space point, mm, with expression, under each pixel of `depth_map`; NaN beside the head."""
        return self._array("POSITION_MAP")

    @functools.cached_property
    def part_map(self) -> np.ndarray:
        """(h, w) index into `HeadModel.part_names` for each pixel of `depth_map`; -1 beside the head."""
        return self._array("PART_MAP")

    @functools.cached_property
    def covered_map(self) -> np.ndarray:
        """(h, w) 0 to 1: how far something else (a hand, a mask, sunglasses) covers what each pixel of `depth_map` shows of the head;
        0 beside it. What is covered is neither fitted nor painted on the texture: the renderer says what is below."""
        return self._array("COVERED_MAP")

    @property
    def covered_share(self) -> float:
        """How much of the face something else covers, 0 to 1, by area in the photo."""
        return float(self.parameters["covered_share"])

    @functools.cached_property
    def colours(self) -> np.ndarray:
        """(V, 3) red, green, blue, 0 to 1 (sRGB): the texture at the vertices."""
        return self._array("COLOURS")

    @functools.cached_property
    def visibility(self) -> np.ndarray:
        """(V,) 0 to 1: how far the photo shows the vertex and gives its colour."""
        return self._array("VISIBILITY")

    @functools.cached_property
    def uv_position_map(self) -> np.ndarray:
        """(1024, 1024, 3) points of the surface, mm, laid out as `texture`; NaN beside the islands."""
        return self._array("UV_POSITION_MAP")

    @functools.cached_property
    def uv_normal_map(self) -> np.ndarray:
        """(1024, 1024, 3) unit normals in model space, laid out as `texture`; 0 beside the islands."""
        return self._array("UV_NORMAL_MAP")

    @functools.cached_property
    def uv_part_map(self) -> np.ndarray:
        """(1024, 1024) index into `HeadModel.part_names`, laid out as `texture`; -1 beside the islands."""
        return self._array("UV_PART_MAP")

    @functools.cached_property
    def uv_visibility(self) -> np.ndarray:
        """(1024, 1024) 0 to 1: how much of each texel of `texture` is the photo."""
        return self._array("UV_VISIBILITY")

    @functools.cached_property
    def triangles(self) -> np.ndarray:
        """int32 (F, 3) vertex indices, counter-clockwise from outside."""
        count = ctypes.c_size_t()
        check(lib.gar_result_get_triangles(self._handle, None, 0, ctypes.byref(count)))
        out = np.empty((count.value // 3, 3), np.int32)
        check(lib.gar_result_get_triangles(self._handle, pointer(out), out.size, ctypes.byref(count)))
        out.flags.writeable = False
        return out

    def _picture(self, name: str) -> np.ndarray:
        handle = Handle()
        check(lib.gar_result_get_picture(self._handle, CONSTANTS["GAR_PICTURE_" + name], ctypes.byref(handle)))
        with Image._of(handle) as image:
            return image.array()

    @functools.cached_property
    def crop(self) -> np.ndarray:
        """uint8 (S, S, 3): the photo in the aligned frame."""
        return self._picture("CROP")

    @functools.cached_property
    def render(self) -> np.ndarray | None:
        """uint8 (S, S, 3): what the renderer made, in the aligned frame; None where none took part."""
        _ = self._handle  # closed is another matter than not there
        try:
            return self._picture("RENDER")
        except errors.InvalidArgumentError:
            return None

    @functools.cached_property
    def overlay(self) -> np.ndarray:
        """uint8 (h, w, 3): photo, mesh over photo, normals and render side by side."""
        return self._picture("OVERLAY")

    @functools.cached_property
    def texture(self) -> np.ndarray:
        """uint8 (1024, 1024, 3): the head's surface, laid out as `HeadModel.uvs` says; the top row is v = 1.

        The photo where it shows the head, completed by its mirror image (the other half of a head of two sides), by GAR
        (where it took part) and by colour carried on from there; eyeballs in rings around the line of sight.
        """
        return self._picture("TEXTURE")

    @property
    def photo(self) -> np.ndarray:
        """uint8 (h, w, 3): the photo; of an edited face, the photo with it."""
        return self._picture("PHOTO")

    def edit(
        self,
        *,
        yaw: float | None = None,
        pitch: float | None = None,
        roll: float | None = None,
        turn: Any = (0, 0, 0),
        expression: Any = None,
        expression_gain: float = 1,
        identity: Any = None,
        identity_gain: float = 1,
        other: Result | None = None,
        mix_identity: float = 0,
        mix_expression: float = 0,
        mix_look: float = 0,
        rows: tuple[int, int] | None = None,
        w_plus: Any = None,
        look_seed: int | None = None,
        mix_seed: int | None = None,
        truncation: float = 0.7,
        look_gain: float = 1,
        detail: float = 1,
        into: ImageLike | None = None,
    ) -> Result:
        """The face changed, rendered again through GAR and put back into its photo: a result like any other.

            >>> happier = result.edit(yaw=10, expression={"mouthSmile": 0.8})
            >>> happier.photo, happier.render, happier.vertices

        What is not given stays. Identity, expression and look are made in this order: what there is, or what replaces
        it; mixed with the other's; times a gain; and single expressions last.

        Args:
            yaw, pitch, roll: degrees in the photo; None keeps. turn: degrees added to them.
            expression: {name: coefficient}, a name without its _L or _R meaning both, and ARKit's names; or all coefficients,
                (E,). A named blink takes, by its share, eyeWide and eyeLookUp from its eye, unless they are named as well.
            identity: (I,) coefficients.
            expression_gain: 0 is the face at rest, above 1 exaggerated. identity_gain: 0 is the mean face.
            other: whose identity, expression and look are mixed in, as far as `mix_identity`, `mix_expression` and
                `mix_look` say: 0 not at all, 1 all the way.
            rows: (first, end) of w+, coarse to fine, that the other look takes part in; None for all.
            w_plus: (R, L) styles. look_seed: a random look (z) instead.
            mix_seed: seeds the look that `mix_look` mixes in; with `look_seed` z is mixed, else w+.
            truncation: how far random looks go from the mean, 0 to 1.
            look_gain: times the distance of w+ from the mean; less than 1 calms down a closely fitted look in other poses.
            detail: how much of the photo's detail goes along, 0 to 1.
            into: the photo to put the face into, of the same size, such as one in which another face was edited.
        """
        given = {name: value for name, value in locals().items() if name != "self"}
        options = EditOptions(self, **given)
        handle = Handle()
        check(lib.gar_result_edit(self._handle, options.reference, ctypes.byref(handle)))
        return Result(handle)

    def sweep(
        self,
        sweep: Any,
        *,
        picture: str = "photo",
        folder: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
        **edit: Any,
    ) -> np.ndarray:
        """An edit whose numbers run from one value to another: the pictures side by side, uint8 (h, w, 3).

            >>> strip = result.sweep("yaw=-20:20:9,jawOpen=0:0.5", mix_identity=0.5, other=friend)

        Args:
            sweep: "name=from:to:count", both ends included, or {name: (from, to, count)}; several run together. Names:
                yaw, pitch, roll, an expression, identity, expression and look (the gains), mix-identity, mix-expression,
                mix-look.
            picture: "photo", cut to the face in the strip, or "render".
            folder: receives the whole pictures as frame_0001.png, ..., and frames.json, which names them. Frames of an earlier
                sweep are replaced or removed; a picture that no sweep wrote is never, and one in the way is refused.
            progress: as for `reconstruct`.
            edit: what is changed in all pictures, as for `edit`.
        """
        options = EditOptions(self, **edit)
        bridge = ProgressBridge(progress)
        handle = Handle()
        bridge.check(
            lib.gar_result_sweep(
                self._handle, options.reference, sweep_text(sweep), picture_kind(picture),
                None if folder is None else path(folder, "folder"), bridge.callback, None, ctypes.byref(handle)))
        with Image._of(handle) as image:
            return image.array()

    def glb(self) -> bytes:
        """The head as a binary glTF file: metres, y up; texture inside, expressions as named morph targets, eyes that turn."""
        count = ctypes.c_size_t()
        # A buffer that is large enough at once: asking for the size costs as much as the file.
        out = np.empty(1 << 25, np.uint8)
        status = lib.gar_result_get_glb(self._handle, pointer(out), out.size, ctypes.byref(count))
        if status == CONSTANTS["GAR_BUFFER_TOO_SMALL"]:
            out = np.empty(count.value, np.uint8)
            status = lib.gar_result_get_glb(self._handle, pointer(out), out.size, ctypes.byref(count))
        check(status)
        return out[: count.value].tobytes()

    @functools.cached_property
    def parameters(self) -> dict[str, Any]:
        """Everything that parameters.json holds: parameters, camera, timing, losses."""
        return json.loads(text(lib.gar_result_get_json, self._handle))

    @property
    def converged(self) -> bool:
        """False where the last stage ended with a higher energy than it began with: the fit diverged."""
        return self.parameters["converged"]

    @property
    def face_probability(self) -> float:
        """0 to 1: what the inverse network thinks of the place that was looked at. A masked face may still be sure, and one that was
        loaded counts as 1."""
        return self.parameters["face_probability"]

    @property
    def stages(self) -> list[dict[str, Any]]:
        """For every stage its iterations, why it ended, and its energy at the start and at the end."""
        return self.parameters["stages"]

    @property
    def history(self) -> list[dict[str, Any]]:
        """For every iteration its stage and every term of the energy."""
        return self.parameters["losses"]

    def write(self, folder: str | os.PathLike[str], files: Iterable[str] = ("standard",)) -> None:
        """Writes files into a folder, all or none.

        A render.png that an earlier result left there goes where pictures are written and this result has none. A file
        that the photo was read from is not written over: that is an InvalidArgumentError.

        Args:
            files: of "parameters", "landmarks", "obj", "ply", "maps", "pictures", "overlay", "texture", "glb", "arrays",
                "standard" (everything but the arrays, which are large) and "all". The header's GAR_WRITE_... says what each is.
        """
        check(lib.gar_result_write(self._handle, path(folder, "folder"), selection(files)))


def load_result(
    file: str | os.PathLike[str], photo: ImageLike | None = None, *, models: Models | None = None
) -> Result:
    """A result that was written before, to be edited, written anew or fitted further (`Fit(photo, start=...)`).

    Args:
        file: parameters.safetensors as `Result.write` and the tool write it.
        photo: the one it was reconstructed from; None makes a grey one with the render in it.
        models: those it was made with; None takes the models inside the library.
    """
    models = as_models(models)
    image = None if photo is None else as_image(photo)
    handle = Handle()
    check(
        lib.gar_result_load(
            models._handle, path(file, "file"), None if image is None else image._handle, ctypes.byref(handle)))
    return Result(handle)


def write_view(folder: str | os.PathLike[str], face: int = 0) -> None:
    """Makes view.html in the folder of a result: one page to look at it in a browser, without network.

    Args:
        folder: as `Result.write` and `reconstruct_file` fill it ("standard" or "all" files).
        face: where names open with face1_, face2_, ... (`all_faces`), which one; 0 otherwise.
    """
    check(lib.gar_view_write(path(folder, "folder"), integer(face, "face", 0, 2**31 - 1)))
