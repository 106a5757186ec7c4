"""Writes safetensors files."""
from __future__ import annotations

import json
import os
import pathlib
import struct
from typing import Mapping

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
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    target = pathlib.Path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as f:
            f.write(struct.pack("<Q", len(text)) + text)
            for array in tensors.values():
                f.write(np.ascontiguousarray(array).tobytes())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
