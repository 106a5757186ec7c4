"""Readers of linear face models, each on a small file of exactly its layout."""
import os
import struct

import numpy as np
import pytest

import garface
from face_meshes import SmallFace, cereal_matrix, cereal_triangles, description, expected_vertices
from garface.convert import ConversionError
from garface.convert.__main__ import convert, main
from garface.convert.landmark_mapping import built_in
from garface.convert.landmark_places import reference_points

scipy_io = pytest.importorskip("scipy.io")
h5py = pytest.importorskip("h5py")


@pytest.fixture(scope="module")
def face():
    return SmallFace()


@pytest.fixture
def mapping(face, tmp_path):
    return str(face.mapping(tmp_path / "mapping.txt"))


def flat(basis):
    """(K, V, 3) as the columns of a (3V, K) matrix."""
    return basis.reshape(len(basis), -1).T


def check(face, target, expression_names, prior="normal"):
    """The converted model gives what numpy gives from the face's own arrays, and faces outwards."""
    head = garface.HeadModel(target)
    assert (head.vertex_count, head.identity_count) == (len(face.mean), len(face.identity))
    assert head.expression_names == expression_names and description(target)["expression_prior"] == prior
    random = np.random.default_rng(1)
    a, b = random.normal(size=len(face.identity)), random.uniform(size=len(face.expression))
    expected = expected_vertices(face, target, a, b)
    given = b if len(face.expression) else np.zeros(1)
    assert np.abs(head.evaluate(a, given) - expected).max() < 2e-3
    assert np.allclose(head.landmarks(expected), expected[face.landmarks], atol=1e-3)
    assert (head.normals(head.evaluate())[:, 2] > 0).mean() > 0.95


def write_2009(face, path, unit=1000.0):
    deviations = np.linspace(2, 1, len(face.identity))
    scipy_io.savemat(path, {
        "shapeMU": (face.mean * unit).reshape(-1, 1).astype(np.float32),
        "shapePC": (flat(face.identity) * unit / deviations).astype(np.float32), "shapeEV": deviations[:, None].astype(np.float32),
        "tl": face.triangles[:, [0, 2, 1]] + 1.0})  # the published triangles face inwards


def test_basel_2009(face, tmp_path, mapping):
    still = SmallFace(expressions=0)
    write_2009(still, tmp_path / "01_MorphableModel.mat")
    assert convert("basel-2009", tmp_path / "01_MorphableModel.mat", tmp_path / "head.safetensors", landmarks=mapping) == []
    check(still, tmp_path / "head.safetensors", ["none"])


def test_basel_2009_with_expressions_on_some_vertices(face, tmp_path, mapping):
    kept = np.array([v for v in range(len(face.mean)) if v not in (0, 14)])     # two corners of the grid
    write_2009(face, tmp_path / "01_MorphableModel.mat")
    deviations = np.array([3.0, 0.5])
    rest = np.random.default_rng(5).normal(0, 0.3, (len(kept), 3))
    (tmp_path / "Exp_Pca.bin").write_bytes(
        struct.pack("<i", 2) + (rest * 1000).astype("<f4").tobytes()
        + (face.expression[:, kept] * 1000 / deviations[:, None, None]).astype("<f4").tobytes())
    (tmp_path / "std_exp.txt").write_text("3.0 0.5\n")
    scipy_io.savemat(tmp_path / "BFM_exp_idx.mat", {"trimIndex": kept[:, None] + 1})
    convert("basel-2009", tmp_path / "01_MorphableModel.mat", tmp_path / "head.safetensors", landmarks=mapping,
            expressions=str(tmp_path))
    small = SmallFace()
    small.landmarks = np.searchsorted(kept, face.landmarks)
    small.mean, small.identity, small.expression = face.mean[kept] + rest, face.identity[:, kept], face.expression[:, kept]
    check(small, tmp_path / "head.safetensors", ["expression_0", "expression_1"])

    (tmp_path / "Exp_Pca.bin").write_bytes((tmp_path / "Exp_Pca.bin").read_bytes()[:-1])
    with pytest.raises(ConversionError, match="Exp_Pca.bin.*bytes"):
        convert("basel-2009", tmp_path / "01_MorphableModel.mat", tmp_path / "head.safetensors", landmarks=mapping,
                expressions=str(tmp_path))


