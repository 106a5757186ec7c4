"""Binary glTF, read strictly."""
import json
import struct

import numpy as np


def gltf(file):
    """A strict little reader of binary glTF: the document, and a function that gives an accessor's numbers."""
    magic, version, length = struct.unpack_from("<4sII", file)
    assert (magic, version, length) == (b"glTF", 2, len(file))
    size, kind = struct.unpack_from("<I4s", file, 12)
    assert kind == b"JSON" and size % 4 == 0
    document = json.loads(file[20:20 + size])
    binary_size, kind = struct.unpack_from("<I4s", file, 20 + size)
    assert kind == b"BIN\0" and binary_size % 4 == 0 and 28 + size + binary_size == len(file)
    binary = file[28 + size:]
    assert 0 <= binary_size - document["buffers"][0]["byteLength"] < 4

    def view(index, count, dtype, width):
        v = document["bufferViews"][index]
        assert v["byteOffset"] % 4 == 0 and v["byteOffset"] + v["byteLength"] <= document["buffers"][0]["byteLength"]
        assert v["byteLength"] == count * width * np.dtype(dtype).itemsize
        return np.frombuffer(binary, dtype, count * width, v["byteOffset"]).reshape(count, width)

    def numbers(index):
        a = document["accessors"][index]
        dtype, width = {5126: "<f4", 5125: "<u4"}[a["componentType"]], {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}[a["type"]]
        if "bufferView" in a:
            out = view(a["bufferView"], a["count"], dtype, width)
        else:
            out = np.zeros((a["count"], width), dtype)
        if "sparse" in a:
            s = a["sparse"]
            rows = view(s["indices"]["bufferView"], s["count"], "<u4", 1)[:, 0].astype(int)
            assert s["count"] >= 1 and (np.diff(rows) > 0).all() and rows[-1] < a["count"]
            assert "target" not in document["bufferViews"][s["indices"]["bufferView"]]
            out[rows] = view(s["values"]["bufferView"], s["count"], dtype, width)
        if "min" in a:
            assert np.array_equal(out.min(axis=0), np.float32(a["min"])) and np.array_equal(out.max(axis=0), np.float32(a["max"]))
        return out

    def image(index):
        v = document["bufferViews"][document["images"][index]["bufferView"]]
        return binary[v["byteOffset"]:v["byteOffset"] + v["byteLength"]]

    return document, numbers, image
