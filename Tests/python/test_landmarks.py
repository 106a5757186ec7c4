"""Points of a face from files, MediaPipe and dlib: orders, origins, offsets, confidences."""
import ctypes
import pathlib
import re
import types

import numpy as np
import pytest

import garface
from garface import _signatures as c
from garface._library import lib

# Mesh points in the order of the 68 landmarks.
MESH = [
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389, 71, 63, 105, 66, 107, 336, 296, 334, 293,
    301, 168, 197, 5, 4, 75, 97, 2, 326, 305, 33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380, 61, 39, 37, 0, 267, 269,
    291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87]
# A few of the detector's offsets, mm: jaw, brow, bridge of the nose, inner mouth corner.
OFFSETS = {3: (3.2, -11.36), 13: (-3.2, -11.36), 20: (-3.01, -0.89), 27: (0, 3.57), 64: (2.52, 0.2)}

WIDTH, HEIGHT = 420, 400


class Scene:
    """A head of known shape and pose, and where its points are in an empty photo."""

    def __init__(self, yaw=22, pitch=-6, roll=8, scale=1.3):
        self.head = garface.HeadModel()
        identity = np.zeros(self.head.identity_count, np.float32)
        identity[:20] = np.random.default_rng(2).normal(0, 0.8, 20)
        self.vertices = self.head.evaluate(identity)
        self.rotation, self.scale = garface.pose_matrix(yaw, pitch, roll), scale
        self.yaw = yaw
        self.static = self.project(self.head.landmarks(self.vertices))
        self.contour = self.project(self.head.landmarks_contour(self.vertices, yaw, pitch, roll))
        self.photo = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)

    def project(self, points):
        q = points @ self.rotation.T * self.scale
        return np.stack([q[:, 0] + 210, 190 - q[:, 1]], 1)

    def fit(self, landmarks, **options):
        return garface.reconstruct(self.photo, landmarks=landmarks, renderer="landmarks", **options)


@pytest.fixture(scope="module")
def scene():
    return Scene()


def mean_error(points, truth):
    return float(np.linalg.norm(np.asarray(points) - truth, axis=1).mean())


@pytest.mark.parametrize("count", [468, 478])
def test_mesh_points_are_taken_with_their_offset(scene, count):
    """A mesh whose points lie beside the model's as the detector's do gives back the head it was made of."""
    points = scene.head.landmarks(scene.vertices)
    offset = np.zeros((68, 3), np.float32)
    offset[:, :2] = published_offsets()
    for landmark, value in OFFSETS.items():
        assert np.allclose(offset[landmark, :2], value)
    mesh = np.random.default_rng(1).uniform(150, 250, (count, 2)).astype(np.float32)
    mesh[MESH] = scene.project(points + offset)
    result = scene.fit(mesh)
    corrected = mean_error(result.landmarks_static, scene.static)
    plain = mean_error(scene.fit(mesh[MESH]).landmarks_static, scene.static)
    assert corrected < 1.5 and corrected < 0.6 * plain, (corrected, plain)
    assert abs(result.yaw - scene.yaw) < 3


def published_offsets():
    """The table of Sources/Inversion/MeshDetectorPoints.swift."""
    text = (pathlib.Path(__file__).resolve().parents[2] / "Sources/Inversion/MeshDetectorPoints.swift").read_text()
    pairs = re.findall(r"SIMD2\((-?[\d.]+), (-?[\d.]+)\)", text)
    assert len(pairs) == 68
    return np.array(pairs, np.float32)


def test_mirrored_mesh_is_refused(scene):
    mesh = np.tile(scene.static, (7, 1))[:468].astype(np.float32)
    mesh[MESH] = scene.static
    mesh[:, 0] = WIDTH - mesh[:, 0]
    with pytest.raises(garface.InvalidArgumentError, match="mirrored|no face"):
        scene.fit(mesh)


def test_mediapipe_objects_and_arrays():
    objects = [types.SimpleNamespace(x=0.25, y=0.5, z=0.1)] * 478
    points = garface.mediapipe_landmarks(objects, 400, 200)
    assert points.shape == (478, 2) and tuple(points[0]) == (99.5, 99.5)
    array = np.tile([0.25, 0.5, 0.1], (468, 1))
    assert np.array_equal(garface.mediapipe_landmarks(array, 400, 200), points[:468])
    for wrong in (objects[:68], array[:, :1], "x", None):
        with pytest.raises(garface.InvalidArgumentError, match="468 or 478"):
            garface.mediapipe_landmarks(wrong, 400, 200)


def test_points_without_confidence_do_not_count(scene):
    """Wherever they lie, the result is the same."""
    bad, sure = scene.contour.copy(), np.ones(68)
    bad[[0, 4, 19, 30, 50, 62]] += 25
    sure[[0, 4, 19, 30, 50, 62]] = 0
    spared = scene.fit(bad, landmark_confidences=sure)
    assert np.array_equal(spared.landmarks, scene.fit(scene.contour, landmark_confidences=sure).landmarks)
    assert mean_error(spared.landmarks, scene.fit(scene.contour).landmarks) < 1.0
    assert not np.allclose(spared.landmarks, scene.fit(bad).landmarks, atol=0.02)


