"""What the inverse network is punished for."""
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("cv2")
pytest.importorskip("numba")

PACKAGE = Path(__file__).resolve().parents[2] / "bindings" / "python"
sys.path.insert(0, str(PACKAGE))
from garface.training.crops import FIELDS, LABELS, NEGATIVE, PORTRAIT, RENDER, CropMaker  # noqa: E402
from garface.training.data import FaceSet, frame_to_picture  # noqa: E402
from garface.training.inverse_losses import losses  # noqa: E402

LIDS = {37: 41, 38: 40, 43: 47, 44: 46}


def rows(kinds, exact, points):
    out = np.zeros((len(kinds), LABELS), np.float32)
    out[:, FIELDS["kind"]], out[:, FIELDS["exact"]] = np.array(kinds)[:, None], np.array(exact)[:, None]
    out[:, FIELDS["landmarks"]] = points.reshape(len(kinds), -1)
    return torch.from_numpy(out)


def terms(labels, points, identity=0.0):
    """The losses where the projected points are those of the labels."""
    n, target = len(labels), labels[:, FIELDS["landmarks"]].reshape(-1, 68, 2)
    geometry = SimpleNamespace(identity_weight=torch.ones(80) / 80, project=lambda *_: target)
    out = {"landmarks": torch.from_numpy(points.reshape(n, -1)), "landmark_log_sigma": torch.zeros(n, 68),
           "identity": torch.full((n, 80), identity), "expression": torch.zeros(n, 55), "pose": torch.zeros(n, 6),
           "w": torch.zeros(n, 4), "face": torch.zeros(n, 1)}
    return losses(out, labels, torch.zeros(n, 4), torch.zeros(n), geometry)


def test_openings_count_and_places_do_not():
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 68, 2)).astype(np.float32)
    labels = rows([PORTRAIT], [0], points)
    moved = terms(labels, points + np.float32(0.1))
    assert moved["openings"].item() == pytest.approx(0, abs=1e-4) and moved["landmarks"].item() == pytest.approx(10, rel=1e-4)
    shut = points.copy()
    for above, below in LIDS.items():
        shut[0, above], shut[0, below] = shut[0, above] - [0, 0.02], shut[0, below] + [0, 0.02]
    shut = terms(labels, shut)
    assert shut["openings"].item() == pytest.approx(4 / 7 * 0.04 / 0.02, rel=1e-4)
    assert shut["landmarks"].item() == pytest.approx(8 / 68, rel=1e-4)


def test_exact_identities_weigh_more():
    points = np.zeros((1, 68, 2), np.float32)
    fitted, exact = (terms(rows([RENDER], [e], points), points, identity=1.0)["identity"].item() for e in (0, 1))
    assert exact == pytest.approx(2 * 3) and fitted == pytest.approx(0.5 * 2 * (60 / 80 + 0.02 * 20 / 80))
    assert terms(rows([NEGATIVE], [0], points), points, identity=1.0)["identity"].item() == 0


def test_rows_tell_which_renders_are_exact():
    n, rng = 6, np.random.default_rng(3)
    frame = frame_to_picture((15.5, 15.5), 32, 0.0)
    faces = FaceSet(rng.integers(0, 256, (n, 32, 32, 3)).astype(np.uint8), np.broadcast_to(frame, (n, 2, 3)), np.zeros(n),
                    np.full(n, 32.0), np.zeros(n), np.zeros(n), np.zeros((n, 80), np.float32), np.zeros((n, 55), np.float32),
                    rng.uniform(8, 24, (n, 68, 2)).astype(np.float32), np.arange(n), np.arange(n))
    head = SimpleNamespace(identity_mirror=lambda: (np.eye(80), None), expression_swap=lambda: np.arange(55))
    known = np.array([True, False, True, True, False, False])
    backgrounds = [rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)]
    _, labels = CropMaker(faces, faces, faces, backgrounds, head, exact=known).chunk(rng, 40, {PORTRAIT: 0.3, RENDER: 0.7})
    kind, source = labels[:, FIELDS["kind"]][:, 0], labels[:, FIELDS["source"]][:, 0].astype(int)
    assert set(kind) == {PORTRAIT, RENDER}
    assert (labels[:, FIELDS["exact"]][:, 0] == np.where(kind == RENDER, known[source], 0)).all()
    _, labels = CropMaker(faces, faces, faces, backgrounds, head).chunk(rng, 8, {RENDER: 1})
    assert (labels[:, FIELDS["exact"]] == 1).all()
