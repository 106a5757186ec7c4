"""The training code runs on synthetic data, and exported files give the same numbers as the networks they came from."""
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("cv2")
pytest.importorskip("numba")
pytest.importorskip("safetensors")

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bindings" / "python"))
from garface.training import crops as crops_module  # noqa: E402
from garface.training.convnets import FaceDetector, INVERSE_LAYERS, InverseNetwork  # noqa: E402
from garface.training.data import FaceSet, frame_to_picture, rotation_angles, rotation_matrix  # noqa: E402
from garface.training.detect import detect  # noqa: E402
from garface.training.export import load_network, save_network  # noqa: E402
from garface.training.normals import _normal_map, _vertex_normals  # noqa: E402
from garface.training.revive import express_landmarks, revive  # noqa: E402
from garface.training.scenes import PATCH, SceneMaker, targets  # noqa: E402
from garface.training.train_detector import losses as detector_losses, to_input  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def synthetic_faces(count, size, grey, rng):
    pictures = rng.integers(0, 256, (count, size, size) if grey else (count, size, size, 3)).astype(np.uint8)
    frame = frame_to_picture(((size - 1) / 2,) * 2, size, 0.0)
    return FaceSet(pictures, np.broadcast_to(frame, (count, 2, 3)), np.zeros(count), np.full(count, float(size)),
                   np.zeros(count), np.zeros(count), np.zeros((count, 80), np.float32), np.zeros((count, 55), np.float32),
                   rng.uniform(20, size - 20, (count, 68, 2)).astype(np.float32), np.arange(count), np.arange(count))


def warmed_up(network, side):
    """Give the normalisation layers statistics that are not the initial ones."""
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(8, 3, side, side))
    return network.eval()


def test_angles_invert_rotation():
    rng = np.random.default_rng(0)
    angles = rng.uniform(-0.7, 0.7, (3, 20))
    for found, given in zip(rotation_angles(rotation_matrix(*angles)), angles):
        np.testing.assert_allclose(found, given, atol=1e-12)


def test_rotation_signs():
    nose = np.array([0, 0, 1.0])
    assert (rotation_matrix(0.3, 0, 0) @ nose)[0] > 0.1        # turned to the subject's left: picture right
    assert (rotation_matrix(0, 0.3, 0) @ nose)[1] > 0.1        # looking up
    assert (rotation_matrix(0, 0, 0.3) @ [0, 1.0, 0])[0] < -0.1    # counter-clockwise: the crown goes left


def test_residual_pose_round_trip():
    rng = np.random.default_rng(1)
    for _ in range(10):
        s, r, x, y = np.exp(rng.normal(0, 0.1)), *rng.uniform(-0.3, 0.3, 3)
        a = np.array([[s * np.cos(r), -s * np.sin(r), x], [s * np.sin(r), s * np.cos(r), y]])
        back = crops_module.aligned_frame([0, 0, *crops_module.residual_pose(a)])
        np.testing.assert_allclose(back, a, atol=1e-12)


def test_close_ups_show_the_points_where_their_labels_are():
    """A dot at one point of every picture is where the framing puts that point's label, mirrored or not."""
    rng, head = np.random.default_rng(3), SimpleNamespace(identity_mirror=lambda: (np.eye(80), None),
                                                          expression_swap=lambda: np.arange(55))
    portraits, crops = (synthetic_faces(4, 256, grey, rng) for grey in (False, True))
    for faces in (portraits, crops):
        for picture, points in zip(faces.images, faces.landmarks):
            picture[:], points[:] = 0, rng.uniform(110, 160, (68, 2))
            at = np.round(points[30]).astype(int)
            points[30] = at
            picture[at[1] - 2:at[1] + 3, at[0] - 2:at[0] + 3] = 255
    for framing in (crops_module.WHOLE_FRAME, crops_module.CLOSE_UP):
        maker = crops_module.CropMaker(portraits, crops, None, [np.zeros((120, 120, 3), np.uint8)], head, framing)
        maker.clean = True
        for kind in (crops_module.PORTRAIT, crops_module.CROP):
            for _ in range(6):
                picture, row = maker.sample(rng, kind)
                assert picture.shape == (framing.size, framing.size, 3)
                points = row[crops_module.FIELDS["landmarks"]].reshape(68, 2)
                x, y = framing.field.to_pixels(points[30], framing.size)
                weight = picture[:, :, 0].astype(float) * (np.hypot(*np.mgrid[:framing.size, :framing.size] - np.reshape([y, x], (2, 1, 1))) < 9)
                found = [(weight * grid).sum() / weight.sum() for grid in np.mgrid[:framing.size, :framing.size]]
                np.testing.assert_allclose(found, [y, x], atol=0.3)


