"""Reads arrays, lists and dictionaries out of pickle files without running anything that the file asks for.

A pickle file names functions and classes to be called while it is read. Here every name stands for a class of this module
that only keeps what it is given: arrays, sparse matrices and chumpy's arrays are rebuilt from their bytes, all else stays an
`Inert` object that nobody calls. Nothing is imported.
"""
from __future__ import annotations

import io
import os
import pickle
import zipfile
from typing import Any

import numpy as np

from .problem import ConversionError
from .regular_file import read_regular

LARGEST_FILE = 1 << 31
LARGEST_UNPACKED = 1 << 32


class Inert:
    """What any class of the file becomes: it keeps its arguments and its state."""

    def __new__(cls, *arguments: Any, **_named: Any) -> "Inert":
        self = object.__new__(cls)
        self.arguments, self.state = arguments, None
        return self

    def __init__(self, *_arguments: Any, **_named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    # Lists and dictionaries of unknown classes may be filled; what with does not matter.
    def append(self, _item: Any) -> None: ...
    def extend(self, _items: Any) -> None: ...
    def __setitem__(self, _key: Any, _value: Any) -> None: ...
    def add(self, _item: Any) -> None: ...


class DType(Inert):
    """numpy.dtype: (name, ...) and a state that has the byte order."""

    def value(self) -> np.dtype | None:
        """None for anything but plain numbers; the string "O" for objects is not a number either."""
        name = self.arguments[0] if self.arguments else None
        if isinstance(name, bytes):
            name = name.decode("latin1")
        if not isinstance(name, str) or name not in PLAIN:
            return None
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "="
        if isinstance(order, bytes):
            order = order.decode("latin1")
        return np.dtype(PLAIN[name]).newbyteorder(order if order in ("<", ">") else "=")

    def is_object(self) -> bool:
        return bool(self.arguments) and self.arguments[0] in ("O", "O4", "O8", b"O8")


PLAIN = {name: name for name in ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")}


class Array(Inert):
    """numpy.ndarray: (version, shape, dtype, whether columns come first, bytes)."""

    def value(self) -> Any:
        """The array; a list for one of objects; None where the state is of no known kind."""
        state = self.state
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], DType):
            return None
        _, shape, kind, by_columns, raw = state
        if kind.is_object():
            return raw if isinstance(raw, list) else None
        return _array(kind, shape, by_columns, raw)


class FromBuffer(Inert):
    """numpy's way since protocol 5: (bytes, dtype, shape, order)."""

    def value(self) -> Any:
        if len(self.arguments) != 4 or not isinstance(self.arguments[1], DType):
            return None
        raw, kind, shape, order = self.arguments
        return _array(kind, shape, order == "F", raw)


class Sparse(Inert):
    """scipy's compressed sparse columns: a state with data, indices, indptr and a shape."""

    def value(self) -> Any:
        state = self.state if isinstance(self.state, dict) else {}
        state = {k.decode("latin1") if isinstance(k, bytes) else k: v for k, v in state.items()}
        shape = state.get("_shape", state.get("shape"))
        parts = [plain(state.get(name)) for name in ("data", "indices", "indptr")]
        if not _is_shape(shape, 2) or any(not isinstance(p, np.ndarray) or p.ndim != 1 for p in parts):
            return None
        data, rows, starts = parts
        sound = (
            rows.dtype.kind in "iu" and starts.dtype.kind in "iu" and len(starts) == shape[1] + 1 and len(data) == len(rows)
            and shape[0] * shape[1] <= 1 << 28 and (len(rows) == 0 or (0 <= rows.min() and rows.max() < shape[0]))
            and starts[0] == 0 and starts[-1] == len(data) and (np.diff(starts.astype(np.int64)) >= 0).all())
        if not sound:
            return None
        dense = np.zeros(shape)
        np.add.at(dense, (rows, np.repeat(np.arange(shape[1]), np.diff(starts.astype(np.int64)))), data)
        return dense


class Chumpy(Inert):
    """chumpy's arrays: a state whose x is the array."""

    def value(self) -> Any:
        state = self.state if isinstance(self.state, dict) else {}
        return plain(state.get("x", state.get(b"x")))


class Encoded(Inert):
    """_codecs.encode(text, "latin1"): how old protocols write bytes."""

    def value(self) -> Any:
        text = self.arguments[0] if self.arguments else None
        return text.encode("latin1", "replace") if isinstance(text, str) else None


class Reconstructed(Inert):
    """copy_reg._reconstructor(class, ...): becomes an object of that class."""

    def __new__(cls, *arguments: Any, **_named: Any) -> Inert:
        made = arguments[0] if arguments else None
        return made() if isinstance(made, type) and issubclass(made, Inert) else Inert(*arguments)


