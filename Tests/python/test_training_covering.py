"""What covers faces: drawn with its mask, learnt, written, joined to the inverse network."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
cv2 = pytest.importorskip("cv2")
pytest.importorskip("numba")
pytest.importorskip("scipy")
pytest.importorskip("safetensors")

from garface.training import covers, curves  # noqa: E402
from garface.training.__main__ import main as program  # noqa: E402
from garface.training.convnets import ConvSpec, CoveringNetwork, load_covering  # noqa: E402
from garface.training.data import Field  # noqa: E402
from garface.training.export import load_network, save_network  # noqa: E402
from garface.training.train_covering import loss_of, measure  # noqa: E402
from test_training_runs import material  # noqa: E402, F401

FACE = np.array([  # the 68 points of a face of 112 px, roughly
    *[(16 + 5 * k, 40 + 60 * np.sin(np.pi * (k / 16)) ** 0.7) for k in range(17)],
    *[(22 + 6 * k, 30) for k in range(5)], *[(64 + 6 * k, 30) for k in range(5)], *[(56, 40 + 6 * k) for k in range(4)],
    *[(48 + 4 * k, 62) for k in range(5)], *[(30 + 10 * np.cos(a), 40 - 3 * np.sin(a)) for a in np.linspace(np.pi, -np.pi, 6, False)],
    *[(82 + 10 * np.cos(a), 40 - 3 * np.sin(a)) for a in np.linspace(np.pi, -np.pi, 6, False)],
    *[(56 + 14 * np.cos(a), 78 - 6 * np.sin(a)) for a in np.linspace(np.pi, -np.pi, 12, False)],
    *[(56 + 10 * np.cos(a), 78 - 3 * np.sin(a)) for a in np.linspace(np.pi, -np.pi, 8, False)]])


def banked(rng, size):
    return rng.integers(0, 256, (size, size, 3)).astype(np.uint8)


@pytest.mark.parametrize("cover", [f for _, f in covers.KINDS])
def test_masks_say_where_the_picture_was_painted_over(cover):
    drawn = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        bare = np.full((112, 112, 3), 120, np.uint8)
        picture, mask = cover(rng, bare.copy(), FACE, banked)
        assert picture.dtype == np.uint8 and picture.shape == bare.shape and mask.shape == (112, 112)
        assert mask.min() >= 0 and mask.max() <= 1 + 1e-5
        far = cv2.dilate((mask > 0.05).astype(np.uint8), np.ones((25, 25))) == 0      # beyond any shadow
        if far.any():
            assert np.abs(picture[far].astype(int) - 120).max() <= 2
        changed = np.abs(picture.astype(int) - 120).max(2) > 3
        if (mask > 0.9).sum() > 30:
            drawn += 1
            assert changed[mask > 0.9].mean() > 0.5
    assert drawn >= 8


def test_a_mask_hides_the_mouth_and_sunglasses_hide_the_eyes():
    for cover, inside, outside in ((covers.cloth_mask, FACE[[51, 57, 62]], FACE[[19, 24]]),
                                   (covers.sunglasses, [FACE[36:42].mean(0), FACE[42:48].mean(0)], FACE[[57, 8]])):
        for seed in range(6):
            _, mask = cover(np.random.default_rng(seed), np.full((112, 112, 3), 150, np.uint8), FACE, banked)
            at = [mask[tuple(np.round(p).astype(int)[::-1])] for p in inside]
            beside = [mask[tuple(np.round(p).astype(int)[::-1])] for p in outside]
            assert min(at) > 0.5 and max(beside) < 0.5


def test_a_face_from_the_side_wears_no_glasses():
    flat = FACE.copy()
    flat[36:48, 0] = 56
    picture, mask = covers.sunglasses(np.random.default_rng(0), np.full((112, 112, 3), 150, np.uint8), flat, banked)
    assert not mask.any() and (picture == 150).all()


def test_weights_are_those_of_the_face():
    weight = covers.weights(FACE, 112)
    assert weight[60, 56] == 1 and weight[2, 2] == pytest.approx(0.08) and weight[110, 100] == pytest.approx(0.08)


def test_the_loss_wants_the_mask():
    mask = torch.zeros(2, 1, 8, 8)
    mask[:, :, :4] = 1
    right, wrong = (sum(loss_of(s * (2 * mask - 1), mask, torch.ones_like(mask))) for s in (6, -6))
    assert right < 0.02 and wrong > 5
    # What has no weight does not count.
    weight = (mask > 0.5).float()
    assert sum(loss_of(torch.full_like(mask, 6), mask, weight)) < 0.02


def test_measures_of_a_held_out_chunk():
    class Seen(torch.nn.Module):
        def forward(self, x):
            return torch.where(x.mean(1, keepdim=True)[:, :, ::2, ::2] > 0, 5.0, -5.0)

    images = np.zeros((3, 8, 8, 3), np.uint8)
    images[0, :4] = 255             # seen where it is
    images[2, 0, :2] = 255          # a bare face of which something is said to be covered
    mask, weight = np.zeros((3, 4, 4), np.uint8), np.full((3, 4, 4), 255, np.uint8)
    mask[0, :2] = 255
    numbers, found = measure(Seen(), (images, mask, weight))
    assert numbers == {"union": pytest.approx(100 * 8 / 9), "bare": pytest.approx(100 / 32), "wrong": 50.0}
    assert found.shape == (3, 4, 4) and found[0, :2].all() and not found[0, 2:].any()


def test_written_as_it_was_trained(tmp_path):
    torch.manual_seed(0)
    network = CoveringNetwork([ConvSpec(4, 2, True), ConvSpec(6, 2), ConvSpec(5, 1, True), ConvSpec(8, 2)], 24, Field(0.7, -0.2))
    for module in network.modules():
        if hasattr(module, "running_mean"):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    path, checkpoint = str(tmp_path / "covering.safetensors"), tmp_path / "ema.pt"
    save_network(network, path, torch.float32)
    torch.save(network.checkpoint(), checkpoint)
    x = torch.rand(2, 3, 24, 24) * 2 - 1
    with torch.no_grad():
        said = network.eval()(x)
        torch.testing.assert_close(load_network(path, "covering-network")(x), said, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(load_covering(str(checkpoint)).eval()(x), said)
    assert said.shape == (2, 1, 12, 12)


def test_a_run_goes_on_and_joins_the_inverse_network(material, tmp_path, capsys):  # noqa: F811
    out = tmp_path / "covering"
    options = [f"--{k}={v}" for k, v in dict(
        head=material / "head.npz", portraits=material / "portraits", crops=material / "crops", cache=material / "cache",
        backgrounds=material / "backgrounds", out=out, batch=4, pool=64, report=1, save=2, **{"held-out": 6}).items()]
    program(["train-covering", *options, "--steps=3"])
    assert "held out: union" in capsys.readouterr().out and (out / "sample.png").exists()
    assert [line["step"] for line in curves.read(str(out / "curves.jsonl"))] == [1, 2, 3]
    program(["train-covering", *options, "--steps=3"])
    assert "held out" not in capsys.readouterr().out
    covering, inverse, joined = (str(tmp_path / f"{n}.safetensors") for n in ("covering", "inverse", "joined"))
    program(["export", "covering", str(out / "ema.pt"), covering])
    from garface.training.convnets import InverseNetwork
    save_network(InverseNetwork(6), inverse)
    program(["export", "inverse", inverse, joined, "--covering", covering])
    x = torch.rand(1, 3, 112, 112) * 2 - 1
    both = load_network(joined, "inverse-network")
    torch.testing.assert_close(both.part("covering")(x), load_network(covering)(x))
    assert both.close_up is None and both.part("covering").field == load_covering(str(out / "ema.pt")).field
    # A close-up that joins later leaves it where it is, and it can be put in another's place.
    program(["export", "inverse", joined, str(tmp_path / "again.safetensors"), "--covering", covering])
    assert set(load_network(str(tmp_path / "again.safetensors")).tensors) == set(both.tensors)
    assert program(["export", "inverse", covering, str(tmp_path / "x.safetensors"), "--covering", covering]) != 0
    assert "holds covering-network; expected a weight file of kind inverse-network" in capsys.readouterr().err
