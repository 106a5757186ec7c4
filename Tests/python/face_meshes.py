"""Small faces for tests of converters: no published model may be in the repository."""
import json
import struct

import numpy as np

from garface.convert.landmark_places import reference_points


class SmallFace:
    """A bulge of 15 x 18 vertices with the landmarks of a face, in mm, x left, y up, z out; random modes."""

    def __init__(self, identities=3, expressions=2, seed=0):
        random = np.random.default_rng(seed)
        x, y = np.meshgrid(np.linspace(-82, 82, 15), np.linspace(-95, 75, 18))
        x, y = x.ravel() + random.uniform(-2, 2, x.size), y.ravel() + random.uniform(-2, 2, y.size)
        self.mean = np.stack([x, y, 70 - x * x / 90 - y * y / 250], 1)
        rows = np.arange(18 * 15).reshape(18, 15)
        a, b, c, d = (r.ravel() for r in (rows[:-1, :-1], rows[:-1, 1:], rows[1:, 1:], rows[1:, :-1]))
        self.triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
        self.identity = random.normal(0, 2, (identities, len(x), 3))
        self.expression = random.normal(0, 1, (expressions, len(x), 3))
        self.landmarks = np.array([((self.mean[:, :2] - p[:2]) ** 2).sum(1).argmin() for p in reference_points()])

    def mapping(self, path, without=()):
        lines = [f"{k} {v}" for k, v in enumerate(self.landmarks) if k not in without]
        path.write_text("# landmark vertex\n" + "\n".join(lines) + "\n")
        return path


def expected_vertices(face, file, a, b, landmarks=None):
    """What the library must give for a converted face: its own arrays, moved to the head model's origin."""
    points = face.mean[face.landmarks if landmarks is None else landmarks]
    shift = reference_points()[17:].mean(0) - points[17:].mean(0)
    assert np.allclose(description(file)["origin_shift_mm"], shift, atol=1e-3)
    return face.mean + shift + np.tensordot(a, face.identity, 1) + np.tensordot(b, face.expression, 1)


def description(file):
    """The garface entry of a safetensors file."""
    data = file.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["garface"])


def cereal_matrix(m):
    m = np.atleast_2d(np.asarray(m, "<f4"))
    return struct.pack("<ii", *m.shape) + m.T.tobytes()


def cereal_triangles(t):
    return struct.pack("<Q", len(t)) + np.asarray(t, "<i4").tobytes()
