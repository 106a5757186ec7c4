"""The measures of garface.evaluation on arrays whose answer is known, and its scripts on faces drawn without fault."""
import argparse
import dataclasses
import importlib
import json
import types

import numpy as np
import pytest

import garface
from garface.evaluation import metrics, sheets
from garface.evaluation.__main__ import MEASUREMENTS, main as evaluation
from garface.evaluation.face_masks import Masks, Placement
from garface.evaluation.frechet import frechet_distance
from garface.evaluation.known_faces import Frame, Geometry, Studio
from garface.evaluation.landmark_offset import mean_offset, moved
from garface.evaluation.obedience import Judge, displacement_rows, distance_rows, moving, opening_rows
from garface.evaluation.gaze import gaze_rows
from garface.evaluation.openings import LIDS, LIPS, eye_aspect, lip_opening
from garface.evaluation.openings_of_photos import opening_rows as photo_opening_rows
from garface.evaluation.photos import Finding
from garface.evaluation.portrait_fits import Portrait, portraits_folder, read_portraits
from garface.evaluation.regression import bootstrap_error, line, slope_through_origin
from garface.evaluation.separation import farther_share, latent_rows


def gaussian(rng, mean, covariance, count=200):
    """Samples whose mean and covariance are exactly these."""
    x = rng.standard_normal((count, len(mean)))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return x @ np.linalg.cholesky(covariance).T + mean


def rotations(rng, count):
    return np.array([garface.pose_matrix(*a) for a in rng.uniform(-20, 20, (count, 3))], np.float64)


@pytest.fixture(scope="module")
def head():
    return garface.HeadModel()


@pytest.fixture(scope="module")
def studio(head):
    return Studio(garface.Renderer(), head)


@pytest.fixture
def geometries(head):
    """People who differ, turned a little."""
    return people(head, 8)


def people(head, count):
    def one(seed):
        identity, expression = head.sample(seed)
        return Geometry(identity, expression, yaw=float(7 * (seed % 5) - 14), pitch=2.0)
    return [one(seed) for seed in range(count)]


# Frechet distance

def test_frechet_distance_of_commuting_gaussians():
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    a, b = np.array([1.0, 2, 3, 0.5]), np.array([2.0, 1, 3, 1.5])
    shift = np.array([0.3, -1, 0, 2])
    x = gaussian(rng, np.zeros(4), turn @ np.diag(a**2) @ turn.T)
    y = gaussian(rng, shift, turn @ np.diag(b**2) @ turn.T)
    expected = (shift**2).sum() + ((a - b) ** 2).sum()
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(y, x) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_of_gaussians_that_do_not_commute():
    # 2 x 2: tr sqrt(A B) = sqrt(tr(A B) + 2 sqrt(det(A B)))
    rng = np.random.default_rng(1)
    a, b = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[1.0, -0.3], [-0.3, 3.0]])
    cross = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a @ b)))
    x, y = gaussian(rng, np.zeros(2), a), gaussian(rng, np.zeros(2), b)
    assert frechet_distance(x, y) == pytest.approx(np.trace(a) + np.trace(b) - 2 * cross, rel=1e-6)


def test_frechet_distance_from_itself_with_a_dead_feature():
    x = np.random.default_rng(2).standard_normal((50, 5))
    x[:, 3] = 0
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


# Offsets, slopes, openings

def test_mean_offset_is_found_through_rotations():
    rng = np.random.default_rng(3)
    turn, points = rotations(rng, 400), rng.normal(0, 40, (400, 68, 3))
    offset = rng.normal(0, 3, (68, 3))
    found = np.array([moved(p, r, offset) for p, r in zip(points, turn)])
    np.testing.assert_allclose(mean_offset(found, points, turn), offset, rtol=0.01, atol=0.01)


def test_mean_offset_of_upright_faces_is_the_mean():
    rng = np.random.default_rng(4)
    points, found = rng.normal(0, 40, (9, 68, 2)), rng.normal(0, 40, (9, 68, 2))
    offset = mean_offset(found, points, np.repeat(np.eye(3)[None], 9, 0))
    np.testing.assert_allclose(offset[:, :2], (found - points).mean(0), atol=1e-9)
    assert not offset[:, 2].any()      # of which they tell nothing


