"""FLAME's reader on a small file of exactly its layout, and the skinned head it gives against plain numpy."""
import contextlib
import io
import pickle
import subprocess
import sys
import types

import numpy as np
import pytest

import garface
from face_meshes import SmallFace, description
from garface.convert import ConversionError
from garface.convert.__main__ import convert
from garface.convert.inert_pickle import read_fields, read_pickle

sparse = pytest.importorskip("scipy.sparse")

SHAPES, EXPRESSIONS, JOINTS = 3, 2, 5
PARENTS = np.array([2**32 - 1, 0, 1, 1, 1], np.uint32)


class SmallFlame:
    """The fields of a FLAME file in metres, on a small face."""

    def __init__(self):
        face = SmallFace(SHAPES, EXPRESSIONS)
        random = np.random.default_rng(7)
        self.face, count = face, len(face.mean)
        self.template = face.mean / 1000
        self.shapedirs = np.concatenate([face.identity, face.expression]).transpose(1, 2, 0) / 1000
        self.posedirs = random.normal(0, 0.0005, (count, 3, 9 * (JOINTS - 1)))
        near = [((self.template - p) ** 2).sum(1) for p in np.array(
            [[0, 0, 0], [0, -0.06, 0], [0, -0.03, 0.03], [0.03, 0.03, 0.05], [-0.03, 0.03, 0.05]])]
        self.weights = np.exp(-np.stack(near, 1) / 0.003)
        self.weights /= self.weights.sum(1, keepdims=True)
        self.regressor = np.zeros((JOINTS, count))
        for k in range(JOINTS):
            chosen = np.argsort(near[k])[:6]
            self.regressor[k, chosen] = random.dirichlet(np.ones(6))

    def fields(self):
        return {
            "v_template": self.template, "shapedirs": self.shapedirs, "posedirs": self.posedirs,
            "J_regressor": self.regressor, "kintree_table": np.stack([PARENTS, np.arange(JOINTS, dtype=np.uint32)]),
            "weights": self.weights, "f": self.face.triangles.astype(np.uint32)}

    def vertices(self, shape, expression, turns):
        """Linear blend skinning as it is written down: 4 x 4 matrices along the chain, float64, metres."""
        shaped = self.template + self.shapedirs @ np.concatenate([shape, expression])
        joints = self.regressor @ shaped
        rotations = [np.eye(3)] + [rodrigues(t) for t in np.reshape(turns, (-1, 3))]
        feature = np.concatenate([(r - np.eye(3)).ravel() for r in rotations[1:]])
        posed = shaped + self.posedirs @ feature
        world = []
        for k in range(JOINTS):
            local = np.eye(4)
            local[:3, :3] = rotations[k]
            local[:3, 3] = joints[k] - (joints[PARENTS[k]] if k else 0)
            world.append(world[PARENTS[k]] @ local if k else local)
        blended = np.zeros((len(posed), 4, 4))
        for k in range(JOINTS):
            back = np.eye(4)
            back[:3, 3] = -joints[k]
            blended += self.weights[:, k, None, None] * (world[k] @ back)
        return np.einsum("vij,vj->vi", blended, np.c_[posed, np.ones(len(posed))])[:, :3]


def rodrigues(w):
    """The matrix exponential of the cross product with w, by its series."""
    k = np.array([[0, -w[2], w[1]], [w[2], 0, -w[0]], [-w[1], w[0], 0]])
    total, term = np.eye(3), np.eye(3)
    for n in range(1, 30):
        term = term @ k / n
        total = total + term
    return total


@contextlib.contextmanager
def chumpy():
    """A class that pickles as chumpy's arrays do, for as long as the file is written."""
    package, module = types.ModuleType("chumpy"), types.ModuleType("chumpy.ch")
    module.Ch = type("Ch", (), {"__module__": "chumpy.ch", "__qualname__": "Ch"})
    sys.modules.update({"chumpy": package, "chumpy.ch": module})
    try:
        yield lambda array: vars_set(module.Ch(), x=array, _status="new")
    finally:
        del sys.modules["chumpy"], sys.modules["chumpy.ch"]


def vars_set(thing, **values):
    thing.__dict__.update(values)
    return thing


@pytest.fixture(scope="module")
def flame():
    return SmallFlame()


