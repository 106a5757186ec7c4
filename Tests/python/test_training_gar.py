"""The renderer's training: each term against something independent, resuming to the bit, two processes as one."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("cv2")
pytest.importorskip("numba")
safe_open = pytest.importorskip("safetensors").safe_open

PYTHON = Path(__file__).resolve().parents[2] / "bindings" / "python"
sys.path.insert(0, str(PYTHON))
import garface  # noqa: E402
from garface._landmarks import LANDMARK_SWAP  # noqa: E402
from garface.training import train_gar  # noqa: E402
from garface.training.augment import Augmentation  # noqa: E402
from garface.training.codes import CodeBank  # noqa: E402
from garface.training.draws import Draw  # noqa: E402
from garface.training.export import export_gar  # noqa: E402
from garface.training.judges import Judges, identity_contrast, masked_difference  # noqa: E402
from garface.training.material import NAMES, Material  # noqa: E402
from garface.training.networks import (Discriminator, Generator, fir_kernel, grow, load_gar, load_gar_file, pyramid,  # noqa: E402
                                      upsample)
from garface.training.regularisers import PathLength, mix_styles, r1_penalty  # noqa: E402

COMMAND = ("--head none --portraits none --cache none --out none --size 16 --batch 16 --base 16 --latent 12 --depth 2 "
           "--average 100 --augment-length 1000 --path-every 2").split()


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def write_material(folder, size=16, count=24):
    os.makedirs(folder, exist_ok=True)
    rng = np.random.default_rng(5)
    for group, names in NAMES.items():
        for name in names:
            if name in ("x", "t"):
                values = rng.integers(0, 256, (count, 3, size, size)).astype(np.uint8)
            elif name == "c":
                values = rng.integers(0, 256, (count, 1, size, size)).astype(np.uint8)
            elif name == "cm":
                values = rng.integers(0, 2, (count, 1, size, size)).astype(np.uint8)
            elif name in ("l", "tl", "cl", "l2", "l3"):
                values = rng.uniform(-0.5, 0.5, (count, 68, 2)).astype(np.float32)
            elif name == "ts":      # portraits and crops, turned
                values = np.arange(count) * np.where(np.arange(count) % 2, -1, 1)
            else:
                values = rng.integers(-127, 128, (count, 3, size, size)).astype(np.int8)
            np.save(os.path.join(folder, f"{name}.npy"), values)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("material"))
    write_material(path)
    return path


def make_trainer(extra=()):
    torch.manual_seed(0)
    return train_gar.Trainer(train_gar.arguments([*COMMAND, *extra]), torch.device("cpu"))


def small_generator():
    torch.manual_seed(1)
    return Generator(8, {4: 6, 8: 5}, latent=7, depth=2, style_maps=3)


def test_mirrored_samples_are_mirror_images(folder):
    material, index = Material(folder, torch.device("cpu")), torch.tensor([3])
    x, n, l = material.batch("portraits", index, torch.tensor([False]))
    u, m, k = material.batch("portraits", index, torch.tensor([True]))
    torch.testing.assert_close(u, x.flip(3))
    torch.testing.assert_close(m[:, 0], -n.flip(3)[:, 0])
    torch.testing.assert_close(m[:, 1:], n.flip(3)[:, 1:])
    torch.testing.assert_close(k[0, 36], l[0, int(LANDMARK_SWAP[36])] * torch.tensor([-1.0, 1]))
    pairs = material.draw("wide", 8, Draw(0, 0), pairs=True)[1]
    stored = np.load(os.path.join(folder, "l3.npy"))
    for a, b in zip(pairs[0::2].numpy(), pairs[1::2].numpy()):      # neighbours stay together
        def number(points):
            for k, v in enumerate(stored):
                if np.allclose(v, points) or np.allclose(v[LANDMARK_SWAP] * [-1, 1], points):
                    return k
        assert number(b) == number(a) + 1 and number(a) % 2 == 0


def test_turned_views_come_with_the_photo_that_they_show(folder):
    material = Material(folder, torch.device("cpu"))
    view, normals, landmarks, photo, own = material.draw_turned(16, Draw(0, 3))
    assert len(view) == len(normals) == len(landmarks) == len(photo) == len(own) == 16
    for k in range(16):
        number, mirrored = next((i, m) for i in range(24) for m in (False, True)
                                if torch.equal(material.batch("turned", torch.tensor([i]), torch.tensor([m]))[0][0], view[k]))
        source = int(material.arrays["ts"][number])
        of, n = ("portraits", source) if source >= 0 else ("crops", -1 - source)
        expected, expected_normals, *rest = material.batch(of, torch.tensor([n]), torch.tensor([mirrored]))
        expected = (expected * rest[1]).expand(-1, 3, -1, -1) if of == "crops" else expected
        torch.testing.assert_close(photo[k], expected[0])
        torch.testing.assert_close(own[k], expected_normals[0])


def test_draws_depend_on_seed_and_step_and_are_shared():
    whole, first, second = Draw(3, 5), Draw(3, 5, rank=0, world=2), Draw(3, 5, rank=1, world=2)
    values = whole.normal(6, 4)
    torch.testing.assert_close(torch.cat([first.normal(6, 4), second.normal(6, 4)]), values, rtol=0, atol=0)
    assert (Draw(3, 6).normal(6, 4) != values).any()
    with pytest.raises(ValueError, match="--batch"):
        first.normal(3, 2)


def test_style_mixing_crosses_once():
    draw = Draw(0, 0, rows=6)
    a, b = torch.zeros(200, 3), torch.ones(200, 3)
    mixed = mix_styles(a, b, draw, 0.5)[..., 0]
    assert (mixed.diff(dim=1) >= 0).all() and (mixed[:, 0] == 0).all()
    assert 0.35 < (mixed[:, -1] == 1).float().mean() < 0.65
    assert (mix_styles(a, b, Draw(0, 0, rows=6), 0.0) == 0).all()


def test_r1_is_the_squared_gradient():
    torch.manual_seed(0)
    judge = Discriminator(8, {4: 5, 8: 4}).double()
    x, n = torch.rand(4, 3, 8, 8).double(), torch.rand(4, 3, 8, 8).double()
    found = r1_penalty(lambda p, m: judge(torch.cat([p, m], 1)), x, n).item()
    total, h = 0.0, 1e-5
    with torch.no_grad():
        for i in range(4):
            for at in np.ndindex(3, 8, 8):
                step = torch.zeros_like(x)
                step[(i, *at)] = h
                up, down = (judge(torch.cat([x + s * step, n], 1)).sum() for s in (1, -1))
                total += ((up - down) / (2 * h)).item() ** 2 / 4
    assert found == pytest.approx(total, rel=1e-5)


def test_path_length_against_differences():
    generator = small_generator().double()
    w, noise = torch.randn(2, 4, 7).double(), [torch.randn(2, 1, 2 ** ((k + 5) // 2), 2 ** ((k + 5) // 2)).double() for k in range(3)]
    normals = pyramid(torch.rand(2, 3, 8, 8).double())
    direction = torch.randn(2, 3, 8, 8).double()
    paths = PathLength(2)
    assert paths.penalty(generator, w, normals, noise, direction).item() == pytest.approx(
        sum(s * v for s, v in zip((1, 0.5, 0.5), variances(generator, w, normals, noise, direction))), rel=1e-5)
    assert not paths.means.isnan().any()


def variances(generator, w, normals, noise, direction, h=1e-5):
    """Variance over the samples of the length of each gradient, by central differences."""
    def along(w, normals):
        with torch.no_grad():
            return (generator(w, normals, noise) * direction).sum((1, 2, 3)) / 8
    out = []
    for leaf in (w, normals[4], normals[8]):
        squares = torch.zeros(2).double()
        for at in np.ndindex(*leaf.shape[1:]):
            kept = leaf[(slice(None), *at)].clone()
            leaf[(slice(None), *at)] = kept + h
            up = along(w, normals)
            leaf[(slice(None), *at)] = kept - h
            down = along(w, normals)
            leaf[(slice(None), *at)] = kept
            squares += ((up - down) / (2 * h)) ** 2
        length = (squares / (4 if leaf is w else 1)).sqrt()      # over 4 rows a mean
        out.append((length - length.mean()).square().mean().item())
    return out


def test_augmentation_rises_and_moves_photo_and_normals_together():
    augment = Augmentation(target=0.6, length=100)
    x = torch.rand(64, 3, 16, 16)
    torch.testing.assert_close(augment(x, x, Draw(0, 0)), torch.cat([x, x], 1))
    for _ in range(40):
        augment.adapt(0.9, 10)
    assert augment.probability == augment.highest
    pair = augment(x, x, Draw(0, 0))
    moved = (pair[:, 3:] - x).abs().amax((1, 2, 3)) > 1e-3
    coloured = (pair[:, :3] - pair[:, 3:]).abs().amax((1, 2, 3)) > 1e-3
    assert 0.6 < moved.float().mean() < 0.95 and 0.6 < coloured.float().mean() < 0.95
    for _ in range(100):
        augment.adapt(0.1, 10)
    assert augment.probability == 0


def test_energy_distance_brings_codes_together():
    torch.manual_seed(0)
    bank = CodeBank(3, 256)
    bank.add(torch.randn(300, 3) * 0.5 + torch.tensor([1.0, 0, -1]))
    layer = torch.nn.Linear(3, 3)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    first = bank.loss(layer(torch.randn(256, 3))).item()
    for _ in range(150):
        loss = bank.loss(layer(torch.randn(256, 3)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05 * first
    with torch.no_grad():
        made = layer(torch.randn(4000, 3))
    torch.testing.assert_close(made.mean(0), torch.tensor([1.0, 0, -1]), atol=0.15, rtol=0)
    torch.testing.assert_close(made.std(0), torch.full((3,), 0.5), atol=0.15, rtol=0)


def test_identity_contrast_prefers_the_partner():
    same = torch.eye(4).repeat_interleave(2, 0)
    crossed = torch.eye(4)[[0, 1, 0, 1, 2, 3, 2, 3]]
    assert identity_contrast(same) < 0.01 < 5 < identity_contrast(crossed)


def test_masked_difference_is_a_mean_over_samples():
    n = torch.zeros(2, 3, 8, 8)
    n[0, :, :2], n[1, 2] = 0.5, 1
    guess = torch.zeros(2, 3, 8, 8)
    # smooth L1, beta 0.1: |d| - 0.05 inside; the second sample's x and y are right
    assert masked_difference(guess, n).item() == pytest.approx(((0.45) + (0.95 / 3)) / 2)


class Constant(torch.nn.Module):
    def forward(self, x):
        return x.mean((2, 3))[:, :2, None].transpose(1, 2).expand(-1, 68, -1)


def test_a_torchscript_reader_takes_the_place_of_ours(tmp_path, folder):
    file = str(tmp_path / "points.pt")
    torch.jit.script(Constant()).save(file)
    judges = Judges(16, {"landmarks": file})
    assert set(judges.own) == {"normals", "identity"}
    x = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(judges.landmarks(x)[:, 5, 1], x.mean((2, 3))[:, 1])
    trainer = make_trainer(["--landmark-network", file])
    losses = trainer.advance(Material(folder, torch.device("cpu")))
    assert "points real" not in losses and losses["points fake"] > 0


def test_growing_keeps_the_picture():
    small, big = small_generator(), Generator(16, {4: 6, 8: 5, 16: 4}, latent=7, depth=2, style_maps=3)
    judges = Discriminator(8, {4: 6, 8: 5}), Discriminator(16, {4: 6, 8: 5, 16: 4})
    grow(big, judges[1], small.state_dict(), judges[0].state_dict())
    torch.testing.assert_close(judges[1].convs[2].conv1[0].weight, judges[0].convs[1].conv1[0].weight)
    w, n = torch.randn(3, 7), torch.rand(3, 3, 16, 16)
    noise = [torch.zeros(3, 1, 2 ** ((k + 5) // 2), 2 ** ((k + 5) // 2)) for k in range(5)]
    with torch.no_grad():
        picture, before = big(w, pyramid(n), noise), small(w, pyramid(torch.nn.functional.avg_pool2d(n, 2)), noise[:3])
    torch.testing.assert_close(picture, upsample(before, fir_kernel(4)))
    with pytest.raises(ValueError, match="does not fit"):
        grow(Generator(16, {4: 3, 8: 5, 16: 4}, latent=7, depth=2, style_maps=3), judges[1], small.state_dict(), {})


def tensors(trainer):
    return [p.clone() for m in (trainer.g, trainer.average, trainer.d, trainer.e, trainer.judges) for p in m.parameters()]


@pytest.mark.parametrize("extra", [[], ["--adversarial", "0"]])
def test_resuming_changes_no_bit(tmp_path, folder, extra):
    material = Material(folder, torch.device("cpu"))
    straight, broken = make_trainer(extra), make_trainer(extra)
    for _ in range(5):
        losses = straight.advance(material)
    for _ in range(2):
        broken.advance(material)
    broken.save(str(tmp_path))
    resumed = make_trainer(extra)
    resumed.load(str(tmp_path / "state.pt"))
    for _ in range(3):
        again = resumed.advance(material)
    assert losses == again and all(np.isfinite(v) for v in losses.values())
    assert all(torch.equal(a, b) for a, b in zip(tensors(straight), tensors(resumed)))
    assert straight.augment.probability == resumed.augment.probability
    picture = straight.sheet(material)
    assert picture.shape == (12 * 16, 8 * 16, 3) and picture.std() > 1


def test_averaged_weights_become_a_weight_file(tmp_path, folder):
    trainer, material = make_trainer(), Material(folder, torch.device("cpu"))
    before = [p.clone() for p in trainer.average.parameters()]
    trainer.advance(material)
    assert any((p != q).any() for p, q in zip(before, trainer.average.parameters()))
    trainer.save(str(tmp_path))
    export_gar(str(tmp_path / "ema.pt"), str(tmp_path / "gar.safetensors"), "area")
    with safe_open(str(tmp_path / "gar.safetensors"), "pt") as f:
        about, names = json.loads(f.metadata()["garface"]), set(f.keys())
        assert about["kind"] == "gar" and about["size"] == 16 and about["latent_size"] == 12 and about["n_stylemap"] == 8
        assert names == set(trainer.g.state_dict()) | {"mean_w"} and f.get_tensor("mean_w").shape == (12,)
    stored, (gar, encoder) = load_gar_file(str(tmp_path / "gar.safetensors")), load_gar(str(tmp_path / "ema.pt"))
    x, n, _ = material.batch("portraits", torch.arange(3), torch.zeros(3, dtype=torch.bool))
    noise = [torch.zeros(1)] * gar.layer_count
    with torch.no_grad():
        w = encoder(torch.cat([x, n], 1))
        picture = gar(w, pyramid(n), noise)
        torch.testing.assert_close(stored(w, pyramid(n), noise), picture)
    assert picture.shape == (3, 3, 16, 16) and torch.isfinite(picture).all()
    assert garface.Renderer(str(tmp_path / "gar.safetensors")).size == 16


def test_two_processes_do_what_one_does(tmp_path, folder):
    """The losses of two gloo processes over three steps are those of one process with the whole batch."""
    script = tmp_path / "run.py"
    script.write_text(
        "import os, sys, json, torch\n"
        "from garface.training import distributed, train_gar\n"
        "from garface.training.material import Material\n"
        "torch.set_num_threads(1)\n"
        "rank, world = distributed.start()\n"
        "torch.manual_seed(rank)\n"                       # the networks of rank 0 count
        "t = train_gar.Trainer(train_gar.arguments(sys.argv[3:]), torch.device('cpu'), rank, world)\n"
        "m = Material(sys.argv[1], torch.device('cpu'))\n"
        "out = [t.advance(m) for _ in range(3)]\n"
        "if rank == 0:\n"
        "    json.dump(out, open(sys.argv[2], 'w'))\n"
        "distributed.stop()\n"
        "threads = [open(f'/proc/self/task/{t}/comm').read() for t in os.listdir('/proc/self/task')]\n"
        "assert not [t for t in threads if 'gloo' in t], threads\n")      # one that lives on can take the exit down
    environment = {**os.environ, "PYTHONPATH": str(PYTHON), "OMP_NUM_THREADS": "1"}
    results = []
    for count in (1, 2):
        out = tmp_path / f"{count}.json"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={count}"] if count > 1 else [sys.executable]
        subprocess.run([*command, str(script), folder, str(out), *COMMAND, "--batch", "32"], env=environment, check=True,
                       capture_output=True, timeout=240)
        results.append(json.loads(out.read_text()))
    # Adam divides a gradient by its own size: where it is near nothing, its last bit decides the sign of a step. So what
    # was computed before any step must be equal, what comes after nearly.
    for step, (one, two) in enumerate(zip(*results)):
        assert set(one) == set(two)
        for name in one:
            before_any = step == 0 and name not in ("adv", "match", "path")
            assert two[name] == pytest.approx(one[name], **(dict(rel=1e-4) if before_any else dict(rel=0.02, abs=0.01))), name


def test_library_renders_what_pytorch_renders():
    """The embedded weights, one w+, normals and noise: the library's picture and PyTorch's."""
    generator = load_gar_file(str(PYTHON.parents[1] / "Sources" / "CDefaultModels" / "models" / "gar.safetensors"))
    renderer, head, rng = garface.Renderer(), garface.HeadModel(), np.random.default_rng(4)
    normals = renderer.rasterize(head, head.evaluate(rng.normal(0, 0.6, 80)), yaw=25, pitch=-8)
    w = renderer.mix(*(renderer.map(renderer.sample_z(seed)) for seed in (1, 2)), 3)
    noise = renderer.sample_noise(6)
    picture = renderer.render(w, normals, noise)
    with torch.no_grad():
        levels = {m.shape[-1]: torch.from_numpy(np.array(m))[None] for m in renderer.split_normals(normals)}
        maps = [torch.from_numpy(np.array(m))[None, None] for m in renderer.split_noise(noise)]
        expected = generator(torch.from_numpy(w)[None], levels, maps)[0].numpy()
    assert expected.std() > 0.1
    np.testing.assert_allclose(picture, expected, atol=1e-3)
