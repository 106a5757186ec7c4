"""The guide's snippets run as they stand, page by page. The page about weights needs PyTorch: test_training_guide.py."""
import re

import numpy as np
import pytest

import garface
from guide_pages import GUIDE, ROOT, run_page, snippets


def test_first_photo(tmp_path, library_file):
    said = run_page("1-first-photo.md", tmp_path, library_file)
    assert "mm between the eye corners" in said and "view.html" in said
    for name in ("out/view.html", "out/turned.png", "out/mixed.png", "quick/overlay.png"):
        assert (tmp_path / name).stat().st_size > 1000, name
    left, right = (garface.Image(tmp_path / f"out/smiling{yaw}.png").array().astype(float) for yaw in ("-25", "+25"))
    assert np.abs(left - right).mean() > 5       # turned by 50 degrees


def test_own_face_model(tmp_path, library_file):
    said = run_page("2-own-face-model.md", tmp_path, library_file)
    assert "landmarks without a mapping" in said and "ict-facekit linear 8" in said
    first = [float(x) for x in re.search(r"coefficients \[\s*(\S+)\s+(\S+?)\]", said).groups()]
    assert abs(first[0] - 1.5) < 0.4 and abs(first[1] + 1) < 0.4
    assert (tmp_path / "own/overlay.png").exists()


def test_pages_are_linked_and_files_are_there():
    index = (GUIDE / "README.md").read_text()
    pages = sorted(file.name for file in GUIDE.glob("[0-9]*.md"))
    assert re.findall(r"\]\((.*?)\)", index) == pages and len(pages) >= 3
    for page in pages:
        for name in re.findall(r"(?:examples|bindings|Sources|Tests)/[\w./]+\w", (GUIDE / page).read_text()):
            assert (ROOT / name).exists(), (page, name)
        assert len(snippets(page)) >= 3


@pytest.mark.parametrize("page", sorted(file.name for file in GUIDE.glob("[0-9]*.md")))
def test_options_of_the_guide_exist(page):
    """Also those of the page that is not run here."""
    import contextlib
    import io

    from garface.training.__main__ import main
    for program, line in re.findall(r"garface\.training ([\w-]+) ((?:.*\\\n)*.*)", (GUIDE / page).read_text()):
        pytest.importorskip("torch")
        with contextlib.redirect_stdout(io.StringIO()) as said, pytest.raises(SystemExit):
            main([program, "--help"])
        for option in re.findall(r"--[\w-]+", line):
            assert option in said.getvalue(), (program, option)
