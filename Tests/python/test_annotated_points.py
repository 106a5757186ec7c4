"""Where people mark the 68 points: measured, put on a head model, read back."""
import pathlib
import shutil

import numpy as np
import pytest

import garface
from garface.convert import annotated_points
from garface.convert.problem import ConversionError
from garface.convert.safetensors_file import add_tensors, read_tensor, tensor_names

MODELS = pathlib.Path(__file__).parents[2] / "Sources/CDefaultModels/models"
TABLE = pathlib.Path(annotated_points.__file__).with_name("data") / "ict_annotation_offset.txt"


@pytest.fixture(scope="module")
def head():
    return garface.HeadModel()


def on_the_mean(head, triangles, weights):
    return (head.evaluate()[triangles] * weights[..., None]).sum(1)


def own(head):
    file = MODELS / "head.safetensors"
    return read_tensor(file, "landmark_triangles"), read_tensor(file, "landmark_barycentrics").astype(np.float64)


def placed(head, offset):
    skin = np.flatnonzero(head.parts == head.part_names.index("skin"))
    triangles = head.triangles[np.isin(head.triangles, skin).all(1)]
    return annotated_points.places(head.evaluate().astype(np.float64), triangles, *own(head), offset)


def test_no_offset_changes_nothing(head):
    corners, weights = placed(head, np.zeros((68, 3)))
    assert np.array_equal(corners[:, :3], own(head)[0])
    np.testing.assert_allclose(weights, np.column_stack([own(head)[1], np.zeros(68)]), atol=1e-12)


def test_the_shipped_places_are_the_tables(head):
    """The embedded model's file holds what the table gives."""
    file = MODELS / "head.safetensors"
    corners, weights = placed(head, annotated_points.read_offset(TABLE))
    assert np.array_equal(corners, read_tensor(file, "annotated_triangles"))
    np.testing.assert_allclose(weights, read_tensor(file, "annotated_barycentrics"), atol=1e-6)
    wanted = annotated_points.targets(on_the_mean(head, *own(head)), annotated_points.read_offset(TABLE))
    assert np.linalg.norm(on_the_mean(head, corners, weights) - wanted, axis=1).max() < 0.3
    assert (head.parts[corners] == head.part_names.index("skin")).all() and np.allclose(weights.sum(1), 1)
    # The surface is near: what draws a place off it weighs little, so the face's moves move it as they move the skin.
    assert np.abs(weights[:, 3]).max() < 0.1


def test_lips_are_not_taken_for_each_other(head):
    """A millimetre down the closed lips lies the other lip: an upper one that moves there stays on the upper lip."""
    offset = np.zeros((68, 3))
    offset[[61, 62, 63], 1] = -1.0
    corners, weights = placed(head, offset)
    opened = head.evaluate(expression=[0.8 if n == "jawOpen" else 0.0 for n in head.expression_names])
    upper = (opened[corners] * weights[..., None]).sum(1)[[61, 62, 63], 1]
    lower = (opened[own(head)[0]] * own(head)[1][..., None]).sum(1)[[67, 66, 65], 1]
    assert (upper - lower > 5).all()


def test_lips_that_would_pass_each_other_meet(head):
    offset = np.zeros((68, 3))
    offset[[61, 62, 63], 1], offset[[65, 66, 67], 1] = -2.0, 1.0
    points = on_the_mean(head, *placed(head, offset))
    np.testing.assert_allclose(points[[61, 62, 63], 1], points[[67, 66, 65], 1], atol=0.2)


def test_a_file_gets_them_once(tmp_path, head):
    file = tmp_path / "head.safetensors"
    shutil.copy(MODELS / "head.safetensors", file)
    before = tensor_names(file)
    assert not annotated_points.store(file, np.zeros((68, 3)))
    assert tensor_names(file) == before


def test_landmarks_of_a_pose_are_where_people_mark(head):
    """gar_head_landmarks_contour: inner points lie at the annotated places, whatever the pose."""
    file = MODELS / "head.safetensors"
    points = on_the_mean(head, read_tensor(file, "annotated_triangles"), read_tensor(file, "annotated_barycentrics"))
    found = head.landmarks_contour(head.evaluate(), 30, 0, 0)
    np.testing.assert_allclose(found[17:], points[17:], atol=1e-3)


@pytest.mark.parametrize("text", ["1 2 3\n" * 67, "1 2\n" * 68, "1 2 3 4\n" * 68, "a b c\n" * 68, "1 99 0\n" * 68, "nan 0 0\n" * 68])
def test_tables_that_are_none(tmp_path, text):
    file = tmp_path / "offset.txt"
    file.write_text(text)
    with pytest.raises(ConversionError, match="offset.txt"):
        annotated_points.read_offset(file)


def test_the_table_is_the_same_for_left_and_right(head):
    pytest.importorskip("dlib")
    from garface._landmarks import LANDMARK_SWAP
    from garface.evaluation.annotation_offset import symmetric

    points = head.landmarks(head.evaluate())
    np.testing.assert_allclose(points[LANDMARK_SWAP] * [-1, 1, 1], points, atol=0.3)
    offset = annotated_points.read_offset(TABLE)
    np.testing.assert_allclose(symmetric(offset), offset, atol=0.011)


def test_tensors_are_added(tmp_path):
    file = tmp_path / "head.safetensors"
    shutil.copy(MODELS / "head.safetensors", file)
    add_tensors(file, {"more": np.arange(6, dtype=np.int32).reshape(2, 3)})
    assert np.array_equal(read_tensor(file, "more"), [[0, 1, 2], [3, 4, 5]])
    assert np.array_equal(read_tensor(file, "mean"), read_tensor(MODELS / "head.safetensors", "mean"))