def test_slopes():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((40, 6, 2))
    assert slope_through_origin(x, 0.7 * x) == pytest.approx(0.7)
    assert np.isnan(slope_through_origin(np.zeros(3), np.ones(3)))
    slope, correlation = line(x.ravel(), 5 - 2 * x.ravel())
    assert (slope, correlation) == (pytest.approx(-2), pytest.approx(-1))
    assert np.isnan(line(np.ones(4), np.arange(4.0))[1])


def test_bootstrap_error_of_a_mean():
    x = np.random.default_rng(6).standard_normal(400)
    error = bootstrap_error(lambda chosen: float(x[chosen].mean()), len(x), rounds=500)
    assert error == pytest.approx(x.std() / 20, rel=0.15)


def test_points_that_move():
    displacement = np.zeros((3, 68, 2))
    displacement[:, 5], displacement[:, 6], displacement[:, 7] = [4, 0], [0, 1], [0, 0.9]
    assert np.flatnonzero(moving(displacement)).tolist() == [5, 6]


def test_openings(head):
    points = np.zeros((68, 2))
    for k in (36, 42):
        points[k : k + 6] = np.array([[0, 0], [1, 1], [2, 1], [3, 0], [2, -1], [1, -1]]) + [2 * (k - 36), 0]
    points[[61, 62, 63]], points[[67, 66, 65]] = [[0, 1], [1, 2], [2, 3]], [[0, 0], [1, 0], [2, 0]]
    assert eye_aspect(points) == pytest.approx(2 / 3)
    assert lip_opening(points) == pytest.approx(2 / 15)       # outer eye corners: 0 and 12 + 3
    still = Geometry(np.zeros(head.identity_count, np.float32), np.zeros(head.expression_count, np.float32))

    def measured(measure, **values):
        return measure(head.landmarks(head.evaluate(None, still.expressing(head, **values).expression)))
    assert measured(eye_aspect, eyeBlink=1) < 0.4 * measured(eye_aspect)
    assert measured(lip_opening, jawOpen=0.8) > measured(lip_opening) + 0.15


def annotated_openings(rng, count):
    """68 points of faces that differ in how far eyes and lips are open, and nothing else."""
    still = rng.uniform(0, 100, (68, 2))
    still[36], still[45] = [20, 40], [80, 40]
    faces = np.repeat(still[None], count, 0)
    for a, b in LIDS + LIPS:
        faces[:, b] = faces[:, a] + np.outer(rng.uniform(2, 12, count), [0, 1])
    return faces


def test_gaze_that_is_half_of_what_it_should_be():
    head = np.random.default_rng(3).normal(0, 8, (40, 2))
    gaze = -0.5 * head + [0.0, 2.0]
    gaze[::4] = np.nan
    yaw, pitch = gaze_rows(head, gaze)
    assert yaw["told"] == pitch["told"] == 75 and yaw["portraits"] == 40
    assert yaw["slope"] == pytest.approx(0.5) and pitch["correlation"] == pytest.approx(1)
    told = head[np.isfinite(gaze[:, 0])]
    assert yaw["error"] == pytest.approx(np.median(np.abs(0.5 * told[:, 0])))
    assert pitch["mean"] == pytest.approx(2 + 0.5 * told[:, 1].mean())
    nobody = gaze_rows(head, np.full_like(head, np.nan))
    assert [row["told"] for row in nobody] == [0, 0] and "error" not in nobody[0]


def test_openings_of_photos_that_are_half_as_wide():
    truths = annotated_openings(np.random.default_rng(11), 12)
    found = truths.copy()
    for a, b in LIDS + LIPS:
        found[:, b] = (truths[:, a] + truths[:, b]) / 2
    photos = [Finding("", t, f) for t, f in zip(truths, found)]
    astray = [Finding("", truths[0], None), Finding("", truths[0], truths[0] + 6.1)]      # 6.1 twice: 14 % of 60
    for row, measure in zip(photo_opening_rows(photos + astray), (eye_aspect, lip_opening), strict=True):
        mean = np.mean([measure(t) for t in truths])
        assert (row["photos"], row["left out"]) == (12, 2)
        assert row["slope"] == pytest.approx(0.5) and row["correlation"] == pytest.approx(1)
        assert row["mean"] == pytest.approx(mean / 2) and row["annotated mean"] == pytest.approx(mean)
        assert row["error"] == pytest.approx(np.median([measure(t) for t in truths]) / 2)
        assert row["NME"] < row["inner"] < row["eyes"]
    assert photo_opening_rows(astray)[0] == {"measure": "eye aspect", "photos": 0, "left out": 2}


