"""Training under wrong or changed inputs: one line says what to do, and nothing good is lost."""
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
cv2 = pytest.importorskip("cv2")
pytest.importorskip("numba")
pytest.importorskip("safetensors")

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bindings" / "python"))
from garface.training import overlay, photo_fits  # noqa: E402
from garface.training.__main__ import main as program  # noqa: E402
from garface.training.data import FRAME_MM, load_crops, load_packed  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def complaint(capsys, *command):
    """The only line that a program says when it refuses."""
    capsys.readouterr()
    assert program([str(word) for word in command]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith(f"garface.training {command[0]}: "), said
    return said


@pytest.fixture
def fits_without_library(monkeypatch):
    """Faces that fit nothing: those of b.png are rejected for their residual, c.png cannot be fitted."""
    def fit_face(path, points=None, offset=None, models=None):
        if path.endswith("c.png"):
            raise ValueError("no face")
        return photo_fits.PhotoFit(path, np.eye(3), 0.2, np.full(2, 24.0), np.zeros(80), np.zeros(55), np.zeros((68, 2)),
                                   9.0 if path.endswith("b.png") else 1.0)
    monkeypatch.setattr(photo_fits, "fit_face", fit_face)
    monkeypatch.setattr(photo_fits.garface.Models, "default", lambda: None)
    monkeypatch.setattr("garface.training.prepare.report", lambda *_: None)


def test_a_face_keeps_its_number_whatever_is_left_out(tmp_path, fits_without_library):
    photos = tmp_path / "photos"
    photos.mkdir()
    names = [f"{n}.png" for n in "aabcdde"]      # two photos show two faces
    for name in set(names):
        cv2.imwrite(str(photos / name), np.zeros((48, 48, 3), np.uint8))
    np.savez(photos / "landmarks68.npz", names=names, landmarks=np.zeros((7, 68, 2)))
    for out, limit, left in (("all", 20, [0, 1, 2, 4, 5, 6]), ("strict", 4, [0, 1, 4, 5, 6])):
        assert not program(["prepare", str(photos), "--out", str(tmp_path / out), "--max-residual", str(limit), "--size", "16"])
        faces = load_packed(str(tmp_path / out))
        assert faces.index.tolist() == left
        assert faces.person.tolist() == [[0, 0, 1, 2, 3, 3, 4][k] for k in left]


def test_prepare_of_nothing_leaves_nothing(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for folder in ("nonexistent", "empty"):
        assert folder in complaint(capsys, "prepare", tmp_path / folder, "--out", tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_points_of_the_fit_itself_are_no_check(monkeypatch, capsys):
    monkeypatch.setattr(overlay, "write_sheet", lambda *_: [0, 1])
    monkeypatch.setattr(overlay, "LibraryHead", lambda: None)
    own, found = np.array([1e-4, 2e-4]), np.array([1.5, 2e-4])
    monkeypatch.setattr(overlay, "distances", lambda *_: (own, found))
    overlay.report(None, "sheet.png")
    said = capsys.readouterr().out
    assert "inner no check" in said and "jaw median 1.50 mm, largest 1.50 (1 faces)" in said


def test_a_cache_serves_several_folders(tmp_path):
    """Two folders with as many crops each: none gets the other's pictures."""
    for k, name in enumerate(("one", "two")):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "00000.webp"), np.full((24, 24), 100 + 50 * k, np.uint8))
        np.savez(tmp_path / name / "fits.npz", rotation=np.eye(3)[None], scale=np.full(1, 24 / FRAME_MM), person=np.array([k]),
                 translation=np.full((1, 2), 12.0), identity=np.zeros((1, 80)), expression=np.zeros((1, 55)),
                 landmarks68=np.zeros((1, 68, 2)), landmark_offset_mm=np.zeros((68, 3)))
    means = [load_crops(str(tmp_path / name), str(tmp_path / "cache")).images.mean() for name in ("one", "two", "one")]
    assert means[0] == means[2] and abs(means[1] - means[0] - 50) < 5
