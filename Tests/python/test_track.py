"""A face through a made film of known motion: Python, tool and files."""
import csv
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import time

import numpy as np
import pytest

import garface
from garface.evaluation import tracking

TOOL = os.environ.get("GARFACE_TOOL") or str(pathlib.Path(__file__).resolve().parents[2] / ".build/release/garface-cli")
WIDTH, HEIGHT = tracking.SIDE


def read_safetensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    return {
        name: np.frombuffer(data[8 + size :][slice(*about["data_offsets"])], "<f4").reshape(about["shape"])
        for name, about in json.loads(data[8 : 8 + size]).items() if name != "__metadata__"}


@pytest.fixture(scope="module")
def head():
    return garface.HeadModel()


@pytest.fixture(scope="module")
def film(head):
    """46 frames; from the 23rd on the face is gone for half a second."""
    return tracking.Film(garface.Renderer(), head, 46, 6.0, seed=1)


@pytest.fixture(scope="module")
def tracked(film):
    """The film through a tracker, and when each frame came out."""
    tracker, out, after = garface.Tracker(lag=3, identity_frames=6, frames_per_second=tracking.SPEED), [], []
    for k, frame in enumerate(film.frames):
        for ready in tracker.push(frame):
            out.append(ready)
            after.append(k)
    last = tracker.finish()
    return tracker, out + last, after


def test_follows_loses_and_finds_again(film, tracked, head):
    tracker, frames, _ = tracked
    assert [f.index for f in frames] == list(range(46)) and np.allclose([f.time for f in frames], np.arange(46) / 25)
    found = np.array([f.found for f in frames])
    assert not found[~film.there].any() and found[film.there].mean() > 0.95
    yaw = np.array([f.yaw for f in frames])
    assert np.isnan(yaw[~found]).all() and np.abs(yaw - film.yaw)[found].max() < 12
    assert np.corrcoef(yaw[found], film.yaw[found])[0, 1] > 0.97
    assert np.abs(np.array([f.tx for f in frames]) - film.tx)[found].max() < 8
    jaw = np.array([f.expression[head.expression_names.index("jawOpen")] for f in frames])
    assert np.corrcoef(jaw[found], film.jaw[found])[0, 1] > 0.8
    assert tracker.identity.shape == (head.identity_count,) and np.abs(tracker.identity).max() > 0
    # What a frame says goes together: the landmarks are those of identity, expression and camera.
    frame = frames[10]
    points = head.landmarks(head.evaluate(tracker.identity, frame.expression)) @ garface.pose_matrix(
        frame.yaw, frame.pitch, frame.roll).T
    pixels = np.stack([frame.scale * points[:, 0] + frame.tx, -frame.scale * points[:, 1] + frame.ty], 1)
    assert np.abs(pixels - frame.landmarks_static).max() < 0.05
    marked = head.landmarks_contour(
        head.evaluate(tracker.identity, frame.expression), frame.yaw, frame.pitch, frame.roll) @ garface.pose_matrix(
        frame.yaw, frame.pitch, frame.roll).T
    pixels = np.stack([frame.scale * marked[:, 0] + frame.tx, -frame.scale * marked[:, 1] + frame.ty], 1)
    assert np.abs(pixels - frame.landmarks).max() < 0.1


def test_comes_out_with_the_stated_lag(film, tracked):
    """Held back until the identity is settled, then `lag` frames behind; 0 is at once."""
    _, frames, after = tracked
    settled = [k for k, when in enumerate(after) if when == 5]
    assert after[: len(settled)] == [5] * len(settled) and settled == [0, 1, 2]
    assert all(when - k == 3 for k, when in enumerate(after[3:], 3))
    assert len(frames) - len(after) == 3
    tracker = garface.Tracker(lag=0, identity=frames and tracked[0].identity)
    for k, picture in enumerate(film.frames[:4]):
        (frame,) = tracker.push(picture, time=0.1 * k)
        assert frame.index == k and frame.found and frame.time == pytest.approx(0.1 * k)
    assert np.array_equal(tracker.identity, tracked[0].identity)


