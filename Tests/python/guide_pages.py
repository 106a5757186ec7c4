"""Runs the snippets of a page of the guide, in order, in one folder: what the reader would paste."""
import os
import pathlib
import re
import subprocess
import sys

import garface

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ROOT / "examples/guide"
TOOL = os.environ.get("GARFACE_TOOL") or str(ROOT / ".build/release/garface-cli")


def snippets(page):
    """(language, text) of every fenced block; each is one that can be run."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", (GUIDE / page).read_text(), re.S | re.M)
    assert found and {language for language, _ in found} <= {"sh", "python"}, page
    return found


def run_page(page, place, library_file, timeout=900):
    """Runs the page's snippets in `place` and returns what they printed."""
    for name in ("examples", "Include", "bindings", "Sources"):
        (place / name).symlink_to(ROOT / name)
    programs = place / ".programs"
    programs.mkdir()
    (programs / "garface").symlink_to(TOOL)
    (programs / "python").write_text(f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
    (programs / "python").chmod(0o755)
    environment = {
        **os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "GARFACE_LIBRARY": library_file,
        "PYTHONPATH": str(pathlib.Path(garface.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    said = []
    for number, (language, text) in enumerate(snippets(page)):
        command = ["bash", "-e", "-o", "pipefail", "-c", text] if language == "sh" else [sys.executable, "-c", text]
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, f"{page}, snippet {number + 1}:\n{text}\n{done.stdout}\n{done.stderr}"
        said.append(done.stdout)
    return "\n".join(said)
