"""Training as it is run: a set is prepared, a run stopped and resumed is the same run, two processes are one."""
import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
cv2 = pytest.importorskip("cv2")
pytest.importorskip("numba")
pytest.importorskip("scipy")
pytest.importorskip("safetensors")

PACKAGE = Path(__file__).resolve().parents[2] / "bindings" / "python"
sys.path.insert(0, str(PACKAGE))
import garface  # noqa: E402
from garface.training import curves, distributed  # noqa: E402
from garface.training.__main__ import PROGRAMS, main as program  # noqa: E402
from garface.training.convnets import load_inverse  # noqa: E402
from garface.training.crop_pool import CropPool, LocalSource, PoolPlan  # noqa: E402
from garface.training.crops import CROP, FIELDS, LABELS, NEGATIVE, PORTRAIT, RENDER  # noqa: E402
from garface.training.data import (FaceSet, frame_to_picture, is_aligned, load_crops, load_faces, load_packed,  # noqa: E402
                                   load_portraits, save_packed, warped)
from garface.training.export import load_network, save, save_network  # noqa: E402
from garface.training.networks import Generator, load_gar  # noqa: E402
from garface.training.normals import HeadModel  # noqa: E402
from garface.training.photo_effects import extreme_exposure, face_mask, glasses, sharpen, small_face, uneven_light  # noqa: E402
from garface.training.renders import load_renders  # noqa: E402
from garface.training.teacher import RenderMatch  # noqa: E402

