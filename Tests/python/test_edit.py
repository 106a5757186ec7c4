"""Editing faces: what changes, what stays, and where the photo's colours go."""
import json
import os
import pathlib
import shutil
import subprocess

import numpy as np
import pytest

import garface

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = os.environ.get("GARFACE_TOOL") or str(ROOT / ".build/release/garface-cli")


@pytest.fixture(scope="module")
def pixels(photo):
    return garface.Image(photo).array()


@pytest.fixture(scope="module")
def saved(result, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    result.write(folder, files=["parameters", "pictures"])
    return folder / "parameters.safetensors"


@pytest.fixture(scope="module")
def other(photo, models):
    """Another result of the same models: the start, not the fit."""
    return garface.reconstruct(photo, models=models, renderer="start")


def difference(a, b):
    return np.abs(a.astype(int) - b.astype(int))


def head_distance(result, size):
    """For every pixel of a (height, width) picture how far it is from the nearest vertex of the head, mm."""
    from scipy.spatial import cKDTree

    places = project(result.vertices, result.camera)
    v, u = np.mgrid[: size[0], : size[1]]
    scale = np.linalg.norm(result.camera[0, :3])
    return cKDTree(places).query(np.stack([u, v], 2).reshape(-1, 2))[0].reshape(size) / scale


def project(vertices, camera):
    return (np.c_[vertices, np.ones(len(vertices))] @ camera.T)[:, :2]


def test_an_edit_that_changes_nothing_is_the_photo(result, pixels):
    same = result.edit()
    assert np.array_equal(same.photo, pixels)
    assert np.array_equal(same.render, result.render)
    for name in ("identity", "expression", "w_plus", "noise", "camera", "vertices", "landmarks"):
        assert np.allclose(getattr(same, name), getattr(result, name), atol=1e-3), name
    # Without the photo's detail it is GAR's picture, its colours matched: the face is close, the rest the photo.
    soft = result.edit(detail=0)
    face = head_distance(result, pixels.shape[:2]) == 0
    away = difference(soft.photo, pixels)
    assert away.mean() < 1 and 0.01 < (away.max(2) > 0).mean() < 0.2, (away.mean(), (away.max(2) > 0).mean(), face.mean())


def test_what_is_far_from_the_head_stays(result, pixels):
    distance = head_distance(result, pixels.shape[:2])
    for edit in (dict(yaw=20), dict(turn=(0, 0, 15)), dict(identity_gain=-1), dict(look_seed=3), dict(expression={"jawOpen": 0.6})):
        edited = result.edit(**edit)
        beyond = np.minimum(distance, head_distance(edited, pixels.shape[:2])) > 95
        assert beyond.mean() > 0.3 and np.array_equal(edited.photo[beyond], pixels[beyond]), edit
        assert difference(edited.photo, pixels).max() > 20, edit


def test_pose(result):
    turned = result.edit(yaw=17, pitch=-5, roll=12)
    assert np.allclose(turned.pose, (17, -5, 12), atol=1e-3)
    added = result.edit(turn=(10, 4, -6))
    assert np.allclose(added.pose, result.pose + (10, 4, -6), atol=1e-3)
    assert np.array_equal(turned.vertices_neutral, result.vertices_neutral)
    # The camera says the same: scale and centre stay.
    assert np.allclose(turned.camera[:, 3], result.camera[:, 3], atol=1e-3)
    rotation = turned.camera[:, :3] / np.linalg.norm(result.camera[0, :3])
    assert np.allclose(rotation * [[1], [-1], [1]], garface.pose_matrix(17, -5, 12), atol=1e-4)


def test_expression_and_identity(result, other):
    head = garface.HeadModel()
    names = head.expression_names
    edited = result.edit(expression={"jawOpen": 0.6, "mouthSmile": 0.25, "browDown_L": 1})
    expected = result.expression.copy()
    for name, value in (("jawOpen", 0.6), ("mouthSmile_L", 0.25), ("mouthSmile_R", 0.25), ("browDown_L", 1)):
        expected[names.index(name)] = value
    assert np.allclose(edited.expression, expected) and np.array_equal(edited.identity, result.identity)
    assert np.allclose(edited.vertices, head.evaluate(result.identity, expected), atol=1e-3)
    assert np.allclose(result.edit(expression=expected).expression, expected)

    rest = result.edit(expression_gain=0)
    assert not rest.expression.any() and np.allclose(rest.vertices, rest.vertices_neutral, atol=1e-3)
    assert np.allclose(result.edit(identity_gain=1.5).identity, 1.5 * result.identity)
    # Replaced, then mixed, then times the gain, and names last.
    start = np.linspace(-1, 1, len(result.identity)).astype(np.float32)
    mixed = result.edit(
        identity=start, other=other, mix_identity=0.25, identity_gain=2, mix_expression=1, expression={"jawOpen": 0.5})
    assert np.allclose(mixed.identity, 2 * (start + 0.25 * (other.identity - start)), atol=1e-5)
    expected = other.expression.copy()
    expected[names.index("jawOpen")] = 0.5
    assert np.allclose(mixed.expression, expected, atol=1e-6) and np.array_equal(mixed.w_plus, result.w_plus)


def test_look(result, other):
    renderer = garface.Renderer()
    rows = renderer.rows
    half = result.edit(other=other, mix_look=0.5, rows=(4, 9)).w_plus
    assert np.array_equal(half[:4], result.w_plus[:4]) and np.array_equal(half[9:], result.w_plus[9:])
    assert np.allclose(half[4:9], (result.w_plus[4:9] + other.w_plus[4:9]) / 2, atol=1e-5)
    calm = result.edit(look_gain=0.5).w_plus
    assert np.allclose(calm, (result.w_plus + renderer.mean_w) / 2, atol=1e-5)
    new = result.edit(look_seed=3, truncation=0.6)
    w = renderer.map(renderer.sample_z(3), 0.6)
    assert np.allclose(new.w_plus, np.repeat(w[None], rows, 0), atol=1e-5)
    # The geometry is held, and the renderer by itself says the same.
    normals = renderer.rasterize(garface.HeadModel(), new.vertices, *frame_pose(result))
    picture = garface.image_from_picture(renderer.render(w, normals)).array()
    assert difference(picture, new.render).max() <= 1
    # Two z meet on the great circle between them; without look_seed it is w+ that is mixed.
    z = [renderer.sample_z(seed).astype(np.float64) for seed in (3, 8)]
    length = [np.linalg.norm(v) for v in z]
    angle = np.arccos(z[0] @ z[1] / (length[0] * length[1]))
    unit = (np.sin(0.7 * angle) * z[0] / length[0] + np.sin(0.3 * angle) * z[1] / length[1]) / np.sin(angle)
    between = renderer.map(unit * (0.7 * length[0] + 0.3 * length[1]), 0.7)
    assert np.allclose(result.edit(look_seed=3, mix_seed=8, mix_look=0.3).w_plus[5], between, atol=1e-3)
    w = renderer.map(renderer.sample_z(8), 0.7)
    assert np.allclose(result.edit(mix_seed=8, mix_look=0.3).w_plus, 0.7 * result.w_plus + 0.3 * w, atol=1e-5)
    given = result.edit(w_plus=other.w_plus, identity=other.identity, expression=other.expression)
    assert np.array_equal(given.w_plus, other.w_plus)


def frame_pose(result):
    """Yaw, pitch, roll, scale and shift inside the aligned frame."""
    yaw, pitch, roll, log_scale, x, y = result.parameters["aligned_frame"]["head_yaw_pitch_roll_logscale_tx_ty"]
    return *np.degrees([yaw, pitch, roll]), np.exp(log_scale), (x, y)


def without_covering(folder):
    """Models whose inverse network does not see what covers a face: noise covers all of it."""
    network = ROOT / "Sources/CDefaultModels/models/inverse.safetensors"
    content = network.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    about = json.loads(header["__metadata__"]["garface"])
    del about["covering"]
    header["__metadata__"]["garface"] = json.dumps(about)
    written = json.dumps(header).encode()
    (folder / "inverse.safetensors").write_bytes(len(written).to_bytes(8, "little") + written + content[end:])
    return garface.Models(inverse_network=folder / "inverse.safetensors")


def test_the_surface_takes_its_colours_along(saved, pixels, tmp_path):
    """In photos of noise, what an edit moves is found at its new place, by the cameras alone."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    models = without_covering(tmp_path)
    height, width = pixels.shape[:2]
    head = garface.HeadModel()
    mean = head.evaluate()
    distance = np.linalg.norm(mean - head.landmarks(mean)[30], axis=1)
    # Which vertices, how far they face the viewer, how far the photo shows them, and how closely they have to follow: on the
    # face GAR changes the colours within limits, on the skull nothing does.
    parts = {
        "face": (distance < 60, 0.7, 0.99, 0.8),
        "skull": ((distance > 112) & (mean[:, 1] > head.landmarks(mean)[27, 1]), 0.5, 0.5, 0.9),
    }
    skin = head.parts == head.part_names.index("skin")

    def sampled(picture, places):
        return map_coordinates(picture.astype(np.float32), places[:, ::-1].T, order=1)

    edits = dict(turn=(0, 0, 12)), dict(turn=(8, 0, 0)), dict(turn=(0, 9, 0)), dict(expression={"mouthLeft": 1, "jawOpen": 0.2})
    stays = {}
    # Thirty vertices of one noise may resemble each other by chance: of three it is the mean that tells.
    for seed in (5, 6, 7):
        noise = gaussian_filter(np.random.default_rng(seed).normal(size=(height, width)), 1.2)
        chart = np.clip(128 + 35 * noise / noise.std(), 0, 255).astype(np.uint8)
        face = garface.load_result(saved, chart, models=models)
        assert np.array_equal(face.photo[:, :, 1], chart)
        for k, edit in enumerate(edits):
            edited = face.edit(**edit)
            before, after = project(face.vertices, face.camera), project(edited.vertices, edited.camera)
            facing = np.minimum(edited.normals_posed[:, 2], face.normals_posed[:, 2])
            moved = np.linalg.norm(after - before, axis=1) > 3  # further than the noise resembles itself
            for name, (part, least, shown, closely) in parts.items():
                chosen = (facing > least) & (face.visibility > shown) & skin & part & moved
                if chosen.sum() < 30:
                    continue
                there = sampled(edited.photo[:, :, 1], after[chosen])
                follows = np.corrcoef(there, sampled(chart, before[chosen]))[0, 1]
                least_followed = closely if "turn" in edit else 0.4      # GAR paints the open mouth over what is around it
                assert follows > least_followed, (edit, name, follows)
                stays.setdefault((name, k), []).append(np.corrcoef(there, sampled(chart, after[chosen]))[0, 1])
    assert all(np.mean(values) < 0.4 for values in stays.values()), stays
    cases = [name for name, _ in stays]
    assert cases.count("face") == 4 and "skull" in cases, cases


def sharpness(picture, mask):
    grey = picture.astype(np.float64) @ (0.299, 0.587, 0.114)
    return np.abs(4 * grey - sum(np.roll(grey, step, axis) for step in (1, -1) for axis in (0, 1)))[mask].mean()


def face_mask(result, size, radius=60):
    """Pixels of a (height, width) picture within the outline of the middle of the face."""
    from scipy.spatial import Delaunay

    head = garface.HeadModel()
    mean = head.evaluate()
    middle = np.linalg.norm(mean - head.landmarks(mean)[30], axis=1) < radius
    v, u = np.mgrid[: size[0], : size[1]]
    places = project(result.vertices, result.camera)[middle & (result.normals_posed[:, 2] > 0)]
    return Delaunay(places).find_simplex(np.stack([u, v], 2).reshape(-1, 2)).reshape(size) >= 0


def turned_in_plane(pixels, result, degrees):
    """The picture turned about where the camera has the model's origin, counter-clockwise."""
    from scipy.ndimage import map_coordinates

    centre, (c, s) = result.camera[:2, 3], (np.cos(np.radians(degrees)), np.sin(np.radians(degrees)))
    v, u = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    x, y = u - centre[0], v - centre[1]
    places = (centre[1] + s * x + c * y, centre[0] + c * x - s * y)
    turned = [map_coordinates(pixels[:, :, i].astype(np.float32), places, order=3, mode="nearest") for i in range(3)]
    return np.clip(np.stack(turned, 2), 0, 255)


def test_a_turn_in_the_plane_is_that_of_the_picture(result, pixels):
    """The face is neither relit nor blurred: it is the photo, sampled at other places."""
    for roll in (2, 12, -25):
        edited = result.edit(turn=(0, 0, roll))
        expected = turned_in_plane(pixels, result, roll)
        face = face_mask(edited, pixels.shape[:2])
        apart = difference(edited.photo, expected)[face]
        kept = sharpness(edited.photo, face) / sharpness(expected, face)
        assert apart.mean() < 2 and np.percentile(apart, 99) < 12 and kept > 0.85, (roll, apart.mean(), kept)


def test_a_small_turn_changes_little(result, pixels):
    before = sharpness(pixels, face_mask(result, pixels.shape[:2]))
    for turn in ((1, 0, 0), (0, 1, 0), (-3, 0, 0)):
        edited = result.edit(turn=turn)
        kept = sharpness(edited.photo, face_mask(edited, pixels.shape[:2])) / before
        assert kept > 0.8, (turn, kept)


def test_eyes_keep_their_colours(result, pixels):
    from scipy.ndimage import map_coordinates

    head = garface.HeadModel()
    eyes = np.isin(head.parts, [head.part_names.index(name) for name in ("eye_left", "eye_right")])

    def sampled(picture, places):
        return np.stack([map_coordinates(picture[:, :, c].astype(np.float32), places[:, ::-1].T, order=1) for c in range(3)], 1)

    for turn in ((0, 0, 20), (0, 0, -25), (12, 0, 0), (-12, 0, 0), (0, 8, 0)):
        edited = result.edit(turn=turn)
        shown = eyes & (result.visibility > 0.5) & (edited.visibility > 0.5)
        assert shown.sum() > 200
        before = sampled(pixels, project(result.vertices[shown], result.camera))
        after = sampled(edited.photo, project(edited.vertices[shown], edited.camera))
        apart = np.abs(after - before)
        tint = np.abs((after - after.mean(1, keepdims=True)) - (before - before.mean(1, keepdims=True))).max(1)
        assert apart.mean() < 12 and np.percentile(tint, 95) < 12, (turn, apart.mean(), np.percentile(tint, 95))


def test_results_of_edits_are_results(result, models, photo, tmp_path):
    edited = result.edit(yaw=15, expression={"jawOpen": 0.4})
    edited.write(tmp_path / "out")
    result.write(tmp_path / "before", files=["all"])
    names = {f.name for f in (tmp_path / "out").iterdir()}
    assert {"parameters.safetensors", "head.glb", "head_posed.obj", "texture.png", "overlay.png", "render.png"} <= names
    # The texture is that of the photo, which shows more of the face.
    assert (tmp_path / "out/texture.png").read_bytes() == (tmp_path / "before/texture.png").read_bytes()
    assert (tmp_path / "out/head_posed.obj").read_bytes() != (tmp_path / "before/head_posed.obj").read_bytes()
    garface.write_view(tmp_path / "out")
    parameters = json.loads((tmp_path / "out/parameters.json").read_text())
    assert parameters["start"] == "parameters" and abs(parameters["pose_degrees"]["yaw"] - 15) < 1e-3
    # Edited again, in memory and from the file.
    twice = edited.edit(yaw=5)
    loaded = garface.load_result(tmp_path / "out/parameters.safetensors", edited.photo, models=models)
    again = loaded.edit(yaw=5)
    assert np.allclose(twice.vertices_posed, again.vertices_posed, atol=1e-3) and difference(twice.photo, again.photo).max() <= 1
    assert np.allclose(twice.expression, edited.expression)
    # A new look has a texture of its own.
    assert difference(result.edit(look_seed=2).texture, result.texture).mean() > 2


def test_coefficients_without_measure_are_refused(result, saved, tmp_path):
    data = saved.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    for name in ("identity", "expression"):
        huge = np.array(getattr(result, name))
        huge[0] = 101
        with pytest.raises(garface.InvalidArgumentError, match=f"{name} holds 101"):
            result.edit(**{name: huge})
        assert header[name]["dtype"] == "F32"
        at = 8 + size + header[name]["data_offsets"][0]
        (tmp_path / "huge.safetensors").write_bytes(data[:at] + np.float32(1e38).tobytes() + data[at + 4:])
        with pytest.raises(garface.NumericalError, match="not finite"):
            garface.load_result(tmp_path / "huge.safetensors")


def test_load_result(result, saved, photo, pixels, models, tmp_path):
    loaded = garface.load_result(saved, photo, models=models)
    for name in ("identity", "expression", "w_plus", "noise", "camera", "vertices_posed", "landmarks"):
        assert np.allclose(getattr(loaded, name), getattr(result, name), atol=2e-3), name
    assert difference(loaded.render, result.render).max() <= 2
    assert loaded.history == [] and loaded.converged and loaded.parameters["renderer"] == "gar"
    # Without the photo the render stands in for it, where the face was.
    bare = garface.load_result(saved, models=models)
    assert bare.photo.shape == pixels.shape and (bare.photo[0] == 128).all()
    assert difference(bare.crop, bare.render).mean() < 4
    with pytest.raises(garface.InvalidArgumentError, match="photo of 512 x 512"):
        garface.load_result(saved, pixels[:-1], models=models)
    with pytest.raises(garface.MissingFileError):
        garface.load_result(tmp_path / "none.safetensors")
    with pytest.raises(garface.WrongModelError, match="reconstruction parameters"):
        garface.load_result("Sources/CDefaultModels/models/head.safetensors")


def test_a_fit_goes_on(result, saved, photo, models):
    loaded = garface.load_result(saved, photo, models=models)
    fit = garface.Fit(start=loaded)
    begun = fit.result()
    assert np.allclose(begun.identity, result.identity) and np.allclose(begun.vertices_posed, result.vertices_posed, atol=2e-3)
    last = garface.standard_schedule("gar")["stages"][-1]
    fit.run({**last, "iterations": 4})
    after = fit.result()
    assert len(after.history) == 4 and not np.array_equal(after.w_plus, begun.w_plus)
    # It begins at the energy where the first fit stood, not at that of a new start.
    ended, first = result.history[-1]["total"], after.history[0]["total"]
    assert abs(first - ended) < 0.1 * abs(ended), (first, ended)
    moved = garface.Fit(photo, start=result.edit(yaw=20))
    assert abs(moved.result().yaw - 20) < 1e-3
    with pytest.raises(garface.InvalidArgumentError):
        garface.Fit(photo, start=loaded, models=models)
    with pytest.raises(garface.InvalidArgumentError):
        garface.Fit(photo, start=photo)


def test_sweeps(result, other, pixels, tmp_path):
    result.sweep("yaw=0:1:4", picture="render", folder=tmp_path / "frames")
    for name in ("frame_0009.png", "frame_12.png"):
        (tmp_path / "frames" / name).write_bytes(b"own")
    parts = []
    strip = result.sweep(
        {"yaw": (-10, 10, 3), "jawOpen": (0, 0.4, 3)}, folder=tmp_path / "frames", progress=lambda part, _: parts.append(part),
        other=other, mix_identity=0.5)
    assert strip.shape == (256, 3 * 256, 3) and parts[0] == 0 and parts[-1] == 1
    # Frames of an earlier sweep are gone, other files stay, frames by their name too.
    assert sorted(f.name for f in (tmp_path / "frames").iterdir()) == [
        "frame_0001.png", "frame_0002.png", "frame_0003.png", "frame_0009.png", "frame_12.png", "frames.json"]
    assert (tmp_path / "frames/frame_0009.png").read_bytes() == b"own"
    middle = result.edit(yaw=0, expression={"jawOpen": 0.2}, other=other, mix_identity=0.5)
    frame = garface.Image(tmp_path / "frames/frame_0002.png").array()
    assert frame.shape == pixels.shape and np.array_equal(frame, middle.photo)
    renders = result.sweep("expression=1:0:2", picture="render")
    assert renders.shape == (256, 512, 3) and difference(renders[:, :256], renders[:, 256:]).mean() > 1
    with pytest.raises(garface.CancelledError):
        result.sweep("yaw=0:1:2", folder=tmp_path / "none", progress=lambda *_: False)
    assert not (tmp_path / "none").exists()


def test_sweeps_spare_pictures_of_others(result, photo, saved, models, tmp_path):
    """A frame in the way that no sweep wrote, one that was changed since, the photo, and a list of something else."""
    folder = tmp_path / "frames"
    folder.mkdir()

    def refused(what, of=result, **edit):
        before = {p.name: p.read_bytes() for p in folder.iterdir()}
        with pytest.raises(garface.InvalidArgumentError, match=what):
            of.sweep("yaw=0:1:2", picture="render", folder=folder, **edit)
        assert {p.name: p.read_bytes() for p in folder.iterdir()} == before

    shutil.copy(photo, folder / "frame_0002.png")
    refused("frame_0002.png: was not written by a sweep")
    refused("place of the photo", garface.load_result(saved, folder / "frame_0002.png", models=models))
    tool = [TOOL, "edit", saved, "--into", folder / "frame_0002.png", "--sweep", "yaw=0:1:2", "--frames", folder]
    done = subprocess.run(tool, capture_output=True, text=True)
    assert done.returncode == 2 and "place of the photo" in done.stderr
    assert (folder / "frame_0002.png").read_bytes() == photo.read_bytes()
    (folder / "frame_0002.png").unlink()
    result.sweep("yaw=0:1:3", picture="render", folder=folder)
    (folder / "frame_0001.png").write_bytes(b"own")
    refused("frame_0001.png: was not written")
    (folder / "frame_0001.png").unlink()
    (folder / "frame_0003.png").write_bytes(b"own")
    result.sweep("yaw=0:1:2", picture="render", folder=folder)
    assert (folder / "frame_0003.png").read_bytes() == b"own"
    (folder / "frames.json").write_text("{}")
    refused("frames.json: is not the list")


def test_two_faces_of_one_photo(result, pixels, models):
    """A second face is put into the picture that has the first one edited."""
    twin = np.concatenate([pixels, pixels[:, ::-1]], axis=1)
    faces = garface.reconstruct_all(twin, models=models, renderer="start")
    assert len(faces) == 2
    left, right = sorted(faces, key=lambda face: face.camera[0, 3])
    once = left.edit(yaw=20)
    both = right.edit(yaw=-20, into=once.photo)
    assert np.array_equal(both.photo[:, :400], once.photo[:, :400]) and np.array_equal(once.photo[:, 600:], twin[:, 600:])
    assert difference(both.photo[:, 600:], twin[:, 600:]).max() > 20


def test_wrong_edits_are_named(result, other, photo, models):
    cases = [
        (dict(yaw="left"), "yaw"), (dict(yaw=float("nan")), "yaw"), (dict(yaw=1000), "yaw"), (dict(turn=(1, 2)), "turn"),
        (dict(expression={"smile": 1}), 'no expression "smile"'), (dict(expression={"jawOpen": "wide"}), "jawOpen"),
        (dict(expression={"jawOpen": float("inf")}), "jawOpen"), (dict(expression={"jaw=1,x": 1}), "expression"),
        (dict(expression=[1, 2]), "expression"), (dict(identity=np.zeros(3)), "identity"), (dict(other=photo), "other"),
        (dict(identity=np.full(len(result.identity), np.nan)), "identity"), (dict(identity_gain=1e9), "gain"),
        (dict(mix_identity=0.5), "other face"), (dict(mix_look=0.5), "seed"), (dict(other=other, mix_look=1, rows=(3, 99)), "rows"),
        (dict(other=other, mix_look=1, rows=(5, 3)), "rows"), (dict(rows=3), "rows"), (dict(look_seed=-1), "look_seed"),
        (dict(truncation=2, look_seed=1), "truncation"), (dict(detail=-1), "detail"), (dict(w_plus=np.zeros((2, 2))), "w_plus"),
        (dict(into=np.zeros((5, 5, 3), np.uint8)), "5 x 5"), (dict(into="/no/such.png"), "such.png"),
    ]
    for given, word in cases:
        with pytest.raises(garface.GarfaceError, match=word):
            result.edit(**given)
    with pytest.raises(TypeError):
        result.edit(smile=1)
    for sweep, word in (
        ("yaw", "from:to:count"), ("yaw=1:2", "how many"), ("yaw=1:2:0", "1 to 1000"), ("yaw=1:2:3,roll=1:2:4", "one number"),
        ("smile=0:1:3", "smile"), (17, "sweep"), ({"yaw": (1, 2)}, "sweep"), ("", "sweep"), ("mix-look=0:1:2", "seed"),
        ("yaw=0:nan:2", "from:to:count"), ("jawOpen=0:1e30:2", "jawOpen"),
    ):
        with pytest.raises(garface.InvalidArgumentError, match=word):
            result.sweep(sweep)
    with pytest.raises(garface.InvalidArgumentError, match="picture"):
        result.sweep("yaw=0:1:2", picture="mesh")
    # Fitted without GAR there is no look to render.
    bare = garface.reconstruct(photo, models=models, renderer="landmarks")
    with pytest.raises(garface.InvalidArgumentError, match="no look"):
        bare.edit(yaw=5)
    assert bare.edit(yaw=5, look_seed=1).render is not None


def test_tool_spares_pictures(photo, saved, tmp_path):
    """Without --into a file that is no render is not replaced; one that is, is."""
    mine = tmp_path / "mine.png"
    shutil.copy(photo, mine)

    def edit(*arguments):
        return subprocess.run([TOOL, "edit", saved, *map(str, arguments)], capture_output=True, text=True)

    for arguments in (["--output", mine], ["--sweep", "yaw=0:1:2", "--strip", mine]):
        done = edit(*arguments)
        assert done.returncode == 2 and "mine.png: is there already" in done.stderr, done
        assert mine.read_bytes() == photo.read_bytes()
    for _ in range(2):
        assert edit("--output", tmp_path / "render.png").returncode == 0
        assert edit("--sweep", "yaw=0:1:2", "--strip", tmp_path / "strip.png").returncode == 0
    for arguments in (["--output", tmp_path / "x.png", "--expression", ""], ["--sweep", "yaw=0:1:2,yaw=0:1", "--strip", tmp_path / "x.png"]):
        assert edit(*arguments).returncode == 2 and not (tmp_path / "x.png").exists()
