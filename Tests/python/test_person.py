"""Several photos of one person."""
import json
import os
import pathlib
import subprocess

import numpy as np
import pytest

import garface
from garface.evaluation import metrics, self_inversion

TOOL = os.environ.get("GARFACE_TOOL") or str(pathlib.Path(__file__).resolve().parents[2] / ".build/release/garface-cli")
SHORT = {"stages": [
    {**garface.standard_schedule("gar")["stages"][0]},
    {**next(s for s in garface.standard_schedule("gar")["stages"] if s["name"] == "coarse"), "iterations": 12},
]}


@pytest.fixture(scope="module")
def person():
    """A person that GAR rendered in two poses, with two looks and expressions."""
    renderer, head = garface.Renderer(), garface.HeadModel()
    identity, _ = head.sample(seed=5)
    pictures = []
    for k, yaw in enumerate((-18.0, 14.0)):
        _, expression = head.sample(seed=20 + k)
        normals = renderer.rasterize(head, head.evaluate(identity, expression), yaw=yaw)
        picture = renderer.render(renderer.map(renderer.sample_z(k)), normals).transpose(1, 2, 0) * 127.5 + 127.5
        pictures.append(self_inversion.enlarge(np.clip(picture, 0, 255), 256))
    return identity, pictures


def test_one_identity(person, no_face):
    truth, pictures = person
    stages = []
    results = garface.reconstruct_person(
        [pictures[0], no_face, pictures[1]], schedule=SHORT, progress=lambda part, stage: stages.append((part, stage)))
    assert results[1] is None and results[0] is not None
    a, b = results[0], results[2]
    assert np.array_equal(a.identity, b.identity) and not np.array_equal(a.expression, b.expression)
    assert abs(a.yaw + 18) < 6 and abs(b.yaw - 14) < 6
    assert not np.array_equal(a.w_plus, b.w_plus) and a.render is not None
    assert a.history == b.history and a.converged
    parts = [part for part, _ in stages]
    assert parts == sorted(parts) and parts[-1] == 1 and {"landmarks", "coarse"} <= {stage for _, stage in stages}
    # Photos say where faces are, too.
    face = garface.detect_faces(pictures[0])[0]
    again = garface.reconstruct_person(pictures, faces=[face, None], renderer="landmarks")
    assert np.array_equal(again[0].identity, again[1].identity)


def test_one_photo_is_the_single_fit(person):
    # In a few steps: energies are added in another order, and rounding grows a hundredfold in ten steps of some fits.
    picture, schedule = person[1][0], {"stages": [SHORT["stages"][0], {**SHORT["stages"][1], "iterations": 5}]}
    alone, single = garface.reconstruct_person([picture], schedule=schedule)[0], garface.reconstruct(picture, schedule=schedule)
    assert np.allclose(alone.identity, single.identity, atol=1e-3) and abs(alone.yaw - single.yaw) < 0.01


@pytest.mark.parametrize("renderer", ["start", "landmarks", "sh"])
def test_other_renderers(person, renderer):
    schedule = garface.standard_schedule(renderer)
    for stage in schedule["stages"]:
        stage["iterations"] = min(stage["iterations"], 20)
    results = garface.reconstruct_person(person[1], renderer=renderer, schedule=schedule)
    assert np.array_equal(results[0].identity, results[1].identity) and np.abs(results[0].identity).max() > 0


def test_errors(person, no_face):
    with pytest.raises(garface.NoFaceError):
        garface.reconstruct_person([no_face, no_face])
    with pytest.raises(garface.InvalidArgumentError, match="photos"):
        garface.reconstruct_person([])
    with pytest.raises(garface.InvalidArgumentError, match=r"photos.*\[photo\]"):
        garface.reconstruct_person("path.png")
    with pytest.raises(garface.InvalidArgumentError, match="faces"):
        garface.reconstruct_person(person[1], faces=[None])
    with pytest.raises(garface.InvalidArgumentError, match="count"):
        garface.reconstruct_person([person[1][0]] * 65)
    with pytest.raises(garface.CancelledError):
        garface.reconstruct_person(person[1], progress=lambda part, stage: part < 0.06)


def test_tool(person, no_face, tmp_path):
    names = ["a.png", "hills.png", "b.png"]
    for name, picture in zip(names, [person[1][0], no_face, person[1][1]]):
        garface.Image(picture).save(tmp_path / name)
    out = tmp_path / "out"
    command = [TOOL, "reconstruct", *(str(tmp_path / name) for name in names), str(tmp_path / "gone.png"), "--same-person",
               "-o", str(out), "--renderer", "landmarks", "--files", "parameters,glb"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and "one person from 2 of 4 photos" in done.stdout, done.stderr
    assert "hills.png" in done.stderr and "gone.png" in done.stderr
    assert {p.name for p in out.iterdir()} == {"person.json"} | {
        f"photo{i}_{name}" for i in (1, 3) for name in ("parameters.json", "parameters.safetensors", "head.glb")}
    summary = json.loads((out / "person.json").read_text())
    first, third = (json.loads((out / f"photo{i}_parameters.json").read_text()) for i in (1, 3))
    assert first["identity"] == third["identity"] == summary["identity"]
    assert [row["files"] for row in summary["photos"]] == ["photo1_", None, "photo3_", None]
    assert all(row["problem"] for row in summary["photos"][1::2])
    for code, extra in [(2, []), (2, ["--same-person", "--box", "1,2,30,40"])]:
        done = subprocess.run(command[:4] + ["-o", str(out), *extra], capture_output=True, text=True)
        assert done.returncode == code and "same-person" in done.stderr