def write_h5(face, path, landmarks=None):
    with h5py.File(path, "w") as f:
        for group, mean, basis in (("shape", face.mean - 1, face.identity), ("expression", np.ones_like(face.mean), face.expression)):
            variance = np.linspace(4, 0.25, len(basis))
            f[f"{group}/model/mean"] = mean.ravel().astype(np.float32)
            f[f"{group}/model/pcaBasis"] = (flat(basis) / np.sqrt(variance)).astype(np.float32)
            f[f"{group}/model/pcaVariance"] = variance.astype(np.float32)
        f["shape/representer/cells"] = face.triangles.T.astype(np.int32)
        if landmarks is not None:
            import json
            f["metadata/landmarks/json"] = json.dumps([{"id": k, "coordinates": list(v)} for k, v in landmarks.items()])


@pytest.mark.parametrize("year", ["2017", "2019"])
def test_basel_h5(face, tmp_path, mapping, year):
    write_h5(face, tmp_path / "model.h5")
    convert(f"basel-{year}", tmp_path / "model.h5", tmp_path / "head.safetensors", landmarks=mapping)
    check(face, tmp_path / "head.safetensors", ["expression_0", "expression_1"])
    assert description(tmp_path / "head.safetensors")["family"] == f"basel-{year}-270"


def test_basel_h5_with_its_own_named_points(face, tmp_path):
    from garface.convert.basel_h5 import NAMED
    write_h5(face, tmp_path / "model.h5", {name: face.mean[face.landmarks[k]] + 0.1 for name, k in NAMED.items()})
    estimated = convert("basel-2019", tmp_path / "model.h5", tmp_path / "head.safetensors")
    assert sorted(set(range(68)) - set(estimated)) == sorted(NAMED.values())
    head = garface.HeadModel(tmp_path / "head.safetensors")
    points = head.landmarks(head.evaluate())
    # Estimated points land near the default head's, as near as 11 mm between vertices and another head allow.
    assert np.median(np.linalg.norm((points - reference_points())[estimated, :2], axis=1)) < 9


def test_deep3d(face, tmp_path):
    scipy_io.savemat(tmp_path / "BFM_model_front.mat", {
        "meanshape": (face.mean / 100).reshape(1, -1), "idBase": flat(face.identity) / 100, "exBase": flat(face.expression) / 100,
        "tri": face.triangles + 1, "keypoints": face.landmarks[None] + 1})
    assert convert("deep3d", tmp_path / "BFM_model_front.mat", tmp_path / "head.safetensors") == []
    check(face, tmp_path / "head.safetensors", ["expression_0", "expression_1"])


def cereal_pca(mean, basis, triangles, both=False):
    variance = np.linspace(9, 1, len(basis))
    parts = cereal_matrix(mean.reshape(-1, 1)) if mean.size else struct.pack("<ii", 0, 1)
    if not len(basis):
        return parts + struct.pack("<ii", 0, 0) * 2 + cereal_triangles(triangles)
    if both:
        parts += cereal_matrix(flat(basis))
    return parts + cereal_matrix(flat(basis) / np.sqrt(variance)) + cereal_matrix(variance[:, None]) + cereal_triangles(triangles)


EMPTY = cereal_pca(np.zeros(0), np.zeros((0, 0, 3)), np.zeros((0, 3)))


def blendshapes(face):
    shapes = b"".join(
        struct.pack("<Q", len(name)) + name.encode() + cereal_matrix(shape.reshape(-1, 1))
        for name, shape in zip(("anger", "surprise"), face.expression))
    return struct.pack("<Q", 2) + shapes


