"""What covers a face is seen, left out and reported."""
import types

import numpy as np
import pytest

import garface
from garface.evaluation import covered


@pytest.fixture(scope="module")
def picture(photo):
    return garface.Image(photo).array()


@pytest.fixture(scope="module")
def bare(picture, models):
    return garface.reconstruct(picture, models=models, renderer="landmarks")


def painted(picture, low, high, colour):
    """A box over the picture, from (u, v) to (u, v)."""
    result = picture.copy()
    (a, b), (c, d) = np.round(low).astype(int), np.round(high).astype(int)
    result[b:d, a:c] = colour
    return result


@pytest.fixture(scope="module")
def masked(picture, bare):
    points = bare.landmarks
    return painted(picture, (points[2, 0], points[29, 1]), (points[14, 0], points[8, 1]), (20, 160, 90))


def test_a_bare_face_is_free(bare):
    assert bare.covered_share == 0 and not bare.covered_map.any()
    assert bare.covered_map.shape == bare.depth_map.shape


def facing_below(result, cloth):
    """The vertices that look at the camera from below pixels [H,W]."""
    everywhere = types.SimpleNamespace(vertices=result.vertices, camera=result.camera, visibility=np.ones(len(result.vertices)))
    return covered.vertex_mask(everywhere, cloth.astype(np.float32)) & (result.normals_posed[:, 2] > 0.3)


def test_a_mask_is_seen_where_it_is(masked, models):
    result = garface.reconstruct(masked, models=models, renderer="landmarks")
    assert 0.3 < result.covered_share < 0.7
    face = covered.face_of(result)
    there, seen = (masked == (20, 160, 90)).all(2) & face, (result.covered_map > 0.5) & face
    assert (there & seen).sum() > 0.85 * (there | seen).sum()
    assert not result.covered_map[np.isnan(result.depth_map)].any()
    facing = facing_below(result, there)
    assert facing.sum() > 500 and result.visibility[facing].max() < 0.05
    assert (result.colours[facing, 1] < result.colours[facing, 0] + 0.05).all()


def test_a_fit_looks_beside_it(picture, masked, models):
    """The renderer's face below the mask is skin, not cloth, and the fit's file says so, too."""
    result = garface.reconstruct(masked, models=models)
    cloth = (masked == (20, 160, 90)).all(2).astype(np.float32)
    below = covered.render_below(result, picture, cloth)
    drawn = covered.render_below(result, masked, cloth)
    assert below > 11 and below > drawn + 2
    red, green, blue = result.colours[facing_below(result, cloth > 0)].mean(0)
    assert red > green + 0.05 and red > blue + 0.05 and red > 0.3      # the cloth's are 0.08, 0.63 and 0.35
    assert result.parameters["covered_share"] == result.covered_share > 0.3


def test_an_edit_goes_on_behind_it(masked, models):
    """A mask stays a mask on another face and on one that turns; above it the face changes."""
    result = garface.reconstruct(masked, models=models)
    cloth = (masked == (20, 160, 90)).all(2)
    for edit in (dict(look_seed=3), dict(expression={"jawOpen": 0.6}), dict(turn=(10, 0, 0))):
        photo = result.edit(**edit).photo
        still = np.abs(photo[cloth].astype(int) - (20, 160, 90)).max(1) < 40
        assert still.mean() > 0.93, edit
    other = result.edit(look_seed=3).photo
    brow = result.landmarks[17:27].mean(0).round().astype(int)
    assert np.abs(other.astype(int) - masked)[brow[1] - 10:brow[1] + 10, brow[0] - 30:brow[0] + 30].mean() > 3


def test_covered_eyes_tell_no_gaze(picture, bare, models):
    points = bare.landmarks
    assert bare.gaze is not None
    dark = painted(picture, (points[17, 0], points[19, 1] - 2), (points[26, 0], points[41, 1] + 12), (12, 12, 14))
    result = garface.reconstruct(dark, models=models, renderer="landmarks")
    assert result.gaze is None and result.covered_share > 0.08


def test_the_part_below_is_measured_in_the_frame_of_the_result(picture, models):
    """The photo in a turned frame is what the measurement makes of it."""
    turned = np.ascontiguousarray(np.rot90(picture))
    result = garface.reconstruct(turned, models=models, renderer="start")
    assert abs(abs(result.roll) - 90) < 20
    crop = types.SimpleNamespace(render=result.crop, parameters=result.parameters)
    everywhere = np.ones(turned.shape[:2], np.float32)
    assert covered.render_below(crop, turned, everywhere) > 28
    assert covered.render_below(crop, np.ascontiguousarray(turned[::-1]), everywhere) < 20


def test_measures():
    assert covered.psnr(np.full(4, 0.01)) == pytest.approx(20)
    assert np.isnan(covered.psnr(np.zeros(0)))
    assert covered.box_of(np.array([[3.0, 4], [10, 20]])) == (3, 4, 7, 16)
    square = covered.face_square(64)
    assert square[36, 32] and not square[2, 2] and not square[32, 2]


def test_portraits_with_things_over_them(picture, models):
    """The whole measurement on one face, by the library's own network."""
    pytest.importorskip("cv2")
    face = types.SimpleNamespace(index=7, picture=lambda size: np.ascontiguousarray(picture[:300, 70:370]))
    faces = covered.Faces(models, "landmarks", [face], 300)
    row = faces.measure("mask", covered.drawers()["mask"], covered.textures([picture]))
    assert row["faces"] == 1 and row["found"] == 100 and row["union"] > 80 and row["bare"] == 0
    assert 0 < row["shape"] < 6 and 0 < row["points"] < 10 and np.isnan(row["below"]) and row["texture"] > 8


def test_a_face_that_is_hardly_there_becomes_anyone(picture, bare, models):
    """Hair and forehead are all that is seen: the renderer draws a face all the same, no garbage, and the result warns."""
    hidden = painted(picture, (150, 100), (300, 190), (40, 90, 200))
    said = []
    garface.set_log(said.append)
    try:
        result = garface.reconstruct(hidden, models=models, landmarks=bare.landmarks)
    finally:
        garface.set_log(None)
    assert any("of the face are covered" in line for line in said)
    assert result.covered_share > 0.6 and np.linalg.norm(result.w_plus, axis=1).max() < 25
    assert ((result.render < 3) | (result.render > 252)).mean() < 0.05
