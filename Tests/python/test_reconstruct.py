import inspect
import json
import subprocess
import sys
import threading

import numpy as np
import pytest

import garface


def test_arrays_fit_together(result):
    head = garface.HeadModel()
    assert result.identity.shape == (80,) and result.expression.shape == (55,)
    assert result.expression.min() >= 0 and result.expression.max() <= 1
    assert result.vertices.shape == result.vertices_posed.shape == result.vertices_neutral.shape == (15622, 3)
    assert np.array_equal(result.triangles, head.triangles)
    assert np.allclose(result.vertices_neutral, head.evaluate(result.identity), atol=1e-2)
    assert np.allclose(result.vertices, head.evaluate(result.identity, result.expression), atol=1e-2)
    rotation = garface.pose_matrix(result.yaw, result.pitch, result.roll)
    assert np.allclose(result.vertices_posed, result.vertices @ rotation.T, atol=1e-2)
    assert np.allclose(result.normals_posed, head.normals(result.vertices_posed), atol=1e-3)
    # The camera: scale times the rotation, v down, and the landmarks through it.
    scale = np.linalg.norm(result.camera[0, :3])
    assert np.allclose(result.camera[:, :3] / scale, rotation * np.array([[1], [-1], [1]]), atol=1e-4)
    points = np.c_[result.landmarks_3d, np.ones(68)] @ result.camera.T
    assert np.allclose(points[:, :2], result.landmarks_static, atol=0.05)
    assert np.allclose(head.landmarks(result.vertices), result.landmarks_3d, atol=1e-2)
    # Those of the picture are where people mark them in this pose.
    marked = head.landmarks_contour(result.vertices, result.yaw, result.pitch, result.roll)
    assert np.allclose((np.c_[marked, np.ones(68)] @ result.camera.T)[:, :2], result.landmarks, atol=0.05)
    apart = np.linalg.norm(result.landmarks - result.landmarks_static, axis=1) / scale
    assert apart.max() < 15 and 4 < apart[[0, 16]].min() and 1 < apart[17:27].mean() < 6 and apart[[36, 39, 42, 45]].max() < 2
    with pytest.raises(ValueError):
        result.vertices[0] = 0


def test_maps(result):
    assert result.normal_map.shape == (512, 512, 3) and result.depth_map.shape == (512, 512)
    covered = ~np.isnan(result.depth_map)
    length = np.linalg.norm(result.normal_map, axis=2)
    assert np.allclose(length[covered], 1, atol=1e-3) and np.all(length[~covered] == 0)
    assert covered.mean() > 0.01
    # Where the nose tip's pixel is, the head is, at the nose tip's depth.
    u, v = np.round(result.landmarks_static[30]).astype(int)
    tip = (result.landmarks_3d[30] @ garface.pose_matrix(result.yaw, result.pitch, result.roll).T)[2]
    assert result.depth_map[v, u] == pytest.approx(tip, abs=5)


def test_the_astronaut(result, models, photo):
    """Where a person sees the face: nose tip, eyes and mouth of the sample photo, and the way it looks."""
    faces = garface.detect_faces(photo, models)
    assert faces and 190 < faces[0].centre[0] < 260 and 80 < faces[0].centre[1] < 150
    eyes = result.landmarks[36:48].reshape(2, 6, 2).mean(axis=1)
    assert 20 < eyes[1, 0] - eyes[0, 0] < 70
    assert 195 < result.landmarks[30, 0] < 250 and 85 < result.landmarks[30, 1] < 150
    assert result.landmarks[57, 1] > result.landmarks[33, 1] > eyes[:, 1].mean()
    assert abs(result.yaw) < 40 and abs(result.pitch) < 30 and abs(result.roll) < 25


def test_pictures_and_parameters(result):
    assert result.render.shape == result.render.shape and result.render.std() > 5
    assert result.crop.ndim == 3 and result.overlay.shape[1] > 3 * result.overlay.shape[0]
    assert result.w_plus.shape == (garface.Renderer().rows, garface.Renderer().latent)
    parameters = result.parameters
    assert np.allclose(parameters["identity"], result.identity, atol=1e-4)
    assert parameters["pose_degrees"]["yaw"] == pytest.approx(result.yaw, abs=1e-3)
    assert {entry["stage"] for entry in result.history} and all(np.isfinite(entry["total"]) for entry in result.history)