@pytest.mark.parametrize("both", [False, True])
def test_surrey_with_blendshapes(face, tmp_path, mapping, both):
    shape = cereal_pca(face.mean, face.identity, face.triangles, both)
    (tmp_path / "sfm.bin").write_bytes(struct.pack("<I", 1) + shape + EMPTY + struct.pack("<Q", 0))
    (tmp_path / "blend.bin").write_bytes(blendshapes(face))
    convert("surrey", tmp_path / "sfm.bin", tmp_path / "head.safetensors", landmarks=mapping, blendshapes=str(tmp_path / "blend.bin"))
    check(face, tmp_path / "head.safetensors", ["anger", "surprise"], "unit-interval")


@pytest.mark.parametrize("kind", [0, 1])
def test_surrey_with_expressions_inside(face, tmp_path, mapping, kind):
    inside = cereal_pca(np.zeros_like(face.mean), face.expression, face.triangles) if kind == 0 else blendshapes(face)
    (tmp_path / "sfm.bin").write_bytes(
        struct.pack("<I", 4) + cereal_pca(face.mean, face.identity, face.triangles) + EMPTY + struct.pack("<Bi", 0, kind) + inside
        + struct.pack("<BQQ", 1, 0, 0))
    convert("surrey", tmp_path / "sfm.bin", tmp_path / "head.safetensors", landmarks=mapping)
    names, prior = (["expression_0", "expression_1"], "normal") if kind == 0 else (["anger", "surprise"], "unit-interval")
    check(face, tmp_path / "head.safetensors", names, prior)


def test_truncated_surrey_files_are_refused(face, tmp_path, mapping):
    whole = struct.pack("<I", 1) + cereal_pca(face.mean, face.identity, face.triangles) + EMPTY
    for size in [3, 7, 9, 12, 100, 4000, len(whole) // 2, len(whole) - 9]:
        (tmp_path / "sfm.bin").write_bytes(whole[:size])
        with pytest.raises(ConversionError, match="sfm.bin"):
            convert("surrey", tmp_path / "sfm.bin", tmp_path / "head.safetensors", landmarks=mapping)
    huge = struct.pack("<Iii", 1, 2**31 - 1, 2**31 - 1)
    (tmp_path / "sfm.bin").write_bytes(huge)
    with pytest.raises(ConversionError, match="left"):
        convert("surrey", tmp_path / "sfm.bin", tmp_path / "head.safetensors", landmarks=mapping)
    assert not (tmp_path / "head.safetensors").exists()


def write_obj(path, vertices, quads):
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices]
    path.write_text("\n".join(lines + ["vt 0 0"] + [f"f {' '.join(f'{v + 1}/1/1' for v in q)}" for q in quads]) + "\n")


def test_ict_facekit(face, tmp_path, mapping):
    folder = tmp_path / "FaceXModel"
    folder.mkdir()
    rows = np.arange(18 * 15).reshape(18, 15)
    quads = np.stack([rows[:-1, :-1], rows[:-1, 1:], rows[1:, 1:], rows[1:, :-1]], -1).reshape(-1, 4)
    write_obj(folder / "generic_neutral_mesh.obj", face.mean / 10, quads)
    for k, mode in enumerate(face.identity):
        write_obj(folder / f"identity{k:03d}.obj", (face.mean + mode) / 10, quads)
    for name, shape in zip(("browDown_L", "jawOpen"), face.expression):
        write_obj(folder / f"{name}.obj", (face.mean + shape) / 10, quads)
    convert("ict-facekit", folder, tmp_path / "head.safetensors", landmarks=mapping)
    check(face, tmp_path / "head.safetensors", ["browDown_L", "jawOpen"], "unit-interval")
    whole = (folder / "generic_neutral_mesh.obj").read_text()
    for line, word in (("f 1 2", "line"), ("f 1 2 99999999999999999999", "line"), ("f 1 2 9999", "vertex 9998"), ("v 1 2", "line"),
                       ("v 1 x 2", "line"), ("f 0 1 2", "line"), ("f -900 1 2", "line"), ("v nan 0 0", "vertices|finite|shape")):
        (folder / "generic_neutral_mesh.obj").write_text(whole + line + "\n")
        with pytest.raises(ConversionError, match=word):
            convert("ict-facekit", folder, tmp_path / "head.safetensors", landmarks=mapping)
    (folder / "generic_neutral_mesh.obj").write_text(whole)
    write_obj(folder / "jawOpen.obj", face.mean[:-1], quads[:3])
    with pytest.raises(ConversionError, match="jawOpen.obj: has 269 vertices"):
        convert("ict-facekit", folder, tmp_path / "head.safetensors", landmarks=mapping)


