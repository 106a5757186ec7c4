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
from garface.training import material, overlay, photo_fits, runs, train_obedience  # noqa: E402
from garface.training.__main__ import main as program  # noqa: E402
from garface.training.convnets import InverseNetwork  # noqa: E402
from garface.training.data import FRAME_MM, load_crops, load_packed, save_packed  # noqa: E402
from garface.training.export import save_network  # noqa: E402
from garface.training.networks import Generator  # noqa: E402
from test_training_gar import write_material  # noqa: E402
from test_training_runs import synthetic_faces, synthetic_head  # noqa: E402


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


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Folder with a head, another, portraits, crops and turned views."""
    folder, rng = tmp_path_factory.mktemp("inputs"), np.random.default_rng(0)
    names = ["jawOpen", "mouthClose", "eyeBlink_L", "eyeBlink_R", *(f"shape{k}" for k in range(51))]
    for name in ("head", "other-head"):
        synthetic_head(folder / f"{name}.npz", rng)
        np.savez(folder / f"{name}.npz", **{**np.load(folder / f"{name}.npz"), "expression_names": names})
    for name, grey in (("portraits", False), ("other-portraits", False), ("crops", True)):
        save_packed(synthetic_faces(30, 48, grey, rng), str(folder / name))
    for name, grey in (("turned", False), ("turned-crops", True)):
        np.savez(folder / f"{name}.npz", image=np.zeros((4, 16, 16, 3), np.uint8), identity=np.zeros((4, 80)), grey=grey,
                 expression=np.zeros((4, 55)), yaw=np.zeros(4), pitch=np.zeros(4), source=np.arange(4))
    return folder


@pytest.fixture
def make_material(inputs, tmp_path, monkeypatch):
    """The function that makes material from inputs by name, without rasterising."""
    def maps(head, identity, *_):
        return np.zeros((len(identity), 3, 16, 16), np.int8), np.zeros((len(identity), 68, 2), np.float32)
    monkeypatch.setattr(material, "geometry_maps", maps)

    def make(portraits="portraits", head="head", crops=None, turned=(), size=16, wide=4):
        material.prepare(str(tmp_path / "material"), size, str(inputs / f"{head}.npz"), str(inputs / portraits),
                         str(tmp_path / "cache"), crops and str(inputs / crops), [str(inputs / f"{t}.npz") for t in turned], 4, wide)
    return make


def test_material_belongs_to_its_inputs(tmp_path, make_material):
    make_material()
    make_material()
    for changed, said in ((dict(portraits="other-portraits"), "(portraits)"), (dict(head="other-head"), "(head)"),
                          (dict(wide=6), "(wide)"), (dict(size=32), "(size)")):
        with pytest.raises(ValueError, match="delete this folder") as refused:
            make_material(**changed)
        assert said in str(refused.value)
    before = (tmp_path / "material" / "x.npy").stat().st_mtime_ns
    make_material(crops="crops", turned=["turned"])      # more may join it
    assert (tmp_path / "material" / "x.npy").stat().st_mtime_ns == before
    make_material(turned=["turned"])
    with pytest.raises(ValueError, match="turned"):
        make_material(crops="crops", turned=["turned", "turned-crops"])
    with pytest.raises(ValueError, match="need the crops"):
        make_material(turned=["turned-crops"])
    held = material.Material(str(tmp_path / "material"), "cpu", material.wanted_groups(None, ["turned"]))
    assert held.has("turned") and not held.has("crops")
    (tmp_path / "material" / "made_of.json").unlink()
    with pytest.raises(ValueError, match="does not say what it was made of"):
        make_material()


@pytest.fixture
def gar_run(inputs, tmp_path, monkeypatch):
    """(OUT, the function that gives train-gar's command with changes); the material is there already."""
    monkeypatch.setattr("garface.training.train_gar.prepare", lambda *_: None)
    write_material(str(tmp_path / "gar" / "material16"))

    def command(**changes):
        options = dict(head=inputs / "head.npz", portraits=inputs / "portraits", crops=inputs / "crops", cache=tmp_path / "cache",
                       out=tmp_path / "gar", size=16, batch=16, base=8, latent=6, depth=1, average=100, adversarial=0,
                       path_weight=0, steps=1, save=1, threads=1) | changes
        return ["train-gar", *(str(v) for k, value in options.items() for v in (f"--{k.replace('_', '-')}", value))]
    return tmp_path / "gar", command


def test_a_finished_run_does_nothing(gar_run, capsys):
    out, command = gar_run
    (out / "stop").touch()
    assert not program(command()) and "delete" in capsys.readouterr().out and not (out / "state.pt").exists()
    (out / "stop").unlink()
    assert not program(command())
    before = (out / "state.pt").read_bytes()
    for steps, said in ((1, "was the last"), (9, "delete")):
        if steps == 9:
            (out / "stop").touch()
        assert not program(command(steps=steps))
        heard = capsys.readouterr().out
        assert said in heard and "other settings" not in heard and (out / "state.pt").read_bytes() == before


def test_a_resumed_run_says_what_has_changed(gar_run, inputs, capsys):
    out, command = gar_run
    assert not program(command())
    capsys.readouterr()
    assert not program(command(steps=2, minutes=3, report=7, rate=0.002, portraits=inputs / "other-portraits"))
    said = capsys.readouterr().out
    assert "other settings" in said and said.split("\n")[0].endswith(": other portraits, rate 0.001 -> 0.002")
    state = torch.load(out / "state.pt", weights_only=True)
    assert state["it"] == 2 and state.pop("settings")["rate"] == 0.002
    torch.save(state, out / "state.pt")
    assert not program(command(steps=3))      # written before settings were kept
    assert "is not known" in capsys.readouterr().out
    said = complaint(capsys, *command(base=16, steps=9))
    assert "base 8 -> 16" in said and "--out" in said
    (out / "state.pt").write_bytes((out / "state.pt").read_bytes()[:5000])
    assert "state.pt: damaged" in complaint(capsys, *command(steps=9))
    torch.save({"network": {}}, out / "state.pt")
    assert "expected the state.pt of train-gar" in complaint(capsys, *command(steps=9))


@pytest.mark.parametrize("adversarial", (0, 1))
def test_a_broken_down_loss_leaves_the_checkpoint(gar_run, capsys, adversarial):
    out, command = gar_run
    assert not program(command(adversarial=adversarial))
    before = [(out / name).read_bytes() for name in ("ema.pt", "state.pt")]
    said = complaint(capsys, *command(adversarial=adversarial, steps=6, rate=1e9, save=2))
    assert "step " in said and "not finite" in said and "--rate" in said
    assert before == [(out / name).read_bytes() for name in ("ema.pt", "state.pt")]


@pytest.mark.parametrize("changes, said", (
    (dict(batch=8), "multiple of 16"), (dict(batch=24), "multiple of 16"), (dict(batch=0), "multiple of 16"),
    (dict(size=48), "16, 32, 64"), (dict(size=512), "16, 32, 64"), (dict(channels="16,16"), "3: 4, 8, 16"), (dict(channels="16,0,8"), "positive")))
def test_sizes_that_do_not_go_together(gar_run, capsys, changes, said):
    assert said in complaint(capsys, *gar_run[1](**changes))


def test_checks_of_losses_and_weights_name_what_broke_down():
    runs.check_losses({"a": 1.0}, 3)
    runs.check_weights({"a": torch.ones(2), "n": torch.ones(2, dtype=torch.int64)}, 3)
    with pytest.raises(FloatingPointError, match="step 3: the loss b, c"):
        runs.check_losses({"a": 1.0, "b": float("nan"), "c": float("inf")}, 3)
    with pytest.raises(FloatingPointError, match="step 4: the weights b"):
        runs.check_weights({"a": torch.ones(2), "b": torch.tensor([1.0, 1e6])}, 4)


def test_a_lesson_breaks_down_with_an_error(tmp_path, monkeypatch, capsys):
    torch.manual_seed(0)
    gar = Generator(32, {r: 8 for r in (4, 8, 16, 32)}, 6, 1, 3)
    torch.save({"g": gar.state_dict(), "channels": [(r, 8) for r in (4, 8, 16, 32)], "latent": 6}, tmp_path / "ema.pt")
    pictures = ("before", "after", "wanted", "drawn_before32", "drawn_after32")
    material = {"w": torch.randn(4, 6), "is_move": torch.arange(4) < 2, **{name: torch.ones(4, 3, 32, 32) for name in pictures},
                **{name: torch.full((4, 1, 32, 32), 255.0) for name in ("taught", "held", "skin")}}
    for name in ("made_by_processes", "HeadModel", "load_portraits", "training_portraits"):
        monkeypatch.setattr(train_obedience, name, lambda *_: material)
    said = complaint(capsys, "train-obedience", "--gar", tmp_path / "ema.pt", "--head", "-", "--portraits", "-", "--cache", "-",
                     "--out", tmp_path / "out", "--steps", 8, "--batch", 4, "--rate", 1e30, "--report", 1)
    assert "not finite" in said and not (tmp_path / "out" / "ema.pt").exists()


def test_the_detector_heeds_a_stop_file_from_before(tmp_path, capsys):
    (tmp_path / "stop").touch()
    assert not program(["train-detector", "--portraits", "-", "--crops", "-", "--cache", "-", "--out", str(tmp_path)])
    assert "delete" in capsys.readouterr().out and not (tmp_path / "state.pt").exists()


def test_export_says_what_it_expected(gar_run, tmp_path, capsys):
    out, command = gar_run
    assert not program(command())
    gar, inverse, result = tmp_path / "gar.safetensors", tmp_path / "inverse.safetensors", tmp_path / "out.safetensors"
    assert not program(["export", "gar", str(out / "ema.pt"), str(gar)])
    save_network(InverseNetwork(latent=6), str(inverse))
    (tmp_path / "text.safetensors").write_text("no weight file")
    for kind, file, said in (
            ("inverse", gar, "holds gar; expected a weight file of kind inverse-network"),
            ("gar", inverse, "holds inverse-network; expected a weight file of kind gar"),
            ("gar", out / "state.pt", "expected the ema.pt of train-gar"),
            ("inverse", out / "ema.pt", "expected the ema.pt of train-inverse"),
            ("detector", out / "ema.pt", "expected the ema.pt of train-detector"),
            ("inverse", tmp_path / "text.safetensors", "no weight file"), ("gar", tmp_path / "none.pt", "none.pt")):
        assert said in complaint(capsys, "export", kind, file, result)
    assert not result.exists()