def test_share_of_others_that_are_farther():
    gallery = np.array([[0.0], [1], [2], [3], [4]])
    probes = np.array([[0.1], [3.9], [2], [3], [-9]])
    # The second has only the first entry farther than its own; the last has its own farthest of all.
    np.testing.assert_allclose(farther_share(probes, gallery), [100, 25, 100, 100, 0])


def test_psnr_inside_a_mask():
    a, b = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    b[:2] = 51
    mask = np.zeros((4, 4), bool)
    mask[:2] = True
    assert metrics.psnr(a, b, mask) == pytest.approx(20 * np.log10(5))


# Geometry in the frame

def test_frame_goes_back_and_forth():
    frame, points = Frame(115.0, 5.0), np.random.default_rng(7).uniform(-80, 80, (10, 2))
    np.testing.assert_allclose(frame.millimetres(frame.pixels(points, 64), 64), points, atol=1e-9)
    np.testing.assert_allclose(frame.pixels(np.array([[0.0, 5.0]]), 64), [[31.5, 31.5]])
    assert frame.pixels(np.array([[0.0, 20.0]]), 64)[0, 1] < 31.5


def test_expressing_sets_both_sides_and_keeps_mouth_close_below_the_jaw(head):
    expression = np.zeros(head.expression_count, np.float32)
    names = head.expression_names
    expression[names.index("mouthClose")] = expression[names.index("jawOpen")] = 0.4
    changed = Geometry(np.zeros(head.identity_count, np.float32), expression).expressing(head, eyeBlink=0.5, jawOpen=0.1)
    value = dict(zip(names, changed.expression.tolist()))
    assert value["eyeBlink_L"] == value["eyeBlink_R"] == 0.5
    assert value["mouthClose"] == value["jawOpen"] == pytest.approx(0.1)
    assert expression[names.index("jawOpen")] == pytest.approx(0.4)


def write_fits(folder, rng, count):
    """fits.npz of made-up portraits; what the model's own points are, camera mm."""
    turn, offset = rotations(rng, count), np.concatenate([rng.normal(0, 3, (68, 2)), np.zeros((68, 1))], 1)
    model = rng.normal(0, 40, (count, 68, 3))
    frame = Frame(115.0, 5.0)
    annotated = np.array([frame.pixels(moved(p, r, offset), 256) for p, r in zip(model, turn)])
    np.savez(
        folder / "fits.npz", rotation=turn, landmarks68=annotated, expression=np.zeros((count, 55)), half_mm=115.0,
        identity=np.ones((count, 60)), landmark_offset_mm=offset, centre_y_mm=5.0)
    return model[..., :2]


def test_portraits_are_the_test_split_with_the_offset_taken_off(head, tmp_path):
    points = write_fits(tmp_path, np.random.default_rng(8), 40)
    portraits = read_portraits(tmp_path, head)
    assert [p.index for p in portraits] == [7, 22, 37]
    assert len(read_portraits(tmp_path, head, test_only=False)) == 40
    for portrait in portraits:
        np.testing.assert_allclose(portrait.points, points[portrait.index], atol=1e-4)
        assert portrait.geometry.identity.shape == (head.identity_count,) and portrait.geometry.identity.sum() == 60


def test_a_packed_set_has_the_same_portraits(head, tmp_path):
    cv2 = pytest.importorskip("cv2")
    from garface.training.data import load_portraits, save_packed

    rng, folder = np.random.default_rng(8), tmp_path / "folder"
    folder.mkdir()
    write_fits(folder, rng, 24)
    for i in range(24):
        cv2.imwrite(str(folder / f"{i:05d}.webp"), rng.integers(0, 256, (32, 32, 3), np.uint8))
    faces = load_portraits(str(folder), str(tmp_path / "cache"), 32)
    save_packed(faces.subset(np.arange(1, 24)), str(tmp_path / "pack"))      # numbers stay: the test split does, too
    pairs = list(zip(read_portraits(folder, head), read_portraits(tmp_path / "pack", head), strict=True))
    assert [packed.index for _, packed in pairs] == [7, 22]
    for stored, packed in pairs:
        np.testing.assert_allclose(packed.points, stored.points, atol=1e-4)
        assert packed.geometry.yaw == pytest.approx(stored.geometry.yaw, abs=1e-3)
        assert packed.geometry.pitch == pytest.approx(stored.geometry.pitch, abs=1e-3)
        np.testing.assert_array_equal(packed.geometry.identity, stored.geometry.identity)
        np.testing.assert_array_equal(packed.picture(), stored.picture())
        assert packed.picture(16).shape == (16, 16, 3)
    save_packed(dataclasses.replace(faces, images=faces.images[..., 0]), str(tmp_path / "grey"))
    with pytest.raises(argparse.ArgumentTypeError, match="aligned and in colour"):
        portraits_folder(str(tmp_path / "grey"))


