"""The README's snippets run as they stand, pasted at the root of the repository."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import garface

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M)
TOOL = os.environ.get("GARFACE_TOOL") or str(ROOT / ".build/release/garface-cli")


def block(language, word):
    """The one block of a language that has this word."""
    found = [text for kind, text in BLOCKS if kind == language and word in text]
    assert len(found) == 1, (language, word, len(found))
    return found[0]


@pytest.fixture
def place(tmp_path):
    """A folder from which the repository's files are seen under their names, and whose files do not stay."""
    for name in ("examples", "Include", "bindings"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def run(command, place, **options):
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, done.stderr
    return done


def test_tool(place):
    lines = [line for line in block("sh", "garface reconstruct").splitlines() if line.startswith("garface ")]
    assert len(lines) >= 7
    script = f"set -e\ngarface() {{ '{TOOL}' \"$@\"; }}\n" + "\n".join(lines)
    done = run(["bash", "-c", script], place)
    assert "written to out" in done.stdout and "head model" in done.stdout
    for name in ("out/overlay.png", "all/face1_overlay.png", "turned.png", "mixed.png", "random.png", "edited.png", "strip.png"):
        assert (place / name).stat().st_size > 1000, name


def test_model_convert(place):
    """Its lines are right usage: what is missing is the model."""
    lines = [line for line in block("sh", "garface model convert").splitlines() if line.startswith("garface model")]
    assert len(lines) >= 2
    for line in lines:
        environment = {**os.environ, "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-c", f"garface() {{ '{TOOL}' \"$@\"; }}\n{line}"], cwd=place, capture_output=True, text=True,
            env=environment)
        assert done.returncode == 4 and "cannot be read" in done.stderr, (line, done.stderr)


def test_python(place, library_file):
    package = str(pathlib.Path(garface.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": package, "GARFACE_LIBRARY": library_file}
    done = run([sys.executable, "-c", block("python", "garface.reconstruct(photo)")], place, env=environment)
    assert len(done.stdout.split()) == 2 * len(garface.standard_schedule("gar")["stages"])
    assert (place / "out/overlay.png").exists()


@pytest.fixture
def many(place, photo):
    """A folder of photos, one of frames, and a film of them where there is ffmpeg."""
    picture = garface.Image(photo).array()[:240, 60:380]
    for folder in ("photos", "frames"):
        (place / folder).mkdir()
    for k in range(2):
        garface.Image(picture).save(place / f"photos/{k}.png")
    for k in range(4):
        garface.Image(np.roll(picture, k, 1)).save(place / f"frames/{k}.png")
    if shutil.which("ffmpeg"):
        run(["ffmpeg", "-loglevel", "error", "-i", "frames/%d.png", "-qscale", "2", "film.mp4"], place)
    return place


def test_many_photos_tool(many):
    lines = [line for line in block("sh", "garface batch").splitlines() if (many / "film.mp4").exists() or "ffmpeg" not in line]
    script = f"set -e\ngarface() {{ '{TOOL}' \"$@\"; }}\n" + "\n".join(lines)
    done = run(["bash", "-c", script], many)
    assert "2 of 2 photos done" in done.stdout and "4 of 4 frames show the face" in done.stdout
    for name in ("out/0.png/overlay.png", "out/photos/1.png/head.glb", "out/manifest.csv", "film/track.glb"):
        assert (many / name).stat().st_size > 100, name


def test_many_photos_python(many, library_file):
    package = str(pathlib.Path(garface.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": package, "GARFACE_LIBRARY": library_file}
    run([sys.executable, "-c", block("python", "garface.reconstruct_person")], many, env=environment)
    assert (many / "out/0.png/parameters.json").exists() and (many / "film/track.csv").exists()


def test_c(place, library_file):
    body = "\n".join("    " + line for line in block("c", "gar_options_init").splitlines())
    (place / "snippet.c").write_text(
        f"#include <garface.h>\n#include <stdio.h>\n\nint main(void) {{\n{body}\n    return gar_last_error()[0] != 0;\n}}\n")
    (place / "libgarface.so.1").symlink_to(library_file)
    run(["cc", "-std=c11", "-Wall", "-Werror", "-IInclude", "snippet.c", "libgarface.so.1", f"-Wl,-rpath,{place}", "-o", "snippet"], place)
    run(["./snippet"], place)
    assert (place / "out/overlay.png").exists()


def test_files_that_are_named_are_there():
    text = "\n".join(text for _, text in BLOCKS)
    for name in re.findall(r"(?:examples|bindings|Tests)/[\w./]+\w", text):
        assert (ROOT / name).exists(), name
    assert "photo.png" not in text and "group.png" not in text