def test_smoother_than_frames_alone(film, tracked):
    """Less trembling than the unsmoothed track, at no cost in truth."""
    frames = tracked[1]
    raw = list(garface.track(film.frames[:23], smoothing=0, identity=tracked[0].identity))
    assert len(raw) == 23 and all(f.found for f in raw)

    def trembling(values, truth):
        return np.sqrt(np.mean(np.diff(np.array(values) - truth, 2) ** 2))

    for name, truth in (("yaw", film.yaw), ("tx", film.tx), ("pitch", film.pitch)):
        one, other = ([getattr(f, name) for f in some[:23]] for some in (raw, frames))
        assert trembling(other, truth[:23]) < 0.8 * trembling(one, truth[:23]), name


def test_files(tracked, head, tmp_path):
    tracker, frames, _ = tracked
    tracker.write(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["track.csv", "track.glb", "track.json", "track.safetensors"]
    with open(tmp_path / "track.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 46 and rows[30]["found"] in "01"
    for row, frame in zip(rows, frames):
        assert int(row["frame"]) == frame.index and row["found"] == str(int(frame.found))
        if frame.found:
            assert float(row["yaw"]) == pytest.approx(frame.yaw, abs=1e-3)
            assert [float(row[name]) for name in head.expression_names] == pytest.approx(list(frame.expression), abs=1e-4)
            assert (row["gaze_yaw"] == "") == bool(np.isnan(frame.gaze_yaw))
            assert np.isnan(frame.gaze_pitch) or float(row["gaze_pitch"]) == pytest.approx(frame.gaze_pitch, abs=0.01)
            assert float(row["u30"]) == pytest.approx(frame.landmarks[30, 0], abs=0.01)
        else:
            assert row["yaw"] == "" and row["jawOpen"] == ""
    about = json.loads((tmp_path / "track.json").read_text())
    assert (about["frames"], about["lag_frames"], about["width"], about["height"]) == (46, 3, WIDTH, HEIGHT)
    assert about["expression_names"] == head.expression_names and np.allclose(about["identity"], tracker.identity)
    arrays = read_safetensors(tmp_path / "track.safetensors")
    assert np.allclose(arrays["angles_degrees"][:, 0], [f.yaw for f in frames], equal_nan=True, atol=1e-3)
    assert np.allclose(arrays["gaze_degrees"][:, 0], [f.gaze_yaw for f in frames], equal_nan=True, atol=1e-3)
    assert arrays["expression"].shape == (46, head.expression_count) and arrays["landmarks"].shape == (46, 68, 2)
    tracker.write(tmp_path / "some", files=["csv"])
    assert [p.name for p in (tmp_path / "some").iterdir()] == ["track.csv"]


def test_animated_glb(tracked, head, tmp_path):
    """Read by others: the animation puts the head where the frames' camera saw it."""
    pygltflib, trimesh = pytest.importorskip("pygltflib"), pytest.importorskip("trimesh")
    tracker, frames, _ = tracked
    tracker.write(tmp_path, files="glb")
    scene = trimesh.load(tmp_path / "track.glb")
    assert set(scene.geometry) == {"head", "eye_left", "eye_right"}
    glb = pygltflib.GLTF2().load(tmp_path / "track.glb")
    blob = glb.binary_blob()

    def values(index):
        accessor = glb.accessors[index]
        view, width = glb.bufferViews[accessor.bufferView], {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor.type]
        assert accessor.componentType == 5126 and view.target is None
        return np.frombuffer(blob, "<f4", accessor.count * width, view.byteOffset).reshape(accessor.count, width)

    (animation,), found = glb.animations, [f for f in frames if f.found]
    tracks = {c.target.path: animation.samplers[c.sampler] for c in animation.channels if c.target.node == 0}
    assert set(tracks) == {"rotation", "translation", "weights"}
    times = values(tracks["rotation"].input)[:, 0]
    assert np.allclose(times, [f.time - found[0].time for f in found], atol=1e-5)
    bounds = glb.accessors[tracks["rotation"].input]
    assert bounds.min == [pytest.approx(times[0])] and bounds.max == [pytest.approx(times[-1])]
    weights = values(tracks["weights"].output).reshape(len(found), -1)
    assert np.allclose(weights, [f.expression for f in found], atol=1e-6)
    assert glb.meshes[0].extras["targetNames"] == head.expression_names

    lens = glb.cameras[0].perspective
    focal = HEIGHT / 2 / np.tan(lens.yfov / 2)
    assert focal == pytest.approx(1.2 * WIDTH) and lens.aspectRatio == pytest.approx(WIDTH / HEIGHT)
    places, turns = values(tracks["translation"].output), values(tracks["rotation"].output)
    assert np.allclose(np.linalg.norm(turns, axis=1), 1, atol=1e-5) and (np.sum(turns[1:] * turns[:-1], 1) > 0).all()
    for frame, place, (x, y, z, w) in list(zip(found, places, turns))[::7]:
        rotation = np.array([
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])
        assert np.allclose(rotation, garface.pose_matrix(frame.yaw, frame.pitch, frame.roll), atol=1e-5)
        # Pinhole projection of the node's origin, and of a point 50 mm beside it.
        for point in ([0.0, 0, 0], [0.05, 0, 0]):
            p = place + point
            pixel = (focal * p[0] / -p[2] + (WIDTH - 1) / 2, -focal * p[1] / -p[2] + (HEIGHT - 1) / 2)
            assert np.allclose(pixel, (frame.tx + frame.scale * 1000 * point[0], frame.ty), atol=0.05)


def test_wrong_use(film, no_face, head, tmp_path):
    for options, word in (
        ({"lag": -1}, "lag"), ({"identity_frames": 0}, "identity_frames"), ({"identity": [1, 2]}, "identity"),
        ({"smoothing": -1.0}, "smoothing"), ({"frames_per_second": 0.0}, "frames"), ({"renderer": "sh"}, "spherical"),
    ):
        with pytest.raises(garface.InvalidArgumentError, match=word):
            garface.Tracker(**options)
    tracker = garface.Tracker(lag=0, identity_frames=1)
    assert tracker.identity is None and [f.found for f in tracker.push(no_face)] == [False]
    with pytest.raises(garface.InvalidArgumentError, match="320 x 240"):
        tracker.push(no_face[:-1])
    with pytest.raises(garface.InvalidArgumentError, match="time"):
        tracker.push(no_face, time=0.0)
    assert tracker.finish() == [] and tracker.finish() == []
    with pytest.raises(garface.InvalidArgumentError, match="finished"):
        tracker.push(no_face)
    with pytest.raises(garface.NoFaceError):
        tracker.write(tmp_path)
    with pytest.raises(garface.InvalidArgumentError, match="files"):
        tracker.write(tmp_path, files=["film"])
    tracker.write(tmp_path, files=["csv", "arrays"])
    with pytest.raises(garface.InvalidArgumentError, match="kept"):
        garface.Tracker(keep=False).write(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_through_the_renderer(film, tracked):
    """A few frames refined by GAR: still the person, still in place."""
    frames = list(garface.track(film.frames[:3], renderer="gar", lag=0, identity=tracked[0].identity))
    assert len(frames) == 3 and all(f.found and abs(f.yaw - film.yaw[f.index]) < 12 for f in frames)


def run(*arguments, **options):
    return subprocess.run([TOOL, "track", *map(str, arguments)], capture_output=True, timeout=600, **options)


def test_tool(film, tracked, no_face, tmp_path):
    """Raw frames through a pipe and pictures in a folder give what the library gives."""
    raw = b"".join(frame.tobytes() for frame in film.frames[:12])
    done = run("-", "--size", f"{WIDTH}x{HEIGHT}", "-o", tmp_path / "out", "--identity-frames", 6, input=raw)
    assert done.returncode == 0 and b"12 of 12 frames show the face" in done.stdout, done.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["track.csv", "track.glb", "track.json", "track.safetensors"]
    (tmp_path / "frames").mkdir()
    for k, frame in enumerate(film.frames[:12]):
        garface.Image(frame).save(tmp_path / f"frames/{k}.png")
    streamed = run(tmp_path / "frames", "--curves", "-", "--identity-frames", 6, "--lag", 3, "--quiet")
    assert streamed.returncode == 0, streamed.stderr
    assert streamed.stdout == (tmp_path / "out/track.csv").read_bytes()
    rows = list(csv.DictReader(streamed.stdout.decode().splitlines()))
    assert float(rows[5]["yaw"]) == pytest.approx(tracked[1][5].yaw, abs=1e-3)   # settled and smoothed by the same frames

    for code, arguments, text in [
        (2, ["-", "-o", tmp_path / "x"], b""), (2, [tmp_path / "frames"], b""), (2, ["-", "--size", "9x9", "-o", "x"], b""),
        (2, [tmp_path / "frames", "-o", "x", "--lag", "-1"], b""), (4, [tmp_path / "none", "-o", tmp_path / "x"], b""),
        (4, ["-", "--size", f"{WIDTH}x{HEIGHT}", "-o", tmp_path / "x"], raw[:100]),
        (4, ["-", "--size", f"{WIDTH}x{HEIGHT}", "-o", tmp_path / "x"], b""),
        (5, [tmp_path / "frames", "-o", tmp_path / "frames/0.png"], b""),
    ]:
        done = run(*arguments, input=text)
        assert done.returncode == code and len(done.stderr) > 10, (arguments, done)
        assert not (tmp_path / "x").exists()
    done = run("-", "--size", f"{WIDTH}x{HEIGHT}", "-o", tmp_path / "empty", input=no_face.tobytes())
    assert done.returncode == 3 and sorted(p.name for p in (tmp_path / "empty").iterdir()) == [
        "track.csv", "track.json", "track.safetensors"]


def frames_in(folder):
    return list(csv.DictReader((folder / "track.csv").read_text().splitlines()))


def test_a_bad_end_loses_nothing_before_it(film, tmp_path):
    """A pipe that ends inside a frame, and Ctrl-C that does the same: what was seen is written."""
    raw = b"".join(frame.tobytes() for frame in film.frames[:3])
    size = ["-", "--size", f"{WIDTH}x{HEIGHT}", "--files", "csv", "--identity-frames", 1, "--lag", 0]
    done = run(*size, "-o", tmp_path / "cut", input=raw + b"x" * 100)
    assert done.returncode == 4 and b"middle of frame 3" in done.stderr and b"3 frames before are written" in done.stderr
    assert len(frames_in(tmp_path / "cut")) == 3
    process = subprocess.Popen(
        [TOOL, "track", *map(str, size), "-o", str(tmp_path / "stopped"), "--curves", str(tmp_path / "rows")], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(raw + b"x" * 100)
    process.stdin.flush()
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not ((tmp_path / "rows").exists() and (tmp_path / "rows").read_text().count("\n") == 4):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 6 and b"interrupted after" in complaint, complaint
    assert len(frames_in(tmp_path / "stopped")) == 3


def test_pictures_that_cannot_be_used(film, tmp_path):
    """A damaged picture or one of another size is a frame without a face."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for k, frame in enumerate(film.frames[:5]):
        garface.Image(frame).save(folder / f"{k}.png")
    (folder / "0.png").write_bytes((folder / "0.png").read_bytes()[:500])
    garface.Image(np.zeros((50, 60, 3), np.uint8)).save(folder / "3.png")
    done = run(folder, "-o", tmp_path / "out", "--files", "csv", "--identity-frames", 2)
    assert done.returncode == 0 and b"3 of 5 frames" in done.stdout, done
    assert b"0.png: " in done.stderr and b"3.png: has 60 x 50 pixels" in done.stderr and done.stderr.count(b"without a face") == 2
    assert [row["found"] for row in frames_in(tmp_path / "out")] == ["0", "1", "1", "0", "1"]
    for k in range(1, 5):
        (folder / f"{k}.png").write_bytes(b"junk")
    done = run(folder, "-o", tmp_path / "none")
    assert done.returncode == 4 and b"no frame that can be used" in done.stderr and not (tmp_path / "none").exists()
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    done = run(tmp_path / "film.mp4", "-o", tmp_path / "none")
    assert done.returncode == 4 and b"nor a list of pictures" in done.stderr and b"ffmpeg" in done.stderr


def test_ffmpeg_pipe(film, tmp_path):
    if not shutil.which("ffmpeg"):
        pytest.skip("no ffmpeg")
    for k, frame in enumerate(film.frames[:8]):
        garface.Image(frame).save(tmp_path / f"{k:03}.png")
    command = (f"ffmpeg -loglevel error -framerate 25 -i '{tmp_path}/%03d.png' -f rawvideo -pix_fmt rgb24 - | '{TOOL}' track --size "
               f"{WIDTH}x{HEIGHT} --fps 25 --output '{tmp_path}/out' --files csv -")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and "8 of 8 frames" in done.stdout, done.stderr