def test_confidence_sets_how_much_a_point_counts(scene):
    """A mouth that lies 6 pixels off pulls the result less the less sure it is."""
    moved = scene.contour.copy()
    moved[48:, 1] += 6
    pulled = []
    for confidence in (1, 0.2, 0.02):
        sure = np.ones(68)
        sure[48:] = confidence
        pulled.append(mean_error(scene.fit(moved, landmark_confidences=sure).landmarks[48:], scene.contour[48:]))
    assert pulled[0] > pulled[1] + 0.3 > pulled[2] + 0.3, pulled


def test_dlib_points(scene):
    class Shape:
        def __init__(self, points):
            self.num_parts = len(points)
            self.part = lambda i: types.SimpleNamespace(x=points[i][0], y=points[i][1])

    assert np.allclose(garface.dlib_landmarks(Shape(scene.contour)), scene.contour)
    five = scene.static[[45, 42, 36, 39, 33]]
    result = scene.fit(garface.dlib_landmarks(Shape(five)), landmark_order="dlib-5")
    assert mean_error(result.landmarks_static[[45, 42, 36, 39, 33]], five) < 3
    assert mean_error(result.landmarks_static, scene.static) < 25
    # In the order of the other five points it is no face.
    with pytest.raises(garface.InvalidArgumentError, match="mirrored|no face"):
        scene.fit(five)
    with pytest.raises(garface.InvalidArgumentError, match="shape predictor"):
        garface.dlib_landmarks(3)


def test_wrong_landmark_arguments(scene):
    points = scene.contour
    for options, word in (
        (dict(landmark_confidences=np.ones(67)), "landmark_confidences"), (dict(landmark_confidences=np.full(68, 1.5)), "0 to 1"),
        (dict(landmark_confidences=np.full(68, np.nan)), "landmark_confidences"),
        (dict(landmark_confidences=np.eye(68)[0]), "at least 5"), (dict(landmark_order="dlib-5"), "scheme"),
        (dict(landmark_order="points"), "landmark_order"), (dict(landmark_order=["five"]), "landmark_order"),
    ):
        with pytest.raises(garface.InvalidArgumentError, match=word):
            scene.fit(points, **options)
    with pytest.raises(garface.InvalidArgumentError, match="mesh"):
        scene.fit(np.tile(points, (7, 1))[:468], landmark_confidences=np.ones(468))
    with pytest.raises(garface.InvalidArgumentError, match="468 or 478"):
        scene.fit(points[:67])
    with pytest.raises(garface.InvalidArgumentError, match="go with landmarks"):
        scene.fit(None, landmark_order="five")


def test_landmark_files(tmp_path):
    file = tmp_path / "points"
    five = np.array([[1, 2], [3.5, 4], [5, 6], [7, 8], [9, 1e1]], np.float32)
    for text, confidences in (
        ("1 2\n3.5 4\n5 6\n7 8\n9 1e1\n", None), ("# points\n1,2\n3.5,4\n\n5;6\n7, 8\n9\t10", None),
        ("1 2 3.5 4 5 6 7 8 9 10\n", None), ("version: 1\nn_points: 5\n{\n1 2\n3.5 4\n5 6\n7 8\n9 10\n}\n", None),
        ("1 2 1\r\n3.5 4 0.5\r\n5 6 0\r\n7 8 1\r\n9 10 0.25\r\n", [1, 0.5, 0, 1, 0.25]),
    ):
        file.write_text(text, newline="")
        points, sure = garface.load_landmarks(file)
        assert np.array_equal(points, five) and np.array_equal(sure, np.ones(5) if confidences is None else confidences), text
    assert np.array_equal(garface.load_landmarks(file, first_pixel=1)[0], five - 1)
    # The third number of a mesh point is its depth.
    file.write_text("0.5 0.25 -7\n" * 468)
    assert np.array_equal(garface.load_landmarks(file)[1], np.ones(468))
    for text in ("", "1", "1 2\n3", "1 2\n3 x", "nan 1\n2 3", "1 2 3 4\n5 6 7 8\n", "{ 1 2 3 }", "1e300 2\n3 4", "\0\1\2"):
        file.write_text(text)
        with pytest.raises(garface.MalformedFileError, match="points: "):
            garface.load_landmarks(file)
    file.write_bytes(b"1 2\n" * (1 << 19))
    with pytest.raises(garface.TooLargeError):
        garface.load_landmarks(file)
    with pytest.raises(garface.MissingFileError):
        garface.load_landmarks(tmp_path / "none")


def test_options_of_the_first_header(scene, tmp_path):
    """A program built before confidences and orders were added hands over a shorter struct; what lies behind it is not read."""
    photo = tmp_path / "photo.png"
    garface.Image(scene.photo).save(photo)
    options = c.Options()
    lib.gar_options_init(ctypes.byref(options))
    points = np.ascontiguousarray(scene.contour, np.float32)
    options.renderer, options.files = c.CONSTANTS["GAR_RENDERER_LANDMARKS"], c.CONSTANTS["GAR_WRITE_LANDMARKS"]
    options.landmark_count, options.landmarks = 68, points.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    options.landmark_scheme = 77
    call = lambda: lib.gar_reconstruct_file(bytes(photo), bytes(tmp_path / "out"), ctypes.byref(options))
    assert call() == c.CONSTANTS["GAR_INVALID_ARGUMENT"] and b"landmark_scheme" in lib.gar_last_error()
    options.struct_size = c.Options.landmark_confidences.offset
    assert call() == c.CONSTANTS["GAR_OK"], lib.gar_last_error()
    assert mean_error(garface.load_landmarks(tmp_path / "out/landmarks.pts")[0], scene.contour) < 3
