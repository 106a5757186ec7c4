"""Pictures moved by the mesh, eyes shut in them, and the renderer's lessons from both."""
import json
import pathlib

import numpy as np
import pytest

torch = pytest.importorskip("torch")
cv2 = pytest.importorskip("cv2")
pytest.importorskip("numba")
safe_open = pytest.importorskip("safetensors").safe_open

from garface.evaluation.openings import eye_aspect  # noqa: E402
from garface.training import eyelids, lessons, train_obedience  # noqa: E402
from garface.training.eyelids import SHUT, SHUT_SHARE, shut_eyes_repeated  # noqa: E402
from garface.training.data import rotation_matrix  # noqa: E402
from garface.training.networks import Generator, pyramid  # noqa: E402
from garface.training.normals import HeadModel  # noqa: E402
from garface.training.textures import to_pixels  # noqa: E402

MODEL = pathlib.Path(__file__).parents[2] / "Sources/CDefaultModels/models/head.safetensors"
SIZE = 128


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    """The library's head as the training reads it."""
    with safe_open(str(MODEL), "np") as f:
        t = {k: f.get_tensor(k) for k in f.keys()}
        about = json.loads(f.metadata()["garface"])
    path = tmp_path_factory.mktemp("head") / "head.npz"
    np.savez(path, mean=t["mean"], identity=t["identity"], expression=t["expression"], triangles=t["triangles"], part=t["part"],
             part_names=np.array(about["part_names"]), expression_names=np.array(about["expression_names"]),
             identity_rms_mm=np.ones(80), landmark_triangles=t["landmark_triangles"], landmark_bary=t["landmark_barycentrics"])
    return HeadModel(path)


def posed(mover, yaw=0.0, mode=None, **expression):
    """(vertices, points) of the mean person turned by degrees, with an identity mode at 2 deviations."""
    identity, e = np.zeros((1, 80), np.float32), np.zeros((1, 55), np.float32)
    if mode is not None:
        identity[0, mode] = 2
    for name, value in expression.items():
        e[0, mover.textured.head.expression_names.index(name)] = value
    rotation = rotation_matrix(np.radians([yaw]), np.zeros(1), np.zeros(1)).astype(np.float32)
    return mover.textured.posed(identity, e, rotation)[0]


def dotted(points, which):
    """A grey picture with a white dot at one of the points."""
    picture = np.full((SIZE, SIZE, 3), 90, np.uint8)
    x, y = np.round(to_pixels(points, SIZE)[which]).astype(int)
    cv2.circle(picture, (int(x), int(y)), 2, (255, 255, 255), -1)
    return picture


def dot(picture):
    """Where the white is, px."""
    y, x = np.nonzero(picture[..., 0] > 170)
    return np.array([x.mean(), y.mean()])


def eyes(opening, size=96):
    """68 points [68,3] px, eyes `opening` px high, mid-grey elsewhere."""
    points = np.zeros((68, 3), np.float32)
    for eye, x in zip(eyelids.EYES, (28.0, 60.0)):
        h = opening / 2
        points[eye, :2] = [(x - 8, 40), (x - 3, 40 - h), (x + 3, 40 - h), (x + 8, 40), (x + 3, 40 + h), (x - 3, 40 + h)]
    return points


def picture(points, size=96):
    """Skin, and dark eyes of these points."""
    image = np.full((size, size, 3), 180, np.uint8)
    for eye in eyelids.EYES:
        cv2.fillPoly(image, [np.round(points[eye, :2]).astype(np.int32)], (20, 20, 20))
    return image


def test_lids_close_where_the_aspect_falls():
    assert eyelids.closing(eyes(6), eyes(1)) and not eyelids.closing(eyes(6), eyes(6)) and not eyelids.closing(eyes(3), eyes(6))
    assert eye_aspect(eyes(6)) > eye_aspect(eyes(1))


def test_skin_takes_the_place_of_eyes():
    points = eyes(6)
    without = eyelids.without_eyes(picture(points), points[:, :2])
    assert without.min() > 150 and picture(points).min() < 50


def test_lashes_are_drawn_along_the_lower_rim_where_they_are_seen():
    points, skin = eyes(1), np.full((96, 96, 3), 180, np.uint8)
    near = np.full((96, 96), -1.0, np.float32)
    drawn = eyelids.draw_lashes(None, skin, points, near, 0.8)
    dark = np.argwhere(drawn[..., 0] < 150)
    assert len(dark) > 10 and abs(dark[:, 0].mean() - 40) < 1.5
    assert np.array_equal(eyelids.draw_lashes(None, skin, points, near + 2, 0.8), skin)      # behind something
    assert (eyelids.draw_lashes(np.random.default_rng(0), skin, points, near, 0.8) != drawn).any()


