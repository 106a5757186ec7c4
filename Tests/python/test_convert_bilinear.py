"""FaceWarehouse's reader, and the bilinear head it gives against plain numpy."""
import numpy as np
import pytest

import garface
from face_meshes import SmallFace, description
from garface.convert import ConversionError
from garface.convert.__main__ import convert

scipy_io = pytest.importorskip("scipy.io")

PEOPLE, EXPRESSIONS = 6, 4


@pytest.fixture(scope="module")
def scene():
    """A face and what people's expressions look like: (3V, people, expressions) in decimetres."""
    face, random = SmallFace(), np.random.default_rng(11)
    width = face.mean.size
    tensor = face.mean.reshape(-1, 1, 1) + random.normal(0, 2, (width, PEOPLE, 1)) + random.normal(0, 1, (width, 1, EXPRESSIONS))
    tensor = tensor + random.normal(0, 0.5, (width, PEOPLE, EXPRESSIONS))
    return face, tensor / 100


def write(scene, folder, tensor=None, **fields):
    face, raw = scene
    scipy_io.savemat(folder / "model.mat", {"bilinear": raw if tensor is None else tensor, "tri": face.triangles + 1, **fields})
    return str(folder / "model.mat"), str(folder / "head.safetensors"), str(face.mapping(folder / "mapping.txt"))


def check_people(head, tensor, shift):
    """Every person with every expression is in the span of the model, with coefficients of unit variance."""
    people = tensor.shape[1]
    flat = tensor.transpose(1, 2, 0) * 100
    centred = flat - flat.mean(0)
    # Coefficients by independent means: least squares on the model's own modes at rest and with expressions.
    modes = np.stack([
        np.concatenate([head.evaluate(a, b).ravel() - head.evaluate(None, b).ravel() for b in np.eye(head.expression_count + 1)[:, 1:]])
        for a in np.eye(head.identity_count)], 1).astype(np.float64)
    targets = np.stack([centred[p].ravel() for p in range(people)], 1)
    coefficients = np.linalg.lstsq(modes, targets, rcond=None)[0]
    assert np.allclose(coefficients.var(1, ddof=1), 1, atol=2e-3) and np.allclose(coefficients.mean(1), 0, atol=1e-3)
    for p in range(people):
        for k in range(EXPRESSIONS):
            b = np.zeros(head.expression_count)
            if k:
                b[k - 1] = 1
            expected = flat[p, k].reshape(-1, 3) + shift
            assert np.abs(head.evaluate(coefficients[:, p], b) - expected).max() < 5e-3


def test_people(scene, tmp_path):
    source, target, mapping = write(scene, tmp_path)
    assert convert("facewarehouse", source, target, landmarks=mapping) == []
    head = garface.HeadModel(target)
    assert (head.geometry, head.expression_prior, head.family) == ("bilinear", "unit-interval", "facewarehouse")
    assert (head.identity_count, head.expression_count) == (PEOPLE - 1, EXPRESSIONS - 1)
    check_people(head, scene[1], np.array(description(tmp_path / "head.safetensors")["origin_shift_mm"]))


def test_core_with_factors_is_the_same_model(scene, tmp_path):
    """A core and the factors of its people give what the people give."""
    _, tensor = scene
    mix = np.linalg.qr(np.random.default_rng(12).normal(size=(PEOPLE, PEOPLE)))[0]
    core = np.einsum("vpe,pj->vje", tensor, mix)
    source, target, mapping = write(scene, tmp_path, core.transpose(1, 2, 0), identity_factors=mix)
    convert("facewarehouse", source, target, landmarks=mapping)
    check_people(garface.HeadModel(target), tensor, np.array(description(tmp_path / "head.safetensors")["origin_shift_mm"]))


def test_bilinear_gradients_are_differences_in_numpy(scene, tmp_path):
    source, target, mapping = write(scene, tmp_path)
    convert("facewarehouse", source, target, landmarks=mapping)
    head = garface.HeadModel(target)
    still, i, e = head.evaluate().astype(np.float64), head.identity_count, head.expression_count
    identity = np.stack([head.evaluate(a) - still for a in np.eye(i)])
    expression = np.stack([head.evaluate(None, b) - still for b in np.eye(e)])
    cross = np.stack([[head.evaluate(a, b) - still - da - db for b, db in zip(np.eye(e), expression)]
                      for a, da in zip(np.eye(i), identity)])
    random = np.random.default_rng(13)
    a, b, cotangent = random.normal(size=i), random.uniform(size=e), random.normal(size=still.shape)
    plain = still + np.tensordot(a, identity, 1) + np.tensordot(b, expression, 1) + np.einsum("i,k,ikvc->vc", a, b, cross)
    assert np.abs(head.evaluate(a, b) - plain).max() < 5e-3
    da, db = head.evaluate_backward(cotangent, a, b)
    assert np.allclose(da, np.einsum("ivc,vc->i", identity, cotangent) + np.einsum("k,ikvc,vc->i", b, cross, cotangent), atol=0.05)
    assert np.allclose(db, np.einsum("kvc,vc->k", expression, cotangent) + np.einsum("i,ikvc,vc->k", a, cross, cotangent), atol=0.05)


def test_faces_from_an_obj_file_and_modes_kept(scene, tmp_path):
    face, tensor = scene
    scipy_io.savemat(tmp_path / "model.mat", {"data": tensor})
    mapping, target = str(face.mapping(tmp_path / "m.txt")), str(tmp_path / "head.safetensors")
    with pytest.raises(ConversionError, match="--mesh"):
        convert("facewarehouse", tmp_path / "model.mat", target, landmarks=mapping)
    (tmp_path / "neutral.obj").write_text(
        "".join(f"v {x} {y} {z}\n" for x, y, z in face.mean) + "".join(f"f {a + 1} {b + 1} {c + 1}\n" for a, b, c in face.triangles))
    convert("facewarehouse", tmp_path / "model.mat", target, landmarks=mapping, mesh=str(tmp_path / "neutral.obj"), identities=2,
            expressions_kept=1)
    head = garface.HeadModel(target)
    assert (head.identity_count, head.expression_count, head.triangle_count) == (2, 1, len(face.triangles))


def test_wrong_tensors(scene, tmp_path):
    for tensor, word in (
        (scene[1][:-1], "3 x vertices"), (scene[1][:, :, :1], "dimensions|expressions"), (np.full_like(scene[1], np.inf), "finite")):
        source, target, mapping = write(scene, tmp_path, tensor)
        with pytest.raises(ConversionError, match=word):
            convert("facewarehouse", source, target, landmarks=mapping)
    source, target, mapping = write(scene, tmp_path)
    with pytest.raises(ConversionError, match="--landmarks"):
        convert("facewarehouse", source, target)
