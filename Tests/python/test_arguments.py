"""Arguments of wrong types and values: the package's own error, with a sentence that names the argument."""
import copy
import pickle

import numpy as np
import pytest

import garface


@pytest.fixture(scope="module")
def head():
    return garface.HeadModel()


@pytest.fixture(scope="module")
def renderer():
    return garface.Renderer()


def refused(name, call, *arguments, **named):
    """The call raises InvalidArgumentError, which is a ValueError, and the sentence opens with the argument's name."""
    with pytest.raises(garface.InvalidArgumentError) as caught:
        call(*arguments, **named)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).startswith(f"{name}:") and len(str(caught.value)) > len(name) + 15, str(caught.value)


@pytest.mark.parametrize("seed", [-1, 2**64, 2**70, 1.5, "a", None, [3]])
def test_seeds(seed, photo, models, head, renderer):
    refused("seed", head.sample, seed)
    refused("seed", renderer.sample_z, seed)
    refused("seed", renderer.sample_noise, seed)
    refused("seed", garface.reconstruct, photo, models=models, seed=seed)
    refused("seed", garface.reconstruct_file, photo, "/tmp/never", seed=seed)
    refused("seed", garface.Fit, photo, models=models, seed=seed)


def test_seeds_in_range(head):
    largest = head.sample(2**64 - 1)[0]
    assert not np.array_equal(largest, head.sample(0)[0])
    assert np.array_equal(head.sample(np.int64(7))[0], head.sample(7)[0])


@pytest.mark.parametrize("name, value", [
    ("box", "abcd"), ("box", 5), ("box", [1, 2, 3]), ("box", ["a", 1, 2, 3]), ("box", [[1], [2, 3]]), ("box", [1j, 2, 3, 4]),
    ("face", ((1, 2), 3)), ("face", 7), ("face.centre", garface.Face(5, 100)), ("face.centre", garface.Face(("a", 1), 100)),
    ("face.size", garface.Face((100, 100), "big")), ("landmarks", "abcd"), ("landmarks", [["a", 2]] * 5),
    ("landmarks", np.zeros((5, 3))), ("renderer", 3), ("renderer", ["gar"]), ("schedule", 5), ("schedule", {"stages": [object()]}),
    ("schedule", "\ud800"), ("schedule", '{"stages": []}\0'), ("progress", 5), ("models", "default"), ("models", 0),
])
def test_options(name, value, photo, models):
    refused(name, garface.reconstruct, photo, **{"models": models, name.split(".")[0]: value})


@pytest.mark.parametrize("path", [5, None, "\ud800.png", "\udcff.png", "a\0b.png", ["a.png"]])
def test_paths(path, photo, head, result):
    refused("photo", garface.reconstruct_file, path, "/tmp/never")
    refused("folder", garface.reconstruct_file, photo, path)
    refused("photo", garface.detect_faces, path)
    refused("photo", garface.reconstruct, path)
    refused("source", garface.Image, path)
    refused("folder", result.write, path)
    refused("file", garface.Image(np.zeros((2, 2, 3), np.uint8)).save, path)
    if path is not None:  # None takes what is inside the library
        refused("file", garface.HeadModel, path)
        refused("file", garface.Renderer, path)
        refused("face_detector", garface.Models, face_detector=path)


def test_everything_else(head, renderer, result):
    zeros = np.zeros(renderer.normal_count, np.float32)
    vertices = head.evaluate()
    refused("yaw", garface.pose_matrix, "a", 0, 0)
    refused("roll", head.landmarks_contour, vertices, 0, 0, None)
    refused("matrix", garface.pose_angles, "abc")
    refused("identity", head.evaluate, "abc")
    refused("vertices", head.normals, [[1, 2, 3]])
    refused("truncation", renderer.map, renderer.mean_w, "a")
    refused("truncation", renderer.map_backward, renderer.mean_w, renderer.mean_w, [1, 2])
    refused("head", renderer.rasterize, "head", vertices)
    refused("scale", renderer.rasterize, head, vertices, scale="a")
    refused("shift", renderer.rasterize, head, vertices, shift=3)
    refused("w_plus", renderer.render, "abc", zeros)
    refused("w_plus", renderer.render, [[1], [2, 3]], zeros)
    refused("normals", renderer.split_normals, zeros[1:])
    refused("noise", renderer.split_noise, "abc")
    refused("picture", garface.image_from_picture, np.zeros(3))
    refused("picture", garface.image_from_picture, "abc")
    refused("data", garface.Image.decode, 5)
    refused("source", garface.Image, np.zeros((4, 4, 3)))
    refused("count", garface.set_thread_count, "two")
    refused("count", garface.set_thread_count, 2**40)
    refused("callback", garface.set_log, "print")
    for files in (5, [], [5], ["everything"]):
        refused("files", result.write, "/tmp/never", files)


def test_owned_objects_are_not_copied(photo, models, result, head, renderer):
    fit = garface.Fit(photo, models=models)
    for owned in (garface.Image(photo), models, result, head, renderer, fit):
        for twice in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match=f"garface.{type(owned).__name__} cannot be copied or pickled: "):
                twice(owned)
    with pytest.raises(TypeError, match="write its files .* or keep its arrays"):
        pickle.dumps([result])
    assert np.isfinite(result.vertices).all()  # not released by an attempt
    assert np.array_equal(pickle.loads(pickle.dumps(result.vertices)), result.vertices)


def test_closed_objects_say_so(photo):
    closed = [garface.Image(photo), garface.Models(), garface.HeadModel(), garface.Renderer()]
    image, models, head, renderer = closed
    other = garface.reconstruct(image, models=models, renderer="start")
    fit = garface.Fit(image, models=models)
    calls = [
        (image, lambda: image.size), (models, lambda: garface.detect_faces(photo, models)), (models, lambda: models.info),
        (head, head.evaluate), (renderer, lambda: renderer.mean_w), (other, lambda: other.render),
        (other, lambda: other.vertices), (fit, fit.result), (image, lambda: garface.detect_faces(image)),
    ]
    for handle, _ in calls:
        handle.close()
    for handle, call in calls:
        with pytest.raises(garface.InvalidArgumentError, match=f"garface.{type(handle).__name__} has been closed"):
            call()