def test_shut_eyes_come_as_often_as_it_takes():
    faces = np.stack([eyes(6)] * 95 + [eyes(0.5)] * 5)
    index = shut_eyes_repeated(faces)
    shut = np.array([eye_aspect(faces[i]) < SHUT for i in index])
    assert list(index[:100]) == list(range(100)) and abs(shut.mean() - SHUT_SHARE) < 0.01
    assert list(shut_eyes_repeated(faces[:90])) == list(range(90))      # none to repeat


def test_masks_reach_round_the_eyes():
    mask = lessons.eye_mask(eyes(6)[:, :2], eyes(1)[:, :2], 96)
    assert mask.shape == (96, 96) and mask[40, 28] > 0.99 and mask[40, 60] > 0.99 and mask[70].max() == 0 and mask[10].max() == 0


@pytest.mark.parametrize("change", [{"yaw": 25.0}, {"mode": 0}, {"jawOpen": 0.6}, {"yaw": -15.0, "mode": 3}])
@pytest.mark.parametrize("which", [30, 48, 33, 57])
def test_pictures_move_with_the_mesh(head, change, which):
    mover = lessons.Mover(head)
    before, after = posed(mover), posed(mover, **change)
    picture = dotted(before[1], which)
    moved, taught, _, _ = mover.move(picture, picture, before, after, opens=False)
    place = to_pixels(after[1], SIZE)[which]
    assert np.linalg.norm(dot(moved) - place) < 1
    x, y = np.round(place).astype(int)
    assert taught[y, x] > 0.1 or which == 48      # a corner of the mouth lies beside what is between the lips


def test_a_face_that_stays_is_its_own_lesson(head):
    mover = lessons.Mover(head)
    still = posed(mover)
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8), (0, 0), 3)
    moved, taught, held, skin = mover.move(picture, picture, still, still, opens=False)
    on_head = mover.textured.view(picture, still, still, mirrored=False).triangle >= 0
    assert np.abs(moved.astype(int) - picture)[on_head & (taught > 0.3)].max() <= 4
    assert taught[:4, :4].max() == 0 and held[:4, :4].min() == 1 and (taught * held).max() < 0.3
    outline = cv2.Canny((on_head * 255).astype(np.uint8), 50, 100) > 0
    assert held[outline].max() < 0.15
    # Eyes weigh most, then other features; light is told by neither.
    points = np.round(to_pixels(still[1], SIZE)).astype(int)
    eye, lips, cheek = points[36:42].mean(0).astype(int), points[62], points[[31, 3]].mean(0).astype(int)
    assert taught[eye[1], eye[0]] > 0.8 and 0.3 < taught[lips[1] - 3, lips[0]] < 0.7 and taught[cheek[1], cheek[0]] < 0.15
    assert skin[eye[1], eye[0]] < 0.05 and skin[cheek[1], cheek[0]] > 0.9 and skin[~on_head].max() < 0.6


@pytest.mark.parametrize("yaw", [40.0, -40.0])
def test_the_far_outline_is_taught_against_what_lies_behind(head, yaw):
    """Skin inside, outside what is drawn farther out, from where skin that bleeds over the outline does not reach."""
    mover = lessons.Mover(head)
    before, after = posed(mover, yaw=yaw / 2), posed(mover, yaw=yaw)
    skin, behind = np.full((SIZE, SIZE, 3), 90, np.uint8), np.full((SIZE, SIZE, 3), 200, np.uint8)
    on_head = mover.textured.view(skin, before, after, mirrored=False).triangle >= 0
    behind[cv2.dilate(on_head.astype(np.uint8), np.ones((7, 7))) > 0] = 90      # 3 px of bleeding
    wanted, taught, held, _ = mover.move(skin, behind, before, after, opens=False)
    x, y = np.round(to_pixels(after[1], SIZE)[14 if yaw > 0 else 2]).astype(int)      # of the far side
    row = np.flatnonzero(on_head[y])
    rim, step = (row.max(), 1) if yaw > 0 else (row.min(), -1)
    assert (wanted[y, rim + 2 * step] > 180).all() and (wanted[y, rim - 2 * step] < 100).all()
    assert taught[y, rim + 2 * step] > 0.3 and taught[y, rim - 2 * step] > 0.2 and held[y, rim + 2 * step] < 0.1
    near = row.min() if yaw > 0 else row.max()      # the ear and the neck
    assert taught[y, near - 2 * step] < 0.05