@pytest.fixture
def files(flame, tmp_path):
    """generic_model.pkl as published (chumpy, sparse regressor, protocol 2), and static and dynamic embeddings."""
    fields = flame.fields()
    with chumpy() as ch:
        published = {**fields, "J_regressor": sparse.csc_matrix(flame.regressor), "bs_style": "lbs", "bs_type": "lrotmin"}
        published.update({name: ch(fields[name]) for name in ("v_template", "shapedirs", "weights")})
        (tmp_path / "generic_model.pkl").write_bytes(pickle.dumps(published, protocol=2))
    assert b"chumpy" in (tmp_path / "generic_model.pkl").read_bytes()
    np.savez(tmp_path / "flame.npz", **fields)
    faces, weights = embedding(flame.face, range(17, 68))
    (tmp_path / "flame_static_embedding.pkl").write_bytes(
        pickle.dumps({"lmk_face_idx": faces.astype(np.uint32), "lmk_b_coords": weights}, protocol=2))
    jaw, jaw_weights = embedding(flame.face, range(17))
    turned = np.stack([np.roll(jaw, row % 5) for row in range(79)])
    np.save(tmp_path / "flame_dynamic_embedding.npy", np.array(
        {"lmk_face_idx": turned, "lmk_b_coords": np.tile(jaw_weights, (79, 1, 1))}), allow_pickle=True)
    return tmp_path


def embedding(face, landmarks):
    """A triangle and weights in it, somewhere near each landmark's vertex."""
    faces = [int(np.flatnonzero((face.triangles == face.landmarks[k]).any(1))[0]) for k in landmarks]
    return np.array(faces), np.tile([0.5, 0.3, 0.2], (len(faces), 1))


def converted(files, source, target="head.safetensors"):
    estimated = convert(
        "flame", files / source, files / target, shapes=SHAPES,
        embedding=[files / "flame_static_embedding.pkl", files / "flame_dynamic_embedding.npy"])
    assert estimated == []
    return garface.HeadModel(files / target)


@pytest.mark.parametrize("source", ["generic_model.pkl", "flame.npz"])
def test_skinned_head_is_numpys(flame, files, source):
    head = converted(files, source)
    assert (head.geometry, head.family, head.expression_prior) == ("skinned", "flame", "normal")
    assert head.expression_names == ["expression_0", "expression_1"] + [
        f"{joint}_{axis}" for joint in ("neck", "jaw", "eye_left", "eye_right") for axis in "xyz"]
    shift = np.array(description(files / "head.safetensors")["origin_shift_mm"])
    random = np.random.default_rng(8)
    for turn in (0, 1e-3, 0.3, 1.5):
        a, b, turns = random.normal(size=3), random.normal(size=2), random.normal(0, 1, 12) * turn
        expected = flame.vertices(a, b, turns) * 1000 + shift
        assert np.abs(head.evaluate(a, np.concatenate([b, turns])) - expected).max() < 2e-3


def test_skinned_gradients_are_differences_in_numpy(flame, files):
    head = converted(files, "generic_model.pkl")
    random = np.random.default_rng(9)
    cotangent = random.normal(size=(len(flame.template), 3)).astype(np.float32)

    def loss(c):
        return float((flame.vertices(c[:3], c[3:5], c[5:]) * 1000 * cotangent).sum())

    for turn in (0, 0.4):
        c = random.normal(size=17)
        c[5:] *= turn
        gradient = np.concatenate(head.evaluate_backward(cotangent, c[:3], c[3:]))
        numeric = [(loss(c + step) - loss(c - step)) / 2e-5 for step in np.eye(17) * 1e-5]
        assert np.abs(gradient - numeric).max() < 2e-3 * np.abs(numeric).max()


def test_plain_backward_wants_coefficients(files):
    from garface._library import check, lib, pointer
    head = converted(files, "flame.npz")
    d, a, b = np.zeros((head.vertex_count, 3), np.float32), np.zeros(3, np.float32), np.zeros(14, np.float32)
    with pytest.raises(garface.InvalidArgumentError, match="gar_head_evaluate_backward_at"):
        check(lib.gar_head_evaluate_backward(head._handle, pointer(d), pointer(a), pointer(b)))


def test_embeddings(flame, files):
    head = converted(files, "generic_model.pkl")
    vertices = head.evaluate()
    faces, weights = embedding(flame.face, range(68))

    def places(rows):
        return (vertices[flame.face.triangles[rows]] * weights[: len(rows), :, None]).sum(1)

    assert np.allclose(head.landmarks(vertices), places(faces), atol=1e-3)
    # Row k up to 39 is for a turn of k degrees to the right, 39 + k for k degrees to the left; the test's rows are rolled.
    for yaw, row in ((0, 0), (-1, 1), (-38, 38), (-39, 39), (-80, 39), (1, 40), (39, 78), (70, 78)):
        contour = head.landmarks_contour(vertices, yaw, 0, 0)
        assert np.allclose(contour[:17], places(np.roll(faces[:17], row % 5)), atol=1e-3), yaw
        assert np.allclose(contour[17:], places(faces)[17:], atol=1e-3)