def test_what_is_no_folder_of_portraits_says_what_is_expected(head, tmp_path):
    def refused(folder):
        with pytest.raises(argparse.ArgumentTypeError) as problem:
            portraits_folder(str(folder))
        return str(problem.value)
    assert "neither a folder of portraits with fits nor a packed set" in refused(tmp_path)
    np.savez(tmp_path / "fits.npz", rotation=np.zeros((1, 3, 3)), scale=np.ones(1))
    assert "crops" in refused(tmp_path)
    np.savez(tmp_path / "fits.npz", rotation=np.zeros((1, 3, 3)))
    assert "lacks centre_y_mm, " in refused(tmp_path)
    write_fits(tmp_path, np.random.default_rng(8), 7)
    with pytest.raises(SystemExit, match="none of its 7 portraits is of the test split"):
        read_portraits(tmp_path, head)


def placed(centre, size, roll):
    frame = {"centre_px": centre, "size_px": size, "roll_degrees": roll}
    return types.SimpleNamespace(parameters={"aligned_frame": frame})


def test_placement_moves_the_fit_into_the_library_frame(studio, geometries):
    # A photo of 256 px whose fit fills its frame; the library's frame lies elsewhere in it.
    centre, size, roll = np.array([120.0, 140.0]), 300.0, 12.0
    place = Placement.of(placed(centre.tolist(), size, roll), 256, studio.frame)
    points = studio.points(geometries[0])
    u, v = (studio.frame.pixels(points, 256) - centre).T / (size / 2)
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    turned = garface.pose_matrix(0, 0, place.roll).astype(np.float64)
    inside = place.scale * points @ turned.T
    inside[:, :2] += place.shift
    ndc = np.stack([inside[:, 0], inside[:, 1] - studio.frame.centre_y], 1) / studio.frame.half
    np.testing.assert_allclose(ndc, np.stack([c * u - s * v, -s * u - c * v], 1), atol=1e-5)


def test_masks(studio, geometries):
    pytest.importorskip("cv2")
    geometry = dataclasses.replace(geometries[0], yaw=0.0, pitch=0.0)
    portrait = Portrait(7, None, geometry, np.zeros((68, 2)))
    face, head = Masks(studio)(portrait, Placement.of(placed([127.5, 127.5], 256.0, 0.0), 256, studio.frame))
    size = studio.renderer.size
    assert face.shape == head.shape == (size, size)
    assert 0.1 < face.mean() < head.mean() < 0.8 and not (face & ~head).any()
    inner = np.rint(studio.frame.pixels(studio.points(geometry)[17:], size)).astype(int)
    assert face[inner[:, 1], inner[:, 0]].all()


def test_sheet():
    pytest.importorskip("cv2")
    sheet = sheets.grid([np.full((s, s, 3), 10 * s, np.uint8) for s in (4, 8, 16)], 2, 8)
    assert sheet.shape == (16, 16, 3)
    assert [sheet[v, u, 0] for v, u in ((4, 4), (4, 12), (12, 4), (12, 12))] == [40, 80, 160, 128]


# The scripts, with a renderer that obeys and a detector that sees all

OFFSET = np.concatenate([np.random.default_rng(9).normal(0, 2, (68, 2)), np.zeros((68, 1))], 1)


class TransparentStudio(Studio):
    """Its pictures are the points themselves, where this detector would see them."""

    gain = 1.0      # of what moves away from the mean head

    def picture(self, geometry, w):
        mean = Geometry(np.zeros_like(geometry.identity), np.zeros_like(geometry.expression), geometry.yaw, geometry.pitch)
        still = self.points(mean)
        return moved(still + self.gain * (self.points(geometry) - still), self.rotation(geometry), OFFSET)


class Clairvoyant:
    def landmarks(self, picture, box):
        return picture


@pytest.fixture
def judge(studio):
    return Judge(TransparentStudio(studio.renderer, studio.head), Clairvoyant())


def sightings(judge, geometries):
    class Fit:
        def __init__(self, geometry):
            self.geometry = geometry

        def picture(self, size):
            return judge.studio.picture(self.geometry, None)
    return [Fit(g) for g in geometries]


