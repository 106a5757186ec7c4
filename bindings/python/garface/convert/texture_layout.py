"""Stores the texture layout that the library makes for a head model in the model's file.

    python -m garface.convert.texture_layout head.safetensors

Without it the library unwraps the mean head anew whenever it is first asked for a texture, which takes about a second; with
it, textures stay exchangeable whatever later versions unwrap. A file that has a layout keeps it.
"""
import argparse
import json
import os
import struct

import numpy as np

from garface import HeadModel

from .safetensors_file import DTYPES


def add_tensors(path, tensors):
    """Appends tensors to a safetensors file, in one step."""
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header, data = json.loads(f.read(size)), f.read()
    for name, array in tensors.items():
        end = len(data) + array.nbytes
        header[name] = {"dtype": DTYPES[str(array.dtype)], "shape": list(array.shape), "data_offsets": [len(data), end]}
        data += np.ascontiguousarray(array).tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(f"{path}.part", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)
    os.replace(f"{path}.part", path)


def store(path):
    """True where a layout was added."""
    with open(path, "rb") as f:
        if "uv" in json.loads(f.read(struct.unpack("<Q", f.read(8))[0])):
            return False
    head = HeadModel(path)
    add_tensors(path, {"uv": head.uvs, "uv_triangles": head.uv_triangles})
    return True


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("file")
    print("stored" if store(p.parse_args().file) else "has a layout already")


if __name__ == "__main__":
    main()
