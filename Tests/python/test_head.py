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
