"""Writes the corpus that the fuzzers start from: a small sound file of every kind that is read.

    PYTHONPATH=bindings/python:Tests/python python3 Tests/fuzz/make_corpus.py [FOLDER]     Tests/fuzz/corpus unless given

The files are committed, so that a run of the fuzzers does not depend on scipy's or h5py's way of writing. Run it again where
a format changes. Pictures and random networks are those of the other tests.
"""
import pathlib
import pickle
import sys

import h5py
import numpy as np
import scipy.io
import scipy.sparse

import garface
from face_meshes import SmallFace
from garface.convert.__main__ import convert
import test_convert_flame as flame_layout
import test_convert_linear as linear_layout

ROOT = pathlib.Path(__file__).resolve().parents[2]


def small(face):
    """The same face with fewer modes: mutations should hit sizes and indices, not displacements."""
    face.identity, face.expression = face.identity[:1], face.expression[:1]
    return face


def converters(folder):
    folder.mkdir(parents=True, exist_ok=True)
    face = small(SmallFace())
    face.mapping(folder / "mapping.txt")
    linear_layout.write_2009(face, folder / "basel-2009.mat")
    linear_layout.write_h5(face, folder / "basel-2017.h5")
    flat = linear_layout.flat
    scipy.io.savemat(folder / "deep3d.mat", {
        "meanshape": face.mean.reshape(1, -1) / 100, "idBase": flat(face.identity) / 100, "exBase": flat(face.expression) / 100,
        "tri": face.triangles + 1, "keypoints": np.array(face.landmarks)[None] + 1}, do_compression=True)
    (folder / "surrey.bin").write_bytes(
        np.uint32(1).tobytes() + linear_layout.cereal_pca(face.mean, face.identity, face.triangles) + linear_layout.EMPTY
        + np.uint64(0).tobytes())
    (folder / "surrey-blendshapes.bin").write_bytes(linear_layout.blendshapes(face))
    people = np.stack([face.mean + 0.3 * k * face.identity[0] for k in range(3)])
    tensor = np.stack([people, people + face.expression[0]], 1).reshape(3, 2, -1).transpose(2, 0, 1) / 100
    scipy.io.savemat(folder / "facewarehouse.mat", {"bilinear": tensor.astype(np.float32), "tri": face.triangles + 1})
    ict = folder / "ict"
    ict.mkdir(exist_ok=True)
    rows = np.arange(18 * 15).reshape(18, 15)
    quads = np.stack([rows[:-1, :-1], rows[:-1, 1:], rows[1:, 1:], rows[1:, :-1]], -1).reshape(-1, 4)
    linear_layout.write_obj(ict / "generic_neutral_mesh.obj", np.round(face.mean / 10, 2), quads)

    model = flame_layout.SmallFlame()
    fields = {name: value.astype(np.float32) if value.dtype == np.float64 else value for name, value in model.fields().items()}
    fields["posedirs"] = np.zeros_like(fields["posedirs"])
    with flame_layout.chumpy() as ch:
        published = {**fields, "J_regressor": scipy.sparse.csc_matrix(model.regressor), "bs_style": "lbs"}
        published.update({name: ch(fields[name]) for name in ("v_template", "weights")})
        (folder / "flame.pkl").write_bytes(pickle.dumps(published, protocol=2))
    np.savez_compressed(folder / "flame.npz", **fields)
    faces, weights = flame_layout.embedding(model.face, range(17, 68))
    (folder / "flame-embedding.pkl").write_bytes(pickle.dumps({"lmk_face_idx": faces, "lmk_b_coords": weights}, protocol=2))


def heads(folder, sources):
    folder.mkdir(parents=True, exist_ok=True)
    mapping = sources / "mapping.txt"
    convert("basel-2017", sources / "basel-2017.h5", folder / "linear.safetensors", landmarks=mapping)
    convert("facewarehouse", sources / "facewarehouse.mat", folder / "bilinear.safetensors", landmarks=mapping)
    convert("flame", sources / "flame.pkl", folder / "skinned.safetensors", landmarks=mapping, shapes=flame_layout.SHAPES)


def texts(folder):
    points = garface.HeadModel().landmarks(garface.HeadModel().evaluate())[:, :2]
    pts = "\n".join(f"{x:.2f} {y:.2f}" for x, y in points)
    (folder / "landmarks").mkdir(parents=True, exist_ok=True)
    (folder / "landmarks/face.pts").write_text(f"version: 1\nn_points: 68\n{{\n{pts}\n}}\n")
    (folder / "landmarks/five.txt").write_text("# five\n30.5,40 0.9\n70 40 1\n50;60\n35\t80\n65 80 1e-3\n")
    (folder / "landmarks/line.txt").write_text("1 2 3 4 5 6 7 8 9 10\n")
    (folder / "schedule").mkdir(parents=True, exist_ok=True)
    import json
    for renderer in ("gar", "sh", "landmarks"):
        (folder / f"schedule/{renderer}.json").write_text(json.dumps(garface.standard_schedule(renderer)))
    (folder / "view").mkdir(parents=True, exist_ok=True)
    (folder / "view/parameters.json").write_text(
        '@{"kind": "reconstruction", "pose_degrees": {"yaw": 1.5, "pitch": [1e300, -0]}, "name": "\\u00e9\\ud83d\\ude00<"}')
    (folder / "view/head.glb").write_bytes(b"AglTF\x02\x00\x00\x00\x0c\x00\x00\x00")


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "Tests/fuzz/corpus")
    converters(target / "converters")
    heads(target / "head", target / "converters")
    texts(target)
