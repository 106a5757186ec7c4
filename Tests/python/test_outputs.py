"""Textures, maps and files that other programs open."""
import json
import struct

import numpy as np
import pytest

import garface
import garface.convert.texture_layout
from gltf import gltf


@pytest.fixture(scope="module")
def head():
    return garface.HeadModel()


def sampled(picture, u, v):
    """Bilinear, pixel centres at whole numbers."""
    x, y = np.clip(u, 0, picture.shape[1] - 1.001), np.clip(v, 0, picture.shape[0] - 1.001)
    i, j = x.astype(int), y.astype(int)
    fx, fy = (x - i)[:, None], (y - j)[:, None]
    p = picture.astype(np.float64)
    return (p[j, i] * (1 - fx) + p[j, i + 1] * fx) * (1 - fy) + (p[j + 1, i] * (1 - fx) + p[j + 1, i + 1] * fx) * fy


def texture_vertices(head):
    """For every row of uvs its vertex."""
    vertex = np.full(len(head.uvs), -1)
    vertex[head.uv_triangles] = head.triangles
    return vertex


def test_layout(head):
    assert head.uv_triangles.shape == head.triangles.shape and head.uvs.min() >= 0 and head.uvs.max() <= 1
    vertex = texture_vertices(head)
    assert np.array_equal(np.unique(vertex), np.arange(head.vertex_count))
    p = head.uvs[head.uv_triangles].astype(np.float64)
    a, b = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    assert (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).min() > 0