def test_what_was_not_seen_is_not_taught(head):
    mover = lessons.Mover(head)
    before, after = posed(mover, yaw=50.0), posed(mover, yaw=-50.0)
    grey = np.full((SIZE, SIZE, 3), 90, np.uint8)
    _, turned, _, _ = mover.move(grey, grey, before, after, opens=False)
    _, still, _, _ = mover.move(grey, grey, after, after, opens=False)
    assert turned.sum() < 0.5 * still.sum()
    opened = posed(mover, jawOpen=0.8)
    _, closed, _, _ = mover.move(grey, grey, posed(mover), opened, opens=False)
    _, taught, held, _ = mover.move(grey, grey, posed(mover), opened, opens=True)
    mouth = np.round(to_pixels(opened[1], SIZE)[60:68].mean(0)).astype(int)
    assert taught[mouth[1], mouth[0]] == 0 and held[mouth[1], mouth[0]] == 1 and (closed >= taught - 1e-6).all()


class Sampler:
    """Everyone the mean, as far as geometry is drawn."""
    names = ["eyeBlink_L", "eyeBlink_R", "jawOpen", "smile"]

    def sample(self, rng):
        return np.zeros(80, np.float32), self.sample_expression(rng), rng.uniform(-1, 1), rng.uniform(-0.4, 0.4)

    def sample_expression(self, rng):
        return rng.uniform(0, 1, 4).astype(np.float32)


def test_lessons_begin_with_open_eyes_and_small_turns():
    rng = np.random.default_rng(0)
    for draw in (lessons.with_blinks, lessons.with_moves):
        pairs = [draw(Sampler(), rng) for _ in range(300)]
        assert all(before[1][:2].max() == 0 for before, _ in pairs)
        assert max(after[1][:2].max() for _, after in pairs) > 0.9
    assert max(abs(before[2]) for before, _ in pairs) <= 0.5 and max(abs(after[2]) for _, after in pairs) > 0.9
    changed = np.array([[not np.array_equal(a, b) for a, b in zip(*pair)] for pair in pairs])
    assert (changed.mean(0) > 0.3).all() and (changed.mean(0) < 0.9).all()


def test_a_lesson_changes_what_it_teaches_and_little_else():
    torch.manual_seed(0)
    gar = Generator(64, {r: 8 for r in (4, 8, 16, 32, 64)}, 12, 2, 8).eval()
    rng = np.random.default_rng(0)
    n, size = 8, 64
    normals = rng.integers(-127, 128, (2, n, 3, size, size)).astype(np.int8)
    mask = np.zeros((n, 1, size, size), np.uint8)
    mask[:, :, 20:28, 16:48] = 255
    w, maps = torch.randn(n, 12), torch.from_numpy(normals)
    with torch.no_grad():
        drawn = [{p.shape[-1]: lessons.to_bytes(p) for p in gar.pictures(w, pyramid(m.float() / 127))} for m in maps]
    material = {"w": w, "before": maps[0], "after": maps[1], "wanted": torch.full((n, 3, size, size), 200, dtype=torch.uint8),
                "taught": torch.from_numpy(mask), "held": torch.from_numpy(255 - mask), "skin": torch.from_numpy(mask),
                "is_move": torch.arange(n) % 2 == 0}
    material |= {f"drawn_{name}{r}": d[r] for name, d in zip(("before", "after"), drawn) for r in (32, 64)}
    ends = []
    for keep in ("0", "1.5"):
        a = train_obedience.arguments(["--gar", "-", "--head", "-", "--portraits", "-", "--cache", "-", "--out", "-", "--steps", "60",
                                       "--batch", "8", "--rate", "0.03", "--average", "10", "--keep", keep])
        trainer = train_obedience.Trainer(a, gar, material)
        losses = [trainer.step(k / 60) for k in range(60)]
        assert all(losses[-1][name] < 0.8 * losses[0][name] for name in ("lids", "moves"))
        ends.append(losses[-1])
    assert all(ends[1][name] < 0.8 * ends[0][name] for name in ("rest", "before"))
    assert all(torch.equal(p, q) for p, q in zip(gar.style.parameters(), trainer.average.style.parameters()))
    assert trainer.sheet(2).shape == (5 * size, 2 * size, 3)


def test_says_how_long(capsys):
    with pytest.raises(SystemExit):
        train_obedience.arguments(["--gar", "a", "--head", "b", "--portraits", "c", "--cache", "d", "--out", "e"])
    assert "--minutes" in capsys.readouterr().err
