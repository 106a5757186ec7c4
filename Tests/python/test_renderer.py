import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import garface

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "Tests/RendererTests/Resources/gar64.weights.safetensors"


@pytest.fixture(scope="module", params=[None, GOLDEN], ids=["embedded", "published names"])
def renderer(request):
    return garface.Renderer(request.param)


@pytest.fixture(scope="module")
def head():
    return garface.HeadModel()


def test_sizes(renderer):
    assert renderer.rows == 2 * int(np.log2(renderer.size)) - 2
    assert renderer.configuration["size"] == renderer.size
    normals = np.zeros(renderer.normal_count, np.float32)
    assert [m.shape for m in renderer.split_normals(normals)][-1] == (3, renderer.size, renderer.size)
    assert sum(m.size for m in renderer.split_normals(normals)) == renderer.normal_count
    assert sum(m.size for m in renderer.split_noise(np.zeros(renderer.noise_count))) == renderer.noise_count


def test_a_head_becomes_a_picture(renderer, head):
    normals = renderer.rasterize(head, head.evaluate(), yaw=20)
    finest = renderer.split_normals(normals)[-1]
    middle = renderer.size // 2
    assert finest[2, middle, middle] > 0.3 and np.all(finest[:, 0, 0] == 0)
    w = renderer.map(renderer.sample_z(1), truncation=0.7)
    first = renderer.render(w, normals)
    assert np.isfinite(first).all() and first.std() > 0.05
    assert np.array_equal(first, renderer.render(w, normals))
    other = renderer.render(renderer.map(renderer.sample_z(2)), normals)
    assert np.abs(first - other).mean() > 0.01
    noisy = renderer.render(w, normals, renderer.sample_noise(1))
    assert noisy.shape == first.shape
    image = garface.image_from_picture(first)
    assert image.size == (renderer.size, renderer.size)
    expected = np.clip(np.round((first.transpose(1, 2, 0) + 1) * 127.5), 0, 255)
    assert np.abs(image.array().astype(int) - expected).max() <= 1


def test_style_mixing(renderer, head):
    first, second = (renderer.map(renderer.sample_z(seed), 0.7) for seed in (1, 2))
    normals = renderer.rasterize(head, head.evaluate())
    ends = renderer.render(first, normals), renderer.render(second, normals)
    for row in (0, 3, renderer.rows):
        mixed = renderer.mix(first, renderer.w_plus(second), row)
        assert np.array_equal(mixed[:row], renderer.w_plus(first)[:row])
        assert np.array_equal(mixed[row:], renderer.w_plus(second)[row:])
        same = [np.array_equal(renderer.render(mixed, normals), end) for end in ends]
        assert same == [row == renderer.rows, row == 0]
    for row in (-1, renderer.rows + 1, 1.5):
        with pytest.raises(garface.InvalidArgumentError, match="row"):
            renderer.mix(first, second, row)
    with pytest.raises(garface.InvalidArgumentError, match="second"):
        renderer.mix(first, second[:-1], 1)


def test_truncation(renderer):
    z = renderer.sample_z(5)
    mean, w = renderer.mean_w, renderer.map(z)
    assert np.allclose(renderer.map(z, 0), mean, atol=1e-6)
    assert np.allclose(renderer.map(z, 0.25), mean + 0.25 * (w - mean), atol=1e-5)


def test_gradients_to_latent_and_geometry(renderer, head):
    """Directional derivatives in float32: loose, but a wrong factor or sign cannot pass."""
    random = np.random.default_rng(0)
    vertices = head.evaluate(head.sample(4)[0])
    weights = random.normal(size=(3, renderer.size, renderer.size)).astype(np.float32)
    z = renderer.sample_z(3)

    def loss(z):
        return float((renderer.render(renderer.map(z), normals).astype(np.float64) * weights).sum())

    normals = renderer.rasterize(head, vertices, yaw=10)
    renderer.render(renderer.map(z), normals)
    d_w, d_normals, _ = renderer.render_backward(weights)
    d_z = renderer.map_backward(z, d_w.sum(axis=0))
    step = 1e-3 * d_z / np.linalg.norm(d_z)
    numeric = (loss(z + step) - loss(z - step)) / 2
    assert numeric == pytest.approx(float(d_z @ step), rel=0.05)

    # Normals to vertices: the pyramid is linear in the normals, so a smooth deformation is enough.
    d_vertices, d_pose = renderer.rasterize_backward(d_normals)
    assert d_vertices.shape == vertices.shape and np.isfinite(d_vertices).all() and np.abs(d_vertices).max() > 0
    assert d_pose.shape == (6,) and np.isfinite(d_pose).all()


