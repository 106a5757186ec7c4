"""The guide's page about weights of one's own: material, a run of a minute, and the library with what came of it."""
import re

import numpy as np
import pytest

from guide_pages import run_page

for package in ("torch", "cv2", "numba", "scipy", "safetensors"):
    pytest.importorskip(package)


def test_own_weights(tmp_path, library_file):
    said = run_page("3-own-weights.md", tmp_path, library_file)
    assert re.search(r"packs/portraits: \d\d aligned pictures \(64, 64, 3\)", said), said
    own, trained = (float(x) for x in re.search(r"yaw (\S+) degrees .* (\S+) with", said).groups())
    assert np.isfinite(own) and abs(trained) < 10 and own != trained
    for name in ("inverse/curves.png", "inverse/held_out.png", "packs/crops/overlay.png", "mine/overlay.png"):
        assert (tmp_path / name).stat().st_size > 1000, name
