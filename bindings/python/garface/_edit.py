"""Changing a reconstructed face, and rendering it again."""
from __future__ import annotations

import ctypes
import numbers as abstract
import os
from typing import TYPE_CHECKING, Any, Mapping

from . import _signatures as c
from . import errors
from ._image import as_image
from ._library import floats, instance, integer, lib, pointer, real, seed_number, wrong

if TYPE_CHECKING:
    from ._result import Result

_PICTURES = {"photo": c.CONSTANTS["GAR_PICTURE_PHOTO"], "render": c.CONSTANTS["GAR_PICTURE_RENDER"]}


def picture_kind(picture: str) -> int:
    if not isinstance(picture, str) or picture not in _PICTURES:
        raise wrong("picture", picture, f"one of {', '.join(_PICTURES)}")
    return _PICTURES[picture]


class EditOptions:
    """gar_edit, with what it points at kept alive. Arguments: see `Result.edit`."""

    def __init__(
        self,
        result: Result,
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
        rows: Any = None,
        w_plus: Any = None,
        look_seed: int | None = None,
        mix_seed: int | None = None,
        truncation: float = 0.7,
        look_gain: float = 1,
        detail: float = 1,
        into: Any = None,
    ) -> None:
        self.kept: list[Any] = []
        edit = self.struct = c.Edit()
        lib.gar_edit_init(ctypes.byref(edit))
        for name, angle in dict(yaw=yaw, pitch=pitch, roll=roll).items():
            if angle is not None:
                value = real(angle, name)
                if value != value:  # which would mean: keep
                    raise wrong(name, angle, "degrees")
                setattr(edit, name, value)
        edit.turn_yaw, edit.turn_pitch, edit.turn_roll = (float(v) for v in floats(turn, (3,), "turn"))
        if isinstance(expression, Mapping):
            edit.expressions = self._names(expression)
        elif expression is not None:
            edit.expression = self._array(expression, result.expression.shape, "expression")
        if identity is not None:
            edit.identity = self._array(identity, result.identity.shape, "identity")
        if w_plus is not None:
            if not result.w_plus.size:
                raise errors.InvalidArgumentError("w_plus: the face was fitted without GAR; give it a look by look_seed")
            edit.w_plus = self._array(w_plus, result.w_plus.shape, "w_plus")
        if other is not None:
            edit.other = instance(other, type(result), "other")._handle
            self.kept.append(other)
        given = dict(
            expression_gain=expression_gain, identity_gain=identity_gain, mix_identity=mix_identity, mix_expression=mix_expression,
            mix_look=mix_look, truncation=truncation, look_gain=look_gain, detail=detail)
        for name, value in given.items():
            setattr(edit, name, real(value, name))
        if rows is not None:
            try:
                first, end = rows
            except (TypeError, ValueError):
                raise wrong("rows", rows, "two whole numbers, (first, end)") from None
            edit.mix_row, edit.mix_row_end = integer(first, "rows", 0, 1000), integer(end, "rows", 1, 1000)
        for name, seed in dict(look_seed=look_seed, mix_seed=mix_seed).items():
            if seed is not None:
                number = ctypes.c_uint64(seed_number(seed, name))
                self.kept.append(number)
                setattr(edit, name, ctypes.pointer(number))
        if into is not None:
            image = as_image(into, "into")
            self.kept.append(image)
            edit.into = image._handle

    @property
    def reference(self) -> Any:
        return ctypes.byref(self.struct)

    def _array(self, value: Any, shape: tuple[int, ...], name: str) -> Any:
        array = floats(value, shape, name)
        self.kept.append(array)
        return pointer(array)

    @staticmethod
    def _names(expression: Mapping[str, float]) -> bytes | None:
        parts = []
        for name, value in expression.items():
            if not isinstance(name, str) or not name or any(mark in name for mark in "=,\0") or len(name.split()) != 1:
                raise wrong("expression", name, "names of expressions and their coefficients")
            if not isinstance(value, abstract.Real):
                raise wrong(f"expression[{name!r}]", value, "a number")
            number = float(value)
            if number != number or number in (float("inf"), float("-inf")):
                raise wrong(f"expression[{name!r}]", value, "a finite number")
            parts.append(f"{name}={number!r}")
        return ",".join(parts).encode("utf-8") or None


def sweep_text(sweep: Any) -> bytes:
    """"name=from:to:count", also from {name: (from, to, count)}."""
    expected = 'text such as "yaw=-20:20:9", or {"yaw": (-20, 20, 9)}'
    if isinstance(sweep, Mapping):
        parts = []
        for name, run in sweep.items():
            try:
                first, last, count = run
                parts.append(f"{name}={real(first, 'sweep')!r}:{real(last, 'sweep')!r}:{integer(count, 'sweep', 1, 1000)}")
            except (TypeError, ValueError) as problem:
                if isinstance(problem, errors.GarfaceError):
                    raise
                raise wrong("sweep", sweep, expected) from None
        sweep = ",".join(parts)
    if not isinstance(sweep, str) or "\0" in sweep or not sweep:
        raise wrong("sweep", sweep, expected)
    return sweep.encode("utf-8", "replace")