def test_same_seed_same_numbers(result, photo, models):
    again = garface.reconstruct(photo, models=models)
    for name in ("identity", "expression", "camera", "w_plus"):
        assert np.array_equal(getattr(result, name), getattr(again, name)), name


@pytest.mark.parametrize("renderer", ["sh", "landmarks", "start"])
def test_other_renderers(photo, models, renderer):
    result = garface.reconstruct(photo, models=models, renderer=renderer)
    assert np.isfinite(result.vertices).all()
    assert (result.render is not None) == (renderer != "landmarks")
    assert (len(result.history) > 0) == (renderer != "start")
    assert renderer == "start" or result.w_plus.size == 0
    assert result.parameters["renderer"] == renderer


def test_a_face_a_box_and_points_are_used(result, photo, models):
    face = garface.detect_faces(photo, models)[0]
    by_face = garface.reconstruct(photo, models=models, renderer="landmarks", face=face)
    low, high = result.landmarks[17:].min(axis=0), result.landmarks[17:].max(axis=0)
    by_box = garface.reconstruct(photo, models=models, renderer="landmarks", box=(*low, *(high - low)))
    points = result.landmarks
    by_68 = garface.reconstruct(photo, models=models, renderer="landmarks", landmarks=points)
    eyes = points[36:48].reshape(2, 6, 2).mean(axis=1)
    five = np.stack([eyes[0], eyes[1], points[30], points[48], points[54]])
    by_5 = garface.reconstruct(photo, models=models, renderer="landmarks", landmarks=five)
    between = np.linalg.norm(eyes[1] - eyes[0])
    for other in (by_face, by_box, by_68, by_5):
        assert np.linalg.norm(other.landmarks - points, axis=1).mean() < 0.5 * between
    assert by_68.parameters["start"] == "points_68" and by_5.parameters["start"] == "points_5"
    assert by_box.parameters["start"] == "box"


def test_array_and_file_are_the_same_photo(result, photo, models):
    pixels = garface.Image(photo).array()
    other = garface.reconstruct(pixels, models=models, renderer="start")
    same = garface.reconstruct(photo, models=models, renderer="start")
    assert np.array_equal(other.identity, same.identity)


def test_writes_all_files_or_none(result, tmp_path):
    result.write(tmp_path / "all")
    names = {file.name for file in (tmp_path / "all").iterdir()}
    assert names >= {
        "parameters.json", "parameters.safetensors", "landmarks.pts", "head_posed.obj", "head_neutral.obj",
        "head_posed.ply", "head_neutral.ply", "normals.png", "depth.png", "render.png", "crop.png", "overlay.png",
    }
    assert not [name for name in names if name.endswith(".part")]
    result.write(tmp_path / "some", files=["obj", "overlay"])
    assert {f.name for f in (tmp_path / "some").iterdir()} == {"head_posed.obj", "head_neutral.obj", "overlay.png"}
    vertices = np.array(
        [line.split()[1:4] for line in (tmp_path / "all/head_neutral.obj").read_text().splitlines() if line.startswith("v ")],
        dtype=np.float64)
    assert np.allclose(vertices, result.vertices_neutral, atol=1e-2)
    with pytest.raises(garface.InvalidArgumentError):
        result.write(tmp_path, files=["everything"])


def test_files_take_the_options_of_reconstruct(photo, models, tmp_path):
    face = garface.detect_faces(photo, models)[0]
    moved = garface.Face((face.centre[0] + 4, face.centre[1]), face.size)
    stage = {**garface.standard_schedule("landmarks")["stages"][0], "iterations": 2, "name": "short"}
    options = dict(renderer="landmarks", face=moved, schedule=stage)
    expected = garface.reconstruct(photo, models=models, **options)
    garface.reconstruct_file(photo, tmp_path / "out", files=["parameters", "landmarks"], **options)
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names == {"parameters.json", "parameters.safetensors", "landmarks.pts", "landmarks_static.pts", "landmarks.json"}
    written = json.loads((tmp_path / "out/parameters.json").read_text())
    assert {entry["stage"] for entry in written["losses"]} == {"short"}
    assert np.allclose(written["identity"], expected.identity, atol=1e-4)
    with pytest.raises(garface.InvalidArgumentError, match="all_faces"):
        garface.reconstruct_file(photo, tmp_path / "never", all_faces=True, face=face)
    # What one has, the other has too, but for models, which the call in one go loads itself, and what is written.
    of_array = set(inspect.signature(garface.reconstruct).parameters)
    of_file = set(inspect.signature(garface.reconstruct_file).parameters)
    assert of_array - of_file == {"models"} and of_file - of_array == {"folder", "files", "all_faces"}


