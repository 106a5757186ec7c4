"""Where people mark the 68 points relative to the head model's own.

    python -m garface.evaluation annotation_offset PORTRAITS [--out FILE]

A head model names a place of its surface for each of the 68 points; people who annotate photographs mark other ones: lower at
the ends of the jaw, lower on brows. dlib's predictor has learnt from annotated photographs (300-W). On portraits with fits (a
folder or a packed set; the test split) the mean difference of its points from the model's is the offset, in mm of the model,
the same for left and right; `garface.convert.annotated_points` puts it into a head model's file. Portraits look ahead, so no depth.

Needs the extra ``[evaluate]``.
"""
from __future__ import annotations

import argparse
import pathlib

import numpy as np

import garface
from garface.evaluation.arguments import at_least, output_file
from garface.evaluation.known_faces import Geometry, Studio
from garface.evaluation.landmark_offset import mean_offset
from garface.evaluation.obedience import Judge
from garface.evaluation.portrait_fits import portraits_folder, read_portraits

# The point at the same place of the other half of the face.
MIRRORED = np.array([*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46,
                     39, 38, 37, 36, 41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65])


def symmetric(offset: np.ndarray) -> np.ndarray:
    """(68, 2): the mean of an offset and its mirror image."""
    return (offset + offset[MIRRORED] * [-1, 1]) / 2


def own_points(studio: Studio, geometry: Geometry) -> np.ndarray:
    """The model's own 68 points, fixed to the surface: (68, 3) camera mm."""
    vertices = studio.head.evaluate(geometry.identity, geometry.expression)
    return studio.head.landmarks(vertices).astype(np.float64) @ studio.rotation(geometry).T


def placed(offset: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """(n, 68, 3): an offset (68, 2) of the model as heads turned by the rotations show it."""
    return np.einsum("nij,lj->nli", rotations[:, :, :2], offset)


def write(path: pathlib.Path, offset: np.ndarray, faces: int) -> None:
    """As `garface.convert.annotated_points` reads it."""
    lines = [f"# Where people mark the 68 points, less the model's own: x y in mm (dlib's predictor on {faces} portraits)."]
    path.write_text("\n".join(lines + [f"{x:.2f} {y:.2f}" for x, y in offset]) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portraits", type=portraits_folder)
    parser.add_argument("--step", type=at_least(1), default=1, help="every so many portraits")
    parser.add_argument("--out", type=output_file, help="write the offset here")
    options = parser.parse_args()
    studio = Studio(garface.Renderer(), garface.HeadModel())
    judge = Judge(studio)
    portraits = read_portraits(options.portraits, studio.head)[:: options.step]
    geometries = [p.geometry for p in portraits]
    found = judge.portraits(portraits, None).found
    own, rotations = (np.array([f(g) for g in geometries]) for f in (lambda g: own_points(studio, g), studio.rotation))
    offset = symmetric(mean_offset(found, own, rotations)[:, :2])
    print(f"{len(portraits)} portraits; the offset is {np.linalg.norm(offset, axis=1).mean():.2f} mm on average. Median distance of dlib's "
          "points, % of the interocular distance:")
    for name, points in (("from the model's own", own), ("from these and the offset", own + placed(offset, rotations)),
                         ("from where the library puts them", np.array([studio.points(g) for g in geometries]))):
        gaps = np.linalg.norm(found - points[..., :2], axis=2) / np.array([studio.interocular(g) for g in geometries])[:, None]
        print(f"  {name}: {100 * np.median(gaps):.2f}")
    if options.out:
        write(options.out, offset, len(portraits))


if __name__ == "__main__":
    main()