def test_an_obedient_renderer_has_no_distance_and_slopes_of_one(judge, geometries):
    portraits = sightings(judge, geometries)
    seen = judge.portraits(portraits, 64)
    np.testing.assert_allclose(judge.offset(seen), OFFSET, atol=1e-6)
    np.testing.assert_allclose(judge.distances(seen, OFFSET), 0, atol=1e-6)
    for row in opening_rows(judge, seen, 6, seed=1):
        assert row["slope"] == pytest.approx(1, abs=1e-4) and row["correlation"] == pytest.approx(1, abs=1e-4)
    for row in displacement_rows(judge, portraits, seen, 3, 1, None):
        assert row["slope"] == pytest.approx(1, abs=1e-4) and row["error"] == pytest.approx(0, abs=1e-4)
        assert row["portraits: slope"] == pytest.approx(1, abs=1e-4)


def test_another_mesh_is_farther(judge, head):
    geometries = people(head, 80)      # so many that noise is no depth
    noise = np.random.default_rng(10).normal(0, 0.5, (len(geometries), 68, 2))
    seen = judge.portraits(sightings(judge, geometries), 64)
    noisy = dataclasses.replace(seen, found=seen.found + noise)
    rows = {row["picture"]: row for row in distance_rows(judge, noisy, noisy, noisy, seed=1)}
    assert rows["renders, yaw 40"]["ratio"] < 0.5 < 3 < rows["renders, yaw 40, another mesh"]["ratio"]


def test_a_sluggish_renderer_has_slopes_below_one(judge, geometries):
    class Textures:
        """What is moved by the mesh goes all the way."""

        def found(self, portrait, geometries, box):
            return [judge.expected(geometry, OFFSET) for geometry in geometries]
    portraits = sightings(judge, geometries)
    seen = judge.portraits(portraits, 64)
    judge.studio.gain = 0.6
    for row in displacement_rows(judge, portraits, seen, 3, 1, Textures()):
        assert row["textures: slope"] == pytest.approx(1, abs=1e-4)
        if row["parameter"] != "yaw":
            assert row["slope"] == pytest.approx(0.6, abs=0.02) and row["of textures"] == pytest.approx(0.6, abs=0.02)


def test_z_that_moves_nothing(judge, geometries, monkeypatch):
    monkeypatch.setattr("garface.evaluation.separation.disturbed", lambda picture, rng: {"a shift": picture + 0.5})
    rows = {row["the same geometry"]: row for row in latent_rows(judge, sightings(judge, geometries), 4, 3, seed=1)}
    assert rows["renders, another z"]["68 median %"] == 0
    assert rows["renders, another z"]["pairs"] == 4 * 3
    assert 0.5 < rows["one render, a shift"]["68 median %"] < 1


def test_missing_dlib_says_what_to_install(studio, monkeypatch):
    from garface.evaluation import dlib_detector

    monkeypatch.setitem(__import__("sys").modules, "dlib", None)
    with pytest.raises(SystemExit, match=r"pip install 'garface\[evaluate\]'"):
        dlib_detector.Detector(studio.frame)
    monkeypatch.setattr(dlib_detector.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="face_recognition_models"):
        dlib_detector._model("shape_predictor_68_face_landmarks.dat")


# The command line

@pytest.fixture
def annotated(photo, models, tmp_path):
    """A folder with one annotated photo: the points are those that the network finds."""
    folder = tmp_path / "annotated"
    folder.mkdir()
    (folder / photo.name).write_bytes(photo.read_bytes())
    points = garface.reconstruct(photo, models=models, renderer="start").landmarks
    np.savez(folder / "landmarks68.npz", names=[photo.name], landmarks=points[None])
    return folder


def test_measurements_on_an_annotated_photo(annotated, tmp_path, capsys):
    def measured(name, *arguments):
        assert evaluation([name, str(annotated), "--rows", "start", "--json", str(tmp_path / "out.json"), *arguments]) == 0
        assert capsys.readouterr().out.startswith("| row | ")
        return json.loads((tmp_path / "out.json").read_text())
    [row] = measured("photos")
    assert row["count"] == 1 and row["median"] == pytest.approx(0, abs=1e-3)
    eyes, lips = measured("openings_of_photos", "--limit", "1")
    assert eyes["photos"] == lips["photos"] == 1 and eyes["error"] == pytest.approx(0, abs=1e-3)
    assert eyes["annotated mean"] == pytest.approx(eyes["mean"], abs=1e-3)


