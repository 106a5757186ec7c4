"""Eyes shut in pictures, and the renderer's lesson on them."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("cv2")
pytest.importorskip("numba")

from garface.evaluation.openings import eye_aspect  # noqa: E402
from garface.training import eyelids, train_lids  # noqa: E402
from garface.training.eyelids import SHUT, SHUT_SHARE, shut_eyes_repeated  # noqa: E402
from garface.training.networks import Generator  # noqa: E402


def eyes(opening, size=96):
    """68 points [68,3] px, eyes `opening` px high, mid-grey elsewhere."""
    points = np.zeros((68, 3), np.float32)
    for eye, x in zip(eyelids.EYES, (28.0, 60.0)):
        h = opening / 2
        points[eye, :2] = [(x - 8, 40), (x - 3, 40 - h), (x + 3, 40 - h), (x + 8, 40), (x + 3, 40 + h), (x - 3, 40 + h)]
    return points


def picture(points, size=96):
    """Skin, and dark eyes of these points."""
    import cv2
    image = np.full((size, size, 3), 180, np.uint8)
    for eye in eyelids.EYES:
        cv2.fillPoly(image, [np.round(points[eye, :2]).astype(np.int32)], (20, 20, 20))
    return image


def test_lids_close_where_the_aspect_falls():
    assert eyelids.closing(eyes(6), eyes(1)) and not eyelids.closing(eyes(6), eyes(6)) and not eyelids.closing(eyes(3), eyes(6))
    assert eye_aspect(eyes(6)) > eye_aspect(eyes(1))


def test_skin_takes_the_place_of_eyes():
    points = eyes(6)
    without = eyelids.without_eyes(picture(points), points[:, :2])
    assert without.min() > 150 and picture(points).min() < 50


def test_lashes_are_drawn_along_the_lower_rim_where_they_are_seen():
    points, skin = eyes(1), np.full((96, 96, 3), 180, np.uint8)
    near = np.full((96, 96), -1.0, np.float32)
    drawn = eyelids.draw_lashes(None, skin, points, near, 0.8)
    dark = np.argwhere(drawn[..., 0] < 150)
    assert len(dark) > 10 and abs(dark[:, 0].mean() - 40) < 1.5
    assert np.array_equal(eyelids.draw_lashes(None, skin, points, near + 2, 0.8), skin)      # behind something
    assert (eyelids.draw_lashes(np.random.default_rng(0), skin, points, near, 0.8) != drawn).any()


def test_shut_eyes_come_as_often_as_it_takes():
    faces = np.stack([eyes(6)] * 95 + [eyes(0.5)] * 5)
    index = shut_eyes_repeated(faces)
    shut = np.array([eye_aspect(faces[i]) < SHUT for i in index])
    assert list(index[:100]) == list(range(100)) and abs(shut.mean() - SHUT_SHARE) < 0.01
    assert list(shut_eyes_repeated(faces[:90])) == list(range(90))      # none to repeat


def test_masks_reach_round_the_eyes():
    mask = train_lids.eye_mask(eyes(6)[:, :2], eyes(1)[:, :2], 96)
    assert mask.shape == (96, 96) and mask[40, 28] > 0.99 and mask[40, 60] > 0.99 and mask[70].max() == 0 and mask[10].max() == 0


def test_a_lesson_changes_the_lids_and_little_else():
    torch.manual_seed(0)
    gar = Generator(64, {r: 8 for r in (4, 8, 16, 32, 64)}, 12, 2, 8).eval()
    rng = np.random.default_rng(0)
    n, size = 8, 64
    normals = rng.integers(-127, 128, (2, n, 3, size, size)).astype(np.int8)
    mask = np.zeros((n, 1, size, size), np.uint8)
    mask[:, :, 20:28, 16:48] = 255
    material = {"w": torch.randn(n, 12), "opened": torch.from_numpy(normals[0]), "shut": torch.from_numpy(normals[1]),
                "wanted": torch.full((n, 3, size, size), 200, dtype=torch.uint8), "eyes": torch.from_numpy(mask)}
    a = train_lids.arguments(["--gar", "-", "--head", "-", "--portraits", "-", "--cache", "-", "--out", "-", "--steps", "100",
                              "--batch", "8", "--rate", "0.03", "--average", "10"])
    trainer = train_lids.Trainer(a, gar, material)
    losses = [trainer.step(k / 100) for k in range(100)]
    assert losses[-1]["lids"] < 0.8 * losses[0]["lids"]
    assert all(torch.equal(p, q) for p, q in zip(gar.style.parameters(), trainer.average.style.parameters()))
    assert trainer.sheet(2).shape == (5 * size, 2 * size, 3)


def test_says_how_long(capsys):
    with pytest.raises(SystemExit):
        train_lids.arguments(["--gar", "a", "--head", "b", "--portraits", "c", "--cache", "d", "--out", "e"])
    assert "--minutes" in capsys.readouterr().err