RUN = dict(batch=8, lanes=4, chunk=4, pool=64, reuse=2, steps=8, producers=0, latent=6, report=1, save=100, held_out=8)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def synthetic_faces(count, size, grey, rng):
    """Pictures with a blob that moves with the landmarks; frames rolled and shifted unless they are to be aligned."""
    frame = frame_to_picture(((size - 1) / 2,) * 2, size, 0.0)
    frames = np.stack([frame if not grey else frame_to_picture(rng.uniform(0.4, 0.6, 2) * size, size * 1.2, 0.1)
                       for _ in range(count)])
    points = rng.uniform(0.2, 0.8, (count, 68, 2)).astype(np.float32) * size
    pictures = rng.integers(0, 120, (count, size, size) if grey else (count, size, size, 3)).astype(np.uint8)
    for picture, at in zip(pictures, points):
        cv2.circle(picture, at.mean(0).astype(int).tolist(), size // 4, (220,) * (1 if grey else 3), -1)
    zero = np.zeros(count)
    return FaceSet(pictures, frames, zero + 0.1 * grey, zero + size * (1.2 if grey else 1), rng.normal(0, 0.2, count),
                   rng.normal(0, 0.1, count), rng.normal(0, 0.4, (count, 80)).astype(np.float32),
                   rng.uniform(0, 0.3, (count, 55)).astype(np.float32), points, np.arange(count), np.arange(count))


def synthetic_head(path, rng):
    """A head model of the right sizes with few vertices."""
    n = 120
    corners = rng.integers(0, n, (68, 3))
    np.savez(path, mean=rng.normal(0, 40, (n, 3)), identity=rng.normal(0, 1, (80, n, 3)),
             expression=rng.normal(0, 1, (55, n, 3)), triangles=rng.integers(0, n, (60, 3)).astype(np.int32),
             part=np.zeros(n, np.uint8), part_names=np.array(["skin"]),
             expression_names=np.array([f"shape{k}" for k in range(55)]), identity_rms_mm=np.linspace(2, 0.2, 80),
             landmark_triangles=corners, landmark_bary=np.full((68, 3), 1 / 3))


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Folder with a head, two packed sets and backgrounds."""
    folder, rng = tmp_path_factory.mktemp("material"), np.random.default_rng(0)
    synthetic_head(folder / "head.npz", rng)
    save_packed(synthetic_faces(30, 48, False, rng), str(folder / "portraits"))
    save_packed(synthetic_faces(42, 40, True, rng), str(folder / "crops"))
    (folder / "backgrounds").mkdir()
    cv2.imwrite(str(folder / "backgrounds" / "noise.png"), rng.integers(0, 256, (120, 120, 3)).astype(np.uint8))
    return folder


def run_options(material, out, **changes):
    options = {"head": material / "head.npz", "portraits": material / "portraits", "crops": material / "crops",
               "cache": material / "cache", "backgrounds": material / "backgrounds", "out": out, **RUN, **changes}
    return ["train-inverse", *(str(v) for k, value in options.items() for v in (f"--{k.replace('_', '-')}", value))]


def train(material, out, **changes):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        program(run_options(material, out, **changes))
    return said.getvalue()


def flat(state, prefix=""):
    """{name: tensor} of nested dictionaries and lists."""
    items = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, (list, tuple)) else ()
    found = {prefix: state} if isinstance(state, torch.Tensor) else {}
    for k, v in items:
        found.update(flat(v, f"{prefix}.{k}"))
    return found


@pytest.fixture(scope="module")
def straight(material, tmp_path_factory):
    """The folder of an unbroken run."""
    out = tmp_path_factory.mktemp("straight")
    train(material, out)
    return out


def test_every_program_is_there():
    for module, what in PROGRAMS.values():
        assert (PACKAGE / "garface" / "training" / f"{module}.py").exists() and what
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert program(["--help"]) == 0
    assert "train-inverse" in said.getvalue()
    with contextlib.redirect_stderr(io.StringIO()):
        assert program(["no-such-program"]) == 2


def test_packed_sets_are_read_everywhere(material, tmp_path):
    portraits, crops = (load_packed(str(material / n)) for n in ("portraits", "crops"))
    assert is_aligned(portraits) and not is_aligned(crops)
    small = load_portraits(str(material / "portraits"), str(tmp_path), 24)
    assert small.images.shape == (30, 24, 24, 3) and is_aligned(small)
    np.testing.assert_allclose(small.landmarks, (portraits.landmarks + 0.5) / 2 - 0.5, atol=1e-4)
    assert load_portraits(str(material / "portraits"), str(tmp_path), 24).images[3].tolist() == small.images[3].tolist()
    for load in (load_faces, load_crops):
        np.testing.assert_array_equal(load(str(material / "crops"), str(tmp_path)).images, crops.images)
    with pytest.raises(ValueError, match="aligned"):
        load_portraits(str(material / "crops"), str(tmp_path))
    with pytest.raises(FileNotFoundError, match="prepare"):
        load_faces(str(tmp_path), str(tmp_path))


def test_prepare_finds_or_takes_the_points(tmp_path, photo):
    picture = cv2.imread(str(photo))
    given, searched = tmp_path / "given", tmp_path / "searched"
    for folder in (given, searched):
        folder.mkdir()
    cv2.imwrite(str(searched / "a.png"), picture)
    (searched / "b.png").write_bytes(b"no picture")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as complaint:
        program(["prepare", str(searched), "--out", str(tmp_path / "one"), "--size", "64"])
    assert "b.png" in complaint.getvalue()
    found = load_packed(str(tmp_path / "one"))
    assert found.images.shape == (1, 64, 64, 3) and is_aligned(found) and found.identity.shape == (1, 80)
    eyes = found.landmarks[0, 36:48].mean(0)
    assert abs(eyes[0] - 32) < 4 and 20 < eyes[1] < 32
    assert cv2.imread(str(tmp_path / "one" / "overlay.png")).shape == (240, 240, 3)

    # The same face, turned by 20 degrees and with its points beside it: roll, scale and shift are taken out again.
    points = garface.reconstruct(str(photo), renderer="landmarks").landmarks      # as people mark them
    turn = cv2.getRotationMatrix2D((250, 200), 20, 0.8)
    cv2.imwrite(str(given / "a.png"), cv2.warpAffine(picture, turn, (400, 380)))
    lines = "\n".join(f"{x} {y}" for x, y in points @ turn[:, :2].T + turn[:, 2])
    (given / "a.pts").write_text(f"version: 1\nn_points: 68\n{{\n{lines}\n}}\n")
    with contextlib.redirect_stdout(io.StringIO()):
        program(["prepare", str(given), "--out", str(tmp_path / "two"), "--size", "64", "--grey"])
    again = load_packed(str(tmp_path / "two"))
    assert again.images.shape == (1, 64, 64)
    assert np.abs(again.landmarks - found.landmarks).max() < 1.5
    grey = cv2.cvtColor(found.images[0], cv2.COLOR_RGB2GRAY).astype(float)
    assert np.abs(again.images[0] - grey)[20:50, 16:48].mean() < 12
    assert np.load(tmp_path / "two" / "fits.npz")["residual_mm"][0] < 1.5


def test_the_pool_depends_on_the_step_alone():
    def make(number):
        rng = np.random.default_rng([5, number])
        return rng.integers(0, 256, (4, 2, 2, 3)).astype(np.uint8), np.full((4, 3), number, np.float32)
    plan = PoolPlan(seed=1, batch=8, reuse=1, pool=48, lanes=4, chunk=4)

    def draw(pool, step):
        return pool.draw(step, plan.random(step))
    whole = CropPool(plan, lambda first, lanes: LocalSource(make))
    steps = [draw(whole, s) for s in range(12)]
    later = CropPool(plan, lambda first, lanes: LocalSource(make), step=9)
    halves = [CropPool(plan, lambda first, lanes: LocalSource(make), rank=r, world=2) for r in range(2)]
    for s in range(12):
        both = [draw(h, s) for h in halves]
        for k in range(2):
            np.testing.assert_array_equal(np.concatenate([b[k] for b in both]), steps[s][k])
            if s >= 9:
                np.testing.assert_array_equal(draw(later, s)[k], steps[s][k])
    assert steps[11][1].max() > steps[0][1].max()      # new chunks came
    with pytest.raises(ValueError, match="3 processes"):
        plan.own_lanes(0, 3)


def test_sharing_without_a_group():
    assert distributed.start() == (0, 1)
    assert distributed.share(np.arange(6), 1, 3).tolist() == [2, 3]
    with pytest.raises(ValueError, match="7 samples"):
        distributed.share(np.arange(7), 0, 2)
    assert distributed.mean(2.5, 1) == 2.5 and not distributed.agree(False, 1)


def test_curves_are_drawn_and_rewritten(tmp_path):
    path, png = str(tmp_path / "curves.jsonl"), str(tmp_path / "curves.png")
    curves.draw(path, png)
    assert not os.path.exists(png)
    for step in range(0, 50, 10):
        curves.record(path, step, {"loss": 1 / (1 + step), "face": float("nan") if step == 20 else 0.5})
    curves.record(path, 30, {"loss": 0.25})      # resumed from an earlier checkpoint
    assert [line["step"] for line in curves.read(path)] == [0, 10, 20, 30]
    curves.draw(path, png)
    assert cv2.imread(png).shape[1] == 2 * curves.WIDTH


def test_a_resumed_run_is_the_same_run(material, straight, tmp_path):
    train(material, tmp_path, until=5)
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 5
    said = train(material, tmp_path, producers=1)      # whoever makes the crops
    assert "other settings" not in said
    found, expected = (flat(torch.load(p / "state.pt", weights_only=True)) for p in (tmp_path, straight))
    assert set(found) == set(expected) and len(found) > 100
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
    for name in ("curves.png", "held_out.png", "sample.png", "ema.pt"):
        assert (tmp_path / name).stat().st_size > 0
    losses = [[line["loss"] for line in curves.read(str(p / "curves.jsonl"))] for p in (tmp_path, straight)]
    assert losses[0] == losses[1] and len(losses[0]) == RUN["steps"]


def test_a_run_that_is_over_does_nothing(material, straight):
    before = (straight / "state.pt").read_bytes()
    assert "step 8 was the last" in train(material, straight)
    (straight / "stop").touch()
    said = train(material, straight, steps=20)
    (straight / "stop").unlink()
    assert "delete" in said and "steps 8 -> 20" in said and (straight / "state.pt").read_bytes() == before


def test_a_changed_or_broken_run_leaves_the_checkpoint(material, straight, tmp_path, capsys):
    for name in ("ema.pt", "state.pt"):
        shutil.copy(straight / name, tmp_path)
    save_packed(synthetic_faces(30, 48, False, np.random.default_rng(9)), str(tmp_path / "portraits"))
    options = run_options(material, tmp_path, steps=20, rate=1e30, save=1, portraits=tmp_path / "portraits")
    assert program([*options, "--bf16"]) == 1
    said = capsys.readouterr()
    assert ": other portraits, steps 8 -> 20, rate 0.002 -> 1e+30, bf16 False -> True\n" in said.out
    assert "step 9" in said.err and "not finite" in said.err and said.err.count("\n") == 1
    assert program(run_options(material, tmp_path, latent=7)) == 1
    assert "latent 6 -> 7" in capsys.readouterr().err
    for name in ("ema.pt", "state.pt"):
        assert (tmp_path / name).read_bytes() == (straight / name).read_bytes()
    (tmp_path / "state.pt").write_bytes(b"")
    assert program(run_options(material, tmp_path)) == 1
    assert "state.pt: damaged" in capsys.readouterr().err


def test_a_run_goes_on_from_a_weight_file(material, straight, tmp_path):
    weights = tmp_path / "inverse.safetensors"
    program(["export", "inverse", str(straight / "ema.pt"), str(weights)])
    out = tmp_path / "wider"
    train(material, out, initial=weights, width=1.5, steps=2)
    layers = [torch.load(folder / "ema.pt", weights_only=True)["layers"] for folder in (straight, out)]
    assert layers[1][0][0] == 1.5 * layers[0][0][0]
    assert np.isfinite([line["loss"] for line in curves.read(str(out / "curves.jsonl"))]).all()


def test_a_close_up_joins_the_inverse_network(material, straight, tmp_path, capsys):
    weights, close, both = (str(tmp_path / f"{n}.safetensors") for n in ("inverse", "close", "both"))
    program(["export", "inverse", str(straight / "ema.pt"), weights])
    out = tmp_path / "close"
    program([*run_options(material, out, initial=weights, steps=2), "--close-up"])
    program(["export", "inverse", str(out / "ema.pt"), close])
    alone = load_network(close, "close-up-network")
    assert alone.description["field"] == {"half": pytest.approx(82 / 115), "centre_y": pytest.approx(-22 / 115)}
    x = torch.rand(2, 3, alone.description["input_size"], alone.description["input_size"]) * 2 - 1
    with torch.no_grad():
        said = load_inverse(str(out / "ema.pt")).eval()(x)
    assert set(alone(x)) == set(said) - {"w", "face"}
    program(["export", "inverse", weights, both, "--close-up", close])
    joined, first = load_network(both, "inverse-network"), load_network(weights)
    assert first.close_up is None and joined.description["heads"] == first.description["heads"]
    for name, value in joined.close_up(x).items():
        torch.testing.assert_close(value, alone(x)[name])
        torch.testing.assert_close(value, said[name], atol=2e-2, rtol=2e-2)
    # How far the mean of both is off, on pictures that each sees its own part of.
    rng, truth = np.random.default_rng(1), np.random.default_rng(2).normal(size=(5, 80)).astype(np.float32)
    np.savez(tmp_path / "renders.npz", image=rng.integers(0, 256, (5, 96, 96, 3)).astype(np.uint8), identity=truth,
             expression=np.full((5, 55), 0.5, np.float32), yaw=np.zeros(5), pitch=np.zeros(5))
    program(["export", "inverse", weights, both, "--close-up", close, "--renders", str(tmp_path / "renders.npz"),
             "--head", str(material / "head.npz")])
    pictures = np.load(tmp_path / "renders.npz")["image"]
    frame = frame_to_picture((47.5, 47.5), 96, 0.0)
    crops = [pictures, np.stack([warped(p, frame, 112, field=alone.field) for p in pictures])]
    with torch.no_grad():
        read = [n(torch.from_numpy(c / 127.5 - 1).permute(0, 3, 1, 2).float())["identity"].numpy()
                for n, c in zip((first, alone), crops)]
    joined = load_network(both)
    np.testing.assert_allclose(joined.description["identity_deviation"], np.sqrt((((read[0] + read[1]) / 2 - truth) ** 2).mean(0)),
                               atol=0.02)
    # Another joins in its place, and without renders nobody knows how far that mean is off.
    program(["export", "inverse", both, both, "--close-up", close])
    assert "identity_deviation" not in load_network(both).description
    # A close-up goes on from its file; each kind refuses the other's checkpoint.
    again = tmp_path / "again"
    program([*run_options(material, again, initial=close, steps=1), "--close-up"])
    assert load_inverse(str(again / "ema.pt")).field == alone.field
    capsys.readouterr()
    for wrong, said in (([*run_options(material, again, initial=straight / "ema.pt", steps=2), "--close-up"], "leave out --close-up"),
                        (run_options(material, tmp_path / "other", initial=out / "ema.pt", steps=2), "add --close-up"),
                        (["export", "inverse", weights, both, "--close-up", weights], "of kind close-up-network"),
                        (["export", "inverse", str(out / "ema.pt"), both, "--close-up", close], "is a close-up itself")):
        assert program(wrong) == 1
        assert said in capsys.readouterr().err


def test_a_weight_file_says_how_far_it_is_off(material, straight, tmp_path):
    rng, path = np.random.default_rng(1), tmp_path / "inverse.safetensors"
    pictures, truth = rng.integers(0, 256, (5, 192, 192, 3)).astype(np.uint8), rng.normal(size=(5, 80)).astype(np.float32)
    np.savez(tmp_path / "renders.npz", image=pictures, identity=truth, expression=np.full((5, 55), 0.5, np.float32),
             yaw=np.zeros(5), pitch=np.zeros(5))
    program(["export", "inverse", str(straight / "ema.pt"), str(path), "--renders", str(tmp_path / "renders.npz"),
             "--head", str(material / "head.npz")])
    network = load_network(str(path))
    crops = pictures.reshape(5, 96, 2, 96, 2, 3).mean((2, 4)).round()
    with torch.no_grad():
        found = network(torch.from_numpy(crops / 127.5 - 1).permute(0, 3, 1, 2).float())
    error = np.sqrt(((found["identity"].numpy() - truth) ** 2).mean(0))
    np.testing.assert_allclose(network.description["identity_deviation"], error, atol=0.02)
    assert len(network.description["expression_deviation"]) == 55


def test_the_w_head_is_fitted_without_an_encoder(material, straight, tmp_path):
    """From weight files alone: the codes of renders are known, those of portraits are not."""
    torch.manual_seed(2)
    gar, renders = Generator(16, {4: 8, 8: 8, 16: 8}, latent=6, depth=2, style_maps=3), str(tmp_path / "renders.npz")
    save({**gar.state_dict(), "mean_w": gar.mean_w()}, gar.description(), str(tmp_path / "gar.safetensors"))
    common = ["--head", str(material / "head.npz"), "--portraits", str(material / "portraits"), "--cache", str(tmp_path)]
    rng = np.random.default_rng(3)
    np.savez(renders, image=rng.integers(0, 256, (6, 16, 16, 3)).astype(np.uint8), yaw=np.zeros(6), pitch=np.zeros(6),
             identity=np.zeros((6, 80), np.float32), expression=np.zeros((6, 55), np.float32),
             w=rng.normal(size=(6, 6)).astype(np.float16))
    out, said = tmp_path / "fitted.pt", io.StringIO()
    with contextlib.redirect_stdout(said):
        program(["fit-w-head", *common, "--gar", str(tmp_path / "gar.safetensors"), "--network", str(straight / "ema.pt"),
                 "--renders", renders, "--out", str(out), "--minutes", "0.05"])
    before, after = (torch.load(p, weights_only=True)["network"] for p in (straight / "ema.pt", out))
    changed = {k for k in before if not torch.equal(before[k], after[k])}
    assert changed == {"heads.w.weight", "heads.w.bias"} and torch.isfinite(after["heads.w.weight"]).all()
    assert "as it is" in said.getvalue() and "ridge" in said.getvalue()


def test_random_codes_become_like_those_of_portraits(material, tmp_path):
    """From weight files alone: nothing of the renderer changes but what z becomes, and the inverse network says the same w."""
    torch.manual_seed(2)
    gar = Generator(16, {4: 8, 8: 8, 16: 8}, latent=6, depth=3, style_maps=3)
    old, new, codes = tmp_path / "gar.safetensors", tmp_path / "fitted.safetensors", tmp_path / "codes.npz"
    save({**gar.state_dict(), "mean_w": gar.mean_w()}, gar.description(), str(old))
    rng = np.random.default_rng(3)
    mean, factor = rng.normal(size=6), rng.normal(size=(6, 6))
    np.savez(codes, w=(mean + rng.normal(size=(4000, 6)) @ factor.T).astype(np.float32))
    common = ["--head", str(material / "head.npz"), "--portraits", str(material / "portraits"), "--cache", str(tmp_path)]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        program(["fit-mapping", *common, "--gar", str(old), "--codes", str(codes), "--out", str(new)])
    before, after = load_gar(str(old))[0], load_gar(str(new))[0]
    changed = {k for k, v in before.state_dict().items() if not torch.equal(v, after.state_dict()[k])}
    assert changed and all(k.startswith("style.") for k in changed)
    with torch.no_grad():
        w = after.style(torch.randn(20000, 6)).numpy()
    covariance = factor @ factor.T
    assert np.allclose(w.mean(0), mean, atol=0.1)
    assert np.allclose(np.cov(w.T), covariance, atol=0.1 * np.trace(covariance))
    distances = said.getvalue().splitlines()[0].split(": ")[1].split(" -> ")
    assert float(distances[1]) < 0.1 * float(distances[0])


def test_codes_of_portraits_show_them(material, straight, tmp_path):
    torch.manual_seed(2)
    gar = Generator(16, {4: 8, 8: 8, 16: 8}, latent=6, depth=2, style_maps=3)
    save({**gar.state_dict(), "mean_w": gar.mean_w()}, gar.description(), str(tmp_path / "gar.safetensors"))
    network = load_inverse(str(straight / "ema.pt"), 6)
    save_network(network, str(tmp_path / "inverse.safetensors"))
    common = ["--head", str(material / "head.npz"), "--portraits", str(material / "portraits"), "--cache", str(tmp_path)]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        program(["fit-mapping", *common, "--gar", str(tmp_path / "gar.safetensors"), "--network", str(tmp_path / "inverse.safetensors"),
                 "--codes", str(tmp_path / "codes.npz"), "--count", "6", "--out", str(tmp_path / "fitted.safetensors"),
                 "--network-out", str(tmp_path / "moved.safetensors")])
    before, after = (float(number) for number in said.getvalue().splitlines()[0].split("px ")[1].split(" -> "))
    assert after < before and np.load(tmp_path / "codes.npz")["w"].shape == (6, 6)
    networks = [load_network(str(tmp_path / f"{name}.safetensors")) for name in ("inverse", "moved")]
    means = [load_gar(str(tmp_path / f"{name}.safetensors"))[0].mean_w() for name in ("gar", "fitted")]
    x = torch.rand(2, 3, 96, 96)
    w = [network(x)["w"] + mean for network, mean in zip(networks, means)]
    assert torch.allclose(w[0], w[1], atol=2e-2 * (1 + w[0].abs().max()))


def test_renders_of_several_files_join(tmp_path, material):
    head = HeadModel(str(material / "head.npz"))
    rng = np.random.default_rng(0)

    def file(name, count, **more):
        np.savez(tmp_path / name, image=rng.integers(0, 256, (count, 16, 16, 3)).astype(np.uint8),
                 identity=np.zeros((count, 80), np.float32), expression=np.zeros((count, 55), np.float32),
                 yaw=np.zeros(count), pitch=np.zeros(count), **more)
        return str(tmp_path / name)
    known = rng.normal(size=(2, 6)).astype(np.float16)
    faces, w = load_renders(file("views.npz", 3, grey=True, source=np.arange(3)) + "," + file("renders.npz", 2, w=known), head)
    assert len(faces) == 5 and np.isnan(w[:3]).all() and (w[3:] == known).all()
    with pytest.raises(ValueError, match="several renderers"):
        load_renders(file("a.npz", 1, w=known[:1]) + "," + file("b.npz", 1, w=known[:1, :4]), head)
    assert load_renders(str(tmp_path / "views.npz"), head)[1] is None


def test_renders_are_compared_inside_the_picture():
    """A renderer that paints the first three numbers of w, against photos of one colour."""
    faces = {PORTRAIT: synthetic_faces(2, 32, False, np.random.default_rng(1)),
             CROP: synthetic_faces(2, 32, True, np.random.default_rng(2))}
    faces[PORTRAIT].images[:] = [255, 0, 0]
    faces[CROP].images[:] = 255
    gar = lambda w, normals, noise: w[:, :3, None, None].expand(-1, -1, 16, 16)      # noqa: E731
    gar.size, gar.layer_count = 16, 1
    head = SimpleNamespace(normal_maps=lambda identity, *_: np.zeros((len(identity), 3, 16, 16), np.int8))
    teacher = SimpleNamespace(gar=gar, mean_w=torch.zeros(4), device="cpu")
    match, rows = RenderMatch(teacher, head, faces), np.zeros((8, LABELS), np.float32)
    rows[:, FIELDS["kind"]] = np.array([NEGATIVE, PORTRAIT, RENDER, NEGATIVE, CROP, PORTRAIT, CROP, CROP])[:, None]
    assert match.choose(rows, 4).tolist() == [1, 4, 6]      # the second lane has no real photo
    w = torch.tensor([[1.0, -1, -1, 0], [1, 1, 1, 0]], requires_grad=True)
    exact = match(w, rows[[1, 4]])
    assert exact.tolist() == pytest.approx([0, 0], abs=1e-6)
    off = match(w + torch.tensor([[-0.3, 0, 0, 9]]), rows[[1, 4]])      # red alone: a third, and its share of luminance
    assert off.tolist() == pytest.approx([0.1, 0.3 * 0.299], abs=1e-5)
    off.sum().backward()
    assert w.grad[:, 0].abs().min() > 0 and not w.grad[:, 3].any()


@pytest.mark.parametrize("effect", [uneven_light, extreme_exposure, small_face, sharpen, glasses, face_mask])
def test_effects_keep_the_picture_whole(effect):
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (96, 96, 3)).astype(np.uint8)
    changed = 0
    for _ in range(20):
        before, points = picture.copy(), rng.uniform(-20, 116, (68, 2))
        after = effect(rng, picture, points) if effect in (glasses, face_mask) else effect(rng, picture)
        assert after.shape == picture.shape and after.dtype == np.uint8
        np.testing.assert_array_equal(picture, before)
        changed += (after != picture).any()
    assert changed > 10


def test_two_processes_train_as_one(material, straight, tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    environment = dict(os.environ, PYTHONPATH=str(PACKAGE), OMP_NUM_THREADS="1", MASTER_ADDR="127.0.0.1",
                       MASTER_PORT=str(port), WORLD_SIZE="2")      # what torchrun sets
    command = [sys.executable, "-m", "garface.training", *run_options(material, tmp_path)]
    ranks = [subprocess.Popen(command, env=dict(environment, RANK=str(r), LOCAL_RANK=str(r)), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) for r in range(2)]
    said = [p.communicate(timeout=120)[0] for p in ranks]
    assert all(p.returncode == 0 for p in ranks), "\n".join(said)
    one, two = (curves.read(str(p / "curves.jsonl")) for p in (straight, tmp_path))
    assert len(one) == len(two) == RUN["steps"]
    for k, (a, b) in enumerate(zip(one, two)):      # sums in another order part from step to step, by how much depends on the CPU
        for name in a:
            assert b[name] == pytest.approx(a[name], rel=1e-4 if k == 0 else 2e-3, abs=1e-5), (a["step"], name)
    assert json.dumps(one[0]) != json.dumps(one[-1])