def test_products_in_bfloat16(head):
    renderer = garface.Renderer()
    try:
        quick = garface.Renderer(precision="bfloat16")
    except garface.InvalidArgumentError as error:
        assert "bfloat16" in str(error)
        pytest.skip("this processor does not multiply in bfloat16")
    normals = renderer.rasterize(head, head.evaluate(), yaw=10)
    w_plus = renderer.w_plus(renderer.map(renderer.sample_z(2), 0.7))
    exact, near = (r.render(w_plus, normals) for r in (renderer, quick))
    assert 0 < np.abs(exact - near).mean() < 0.02


@pytest.mark.parametrize("precision", ["half", 1, None])
def test_unknown_precision(precision):
    with pytest.raises(garface.InvalidArgumentError, match="precision"):
        garface.Renderer(precision=precision)


def test_bad_arguments(renderer, head):
    fresh = garface.Renderer(GOLDEN)
    with pytest.raises(garface.InvalidArgumentError, match="rendered"):
        fresh.render_backward(np.zeros((3, fresh.size, fresh.size)))
    with pytest.raises(garface.InvalidArgumentError, match="rasterised"):
        fresh.rasterize_backward(np.zeros(fresh.normal_count))
    with pytest.raises(garface.InvalidArgumentError, match="truncation"):
        renderer.map(renderer.sample_z(0), 1.5)
    with pytest.raises(garface.InvalidArgumentError, match="scale"):
        renderer.rasterize(head, head.evaluate(), scale=0)
    with pytest.raises(garface.InvalidArgumentError, match="z"):
        renderer.map(np.full(renderer.latent, np.inf))
    with pytest.raises(garface.InvalidArgumentError, match="normals"):
        renderer.render(renderer.mean_w, np.zeros(3))


def test_wrong_kind_of_weights():
    with pytest.raises(garface.WrongModelError):
        garface.Renderer(ROOT / "Sources/CDefaultModels/models/head.safetensors")
    with pytest.raises(garface.WrongModelError):
        garface.HeadModel(GOLDEN)


def test_the_same_picture_with_fewer_instructions(tmp_path):
    """The processor's kernels, those of AVX2 and none at all: one picture and one gradient, but for rounding."""
    code = """
import sys, numpy as np, garface
renderer, head = garface.Renderer(), garface.HeadModel()
normals = renderer.rasterize(head, head.evaluate(), yaw=15)
picture = renderer.render(renderer.map(renderer.sample_z(3)), normals)
gradient = renderer.render_backward(np.ones_like(picture))[0]
np.savez(sys.argv[1], picture=picture, gradient=gradient, normals=normals)
print(garface.build_info()["kernels"])
"""
    pictures = {}
    for most in ("", "AVX2", "NONE"):
        file = tmp_path / f"{most or 'all'}.npz"
        done = subprocess.run(
            [sys.executable, "-c", code, str(file)], env={**os.environ, "GARFACE_MAX_ISA": most}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        pictures[done.stdout.strip()] = np.load(file)
    assert "none" in pictures and set(pictures) <= {"AVX-512", "AVX2", "none"}
    plain = pictures["none"]
    for found in pictures.values():
        assert np.abs(found["picture"] - plain["picture"]).max() < 1e-3
        assert np.abs(found["normals"] - plain["normals"]).max() < 1e-4
        assert np.linalg.norm(found["gradient"] - plain["gradient"]) < 1e-3 * np.linalg.norm(plain["gradient"])