class ReconstructedArray(Inert):
    """numpy's _reconstruct(class, shape, type): becomes an array that waits for its state."""

    def __new__(cls, *arguments: Any, **_named: Any) -> Inert:
        return Array(*arguments)


class Scalar(Inert):
    """numpy.core.multiarray.scalar(dtype, bytes)."""

    def value(self) -> Any:
        if len(self.arguments) != 2 or not isinstance(self.arguments[0], DType):
            return None
        return _array(self.arguments[0], (), False, self.arguments[1])


def _stand_in(module: str, name: str) -> type:
    """The class of this module that stands for a name of the file."""
    package = module.split(".")[0]
    if package == "chumpy":
        return Chumpy
    if package == "numpy":
        return {
            "dtype": DType, "ndarray": Array, "_reconstruct": ReconstructedArray, "_frombuffer": FromBuffer, "scalar": Scalar,
        }.get(name, Inert)
    if package == "scipy":
        return Sparse if name == "csc_matrix" else Inert
    if (module, name) == ("_codecs", "encode"):
        return Encoded
    if (module, name) in (("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor")):
        return Reconstructed
    return Inert


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        return _stand_in(module, name)

    def persistent_load(self, _identity: Any) -> Inert:
        return Inert()


def _is_shape(shape: Any, rank: int | None = None) -> bool:
    return (
        isinstance(shape, tuple) and len(shape) <= 8 and (rank is None or len(shape) == rank)
        and all(isinstance(n, int) and 0 <= n <= 1 << 31 for n in shape))


def _array(kind: DType, shape: Any, by_columns: Any, raw: Any) -> np.ndarray | None:
    dtype = kind.value()
    raw = plain(raw)
    if isinstance(raw, str):
        raw = raw.encode("latin1", "replace")
    if dtype is None or not _is_shape(shape) or not isinstance(raw, (bytes, bytearray)):
        return None
    count = 1
    for n in shape:
        count *= n
    if count * dtype.itemsize != len(raw):
        return None
    flat = np.frombuffer(raw, dtype)
    return flat.reshape(shape[::-1]).T if by_columns else flat.reshape(shape)


def plain(value: Any) -> Any:
    """A stand-in as what it stands for (None where it stands for nothing plain); anything else as it is."""
    if isinstance(value, Inert):
        return value.value() if hasattr(value, "value") else None
    return None if isinstance(value, type) else value


def read_pickle(data: bytes, source: str) -> Any:
    """What the bytes of a pickle hold, inert."""
    try:
        return plain(_Reader(io.BytesIO(data), encoding="latin1").load())
    except Exception as problem:  # damaged bytes lead the reader to errors of every kind
        raise ConversionError(f"{source}: is not a pickle file, or damaged: {problem}") from None


def read_fields(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The named values of a .pkl, .npz or .npy file, inert; numbers as arrays, what cannot be read as None."""
    source = os.fspath(path)
    data = read_regular(path, LARGEST_FILE)
    if data[:4] == b"PK\x03\x04":
        return _npz(data, source)
    found = _npy(data, source) if data[:6] == b"\x93NUMPY" else read_pickle(data, source)
    if isinstance(found, list) and len(found) == 1:
        found = plain(found[0])     # an array of no dimensions that holds the dictionary
    if not isinstance(found, dict):
        raise ConversionError(f"{source}: expected named fields (a dictionary)")
    return {k.decode("latin1") if isinstance(k, bytes) else str(k): plain(v) for k, v in found.items()}


def _npz(data: bytes, source: str) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST_UNPACKED:
            raise ConversionError(f"{source}: has {size} bytes when unpacked, expected at most {LARGEST_UNPACKED}")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            fields = {}
            for name in file.files:
                try:
                    fields[name] = file[name]
                except ValueError:      # an array of objects, which is a pickle
                    fields[name] = None
            return fields
    except ConversionError:
        raise
    except Exception as problem:
        raise ConversionError(f"{source}: is not a .npz file, or damaged: {problem}") from None


def _npy(data: bytes, source: str) -> Any:
    """A .npy file of objects: numpy's header, then a pickle."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, _, dtype = read_header(file)
    except Exception as problem:
        raise ConversionError(f"{source}: is not a .npy file, or damaged: {problem}") from None
    if not dtype.hasobject:
        raise ConversionError(f"{source}: expected named fields (a dictionary), found an array of {dtype}")
    return read_pickle(data[file.tell():], source)