@pytest.mark.parametrize("name, count, known", [
    ("surrey_3448", 3448, 50), ("basel_2009", 53490, 18), ("basel_2017_nomouth", 53149, 26), ("ict_facekit", 26719, 68)])
def test_published_mappings_belong_to_their_models(name, count, known):
    places = built_in(name)
    assert len(places.known) == known and places.triangles.max() < count
    assert len(set(places.triangles[:, 0])) == known, "one vertex stands for two landmarks"


def test_published_mapping_is_taken_by_the_number_of_vertices(tmp_path):
    """A model of 3448 vertices, as published, needs no mapping; what is not mapped is estimated."""
    places = built_in("surrey_3448")
    random, points = np.random.default_rng(3), reference_points()
    mean = np.stack([random.uniform(-80, 80, 3448), random.uniform(-90, 70, 3448), np.zeros(3448)], 1)
    mean[:, 2] = 70 - mean[:, 0] ** 2 / 90 - mean[:, 1] ** 2 / 250
    for k, (corners, _) in places.known.items():
        mean[corners[0]] = points[k]
    triangles = np.arange(3447).reshape(-1, 3)
    triangles = np.concatenate([triangles, [[3446, 3447, 0]]])
    shape = cereal_pca(mean, random.normal(size=(2, 3448, 3)), triangles)
    (tmp_path / "sfm_shape_3448.bin").write_bytes(struct.pack("<I", 1) + shape + EMPTY + struct.pack("<Q", 0))
    estimated = convert("surrey", tmp_path / "sfm_shape_3448.bin", tmp_path / "head.safetensors")
    assert estimated == [*range(8), *range(9, 17), 60, 64] == description(tmp_path / "head.safetensors")["landmarks_estimated"]
    head = garface.HeadModel(tmp_path / "head.safetensors")
    found = head.landmarks(head.evaluate())
    known = sorted(places.known)
    centre = np.delete(found, estimated, 0) - found[known].mean(0) - (points[known] - points[known].mean(0))
    assert np.abs(centre).max() < 1e-3
    assert np.linalg.norm((found - points)[:17, :2], axis=1).max() < 16  # a bulge has no jaw


def test_default_head_landmarks_are_the_head_models():
    head = garface.HeadModel()
    assert np.allclose(head.landmarks(head.evaluate()), reference_points(), atol=2e-3)


def test_units_and_axes(face, tmp_path, mapping):
    other = SmallFace()
    # The file: millimetres where micrometres are published, y out of the face and z down.
    turn = lambda v: np.stack([v[..., 0], v[..., 2], -v[..., 1]], -1)
    other.mean, other.identity = turn(face.mean), turn(face.identity)
    write_2009(other, tmp_path / "odd.mat", unit=1.0)
    arguments = ("basel-2009", tmp_path / "odd.mat", tmp_path / "head.safetensors")
    with pytest.raises(ConversionError, match="eye corners are .* mm apart"):
        convert(*arguments, landmarks=mapping)
    with pytest.raises(ConversionError, match="other axes"):
        convert(*arguments, landmarks=mapping, millimetres=1.0)
    convert(*arguments, landmarks=mapping, millimetres=1.0, axes="x,-z,y")
    check(SmallFace(expressions=0), tmp_path / "head.safetensors", ["none"])


