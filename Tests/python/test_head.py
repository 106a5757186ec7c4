import numpy as np
import pytest

import garface


@pytest.fixture(scope="module")
def head():
    return garface.HeadModel()


def test_sizes_and_names(head):
    assert (head.vertex_count, head.triangle_count, head.identity_count, head.expression_count) == (15622, 30730, 80, 55)
    assert len(head.expression_names) == 55 and "jawOpen" in head.expression_names
    assert head.triangles.shape == (30730, 3) and head.triangles.max() == 15621
    assert head.parts.max() < len(head.part_names)


def test_gradients_chain(head):
    random = np.random.default_rng(1)
    identity, expression = head.sample(3)
    weights = random.normal(size=(68, 3)).astype(np.float32)

    def loss(a, b):
        return float((head.landmarks(head.evaluate(a, b)).astype(np.float64) * weights).sum())

    d_identity, d_expression = head.evaluate_backward(head.landmarks_backward(weights))
    step = np.zeros(80, np.float32)
    step[5] = 1
    assert loss(identity + step, expression) - loss(identity, expression) == pytest.approx(d_identity[5], abs=0.05)
    step = np.zeros(55, np.float32)
    step[20] = 0.5
    assert (loss(identity, expression + step) - loss(identity, expression)) / 0.5 == pytest.approx(d_expression[20], abs=0.05)


def test_normals_gradient(head):
    vertices = head.evaluate()
    random = np.random.default_rng(2)
    direction = random.normal(size=vertices.shape).astype(np.float32)
    weights = random.normal(size=vertices.shape).astype(np.float32)
    gradient = head.normals_backward(vertices, weights)

    def loss(v):
        return float((head.normals(v).astype(np.float64) * weights).sum())

    step = 1e-3
    numeric = (loss(vertices + step * direction) - loss(vertices - step * direction)) / (2 * step)
    assert numeric == pytest.approx(float((gradient * direction).sum()), rel=0.02)


def test_pose_round_trip():
    matrix = garface.pose_matrix(25, -12, 40)
    assert np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-6)
    assert garface.pose_angles(matrix) == pytest.approx((25, -12, 40), abs=1e-3)
    y, p, r = np.radians([25, -12, 40])
    rz = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    rx = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    assert np.allclose(matrix, rz @ rx @ ry, atol=1e-6)


def test_pose_angles_keep_their_range():
    for angle in (180, -180, 179.99999, -179.99999):
        for i, at in ((0, (angle, 0, 0)), (2, (10, 0, angle))):
            back = garface.pose_angles(garface.pose_matrix(*at))
            assert -180 < back[i] <= 180 and abs(back[i]) == pytest.approx(180, abs=1e-4)
    assert garface.pose_angles(np.diag([-1, 1, -1]).astype(np.float32))[0] == 180
    assert garface.pose_angles(np.array([[-1, 0, 0.0], [0, 1, 0], [-0.0, 0, -1]])) == (180, 0, 0)
    assert garface.pose_angles(np.array([[-1, 0, 0.0], [0, 1, 0], [0.0, 0, -1]])) == (180, 0, 0)


def test_a_reflection_is_no_rotation():
    for mirror in (np.diag([1, 1, -1.0]), np.diag([-1, 1, 1.0]), -garface.pose_matrix(20, 5, -3)):
        with pytest.raises(garface.InvalidArgumentError, match="reflection"):
            garface.pose_angles(mirror)


def test_wrong_shapes_and_values(head):
    with pytest.raises(garface.InvalidArgumentError, match="identity"):
        head.evaluate(np.zeros(79))
    with pytest.raises(garface.InvalidArgumentError, match="finite"):
        head.evaluate(np.full(80, np.nan))
    with pytest.raises(garface.InvalidArgumentError):
        garface.pose_angles(np.zeros((3, 3)))
    with pytest.raises(FileNotFoundError):
        garface.HeadModel("/no/such/head.safetensors")


def test_closed_model_is_an_error():
    head = garface.HeadModel()
    head.close()
    head.close()
    with pytest.raises(garface.InvalidArgumentError):
        head.evaluate()


def test_depth_and_visibility():
    """Against the vertices themselves: those said to be visible lie on the depth map, the others behind it."""
    head = garface.HeadModel()
    vertices = head.evaluate()
    size, pose = 400, dict(yaw=25, pitch=-8, roll=4, scale=0.9, shift=(3, -2))
    depth, visible = head.depth(vertices, **pose, size=size)
    placed = 0.9 * vertices @ garface.pose_matrix(25, -8, 4).T + (3, -2 - 5, 0)
    u, v = (1 + placed[:, 0] / 115) * size / 2 - 0.5, (1 - placed[:, 1] / 115) * size / 2 - 0.5
    inside = (np.minimum(u, v) >= 0) & (np.maximum(u, v) < size - 1)
    nearest = depth[np.clip(v.round().astype(int), 0, size - 1), np.clip(u.round().astype(int), 0, size - 1)]
    assert np.isnan(depth).mean() > 0.2 and 2000 < visible.sum() < 10000
    assert not visible[np.maximum(abs(placed[:, 0]), abs(placed[:, 1])) > 116].any()
    # On the outline the nearest pixel may show nothing, or what lies behind.
    difference = np.abs(placed[visible & inside, 2] - nearest[visible & inside])
    assert np.isnan(difference).mean() < 0.02 and (difference > 40).mean() < 0.002
    assert np.nanmedian(difference) < 0.3
    hidden = inside & ~visible
    assert (placed[hidden, 2] < nearest[hidden] - 2).all()
    # From behind, what was seen is hidden.
    assert not (visible & head.depth(vertices, yaw=205, size=size)[1]).sum() > 400


def test_shading():
    """Against numpy: the light's harmonics at the rasterised normals, times the albedo."""
    head = garface.HeadModel()
    vertices = head.evaluate()
    renderer = garface.Renderer()
    size = renderer.size
    rng = np.random.default_rng(4)
    light = rng.normal(size=(9, 3)) * 0.2
    light[0] = 3
    albedo = np.full((head.vertex_count, 3), (0.6, 0.5, 0.4))
    picture = head.shade(vertices, albedo, light, yaw=20, size=size)
    # The renderer's normal maps are means of the same samples: they agree where the surface is smooth.
    n = renderer.split_normals(renderer.rasterize(head, vertices, yaw=20))[-1]
    length = np.linalg.norm(n, axis=0)
    x, y, z = n / np.maximum(length, 1e-6)
    one = np.ones_like(x)
    basis = [0.282095 * one, 0.325735 * y, 0.325735 * z, 0.325735 * x, 0.273137 * x * y, 0.273137 * y * z,
             0.078848 * (3 * z * z - 1), 0.273137 * x * z, 0.136569 * (x * x - y * y)]
    expected = 2 * np.array([0.6, 0.5, 0.4])[:, None, None] * np.einsum("kc,khw->chw", light, np.array(basis)) - 1
    smooth = length > 0.995
    assert smooth.mean() > 0.2 and np.abs(picture - expected)[:, smooth].max() < 0.02
    assert (picture[:, length == 0] == -1).all()
    for wrong in (dict(albedo=albedo[:5]), dict(light=light[:4]), dict(size=0), dict(size=4000), dict(scale=0), dict(yaw="x")):
        with pytest.raises(garface.InvalidArgumentError):
            head.shade(**{**dict(vertices=vertices, albedo=albedo, light=light), **wrong})
