"""Fits with heads other than the default one: linear, bilinear and skinned."""
import numpy as np
import pytest

import garface
from face_meshes import SmallFace
from garface.convert.head_file import Head, Skin, write_head
from garface.convert.landmark_places import Places

WIDTH = HEIGHT = 400


def small_head(kind, path):
    """A head of the kind whose modes are smooth, as faces' are."""
    face, random = SmallFace(), np.random.default_rng(21)
    x, y = face.mean[:, 0] / 80, face.mean[:, 1] / 90

    def modes(count, size):
        waves = random.normal(0, 1, (count, 3, 6))
        shapes = np.stack([np.ones_like(x), x, y, x * y, np.sin(3 * x), np.cos(3 * y)])
        return size * np.einsum("kcw,wv->kvc", waves, shapes)

    head = Head(
        source=kind, family=f"test-{kind}", description="a test", millimetres=1.0, mean=face.mean, identity=modes(4, 1.5),
        expression=modes(3, 2.0), triangles=face.triangles, expression_names=["a", "b", "c"],
        expression_prior="unit-interval" if kind == "bilinear" else "normal",
        places=Places.of_vertices({k: int(v) for k, v in enumerate(face.landmarks)}))
    if kind == "bilinear":
        head.cross = modes(12, 0.7).reshape(4, 3, -1, 3)
    if kind == "skinned":
        jaw = 1 / (1 + np.exp((face.mean[:, 1] + 30) / 6))
        regressor = np.zeros((2, len(jaw)))
        regressor[:, [130, 140]] = 0.5
        head.skin = Skin(["root", "jaw"], np.array([-1, 0]), regressor, np.stack([1 - jaw, jaw], 1), modes(9, 0.5), [20.0, 400, 400])
    write_head(head, path)
    return path


@pytest.fixture(scope="module", params=["linear", "bilinear", "skinned"])
def scene(request, tmp_path_factory):
    """A head of known coefficients in a known pose: its landmarks, and models with that head."""
    path = small_head(request.param, tmp_path_factory.mktemp("heads") / "head.safetensors")
    head = garface.HeadModel(path)
    assert head.geometry == request.param
    identity = np.array([1.2, -0.8, 0.5, -1.0])
    expression = np.array([0.7, 0.2, 0.5] + ([0.35, 0, 0] if request.param == "skinned" else []))
    rotation = garface.pose_matrix(15, -8, 5)

    def project(vertices):
        q = head.landmarks(vertices) @ rotation.T * 1.5
        return np.stack([q[:, 0] + 200, 210 - q[:, 1]], 1)

    return garface.Models(head_model=path), head, identity, expression, project


def error(points, truth):
    return float(np.linalg.norm(points - truth, axis=1).mean())


def test_landmarks_are_fitted(scene):
    models, head, identity, expression, project = scene
    truth = project(head.evaluate(identity, expression))
    photo = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    schedule = garface.standard_schedule("landmarks")
    for stage in schedule["stages"]:
        stage["iterations"], stage["tolerance"] = 60, 0
    result = garface.reconstruct(photo, models=models, landmarks=truth, renderer="landmarks", schedule=schedule)
    start = garface.reconstruct(photo, models=models, landmarks=truth, renderer="start")
    inner = slice(17, 68)
    assert error(result.landmarks_static[inner], truth[inner]) < 1.0 < 3 < error(start.landmarks_static[inner], truth[inner])
    assert np.abs(result.identity - identity).max() < 0.2 and np.abs(result.expression - expression).max() < 0.1
    assert abs(result.yaw - 15) < 1 and abs(result.pitch + 8) < 1
    # The result's own mesh is the head of its coefficients.
    assert np.abs(result.vertices - head.evaluate(result.identity, result.expression)).max() < 1e-2
    assert result.identity.shape == (4,) and result.expression.shape == expression.shape
    if head.expression_prior == "unit-interval":
        assert result.expression.min() >= 0 and result.expression.max() <= 1


@pytest.mark.parametrize("optimiser", ["adam", "lbfgs"])
def test_gradients_lower_the_energy_of_any_head(scene, optimiser):
    """The picture stages move identity and expression, turns of joints among them, downhill."""
    models, head, identity, expression, project = scene
    truth = project(head.evaluate(identity, expression))
    picture = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    stage = {
        "name": "shape", "optimiser": optimiser, "iterations": 30, "tolerance": 0,
        "blocks": ["identity", "expression", "rotation", "similarity"], "steps": {"identity": 0.1, "expression": 0.1}}
    fit = garface.Fit(picture, models=models, landmarks=truth, renderer="sh")
    fit.run(stage)
    history = fit.result().history
    assert history[-1]["total"] < 0.8 * history[0]["total"]


def test_default_head_keeps_the_networks_coefficients(scene, photo):
    models, *_ = scene
    ours = garface.reconstruct(photo, renderer="start")
    theirs = garface.reconstruct(photo, models=models, renderer="start")
    assert np.abs(ours.identity).max() > 0 and not theirs.identity.any() and not theirs.expression.any()


def test_heads_without_a_family_must_fit_the_network(tmp_path):
    import json
    import struct
    path = small_head("linear", tmp_path / "head.safetensors")
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    entry = json.loads(header["__metadata__"]["garface"])
    del entry["family"]
    header["__metadata__"]["garface"] = json.dumps(entry)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])
    assert garface.HeadModel(path).family is None
    with pytest.raises(garface.WrongModelError, match="do not fit together"):
        garface.Models(head_model=path)