def test_whole_embedding_in_one_file(flame, files):
    """DECA's landmark_embedding.npy: static, dynamic and full in one; what numpy cannot hold is left out."""
    faces, weights = embedding(flame.face, range(68))
    np.save(files / "landmark_embedding.npy", np.array({
        "full_lmk_faces_idx": faces[None], "full_lmk_bary_coords": weights[None], "static_lmk_faces_idx": faces[17:],
        "static_lmk_bary_coords": weights[17:], "dynamic_lmk_faces_idx": io.StringIO, "dynamic_lmk_bary_coords": None}),
        allow_pickle=True)
    convert("flame", files / "flame.npz", files / "head.safetensors", shapes=SHAPES, embedding=[files / "landmark_embedding.npy"])
    head = garface.HeadModel(files / "head.safetensors")
    expected = (head.evaluate()[flame.face.triangles[faces]] * weights[..., None]).sum(1)
    assert np.allclose(head.landmarks(head.evaluate()), expected, atol=1e-3)


class Harmful:
    """Runs a command where a careless reader meets it."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return subprocess.check_call, (self.command,)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_nothing_in_a_pickle_runs(tmp_path, protocol):
    mark = tmp_path / "ran"
    harmful = Harmful(["touch", str(mark)])
    data = pickle.dumps({"v_template": harmful, "also": [harmful, {1: harmful}], "sound": np.arange(4.0)}, protocol=protocol)
    (tmp_path / "model.pkl").write_bytes(data)
    fields = read_fields(tmp_path / "model.pkl")
    assert fields["v_template"] is None and np.array_equal(fields["sound"], np.arange(4.0))
    with pytest.raises(ConversionError, match="v_template"):
        convert("flame", tmp_path / "model.pkl", tmp_path / "head.safetensors")
    np.savez(tmp_path / "model.npz", v_template=np.array([harmful], object))
    with pytest.raises(ConversionError, match="v_template"):
        convert("flame", tmp_path / "model.npz", tmp_path / "head.safetensors")
    np.save(tmp_path / "model.npy", np.array({"v_template": harmful}), allow_pickle=True)
    assert read_fields(tmp_path / "model.npy") == {"v_template": None}
    assert not mark.exists()
    pickle.loads(data)      # the proof that it would have
    assert mark.exists()


def test_names_that_a_pickle_may_call_stay_uncalled():
    for module, name, arguments in (
        ("builtins", "eval", b"(S'1/0'\ntR."), ("os", "system", b"(S'false'\ntR."), ("numpy", "load", b"(S'x'\ntR."),
        ("numpy.core.multiarray", "fromfile", b"(S'x'\ntR."), ("garface.convert.inert_pickle", "read_fields", b"(S'x'\ntR."),
    ):
        assert read_pickle(f"c{module}\n{name}\n".encode() + arguments, "test") is None


@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f8", ">f4", "<i4", "u1", "<f2", "?"])
def test_arrays_survive(kind, layout):
    array = np.asarray(np.arange(24).reshape(2, 3, 4) % 2 if kind == "?" else np.arange(24).reshape(2, 3, 4), kind, order=layout)
    for protocol in (0, 2, 5):
        found = read_pickle(pickle.dumps([array, array[0, 0, 1]], protocol=protocol), "test")
        from garface.convert.inert_pickle import plain
        assert np.array_equal(plain(found[0]), array) and plain(found[1]) == array[0, 0, 1]


def test_damaged_files_are_refused_in_a_sentence(files):
    random = np.random.default_rng(10)
    for name in ("generic_model.pkl", "flame.npz"):
        whole = (files / name).read_bytes()
        for trial in range(150):
            damaged = bytearray(whole[: int(random.integers(1, len(whole)))] if trial % 3 == 0 else whole)
            for _ in range(int(random.integers(1, 6))):
                damaged[int(random.integers(len(damaged)))] ^= int(random.integers(1, 256))
            (files / "damaged").write_bytes(damaged)
            with contextlib.suppress(ConversionError):
                convert("flame", files / "damaged", files / "out.safetensors", shapes=SHAPES,
                        embedding=[files / "flame_static_embedding.pkl", files / "flame_dynamic_embedding.npy"])


def test_wrong_fields(flame, files):
    for name, value, word in (
        ("weights", flame.weights[:, :4], "weights.*shape"), ("weights", flame.weights * 2, "sum to 1"),
        ("kintree_table", np.array([[0, 4, 1, 1, 1], [0, 1, 2, 3, 4]]), "kintree_table"), ("f", flame.face.triangles + 200, "f entries"),
        ("posedirs", flame.posedirs[:, :, :9], "posedirs"), ("v_template", np.full((270, 3), np.nan), "not finite"),
        ("v_template", "text", "v_template"),
    ):
        np.savez(files / "wrong.npz", **{**flame.fields(), name: value})
        with pytest.raises(ConversionError, match=word):
            convert("flame", files / "wrong.npz", files / "head.safetensors", shapes=SHAPES,
                    embedding=[files / "flame_static_embedding.pkl", files / "flame_dynamic_embedding.npy"])
    with pytest.raises(ConversionError, match="--embedding"):
        convert("flame", files / "flame.npz", files / "head.safetensors")
    with pytest.raises(ConversionError, match="no landmark embedding"):
        convert("flame", files / "flame.npz", files / "head.safetensors", embedding=[files / "flame.npz"])