def test_all_faces(photo, models, tmp_path):
    pixels = garface.Image(photo).array()
    two = np.concatenate([pixels, pixels[:, ::-1]], axis=1)
    faces = garface.detect_faces(two, models)
    assert len(faces) >= 2
    results = garface.reconstruct_all(two, models=models, renderer="start")
    assert len(results) == len(faces)
    assert np.ptp([r.landmarks[30, 0] for r in results[:2]]) > 300
    garface.Image(two).save(tmp_path / "two.png")
    garface.reconstruct_file(tmp_path / "two.png", tmp_path / "out", renderer="start", all_faces=True)
    assert (tmp_path / "out/face1_head_posed.obj").exists() and (tmp_path / "out/face2_head_posed.obj").exists()


def test_a_small_face_in_a_large_photo(photo, models):
    """25 photos of the face's own size side by side, nearly: its head has 4 % of the side."""
    picture = garface.Image(photo).array()
    canvas = np.full((2560, 2560, 3), 128, np.uint8)
    canvas[1500:1756, 900:1156] = picture.reshape(256, 2, 256, 2, 3).mean((1, 3)).astype(np.uint8)
    found = garface.reconstruct(canvas, models=models, renderer="start")
    there = garface.reconstruct(photo, models=models, renderer="start")
    assert np.abs(found.landmarks - (there.landmarks / 2 + [900 - 0.25, 1500 - 0.25])).max() < 6


def test_a_photo_that_is_much_too_dark(photo, models):
    picture = garface.Image(photo).array()
    known = garface.reconstruct(picture, models=models, renderer="start").landmarks
    dark = garface.reconstruct(np.round(picture * 0.08).astype(np.uint8), models=models, renderer="start")
    assert dark.face_probability > 0.9 and np.abs(dark.landmarks - known).mean() < 1.5
    with pytest.raises(garface.NoFaceError):
        garface.reconstruct(np.zeros_like(picture), models=models, renderer="start")


def test_forked_processes_work(photo):
    """A forked process has none of its parent's threads."""
    program = """if 1:
        import multiprocessing, sys, garface
        def read(_):
            return garface.reconstruct(sys.argv[1], renderer="landmarks").identity.tolist()
        garface.set_thread_count(2)
        own = read(0)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(read, range(2)) == [own, own]
    """
    subprocess.run([sys.executable, "-c", program, str(photo)], check=True, timeout=300)


def test_files_of_an_earlier_result_go(photo, models, result, tmp_path):
    out = tmp_path / "out"
    result.write(out)
    (out / "render.txt").write_text("mine")
    bare = garface.reconstruct(photo, models=models, renderer="landmarks")
    bare.write(out, files=["obj"])
    assert (out / "render.png").exists()  # pictures were not asked for
    bare.write(out)
    assert not (out / "render.png").exists() and (out / "crop.png").exists() and (out / "render.txt").exists()
    others = ("face2_render.png", "face7_crop.png", "face7_notes.txt", "face02_crop.png", "face_crop.png", "crop.png")
    for name in others:
        (out / name).write_text("old")
    garface.reconstruct_file(photo, out, renderer="landmarks", all_faces=True, files=["pictures"])
    left = {f.name for f in out.iterdir()}
    assert "face1_crop.png" in left and not left & {"face1_render.png", "face2_render.png", "face7_crop.png"}
    assert left >= set(others[2:]) and (out / "crop.png").read_text() == "old"


def test_threads_share_models(photo, models):
    alone = garface.reconstruct(photo, models=models, renderer="landmarks")
    results = [None, None]

    def work(i):
        results[i] = garface.reconstruct(photo, models=models, renderer="landmarks")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        assert np.allclose(result.identity, alone.identity, atol=1e-4)


def test_results_outlive_models(photo):
    models = garface.Models()
    result = garface.reconstruct(photo, models=models, renderer="start")
    models.close()
    assert np.isfinite(result.vertices).all()
    with pytest.raises(garface.InvalidArgumentError, match="closed"):
        garface.detect_faces(photo, models)
