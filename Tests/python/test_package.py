"""The package as pip installs it, away from the repository."""
import ast
import importlib.metadata
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import garface

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "bindings/python"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A folder like a virtual environment's, with the package in it as its pyproject.toml says.

    By pip where this Python has pip and wheel, else by setuptools alone: neither asks the network.
    """
    if importlib.util.find_spec("setuptools") is None or int(importlib.metadata.version("setuptools").split(".")[0]) < 64:
        pytest.skip("the package is built by setuptools 64 or later, which this Python has not")
    place = tmp_path_factory.mktemp("installed")
    shutil.copytree(SOURCE, place / "source", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    packages = place / "environment/lib/python3/site-packages"
    if importlib.util.find_spec("pip") and importlib.util.find_spec("wheel"):
        command = ["-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target", packages, "."]
    else:
        command = ["-c", "import setuptools; setuptools.setup()", "-q", "build", "--build-lib", packages]
    done = subprocess.run([sys.executable, *command], cwd=place / "source", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return place / "environment"


def run(environment, code, **variables):
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "GARFACE_LIBRARY")}
    kept.update(PYTHONPATH=str(environment / "lib/python3/site-packages"), **variables)
    return subprocess.run([sys.executable, "-c", code], cwd=environment, env=kept, capture_output=True, text=True)


def test_reconstructs_outside_the_repository(environment, photo, library_file):
    code = f"""
import garface
assert garface.__file__.startswith({str(environment)!r}), garface.__file__
result = garface.reconstruct({str(photo)!r}, renderer="start")
result.write("out")
print(garface.__version__, result.vertices.shape)
"""
    done = run(environment, code, GARFACE_LIBRARY=library_file)
    assert done.returncode == 0, done.stderr
    assert "(15622, 3)" in done.stdout and (environment / "out/overlay.png").exists()
    # Installed beside the package (bindings/c/install.sh PREFIX), it needs no variable.
    (environment / "lib/libgarface.so.1").symlink_to(library_file)
    done = run(environment, "import garface; print(garface.build_info())")
    (environment / "lib/libgarface.so.1").unlink()
    assert done.returncode == 0, done.stderr


def test_says_how_the_library_is_found(environment):
    done = run(environment, "import garface; garface.build_info()", GARFACE_LIBRARY="/no/such/libgarface.so")
    assert done.returncode != 0 and "set GARFACE_LIBRARY" in done.stderr and "/no/such/libgarface.so" in done.stderr


def test_every_part_is_installed(environment):
    modules = sorted(file.relative_to(SOURCE) for file in (SOURCE / "garface").rglob("*.py"))
    data = [file.relative_to(SOURCE) for file in (SOURCE / "garface/convert/data").glob("*.txt")]
    assert len(data) >= 5
    for module in modules + data + [pathlib.Path("garface/py.typed")]:
        assert (environment / "lib/python3/site-packages" / module).exists(), module
    done = run(environment, "import garface.training, garface.evaluation.metrics, garface.convert")
    assert done.returncode == 0, done.stderr


def test_dependencies_are_declared():
    """What the package's files import is numpy, Python's own, or an extra of the package."""
    text = (SOURCE / "pyproject.toml").read_text()
    declared = {re.match(r"[\w-]+", name)[0] for name in re.findall(r'"([\w-]+(?:[<>=].*?)?)"', text[text.index("dependencies"):])}
    modules = {"cv2": "opencv-python-headless", "skimage": "scikit-image", "sklearn": "scikit-learn", "dlib": "dlib-bin"}
    used = {}
    for file in (SOURCE / "garface").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else (
                [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else [])
            for name in (name.split(".")[0] for name in names):
                if name != "garface" and name not in sys.stdlib_module_names:
                    used[modules.get(name, name)] = file.name
    assert {"numpy", "torch", "numba"} <= used.keys()
    assert not used.keys() - declared, {name: used[name] for name in used.keys() - declared}
    extras = text[text.index("[project.optional-dependencies]"):text.index("[tool.")]
    named = {re.match(r"[\w-]+", name)[0] for name in re.findall(r'"([\w-]+.*?)"', extras)}
    files = "".join(file.read_text() for file in (SOURCE / "garface").rglob("*.py"))
    named = {n for n in named if n != "garface" and f'"{n}"' not in files}      # itself; packages that only hold files
    assert not named - used.keys(), f"extras that nothing uses: {named - used.keys()}"