def test_a_file_brings_its_own_layout(root, tmp_path):
    """The tensors uv and uv_triangles of a head-model file are taken as they are; damaged ones are refused."""
    raw = (root / "Sources/CDefaultModels/models/head.safetensors").read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header, data = json.loads(raw[8:8 + size]), raw[8 + size:]
    header = {name: entry for name, entry in header.items() if not name.startswith(("uv", "annotated"))}      # the last ones
    data = data[:max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")]
    vertices, triangles = header["mean"]["shape"][0], header["triangles"]["shape"][0]
    start, end = header["triangles"]["data_offsets"]

    def load(uv=None, corners=None):
        h, d = dict(header), data
        for name, array, kind in () if uv is None else (("uv", uv.astype("<f4"), "F32"), ("uv_triangles", corners.astype("<i4"), "I32")):
            h[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [len(d), len(d) + array.nbytes]}
            d += array.tobytes()
        text = json.dumps(h).encode()
        text += b" " * (-len(text) % 8)
        (tmp_path / "own.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + d)
        return garface.HeadModel(tmp_path / "own.safetensors")

    # Without them the library unwraps the mean head, to the layout that the shipped file has; a program stores it.
    bare = load()
    assert np.allclose(bare.uvs, garface.HeadModel().uvs, atol=1e-4)
    store = garface.convert.texture_layout.store
    assert store(tmp_path / "own.safetensors") and not store(tmp_path / "own.safetensors")
    stored = garface.HeadModel(tmp_path / "own.safetensors")
    assert np.array_equal(stored.uvs, bare.uvs) and np.array_equal(stored.triangles, bare.triangles)
    corners = np.frombuffer(data[start:end], "<i4").reshape(triangles, 3)
    uv = np.random.default_rng(0).uniform(0, 1, (vertices, 2))
    own = load(uv, corners)
    assert np.allclose(own.uvs, uv, atol=1e-6) and np.array_equal(own.uv_triangles, corners)
    for bad_uv, bad_corners in ((uv + 1, corners), (uv[:-1], corners), (uv, corners + 1), (uv, corners[:, ::-1])):
        with pytest.raises(garface.MalformedFileError, match="uv"):
            load(bad_uv, bad_corners)


def test_texture_shows_the_photo(result, head, photo):
    """Where the photo shows the head, texture and vertex colours have its colours at the pixel that the camera says."""
    picture = garface.Image(photo).array()
    pixels = np.c_[result.vertices, np.ones(len(result.vertices))] @ result.camera.T
    vertex = texture_vertices(head)
    seen = result.visibility[vertex] > 0.95
    assert result.visibility.min() >= 0 and result.visibility.max() <= 1 and 500 < seen.sum() < 8000
    true = sampled(picture, pixels[vertex, 0], pixels[vertex, 1])[seen]
    side = result.texture.shape[0]
    ours = sampled(result.texture, head.uvs[:, 0] * side - 0.5, (1 - head.uvs[:, 1]) * side - 0.5)[seen]
    assert np.abs(ours - true).mean() < 6
    assert np.abs(255 * result.colours[vertex][seen] - true).mean() < 4
    # The test can tell: upside down and mirrored textures are far off.
    for u, v in ((head.uvs[:, 0], head.uvs[:, 1]), (1 - head.uvs[:, 0], 1 - head.uvs[:, 1])):
        assert np.abs(sampled(result.texture, u * side - 0.5, v * side - 0.5)[seen] - true).mean() > 15


def test_texture_is_complete(result, head):
    """What the photo does not show has colours that the head shows elsewhere, and no borders."""
    skin = head.parts == head.part_names.index("skin")
    seen, hidden = skin & (result.visibility > 0.5), skin & (result.visibility == 0)
    assert hidden.sum() > 1000

    def opponent(c):
        return np.stack([c @ [0.3, 0.59, 0.11], c[:, 0] - c[:, 1], (c[:, 0] + c[:, 1]) / 2 - c[:, 2]], axis=1)

    shown, carried = opponent(result.colours[seen]), opponent(result.colours[hidden])
    distance = np.abs(carried - shown.mean(axis=0)) / np.maximum(shown.std(axis=0), [0.1, 0.03, 0.03])
    assert np.quantile(distance, 0.99) < 4
    edges = np.concatenate([head.triangles[:, [0, 1]], head.triangles[:, [1, 2]]])
    edges = edges[hidden[edges].all(axis=1)]
    assert np.abs(result.colours[edges[:, 0]] - result.colours[edges[:, 1]]).mean() < 0.03


def test_without_a_renderer(photo, models):
    plain = garface.reconstruct(photo, models=models, renderer="landmarks")
    assert plain.texture.shape == (1024, 1024, 3) and plain.texture.std() > 10
    assert np.isfinite(plain.colours).all()


def test_maps_of_the_surface(result, head):
    covered = ~np.isnan(result.depth_map)
    assert np.array_equal(~np.isnan(result.position_map).any(axis=2), covered)
    assert np.array_equal(result.part_map >= 0, covered)
    # Every position, through the camera, is its own pixel, at the depth that the depth map says.
    v, u = np.nonzero(covered)
    points = np.c_[result.position_map[covered], np.ones(len(u))] @ result.camera.T
    assert np.abs(points[:, :2] - np.c_[u, v]).max() < 0.01
    scale = np.linalg.norm(result.camera[0, :3])
    assert np.allclose(points[:, 2] / scale, result.depth_map[covered], atol=0.05)
    mouth = np.round(result.landmarks_static[[62, 66]].mean(axis=0)).astype(int)
    names = np.array(head.part_names)
    eyes = {names[int(p)] for p in np.unique(result.part_map[covered])}
    assert {"skin", "eye_left", "eye_right"} <= eyes and covered[mouth[1], mouth[0]]


def test_maps_of_the_texture(result, head):
    inside = ~np.isnan(result.uv_position_map).any(axis=2)
    assert 0.6 < inside.mean() < 0.95
    assert np.array_equal(result.uv_part_map >= 0, inside)
    length = np.linalg.norm(result.uv_normal_map, axis=2)
    assert np.allclose(length[inside], 1, atol=1e-3) and (length[~inside] == 0).all()
    assert (result.uv_visibility[~inside] == 0).all() and result.uv_visibility.max() > 0.95
    # At a vertex's place in the texture lies the vertex.
    vertex, side = texture_vertices(head), inside.shape[0]
    skin = head.parts[vertex] == 0
    i = np.clip((head.uvs[:, 0] * side).astype(int), 0, side - 1)
    j = np.clip(((1 - head.uvs[:, 1]) * side).astype(int), 0, side - 1)
    distance = np.linalg.norm(result.uv_position_map[j, i] - result.vertices[vertex], axis=1)[skin]
    assert np.nanmedian(distance) < 0.5 and np.nanquantile(distance, 0.99) < 3
    assert (result.uv_part_map[j, i][skin] >= 0).mean() > 0.97


def turned(quaternion, points):
    """Points as a node's rotation turns them."""
    q, w = np.array(quaternion[:3]), quaternion[3]
    return points + 2 * np.cross(q, np.cross(q, points) + w * points)


def test_glb(result, head):
    document, numbers, image = gltf(result.glb())
    assert [n["name"] for n in document["nodes"]] == ["head", "eye_right", "eye_left", "photo"]
    assert document["nodes"][0]["children"] == [1, 2] and document["scenes"][0]["nodes"] == [0, 3]
    vertex, part, names = texture_vertices(head), np.array(head.parts), list(head.part_names)
    whole = []
    for node, rows in zip(document["nodes"], [None, "eye_right", "eye_left"]):
        of_eyes = np.isin(part[vertex], [names.index("eye_left"), names.index("eye_right")])
        rows = np.flatnonzero(~of_eyes if rows is None else part[vertex] == names.index(rows))
        primitive, = document["meshes"][node["mesh"]]["primitives"]
        rotation, place = node.get("rotation", [0, 0, 0, 1]), node.get("translation", [0, 0, 0])
        position = turned(rotation, numbers(primitive["attributes"]["POSITION"])) + place
        # Metres, and the head model's axes, which are glTF's: y up, z out of the face. Vertices of the cut neck come last.
        assert np.allclose(position[:len(rows)], result.vertices_neutral[vertex[rows]] / 1000, atol=1e-6)
        added = len(position) - len(rows)
        assert added == 0 if place[2] else 20 < added < 200
        faces = numbers(primitive["indices"]).reshape(-1, 3)
        whole += vertex[rows][faces[(faces < len(rows)).all(axis=1)]].tolist()
        assert primitive["mode"] == 4
        normal = turned(rotation, numbers(primitive["attributes"]["NORMAL"]))
        assert np.allclose(np.linalg.norm(normal, axis=1), 1, atol=1e-3)
        p = position[faces]
        outward = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
        assert ((outward * normal[faces].mean(axis=1)).sum(axis=1) > 0).mean() > 0.98
        uv = numbers(primitive["attributes"]["TEXCOORD_0"])
        assert np.allclose(uv[:len(rows)], np.c_[head.uvs[rows, 0], 1 - head.uvs[rows, 1]], atol=1e-6)
    # All of the model's triangles but those that reach below an even edge at the neck, where the head is open.
    missing = {tuple(t) for t in head.triangles.tolist()} - {tuple(t) for t in whole}
    assert len(whole) + len(missing) == len(head.triangles) and 20 < len(missing) < 300
    low = result.vertices_neutral[:, 1].min()
    assert max(result.vertices_neutral[list(t), 1].min() for t in missing) < low + 30
    assert np.array_equal(garface.Image.decode(image(0)).array(), result.texture)
    mesh = document["meshes"][0]
    primitive, = mesh["primitives"]
    position, vertex = numbers(primitive["attributes"]["POSITION"]), vertex[~of_eyes]
    # The cut is even: seen from above, round the neck, its height changes slowly.
    edge = position[len(vertex):]
    order = np.argsort(np.arctan2(edge[:, 0], edge[:, 2] - edge[:, 2].mean()))
    assert np.abs(np.diff(edge[order, 1])).max() < 0.003 and edge[:, 1].min() * 1000 > low
    assert mesh["extras"]["targetNames"] == head.expression_names
    assert np.allclose(mesh["weights"], result.expression, atol=1e-6)
    assert all("min" in document["accessors"][t["POSITION"]] for t in primitive["targets"])
    # Everything switched on as in the photo gives the photo's face.
    moved = position + sum(w * numbers(t["POSITION"]) for w, t in zip(mesh["weights"], primitive["targets"]))
    moved = moved[:len(vertex)]
    assert np.abs(moved - result.vertices[vertex] / 1000).max() < 2e-5
    targets = {view.get("target") for view in document["bufferViews"]}
    assert targets == {None, 34962, 34963}
    used = {n for n in document["extensionsUsed"]}
    assert used == {"KHR_materials_unlit"} and used == set(document["materials"][0]["extensions"])


def test_the_photo_camera_of_a_glb(result):
    """Through the file's camera the head lies where the photo shows it."""
    document, _, _ = gltf(result.glb())
    node = document["nodes"][-1]
    lens = document["cameras"][node["camera"]]
    assert lens["type"] == "orthographic" and "rotation" not in document["nodes"][0]
    x, y, z, w = node["rotation"]
    seen = turned([-x, -y, -z, w], result.landmarks_3d / 1000 - node["translation"])
    height, width = result.photo.shape[:2]
    lens = lens["orthographic"]
    pixels = np.c_[(1 + seen[:, 0] / lens["xmag"]) * width / 2, (1 - seen[:, 1] / lens["ymag"]) * height / 2] - 0.5
    assert np.abs(pixels - result.landmarks_static).max() < 0.01
    points = result.vertices / 1000 - node["translation"]
    assert (-turned([-x, -y, -z, w], points)[:, 2] > lens["znear"]).all() and (-turned([-x, -y, -z, w], points)[:, 2] < lens["zfar"]).all()


def test_glb_in_other_readers(result, tmp_path):
    """What trimesh and pygltflib make of the files, where they are installed."""
    trimesh, pygltflib = pytest.importorskip("trimesh"), pytest.importorskip("pygltflib")
    pytest.importorskip("PIL")
    result.write(tmp_path, files=["glb", "texture"])
    scene = trimesh.load(tmp_path / "head.glb", process=False)
    assert 30500 < sum(len(m.faces) for m in scene.geometry.values()) < 31000 and 0.2 < np.ptp(scene.bounds[:, 1]) < 0.35
    assert scene.graph.get("eye_left")[0][0, 3] > 0.02
    mesh = scene.geometry["head"]
    assert mesh.visual.material.baseColorTexture.size == (1024, 1024)
    document = pygltflib.GLTF2().load(str(tmp_path / "head.glb"))
    assert len(document.meshes[0].primitives[0].targets) == 55
    textured = trimesh.load(tmp_path / "head_textured.obj", process=False)
    assert textured.visual.uv.shape[1] == 2 and textured.visual.material.image.size == (1024, 1024)
    coloured = trimesh.load(tmp_path / "head_coloured.ply", process=False)
    assert np.abs(coloured.visual.vertex_colors[:, :3] / 255 - result.colours).max() < 0.01
    assert np.allclose(coloured.vertices, result.vertices, atol=1e-3)


def test_textured_files(result, head, tmp_path):
    result.write(tmp_path, files=["texture"])
    assert {f.name for f in tmp_path.iterdir()} == {"texture.png", "head_textured.obj", "head_textured.mtl", "head_coloured.ply"}
    words = [line.split() for line in (tmp_path / "head_textured.obj").read_text().splitlines()]
    material = (tmp_path / words[2][1]).read_text() if words[2][0] == "mtllib" else ""
    assert "map_Kd texture.png" in material and "newmtl head" in material and ["usemtl", "head"] in words
    vt = np.array([w[1:] for w in words if w[0] == "vt"], float)
    assert np.allclose(vt, head.uvs, atol=1e-5)
    faces = np.array([[c.split("/") for c in w[1:]] for w in words if w[0] == "f"], int) - 1
    order = {tuple(t): i for i, t in enumerate(head.triangles)}
    rows = [order[tuple(f)] for f in faces[:, :, 0]]
    assert sorted(rows) == list(range(len(rows))) and np.array_equal(faces[:, :, 1], head.uv_triangles[rows])
    ply = (tmp_path / "head_coloured.ply").read_bytes()
    body = ply.index(b"end_header\n") + 11
    vertex = np.frombuffer(ply, [("p", "<f4", 3), ("n", "<f4", 3), ("c", "u1", 3)], head.vertex_count, body)
    assert np.allclose(vertex["p"], result.vertices, atol=1e-3)
    assert np.abs(vertex["c"] / 255 - result.colours).max() <= 0.5 / 255 + 1e-6


def test_arrays_and_masks_as_files(result, tmp_path):
    result.write(tmp_path, files=["arrays", "maps"])
    for name, array in (
        ("normals", result.normal_map), ("depth", result.depth_map), ("position", result.position_map),
        ("parts", result.part_map), ("uv_normals", result.uv_normal_map), ("uv_position", result.uv_position_map),
        ("uv_parts", result.uv_part_map), ("uv_visibility", result.uv_visibility),
    ):
        assert np.array_equal(np.load(tmp_path / f"{name}.npy", allow_pickle=False), array, equal_nan=True), name
    parts = garface.Image(tmp_path / "parts.png").array()[..., 0]
    assert np.array_equal(parts.astype(int) - 1, result.part_map.astype(int))
    visible = garface.Image(tmp_path / "uv_visibility.png").array()[..., 0]
    assert np.abs(visible / 255 - result.uv_visibility).max() < 0.5 / 255 + 1e-6


def test_standard_files_are_all_but_the_arrays(result, tmp_path):
    result.write(tmp_path / "standard")
    result.write(tmp_path / "all", files=["all"])
    standard, every = ({f.name for f in (tmp_path / n).iterdir()} for n in ("standard", "all"))
    assert {n for n in every - standard} == {n for n in every if n.endswith(".npy")} and len(every - standard) == 8
    assert {"head.glb", "texture.png", "input.png"} <= standard