def test_mapping_files(tmp_path, face):
    from garface.convert.landmark_mapping import read_mapping
    (tmp_path / "m.txt").write_text("# nose\n30 7\n8 1 2 3 0.2 0.5 0.3 # chin\n")
    places = read_mapping(tmp_path / "m.txt")
    assert places.known == {30: ((7, 7, 7), (1.0, 0.0, 0.0)), 8: ((1, 2, 3), (0.2, 0.5, 0.3))}
    (tmp_path / "eos.txt").write_text("[landmark_mappings]\n 9 = 33 # chin\n[contour_landmarks]\nright = [ 1,\n 2 ]\n")
    assert read_mapping(tmp_path / "eos.txt").known == {8: ((33, 33, 33), (1.0, 0.0, 0.0))}
    for text, word in (
        ("30", "expected a landmark"), ("68 1", "0 to 67"), ("3 4\n3 5", "twice"), ("3 1 2 3 0.5 0.5 0.5", "sum to 1"),
        ("3 x", "expected a landmark"), ("3 -4", "numbered from 0"),
    ):
        (tmp_path / "m.txt").write_text(text)
        with pytest.raises(ConversionError, match=word):
            read_mapping(tmp_path / "m.txt")


def test_few_landmarks_and_wrong_vertices_are_refused(face, tmp_path):
    write_2009(face, tmp_path / "m.mat")
    few = face.mapping(tmp_path / "few.txt", without=range(5, 68))
    with pytest.raises(ConversionError, match="5 landmarks are known, at least 6"):
        convert("basel-2009", tmp_path / "m.mat", tmp_path / "head.safetensors", landmarks=few)
    (tmp_path / "far.txt").write_text((face.mapping(tmp_path / "all.txt", without=[30])).read_text() + "30 270\n")
    with pytest.raises(ConversionError, match="landmark 30 is mapped to vertex 270, of 270"):
        convert("basel-2009", tmp_path / "m.mat", tmp_path / "head.safetensors", landmarks=tmp_path / "far.txt")
    with pytest.raises(ConversionError, match="53490"):
        convert("basel-2009", tmp_path / "m.mat", tmp_path / "head.safetensors")


def test_damaged_matlab_and_hdf5_files(face, tmp_path, mapping):
    write_2009(face, tmp_path / "m.mat")
    write_h5(face, tmp_path / "m.h5")
    target = tmp_path / "head.safetensors"
    random = np.random.default_rng(4)
    for kind, name in (("basel-2009", "m.mat"), ("basel-2017", "m.h5")):
        whole = (tmp_path / name).read_bytes()
        for trial in range(40):
            damaged = bytearray(whole[: int(random.integers(1, len(whole)))] if trial % 2 else whole)
            for _ in range(8):
                damaged[int(random.integers(min(len(damaged), 3000)))] ^= int(random.integers(1, 256))
            (tmp_path / "damaged").write_bytes(damaged)
            try:
                convert(kind, tmp_path / "damaged", target, landmarks=mapping)
            except ConversionError as problem:
                assert "damaged" in str(problem)
    scipy_io.savemat(tmp_path / "m.mat", {"shapeMU": np.zeros((6, 1))})
    with pytest.raises(ConversionError, match="field \"shapeEV\" is missing; the fields are: shapeMU"):
        convert("basel-2009", tmp_path / "m.mat", target, landmarks=mapping)


def test_the_command(face, tmp_path, mapping, capsys):
    write_h5(face, tmp_path / "model.h5")
    target = tmp_path / "head.safetensors"
    arguments = ["basel-2017", str(tmp_path / "model.h5"), str(target), "--landmarks", mapping]
    assert main([*arguments, "--identities", "2"]) == 0 and "written" in capsys.readouterr().out
    assert garface.HeadModel(target).identity_count == 2
    assert main(["basel-2017", str(tmp_path / "none.h5"), str(target)]) == 4
    assert "none.h5" in capsys.readouterr().err
    assert main([*arguments[:2], str(tmp_path / "no/head.safetensors"), *arguments[3:]]) == 5
    for wrong in (["basel-2016", "a", "b"], [*arguments, "--blendshapes", "x"], [*arguments, "--identities", "0"]):
        with pytest.raises(SystemExit) as stop:
            main(wrong)
        assert stop.value.code == 2