def test_mirroring_twice_is_identity():
    rows = np.random.default_rng(2).normal(size=(4, crops_module.LABELS))
    swap = np.arange(55)
    swap[[3, 4]] = [4, 3]
    twice = crops_module.mirror_labels(crops_module.mirror_labels(rows, np.eye(80), swap), np.eye(80), swap)
    np.testing.assert_allclose(twice, rows, atol=1e-12)
    once = crops_module.mirror_labels(rows, np.eye(80), swap)
    points, mirrored = (r[:, crops_module.FIELDS["landmarks"]].reshape(4, 68, 2) for r in (rows, once))
    np.testing.assert_allclose(mirrored[:, 36], points[:, 45] * [-1, 1])


def test_inverse_network_export(tmp_path):
    torch.manual_seed(0)
    network = warmed_up(InverseNetwork(latent=24), 96)
    network.landmark_mean.normal_()
    network.landmark_basis.normal_()
    path = str(tmp_path / "inverse.safetensors")
    save_network(network, path, torch.float32)
    x = torch.rand(2, 3, 96, 96) * 2 - 1
    with torch.no_grad():
        expected, found = network(x), load_network(path)(x)
    assert set(found) == set(expected) and found["w"].shape == (2, 24)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("width", (1.0, 1.5, 2.3))
def test_revived_network_computes_what_the_file_does(tmp_path, width):
    torch.manual_seed(1)
    path = str(tmp_path / "inverse.safetensors")
    save_network(warmed_up(InverseNetwork(latent=24), 96), path, torch.float32)
    crops = torch.rand(64, 3, 96, 96) * 2 - 1
    network = revive(path, crops, width)
    express_landmarks(network, torch.randn(136), torch.eye(136) + 0.02 * torch.randn(136, 136))
    assert network.stack.specs[3].out == int(round(INVERSE_LAYERS[3].out * width / 8)) * 8
    with torch.no_grad():
        expected = load_network(path)(crops)
        # While training, too, on the crops that set the normalisation; a run then changes copies apart.
        for found in (network.eval()(crops), network.train()(crops)):
            for name in expected:
                torch.testing.assert_close(found[name], expected[name], atol=2e-3, rtol=1e-3)
    network.eval()
    again = str(tmp_path / "again.safetensors")
    save_network(network, again, torch.float32)
    with torch.no_grad():
        torch.testing.assert_close(load_network(again)(crops)["landmarks"], expected["landmarks"], atol=2e-3, rtol=1e-3)


def test_detector_learns_and_exports(tmp_path):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    maker = SceneMaker(synthetic_faces(4, 128, False, rng), synthetic_faces(4, 144, True, rng),
                       [rng.integers(0, 256, (200, 200, 3)).astype(np.uint8)])
    scenes = [maker.scene(rng) for _ in range(24)]
    x = to_input(np.stack([s for s, _ in scenes]))
    y = torch.from_numpy(np.stack([targets(f) for _, f in scenes]))
    network = FaceDetector()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    history = []
    for _ in range(12):
        classification, regression, faces = detector_losses(network(x), y)
        loss = (classification.sum() + regression.sum()) / faces.sum().clamp(min=1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.6 * history[0]
    path = str(tmp_path / "detector.safetensors")
    save_network(network, path, torch.float32, threshold=0.25)
    plain = load_network(path)
    assert plain.description["threshold"] == 0.25
    with torch.no_grad():
        torch.testing.assert_close(plain(x), network.eval()(x), atol=1e-4, rtol=1e-4)
    assert detect(plain, scenes[0][0], 0.0).shape[1] == 5


def test_targets_point_at_the_face():
    t = targets(np.array([[40.0, 50.0, 48.0, 0.2]]))
    rows, columns = np.nonzero(t[0] == 1)
    assert len(rows)
    for i, j in zip(rows, columns):
        assert 8 * j + 3.5 + 8 * t[1, i, j] == pytest.approx(40)
        assert 8 * i + 3.5 + 8 * t[2, i, j] == pytest.approx(50)
        assert np.arctan2(t[4, i, j], t[5, i, j]) == pytest.approx(0.2)
    assert t[0, 0, -1] == 0 and t.shape == (7, PATCH // 8, PATCH // 8)


def test_normal_map_of_a_tilted_square():
    tilt = 0.4
    corners = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]], np.float32)
    v = (corners @ rotation_matrix(tilt, 0, 0).T).astype(np.float32)
    tri, n = np.array([[0, 1, 2], [0, 2, 3]], np.int32), np.empty((4, 3), np.float32)
    _vertex_normals(v, tri, n)
    out, depth = np.empty((32, 32, 3), np.float32), np.empty((32, 32), np.float32)
    _normal_map(v, n, tri, 32, depth, out)
    np.testing.assert_allclose(out[16, 16], [np.sin(tilt), 0, np.cos(tilt)], atol=1e-6)
    assert not out[0].any()
