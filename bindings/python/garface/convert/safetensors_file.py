"""Reads and writes safetensors files."""
from __future__ import annotations

import json
import os
import pathlib
import struct
from typing import Iterable, Mapping

import numpy as np

DTYPES = {"float16": "F16", "float32": "F32", "int32": "I32", "uint8": "U8"}


def write_safetensors(path: str | os.PathLike[str], tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Writes {name: array} with the metadata of {name: str}, whole or not at all; data starts at a multiple of 8 bytes."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    offset = 0
    for name, array in tensors.items():
        end = offset + array.nbytes
        header[name] = {"dtype": DTYPES[str(array.dtype)], "shape": list(array.shape), "data_offsets": [offset, end]}
        offset = end
    _write(path, header, (np.ascontiguousarray(a).tobytes() for a in tensors.values()))


def _write(path: str | os.PathLike[str], header: Mapping[str, object], pieces: Iterable[bytes]) -> None:
    """The file as a whole or not at all."""
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    target = pathlib.Path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as f:
            f.write(struct.pack("<Q", len(text)) + text)
            for piece in pieces:
                f.write(piece)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _read(path: str | os.PathLike[str]) -> tuple[dict, bytes]:
    with open(path, "rb") as f:
        return json.loads(f.read(struct.unpack("<Q", f.read(8))[0])), f.read()


def tensor_names(path: str | os.PathLike[str]) -> list[str]:
    return [name for name in _read(path)[0] if name != "__metadata__"]


def read_tensor(path: str | os.PathLike[str], name: str) -> np.ndarray:
    """One tensor of a file that the library has read without complaint."""
    header, data = _read(path)
    begin, end = header[name]["data_offsets"]
    kind = next(numpy for numpy, stored in DTYPES.items() if stored == header[name]["dtype"])
    return np.frombuffer(data[begin:end], kind).reshape(header[name]["shape"])


def add_tensors(path: str | os.PathLike[str], tensors: Mapping[str, np.ndarray]) -> None:
    """Appends tensors to a file, in one step."""
    header, data = _read(path)
    for name, array in tensors.items():
        end = len(data) + array.nbytes
        header[name] = {"dtype": DTYPES[str(array.dtype)], "shape": list(array.shape), "data_offsets": [len(data), end]}
        data += np.ascontiguousarray(array).tobytes()
    _write(path, header, [data])