@pytest.mark.parametrize("packed", [False, True])
def test_matlab_fields_are_those_that_scipy_reads(tmp_path, packed):
    """The package's own reader against scipy's, on every type and on fields that are no numbers."""
    from garface.convert.mat_file import MatFile

    random = np.random.default_rng(6)
    kinds = ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?")
    fields = {f"field_{k}": random.integers(0, 2 if kind == "?" else 100, (3, 4 + k)).astype(kind) for k, kind in enumerate(kinds)}
    fields.update(
        whole=np.arange(6.0).reshape(2, 3), cube=random.normal(size=(2, 3, 4)), one=np.array(5.0), none=np.zeros((0, 3)),
        text="words", cells=np.array([1, "a"], object), table={"a": 1.0}, plane=np.array([1j]))
    scipy_io.savemat(tmp_path / "m.mat", fields, do_compression=packed)
    expected = {k: v for k, v in scipy_io.loadmat(tmp_path / "m.mat").items() if not k.startswith("__")}
    file = MatFile(tmp_path / "m.mat")
    assert set(file.fields) == set(expected)
    for name in ("text", "cells", "table", "plane"):
        with pytest.raises(ConversionError, match=f"\"{name}\" does not hold real numbers"):
            file.numbers(name)
        del expected[name]
    for name, value in expected.items():
        found = file.numbers(name)
        assert found.shape == value.shape and np.array_equal(found, value), name
        assert found.dtype == value.dtype, (name, found.dtype, value.dtype)


def test_matlab_files_that_claim_too_much(tmp_path):
    import zlib

    from garface.convert.mat_file import MatFile

    def field(name, flags, shape, numbers):
        parts = struct.pack("<IIII", 6, 8, flags, 0) + struct.pack("<II", 5, 4 * len(shape)) + struct.pack(f"<{len(shape)}i", *shape)
        parts += b"\0" * (-len(parts) % 8) + struct.pack("<II", 1, len(name)) + name + b"\0" * (-len(name) % 8)
        return parts + struct.pack("<II", 9, len(numbers)) + numbers

    start = b"MATLAB 5.0".ljust(124) + struct.pack("<H", 256) + b"IM"
    body = field(b"a", 6, (2, 1), bytes(16))
    sound = struct.pack("<II", 14, len(body)) + body
    (tmp_path / "m.mat").write_bytes(start + sound)
    assert MatFile(tmp_path / "m.mat").numbers("a").shape == (2, 1)
    bomb = zlib.compress(struct.pack("<II", 14, 1 << 30) + bytes(1 << 20))
    for content in (
        sound[:-1], struct.pack("<II", 14, 2**32 - 1), struct.pack("<II", 15, len(bomb)) + bomb,
        sound.replace(struct.pack("<ii", 2, 1), struct.pack("<ii", 2**31 - 1, 2**31 - 1)),
        sound.replace(struct.pack("<ii", 2, 1), struct.pack("<ii", -2, -1)), struct.pack("<II", 15, 5) + b"noise",
    ):
        (tmp_path / "m.mat").write_bytes(start + content)
        with pytest.raises(ConversionError, match="damaged"):
            MatFile(tmp_path / "m.mat")
    body = field(b"tl", 6, (1, 3), struct.pack("<3d", 1, 2.5, float("nan")))
    (tmp_path / "m.mat").write_bytes(start + struct.pack("<II", 14, len(body)) + body)
    with pytest.raises(ConversionError, match="whole numbers"):
        MatFile(tmp_path / "m.mat").triangles("tl")


@pytest.mark.parametrize("kind", ("basel-2009", "basel-2017", "surrey", "flame", "deep3d", "facewarehouse"))
def test_devices_and_pipes_are_refused_at_once(kind, tmp_path, mapping, capsys):
    """They have no end to read to, or no writer to wait for."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for source in ("/dev/zero", str(pipe)):
        assert main([kind, source, str(tmp_path / "out.safetensors")]) != 0
        assert "not a regular file" in capsys.readouterr().err