def test_points_of_another_detector(annotated, tmp_path, capsys):
    truth = np.load(annotated / "landmarks68.npz")["landmarks"]
    for points, missed in ((truth, 0), (np.full_like(truth, np.nan), 1)):
        np.savez(tmp_path / "points.npz", points=points)
        assert evaluation(["photos", str(annotated), "--rows", "landmarks", "--points", str(tmp_path / "points.npz"),
                           "--json", str(tmp_path / "out.json")]) == 0
        [row] = json.loads((tmp_path / "out.json").read_text())
        assert row["missed"] == missed and (missed or row["median"] < 1.5)
    np.savez(tmp_path / "points.npz", points=np.concatenate([truth, truth]))
    with pytest.raises(SystemExit, match="points of 2 photos, expected 1"):
        evaluation(["photos", str(annotated), "--points", str(tmp_path / "points.npz")])
    with pytest.raises(SystemExit, match='landmarks68.npz: expected an .npz with "points"'):
        evaluation(["photos", str(annotated), "--points", str(annotated / "landmarks68.npz")])


def test_every_measurement_has_help(capsys):
    assert evaluation(["--help"]) == 0
    listed = capsys.readouterr().out
    for name in MEASUREMENTS:
        assert f"  {name} " in listed
        with pytest.raises(SystemExit) as done:
            evaluation([name, "--help"])
        assert done.value.code == 0
        assert importlib.import_module(f"garface.evaluation.{name}").__doc__[:40] in capsys.readouterr().out
    assert evaluation([]) == evaluation(["guess"]) == 2


@pytest.mark.parametrize("arguments, complaint", [
    ("photos FOLDER --limit 0", "--limit: '0' is not a whole number of at least 1"),
    ("openings_of_photos FOLDER --step 0", "--step: '0' is not a whole number of at least 1"),
    ("openings_of_photos FOLDER --rows start,mean", "--rows: 'mean' is none of start, landmarks, sh, gar"),
    ("photos FOLDER --json FOLDER/none/a.json", "make the folder FOLDER/none first"),
    ("photos FOLDER --json FOLDER", "FOLDER is a folder"),
    ("photos FOLDER --schedule FOLDER/none.json", "none.json: no such file"),
    ("photos FOLDER --schedule FOLDER/landmarks68.npz", "landmarks68.npz is no JSON"),
    ("photos FOLDER --renderer FOLDER/none", "none: no such file"),
    ("scenes FOLDER/none", "FOLDER/none holds no landmarks68.npz"),
    ("self_inversion --faces some", "--faces: 'some' is not a whole number of at least 1"),
    ("several_photos --photos FOLDER", "FOLDER holds no photos144.zip"),
    ("tracking --lags 1,-1", "--lags: '-1' is not a whole number of at least 0"),
    ("tracking --noise nan", "--noise: 'nan' is not a number of at least 0.0"),
    ("obedience FOLDER", "neither a folder of portraits with fits nor a packed set"),
    ("obedience PORTRAITS --parts 1,12", "--parts: '12' is none of 1, 2, 3"),
    ("separation PORTRAITS --people 1", "--people: '1' is not 0 or a whole number of at least 2"),
    ("pictures PORTRAITS --sheets FOLDER/landmarks68.npz", "landmarks68.npz cannot be made: File exists"),
    ("portraits PORTRAITS --sheet FOLDER/sheet", "sheet is no name of a picture: end it in .png"),
])
def test_wrong_arguments_are_refused_before_anything_is_measured(arguments, complaint, tmp_path, capsys):
    if "--sheet " in arguments:
        pytest.importorskip("cv2")
    folder, portraits = tmp_path / "folder", tmp_path / "portraits"
    folder.mkdir()
    portraits.mkdir()
    np.savez(folder / "landmarks68.npz", names=[], landmarks=np.zeros((0, 68, 2)))
    write_fits(portraits, np.random.default_rng(8), 8)
    with pytest.raises(SystemExit) as done:
        evaluation(arguments.replace("FOLDER", str(folder)).replace("PORTRAITS", str(portraits)).split())
    assert done.value.code == 2
    assert complaint.replace("FOLDER", str(folder)) in capsys.readouterr().err.splitlines()[-1]


def test_a_wrong_weight_file_is_one_line(annotated, capsys):
    assert evaluation(["photos", str(annotated), "--renderer", str(annotated / "landmarks68.npz")]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("garface.evaluation photos: ")
