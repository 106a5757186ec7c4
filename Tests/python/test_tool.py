"""The command-line tool: exit codes, help, files, cancelling."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import garface

TOOL = os.environ.get("GARFACE_TOOL") or str(pathlib.Path(__file__).resolve().parents[2] / ".build/release/garface-cli")


def run(*arguments, timeout=600):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=timeout)


def test_reconstruct_writes_what_the_library_writes(photo, result, tmp_path):
    done = run("reconstruct", photo, "--output", tmp_path / "out")
    assert done.returncode == 0 and "yaw" in done.stdout and done.stderr == ""
    result.write(tmp_path / "library")
    for name in ("head_neutral.obj", "landmarks.pts", "overlay.png"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "library" / name).read_bytes(), name
    ours = json.loads((tmp_path / "out/parameters.json").read_text())
    assert np.allclose(ours["identity"], result.identity, atol=1e-4)


def test_threads_change_nothing(photo, tmp_path):
    def parameters(threads):
        out = tmp_path / str(threads)
        assert run("reconstruct", photo, "-o", out, "-q", "--threads", threads, "--files", "parameters").returncode == 0
        return (out / "parameters.safetensors").read_bytes()
    assert parameters(1) == parameters(2) == parameters(3)


def test_quiet_and_points(photo, result, tmp_path):
    result.write(tmp_path / "first", files=["landmarks"])
    done = run("reconstruct", photo, "-o", tmp_path / "out", "--quiet", "--renderer", "landmarks", "--landmarks",
               tmp_path / "first/landmarks.pts")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads((tmp_path / "out/parameters.json").read_text())["start"] == "points_68"


def test_render(photo, result, tmp_path):
    assert run("render", "--seed", 7, "--yaw", 25, "-o", tmp_path / "a.png", "--normals", tmp_path / "n.png").returncode == 0
    a = garface.Image(tmp_path / "a.png").array()
    assert a.std() > 5 and garface.Image(tmp_path / "n.png").size == garface.Image(tmp_path / "a.png").size
    result.write(tmp_path / "out", files=["parameters", "pictures"])
    done = run("render", "--parameters", tmp_path / "out/parameters.safetensors", "-o", tmp_path / "again.png")
    assert done.returncode == 0, done.stderr
    again, first = garface.Image(tmp_path / "again.png").array(), result.render
    assert np.abs(again.astype(int) - first.astype(int)).mean() < 2
    turned = run("render", "--parameters", tmp_path / "out/parameters.safetensors", "--yaw", "-30", "-o", tmp_path / "t.png")
    assert turned.returncode == 0
    assert np.abs(garface.Image(tmp_path / "t.png").array().astype(int) - again.astype(int)).mean() > 2


def test_style_mixing(result, tmp_path):
    result.write(tmp_path / "out", files=["parameters"])
    saved = tmp_path / "out/parameters.safetensors"

    def picture(*options):
        done = run("render", "--parameters", saved, "-o", tmp_path / "a.png", *options)
        assert done.returncode == 0, done.stderr
        return garface.Image(tmp_path / "a.png").array()

    plain, other = picture(), picture("--look-seed", 3)
    rows = len(result.w_plus)
    assert np.array_equal(picture("--mix-seed", 3, "--mix-row", rows), plain)
    assert np.array_equal(picture("--mix-seed", 3, "--mix-row", 0), other)
    middle = picture("--mix-seed", 3)
    assert np.array_equal(middle, picture("--mix-seed", 3, "--mix-row", rows // 2))
    assert not np.array_equal(middle, plain) and not np.array_equal(middle, other)
    assert np.array_equal(picture("--look-seed", 3, "--mix-parameters", saved, "--mix-row", 0), plain)
    for bad in (["--mix-row", 2], ["--mix-seed", 1, "--mix-row", rows + 1], ["--mix-seed", 1, "--mix-parameters", saved]):
        assert run("render", "-o", tmp_path / "b.png", *bad).returncode == 2


def test_info(root, tmp_path):
    done = run("info")
    assert done.returncode == 0 and "head model" in done.stdout and "GAR" in done.stdout
    done = run("info", "--model", root / "Sources/CDefaultModels/models/head.safetensors")
    assert done.returncode == 0 and "head-model" in done.stdout
    text = b'{"__metadata__": {"garface": "{"}}'
    (tmp_path / "bad.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    done = run("info", "--model", tmp_path / "bad.safetensors")
    assert done.returncode == 4 and "bad.safetensors: metadata" in done.stderr, done.stderr
    header = (root / "Include/garface.h").read_text()
    version = ".".join(re.search(rf"GARFACE_VERSION_{part} (\d+)", header)[1] for part in ("MAJOR", "MINOR", "PATCH"))
    assert run("--version").stdout.strip() == version == garface.__version__
    assert f'version = "{version}"' in (root / "bindings/python/pyproject.toml").read_text()


def test_help_teaches():
    assert "garface reconstruct photo.png" in run("--help").stdout
    for command in ("reconstruct", "edit", "render", "info"):
        done = run(command, "--help")
        assert done.returncode == 0 and f"garface {command}" in done.stdout


def test_exit_codes(photo, no_face, root, tmp_path):
    garface.Image(no_face).save(tmp_path / "hills.png")
    (tmp_path / "file").write_text("")
    (tmp_path / "bad.pts").write_text("version: 1\nn_points: 68\n{\n1 nan\n}\n")
    out = tmp_path / "out"
    cases = [
        (2, ["reconstruct"]),
        (2, ["reconstruct", photo]),
        (2, ["bogus"]),
        (2, ["reconstruct", photo, "-o", out, "--box", "1,2,3"]),
        (2, ["reconstruct", photo, "-o", out, "--renderer", "oil"]),
        (2, ["reconstruct", photo, "-o", out, "--threads", "0"]),
        (2, ["reconstruct", photo, "-o", out, "--all-faces", "--box", "1,2,30,40"]),
        (3, ["reconstruct", tmp_path / "hills.png", "-o", out]),
        (4, ["reconstruct", "/no/such/photo.png", "-o", out]),
        (4, ["reconstruct", tmp_path / "file", "-o", out]),
        (4, ["reconstruct", photo, "-o", out, "--landmarks", tmp_path / "bad.pts"]),
        (4, ["reconstruct", photo, "-o", out, "--gar-weights", root / "Sources/CDefaultModels/models/head.safetensors"]),
        (5, ["reconstruct", photo, "-o", tmp_path / "file"]),
        (5, ["render", "-o", "/no/such/folder/x.png"]),
        (4, ["render", "-o", tmp_path / "x.png", "--parameters", "/no/such/parameters.safetensors"]),
    ]
    for code, arguments in cases:
        done = run(*arguments)
        assert done.returncode == code, (arguments, done.returncode, done.stderr)
        assert len(done.stderr) > 10, arguments
        assert not out.exists(), arguments


def test_sentences_name_what_was_given(photo, tmp_path):
    out = tmp_path / "out"
    for option in ("--output", "--normals"):
        other = ["--output", tmp_path / "x.png"] if option == "--normals" else []
        done = run("render", option, tmp_path / "x.gif", *other)
        assert done.returncode == 2 and "x.gif" in done.stderr and ".png" in done.stderr, done.stderr
    for box in ("0,0,0,0", "10,10,-5,20", "10,10,20,3"):
        done = run("reconstruct", photo, "-o", out, "--box", box)
        assert done.returncode == 2 and "width of" in done.stderr and "at least 4" in done.stderr, done.stderr
    assert "four numbers" in run("reconstruct", photo, "-o", out, "--box", "1,2,x,4").stderr
    done = run("reconstruct", photo, "-o", "/proc")
    assert done.returncode == 5 and done.stderr.startswith("garface: /proc: cannot be written"), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_render_writes_both_or_neither(tmp_path):
    (tmp_path / "n.png").mkdir()
    for normals, code in (("/no/such/n.png", 5), (tmp_path / "n.png", 5), (tmp_path / "r.png", 2), (f"{tmp_path}/./r.png", 2)):
        done = run("render", "-o", tmp_path / "r.png", "--normals", normals)
        assert done.returncode == code and str(normals) in done.stderr, done.stderr
        assert [f.name for f in tmp_path.iterdir()] == ["n.png"]


def test_the_photo_is_not_written_over(photo, tmp_path):
    shutil.copy(photo, tmp_path / "crop.png")
    done = run("reconstruct", tmp_path / "crop.png", "-o", tmp_path)
    assert done.returncode == 2 and "take the place of the photo" in done.stderr
    assert [f.name for f in tmp_path.iterdir()] == ["crop.png"]


def test_a_rectangle_without_a_face_is_no_secret(photo, tmp_path):
    for box, warned in (("0,0,10,10", True), ("170,60,110,130", False)):
        done = run("reconstruct", photo, "-o", tmp_path / "out", "--quiet", "--renderer", "landmarks", "--box", box)
        assert done.returncode == 0 and ("no face was recognised" in done.stderr) == warned, (box, done.stderr)


def test_a_diverged_fit_is_no_secret(photo, tmp_path):
    stage = {"name": "wild", "optimiser": "adam", "iterations": 3, "blocks": ["rotation", "similarity"],
             "steps": {"rotation": 1, "similarity": 1}}
    stages = garface.standard_schedule("landmarks")["stages"] + [stage]
    (tmp_path / "wild.json").write_text(json.dumps({"stages": stages}))
    done = run("reconstruct", photo, "-o", tmp_path / "out", "--quiet", "--schedule", tmp_path / "wild.json")
    assert done.returncode == 0 and done.stderr.startswith("garface: warning: the fit did not converge"), done.stderr
    (tmp_path / "wild.json").write_text("{")
    done = run("reconstruct", photo, "-o", tmp_path / "out", "--schedule", tmp_path / "wild.json")
    assert done.returncode == 4 and done.stderr.startswith("garface: schedule"), done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupt_cancels_cleanly(photo, tmp_path, number):
    out = tmp_path / "out"
    slow = json.loads(json.dumps(garface.standard_schedule("gar")))
    for stage in slow["stages"]:
        stage.update(iterations=20000, tolerance=0)
    (tmp_path / "slow.json").write_text(json.dumps(slow))
    process = subprocess.Popen(
        [TOOL, "reconstruct", str(photo), "-o", str(out), "--schedule", str(tmp_path / "slow.json")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(3)
    assert process.poll() is None
    process.send_signal(number)
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 6 and "cancelled" in complaint
    assert not out.exists()


def test_what_has_no_effect_is_refused(photo, tmp_path):
    saved = tmp_path / "face/parameters.safetensors"
    assert run("reconstruct", photo, "-o", saved.parent, "--renderer", "start", "--files", "parameters,pictures,maps,glb").returncode == 0
    for arguments, word in [
        (["edit", saved, "-o", tmp_path / "x.png", "--files", "obj"], "--result"),
        (["edit", saved, "-o", tmp_path / "x.png", "--truncation", "-1"], "--truncation must be 0 to 1"),
        (["render", "--parameters", saved, "--seed", "3", "-o", tmp_path / "x.png"], "--look-seed"),
        (["reconstruct", photo, "-o", tmp_path / "o", "--seed", "-1"], "-1"),
        (["batch", photo, "-o", tmp_path / "o", "-j", "-1"], "--jobs must be 1 to 256"),
    ]:
        done = run(*arguments)
        assert done.returncode == 2 and word in done.stderr and "Missing value" not in done.stderr, (arguments, done)
    done = run("edit", saved.with_suffix(".json"), "-o", tmp_path / "x.png")
    assert done.returncode == 4 and "like text" in done.stderr, done
    assert run("view", saved.parent).returncode == 0
    garface.Image(garface.Image(photo).array()[:300].copy()).save(saved.parent / "input.png")
    done = run("view", saved.parent)
    assert done.returncode == 4 and "another photo" in done.stderr, done


def test_model_convert_reaches_the_converters(tmp_path):
    # The tool takes the python3 of the PATH, as an active virtual environment sets it.
    environment = {**os.environ, "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [TOOL, "model", "convert"]
    done = subprocess.run([*command, "surrey", tmp_path / "none.bin", tmp_path / "h.safetensors"], capture_output=True, text=True,
                          env=environment)
    assert done.returncode == 4 and "none.bin" in done.stderr
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and "basel-2017" in done.stdout
    done = subprocess.run([*command, "surrey", "a", "b"], capture_output=True, text=True, env={**os.environ, "PATH": "/nowhere"})
    assert done.returncode == 4 and "python3" in done.stderr


def test_landmark_files_of_every_kind(photo, result, tmp_path):
    """The same face from a .pts counted from 1, from lines with confidences, and normalised."""
    points = result.landmarks
    width, height = garface.Image(photo).size
    files = {
        "one.pts": ("{\n" + "".join(f"{u + 1} {v + 1}\n" for u, v in points) + "}\n", ["--landmarks-origin", "1"]),
        "lines.txt": ("".join(f"{u}, {v}, 1\n" for u, v in points), ["--landmarks-order", "ibug-68"]),
        "normalised.txt": (
            "".join(f"{(u + 0.5) / width:.9f} {(v + 0.5) / height:.9f}\n" for u, v in points), ["--landmarks-normalised"]),
    }
    written = []
    for name, (text, options) in files.items():
        (tmp_path / name).write_text(text)
        done = run("reconstruct", photo, "-o", tmp_path / "out", "--quiet", "--renderer", "landmarks", "--landmarks", tmp_path / name,
                   *options)
        assert done.returncode == 0, done.stderr
        written.append(garface.load_landmarks(tmp_path / "out/landmarks.pts")[0])
    assert np.abs(written[0] - written[1]).max() < 0.05 and np.abs(written[0] - written[2]).max() < 0.05
    (tmp_path / "seven.txt").write_text("1 2\n" * 7)
    for options, code, word in (
        (["--landmarks", tmp_path / "seven.txt"], 4, "7 points"), (["--landmarks-order", "dlib-5"], 2, "--landmarks"),
        (["--landmarks", tmp_path / "lines.txt", "--landmarks-order", "dlib-5"], 2, "scheme"),
        (["--landmarks", tmp_path / "lines.txt", "--landmarks-order", "dlib-6"], 2, "dlib-6"),
        (["--landmarks", tmp_path / "lines.txt", "--landmarks-normalised", "--landmarks-origin", "1"], 2, "--landmarks-origin"),
    ):
        done = run("reconstruct", photo, "-o", tmp_path / "other", *options)
        assert done.returncode == code and word in done.stderr, done


def test_bench_writes_its_table_as_json(photo, tmp_path):
    file = tmp_path / "bench.json"
    done = run("bench", "head", "normals", "--size", 16, "--seconds", 0, "--json", file)
    assert done.returncode == 0 and "vertices" in done.stdout and "GFLOP/s" in done.stdout
    found = json.loads(file.read_text())
    assert found["threads"] == 1 and found["peak_gflops"] > 0
    for row in found["rows"]:
        assert 0 < row["best_seconds"] <= row["median_seconds"] and row["repeats"] >= 5
    assert {row["group"].split(",")[0] for row in found["rows"]} == {"head", "memory", "normal maps"}
    # The pyramid beside plain loops, by points and by areas, forward and two ways back.
    assert [row["reference"] for row in found["rows"] if "reference" in row] == 6 * ["plain loops"]
    # A suite named twice runs once; shares of the peak are explained; whole photos say how many there are in a second.
    done = run("bench", "sizes", "sizes", "photo", "--photo", photo, "--share", 0.01, "--seconds", 0)
    assert done.returncode == 0 and "Winograd" in done.stdout and "1 % of the iterations" in done.stdout
    assert [done.stdout.count(f" {side} px, ") for side in (64, 128, 256, 512)] == 4 * [1]


def test_bench_says_what_is_wrong_before_it_measures(tmp_path):
    for wrong in (["photo"], ["photos"], ["nothing"], ["head", "--threads", 0], ["normals", "--size", 100], ["head", "--share", 0],
                  ["gar", "layers", "--threads", 2], ["gar", "--configuration", "published", "--gar-weights", "a.safetensors"]):
        assert run("bench", *wrong).returncode == 2
    for option, value, code in (("--photo", tmp_path / "none.png", 4), ("--json", tmp_path / "none/a.json", 5), ("--json", tmp_path, 5)):
        done = run("bench", "head", "--seconds", 60, option, value)
        assert done.returncode == code and str(value) in done.stderr and not done.stdout
    assert not list(tmp_path.iterdir())


def test_edit(photo, result, tmp_path):
    result.write(tmp_path / "out", files=["parameters"])
    saved = tmp_path / "out/parameters.safetensors"

    def edited(*options):
        done = run("edit", saved, *options, "-o", tmp_path / "a.png")
        assert done.returncode == 0 and done.stdout == "", (done.stdout, done.stderr)
        return garface.Image(tmp_path / "a.png").array().astype(int)

    # The same as from Python, whose photo and parameters go through memory.
    ours = edited("--yaw", 12, "--expression", "jawOpen=0.4,mouthSmile=0.1", "--into", photo)
    theirs = result.edit(yaw=12, expression={"jawOpen": 0.4, "mouthSmile": 0.1}).photo
    assert ours.shape == theirs.shape and np.abs(ours - theirs).max() <= 2
    assert np.abs(edited("--turn", "5,0,-3", "--detail", 0.5, "--into", photo)
                  - result.edit(turn=(5, 0, -3), detail=0.5).photo).max() <= 2
    # A render does not take the place of a photo, not even of an edited one.
    (tmp_path / "a.png").unlink()
    alone = edited("--yaw", 12)
    assert alone.shape == result.render.shape and np.abs(alone - result.edit(yaw=12).render).max() <= 2
    # Mixed with a file, and with looks of seeds.
    other = result.edit(identity_gain=-1, expression_gain=0, look_seed=4)
    other.write(tmp_path / "other", files=["parameters"])
    theirs = result.edit(other=other, mix_identity=0.5, mix_expression=1, mix_look=0.25, rows=(2, 8)).render
    file = tmp_path / "other/parameters.safetensors"
    ours = edited("--mix-identity", file, "--mix-expression", f"{file}:1", "--mix-look", f"{file}:0.25", "--mix-rows", "2:8")
    assert np.abs(ours - theirs).max() <= 2
    ours = edited("--look-seed", 3, "--mix-look-seed", "8:0.3", "--truncation", 0.5, "--look-gain", 0.9, "--identity-gain", 1.5)
    theirs = result.edit(look_seed=3, mix_seed=8, mix_look=0.3, truncation=0.5, look_gain=0.9, identity_gain=1.5).render
    assert np.abs(ours - theirs).max() <= 2


def test_edit_writes_results_that_can_be_edited(photo, result, tmp_path):
    result.write(tmp_path / "out", files=["parameters"])
    done = run("edit", tmp_path / "out/parameters.safetensors", "--yaw", 10, "--into", photo, "--result", tmp_path / "turned",
               "-o", tmp_path / "turned.png")
    assert done.returncode == 0, done.stderr
    names = {f.name for f in (tmp_path / "turned").iterdir()}
    assert {"parameters.safetensors", "head.glb", "head_posed.obj", "texture.png", "overlay.png"} <= names
    done = run("edit", tmp_path / "turned/parameters.safetensors", "--yaw", 0, "--into", tmp_path / "turned.png", "-o", tmp_path / "back.png")
    assert done.returncode == 0, done.stderr
    # There and back: not far from the photo, and nearer than the turned one.
    first, turned, back = (garface.Image(f).array().astype(int) for f in (photo, tmp_path / "turned.png", tmp_path / "back.png"))
    assert np.abs(back - first).mean() < np.abs(turned - first).mean()
    # Without the photo, a result around the render.
    done = run("edit", tmp_path / "out/parameters.safetensors", "--result", tmp_path / "bare", "--files", "parameters,pictures")
    assert done.returncode == 0 and (tmp_path / "bare/render.png").exists(), done.stderr


def test_edit_sweeps(photo, result, tmp_path):
    result.write(tmp_path / "out", files=["parameters"])
    done = run("edit", tmp_path / "out/parameters.safetensors", "--into", photo, "--sweep", "yaw=-10:10:3,jawOpen=0:0.4",
               "--strip", tmp_path / "s.png", "--frames", tmp_path / "frames")
    assert done.returncode == 0, done.stderr
    strip = garface.Image(tmp_path / "s.png").array().astype(int)
    assert np.abs(strip - result.sweep("yaw=-10:10:3,jawOpen=0:0.4")).max() <= 2
    assert sorted(f.name for f in (tmp_path / "frames").iterdir()) == [*(f"frame_000{i}.png" for i in (1, 2, 3)), "frames.json"]


def test_edit_exit_codes(photo, result, tmp_path):
    result.write(tmp_path / "out", files=["parameters"])
    saved, picture = tmp_path / "out/parameters.safetensors", tmp_path / "x.png"
    shutil.copy(photo, tmp_path / "copy.png")
    for code, word, options in (
        (2, "--output", [saved]), (2, "--sweep", [saved, "--strip", picture]), (2, "smile", [saved, "-o", picture, "--expression", "smile=1"]),
        (2, "jawOpen", [saved, "-o", picture, "--expression", "jawOpen"]), (2, "--turn", [saved, "-o", picture, "--turn", "1,2"]),
        (2, "yaw", [saved, "-o", picture, "--yaw", "1e9"]), (2, "x.gif", [saved, "-o", tmp_path / "x.gif"]),
        (2, "--mix-rows", [saved, "-o", picture, "--mix-rows", "1:2"]), (2, "Several", [saved, saved, "-o", picture]),
        (2, "place of the photo", [saved, "--into", tmp_path / "copy.png", "-o", tmp_path / "copy.png"]),
        (2, "sweep", [saved, "--strip", picture, "--sweep", "yaw=1"]), (2, "smile", [saved, "--strip", picture, "--sweep", "smile=0:1:2"]),
        (4, "none.safetensors", [tmp_path / "none.safetensors", "-o", picture]), (4, "no.png", [saved, "--into", tmp_path / "no.png", "-o", picture]),
        (4, "none", [saved, "-o", picture, "--mix-identity", tmp_path / "none:0.5"]), (2, "--mix-look-seed", [saved, "-o", picture, "--mix-look-seed", "x:1"]),
        (5, "/proc", [saved, "--result", "/proc/x"]),
    ):
        done = run("edit", *options)
        assert done.returncode == code and word in done.stderr, (options, done.returncode, done.stderr)
        assert not picture.exists()
