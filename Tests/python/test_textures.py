"""Textures on heads that are no two equal halves, or name their parts otherwise."""
import numpy as np
import pytest

import garface
from garface.convert.head_file import Head, write_head
from garface.convert.landmark_places import Places
from gltf import gltf


def neck_ring(head):
    """The vertices of the open edge below."""
    edges = np.sort(np.concatenate([head.triangles[:, [0, 1]], head.triangles[:, [1, 2]], head.triangles[:, [2, 0]]]), axis=1)
    edges, count = np.unique(edges, axis=0, return_counts=True)
    open_ends = np.unique(edges[count == 1])
    return open_ends[head.evaluate()[open_ends, 1] < -110]


def like_default(path, lump=0.0, brows=False, even=False):
    """The default head in a few modes, its left cheek `lump` mm out, its brows a part of their own, its neck ending evenly."""
    head = garface.HeadModel()
    mean, parts, names = head.evaluate().astype(float), np.array(head.parts), list(head.part_names)
    landmarks = head.landmarks(mean)
    unit = np.eye(max(head.identity_count, head.expression_count))

    def modes(count, at):
        return np.stack([head.evaluate(*at(k)) - mean for k in range(count)])

    identity = modes(3, lambda k: (unit[k, :head.identity_count], None))
    expression = modes(2, lambda k: (None, unit[k, :head.expression_count]))
    if even:
        mean[neck_ring(head), 1] = -132
    if brows:
        near = np.min([np.linalg.norm(mean - p, axis=1) for p in landmarks[17:27]], axis=0) < 6
        parts[near & (parts == names.index("skin"))] = len(names)
        names.append("eyebrows")
    places = Places.of_vertices({k: int(((mean - p) ** 2).sum(1).argmin()) for k, p in enumerate(landmarks)})
    cheek = lump * np.exp(-((mean - [45, -10, 40]) ** 2).sum(1) / 25 ** 2)
    write_head(Head(
        source="test", family="test", description="a test", millimetres=1.0, mean=mean + cheek[:, None] * [1, 0, 0.5], identity=identity,
        expression=expression, triangles=np.asarray(head.triangles).astype(int), expression_names=["a", "b"],
        expression_prior="unit-interval", places=places, part=parts, part_names=tuple(names)), path)
    return garface.Models(head_model=path)


def skin_on_half_a_photo(models, photo):
    """Texels of skin within 70 mm of the nose, (N, 3), where the photo is light grey, black above the head, and ends at the nose; and
    how much of each is the photo."""
    points = garface.reconstruct(photo, renderer="start").landmarks_static
    picture = np.full((512, int(points[30, 0]), 3), 200, np.uint8)
    picture[:60] = 0
    inside = points[:, 0] < picture.shape[1] - 1
    points = np.where(inside[:, None], points, [[picture.shape[1] - 2.0, 100.0]])
    result = garface.reconstruct(
        picture, models=models, landmarks=points, landmark_confidences=inside.astype(np.float32), renderer="landmarks")
    near = np.linalg.norm(result.uv_position_map - result.landmarks_3d[30], axis=2) < 70
    skin = near & (result.uv_part_map == 0)
    return result.texture[skin].astype(int), result.uv_visibility[skin]


@pytest.mark.parametrize("how", [{}, {"lump": 6.0}, {"brows": True}])
def test_the_hidden_half_is_of_the_photo(tmp_path, photo, how):
    texels, seen = skin_on_half_a_photo(like_default(tmp_path / "head.safetensors", **how), photo)
    assert (seen == 0).sum() > 20000
    assert np.abs(texels - 200).max() < 8


@pytest.mark.parametrize("even", [False, True])
def test_only_a_ragged_neck_is_cut(tmp_path, photo, even):
    models = like_default(tmp_path / "head.safetensors", even=even)
    document, _, _ = gltf(garface.reconstruct(photo, models=models, renderer="landmarks").glb())
    corners = sum(document["accessors"][mesh["primitives"][0]["indices"]]["count"] for mesh in document["meshes"])
    assert (corners == 3 * 30730) == even
