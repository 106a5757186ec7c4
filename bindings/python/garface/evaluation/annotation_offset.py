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
from garface._landmarks import LANDMARK_SWAP
from garface.evaluation.arguments import at_least, output_file
from garface.evaluation.known_faces import Studio
from garface.evaluation.landmark_offset import mean_offset, moved
from garface.evaluation.obedience import Judge
from garface.evaluation.portrait_fits import portraits_folder, read_portraits


def symmetric(offset: np.ndarray) -> np.ndarray:
    """(68, 3): the mean of an offset and its mirror image."""
    return (offset + offset[LANDMARK_SWAP] * [-1, 1, 1]) / 2


def write(path: pathlib.Path, offset: np.ndarray, faces: int) -> None:
    """As `garface.convert.annotated_points` reads it."""
    lines = [f"# Where people mark the 68 points, less the model's own: x y in mm (dlib's predictor on {faces} portraits)."]
    path.write_text("\n".join(lines + [f"{x:.2f} {y:.2f}" for x, y, _ in offset]) + "\n")


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
    own, rotations, put, interocular = (
        np.array([of(g) for g in geometries]) for of in (studio.own_points, studio.rotation, studio.points, studio.interocular))
    offset = symmetric(mean_offset(found, own, rotations))
    print(f"{len(portraits)} portraits; the offset is {np.linalg.norm(offset, axis=1).mean():.2f} mm on average. Median distance of dlib's "
          "points, % of the interocular distance:")
    with_offset = np.array([moved(points, rotation, offset) for points, rotation in zip(own, rotations)])
    for name, points in (("from the model's own", own), ("from these and the offset", with_offset),
                         ("from where the library puts them", put)):
        gaps = np.linalg.norm(found - points[..., :2], axis=2) / interocular[:, None]
        print(f"  {name}: {100 * np.median(gaps):.2f}")
    if options.out:
        write(options.out, offset, len(portraits))


if __name__ == "__main__":
    main()
