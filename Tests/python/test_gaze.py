"""Where eyes look: on photos whose eyes are painted anew, and mirrored ones."""
import numpy as np
import pytest

import garface
from gltf import gltf

# Degrees: the iris as large as people's on the model's eyeballs, and where it lies when they look straight ahead.
IRIS, OUTWARD, LEVEL = 22, 3, 7.8


@pytest.fixture(scope="module")
def picture(photo):
    """The sample photo three times as fine: its eyes are 5 pixels high."""
    return garface.Image(photo).array().repeat(3, 0).repeat(3, 1)


@pytest.fixture(scope="module")
def eyes(picture, models):
    """For each pixel of the picture that shows an eyeball: its place, and its direction from the eyeball's centre."""
    result = garface.reconstruct(picture, models=models, renderer="landmarks")
    head = garface.HeadModel()
    names, out = list(head.part_names), []
    for name, side in (("eye_left", 1), ("eye_right", -1)):
        part = names.index(name)
        ball = result.vertices[np.array(head.parts) == part]
        y, x = np.nonzero(result.part_map == part)
        direction = result.position_map[y, x] - (ball.min(0) + ball.max(0)) / 2
        out.append((y, x, direction / np.linalg.norm(direction, axis=1, keepdims=True), side))
    return out


def painted(picture, eyes, yaw, pitch, iris=IRIS):
    """The photo with eyes whose irises are turned so far on the model's eyeballs; without any where `iris` is 0."""
    out = np.array(picture)
    for y, x, direction, side in eyes:
        a, b = np.radians(yaw + OUTWARD * side), np.radians(pitch + LEVEL)
        axis = np.array([np.sin(a) * np.cos(b), np.sin(b), np.cos(a) * np.cos(b)])
        angle = np.degrees(np.arccos(np.clip(direction @ axis, -1, 1)))
        share = np.clip((iris + 1 - angle) / 2, 0, 1)[:, None]
        out[y, x] = np.round(share * [70, 50, 40] + (1 - share) * [215, 200, 195])
    return out


@pytest.mark.parametrize("yaw, pitch", [(0, 0), (10, 0), (-10, 0), (4, 5), (-5, -6)])
def test_eyes_look_where_they_are_painted(picture, models, eyes, yaw, pitch):
    found = garface.reconstruct(painted(picture, eyes, yaw, pitch), models=models, renderer="landmarks").gaze
    # People's eyes are smaller than the model's, of 15.7 mm, and turn further for the same place of the iris.
    truth = [np.degrees(np.arcsin(np.sin(np.radians(angle)) * 15.7 / 7.8)) for angle in (yaw, pitch)]
    assert np.allclose(found, truth, atol=4)


def test_nothing_is_said_of_eyes_without_irises(picture, models, eyes):
    result = garface.reconstruct(painted(picture, eyes, 0, 0, iris=0), models=models, renderer="landmarks")
    assert result.gaze is None and result.parameters["gaze_degrees"] is None


def test_a_mirrored_photo_looks_the_other_way(picture, models, eyes):
    there = garface.reconstruct(painted(picture, eyes, 8, 3), models=models, renderer="landmarks").gaze
    back = garface.reconstruct(painted(picture, eyes, 8, 3)[:, ::-1], models=models, renderer="landmarks").gaze
    assert back[0] == pytest.approx(-there[0], abs=4) and back[1] == pytest.approx(there[1], abs=4)


def test_numbers_agree(photo, models):
    result = garface.reconstruct(photo, models=models, renderer="landmarks")
    written = result.parameters["gaze_degrees"]
    assert result.gaze == pytest.approx((written["yaw"], written["pitch"]), abs=1e-4)


def test_a_film_of_turning_eyes(picture, models, eyes, tmp_path):
    """Gaze frame by frame, and the eyes' nodes of the animated head with it; where the eyes are shut nothing is said of it."""
    turns = np.linspace(-9, 9, 10)
    tracker, frames = garface.Tracker(models=models, lag=1, identity_frames=2, frames_per_second=10), []
    for k, turn in enumerate(turns):
        frames += tracker.push(painted(picture, eyes, turn, 0, iris=0 if k == 4 else IRIS))
    frames += tracker.finish()
    gaze = np.array([f.gaze_yaw for f in frames])
    assert np.isnan(gaze[4]) and np.isfinite(np.delete(gaze, 4)).all()
    truth = np.degrees(np.arcsin(np.sin(np.radians(turns)) * 15.7 / 7.8))
    assert np.abs(gaze - truth)[np.isfinite(gaze)].max() < 6
    tracker.write(tmp_path, files=["glb"])
    document, numbers, _ = gltf((tmp_path / "track.glb").read_bytes())
    animation, head = document["animations"][0], document["nodes"][0]
    moved = {c["target"]["node"]: animation["samplers"][c["sampler"]] for c in animation["channels"] if c["target"]["node"] in head["children"]}
    assert sorted(moved) == head["children"]
    for sampler in moved.values():
        assert np.allclose(numbers(sampler["input"])[:, 0], np.delete(np.arange(10) / 10, 4), atol=1e-5)
        x, y, z, w = numbers(sampler["output"]).T
        assert np.allclose(x * x + y * y + z * z + w * w, 1, atol=1e-5)
        # The nodes turn by what the model's larger eyeballs need.
        turn = np.degrees(np.arctan2(2 * (x * z + y * w), 1 - 2 * (x * x + y * y)))
        assert np.allclose(np.sin(np.radians(turn)) * 15.7 / 7.8, np.sin(np.radians(np.delete(gaze, 4))), atol=0.02)
