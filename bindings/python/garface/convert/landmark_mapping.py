"""Text files that say which vertex of a model is which landmark.

The project's own, one landmark a line, `#` opening a comment:

    # landmark (0 to 67, iBUG order)   vertex (from 0)
    30  8319
    # or three vertices and their weights, which sum to 1
    8   21877 21878 22001   0.2 0.5 0.3

and eos's ibug_to_*.txt (`[landmark_mappings]`, `9 = 47846`), which number landmarks from 1 and vertices from 0.
"""
from __future__ import annotations

import importlib.resources
import math
import os

from .landmark_places import Places
from .problem import ConversionError
from .regular_file import read_regular

LARGEST_FILE = 1 << 20


def read_mapping(path: str | os.PathLike[str]) -> Places:
    """The landmarks of a user's mapping file."""
    try:
        text = read_regular(path, LARGEST_FILE, "a landmark mapping has at most").decode("utf-8")
    except UnicodeDecodeError:
        raise ConversionError(f"{path}: is not a text file; expected lines of landmark and vertex numbers") from None
    return parse_mapping(text, os.fspath(path))


def built_in(name: str) -> Places:
    """A mapping that the field publishes, from the package's data."""
    file = importlib.resources.files(__package__).joinpath(f"data/{name}.txt")
    return parse_mapping(file.read_text("utf-8"), f"the built-in mapping {name}")


def parse_mapping(text: str, source: str) -> Places:
    published = "[landmark_mappings]" in text
    section, known = "landmark_mappings", {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].strip()
        if line.startswith("["):
            section = line.strip("[] ")
            continue
        if not line or section != "landmark_mappings":
            continue
        fields = line.replace("=", " ").split() if published else line.split()
        expected = f"{source}: line {number}: expected a landmark and a vertex, or a landmark, three vertices and three weights"
        if len(fields) not in (2, 7):
            raise ConversionError(expected)
        try:
            landmark, *vertices = (int(f) for f in fields[: 2 if len(fields) == 2 else 4])
            weights = tuple(float(f) for f in fields[4:]) or (1.0, 0.0, 0.0)
        except ValueError:
            raise ConversionError(expected) from None
        landmark -= 1 if published else 0
        if not 0 <= landmark < 68:
            raise ConversionError(
                f"{source}: line {number}: landmark {fields[0]}, expected {'1 to 68' if published else '0 to 67'}")
        if landmark in known:
            raise ConversionError(f"{source}: line {number}: landmark {fields[0]} is mapped twice")
        if not all(math.isfinite(w) for w in weights) or abs(sum(weights) - 1) > 1e-3 or min(vertices) < 0:
            raise ConversionError(f"{source}: line {number}: weights must sum to 1, and vertices are numbered from 0")
        a, b, c = vertices * 3 if len(vertices) == 1 else vertices
        known[landmark] = ((a, b, c), weights)
    return Places(known)
