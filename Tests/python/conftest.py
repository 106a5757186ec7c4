import pathlib

import numpy as np
import pytest

import garface
from garface._library import lib

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def photo():
    return ROOT / "examples/data/astronaut.png"


@pytest.fixture(scope="session")
def library_file():
    """The file of the library that these tests run with."""
    lib.gar_version()
    for line in pathlib.Path("/proc/self/maps").read_text().splitlines():
        if "libgarface.so" in line:
            return line.split()[-1]
    raise AssertionError("no libgarface.so is loaded")


@pytest.fixture(scope="session")
def models():
    return garface.Models.default()


@pytest.fixture(scope="session")
def result(photo, models):
    """The sample photo through GAR, once for all tests."""
    return garface.reconstruct(photo, models=models)


@pytest.fixture(scope="session")
def no_face():
    """A picture that shows no face: a landscape of smooth colours and some noise."""
    y, x = np.mgrid[0:240, 0:320].astype(np.float32)
    sky = np.stack([120 + 0.2 * y, 150 + 0.1 * y, 220 - 0.3 * y], axis=2)
    hills = (y > 150 + 20 * np.sin(x / 40))[:, :, None]
    picture = np.where(hills, np.array([60, 110, 50], np.float32), sky)
    picture += np.random.default_rng(0).normal(0, 4, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)
