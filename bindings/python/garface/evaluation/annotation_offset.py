"""Where people mark the 68 points relative to the head model's own.

    python -m garface.evaluation annotation_offset PORTRAITS [--table FILE] [--out FILE]

A head model names a place of its surface for each of the 68 points; people who annotate photographs mark other ones: lower at
the ends of the jaw, lower on brows. dlib's predictor has learnt from annotated photographs (300-W). On portraits with fits (a
folder or a packed set; dlib saw none of them) its points lie beside those that the library puts there. The mean difference, in mm
of the model and the same for left and right, is added to the table that the library's head was made with, and
`garface.convert.annotated_points` puts the sum into a head model's file. Depth comes from the portraits that are turned. Where along
the jaw its points lie is the library's doing, which spaces them evenly between the ends and the chin: they are moved across it alone.

Needs the extra ``[evaluate]``.
"""
from __future__ import annotations

import argparse
import pathlib

import numpy as np

import garface
from garface._landmarks import LANDMARK_SWAP
from garface.convert.annotated_points import built_in_offset, read_offset
from garface.evaluation.arguments import at_least, existing_file, output_file
from garface.evaluation.known_faces import Studio
from garface.evaluation.landmark_offset import mean_offset, moved
from garface.evaluation.obedience import Judge
from garface.evaluation.portrait_fits import portraits_folder, read_portraits


TURNED = 15     # degrees


def symmetric(offset: np.ndarray) -> np.ndarray:
    """(68, 3): the mean of an offset and its mirror image."""
    return (offset + offset[LANDMARK_SWAP] * [-1, 1, 1]) / 2


def across_the_jaw(change: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A change (68, 3) of points (68, 3) without what moves the jaw's along their line, ends and chin apart."""
    change = change.copy()
    for i in (*range(1, 8), *range(9, 16)):
        along = points[i + 1] - points[i - 1]
        change[i] -= along * (change[i] @ along) / (along @ along)
    return change


def write(path: pathlib.Path, offset: np.ndarray, faces: int) -> None:
    """As `garface.convert.annotated_points` reads it."""
    lines = [f"# Where people mark the 68 points, less the model's own: x y z in mm (dlib's predictor on {faces} portraits)."]
    path.write_text("\n".join(lines + [f"{x:.2f} {y:.2f} {z:.2f}" for x, y, z in offset]) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portraits", type=portraits_folder)
    parser.add_argument("--step", type=at_least(1), default=1, help="every so many portraits")
    parser.add_argument("--table", type=existing_file, help="the offset that the library's head was made with (default: the built-in one)")
    parser.add_argument("--out", type=output_file, help="write the new offset here")
    options = parser.parse_args()
    table = read_offset(options.table) if options.table else built_in_offset()
    studio = Studio(garface.Renderer(), garface.HeadModel())
    judge = Judge(studio)
    portraits = read_portraits(options.portraits, studio.head, test_only=False)[:: options.step]
    geometries = [p.geometry for p in portraits]
    found = judge.portraits(portraits, None).found
    own, rotations, put, interocular = (
        np.array([of(g) for g in geometries]) for of in (studio.own_points, studio.rotation, studio.points, studio.interocular))
    placed = studio.head.landmarks(studio.head.evaluate()) + table
    change = across_the_jaw(symmetric(mean_offset(found, put, rotations)), placed)
    print(f"{len(portraits)} portraits; points are moved by {np.linalg.norm(change, axis=1).mean():.2f} mm on average. Median distance of "
          "dlib's points, % of the interocular distance, over all, the inner 51, the jaw, and the jaw beyond 15 degrees of yaw:")
    turned = np.abs([g.yaw for g in geometries]) > TURNED
    changed = np.array([moved(points, rotation, change) for points, rotation in zip(put, rotations)])
    for name, points in (("from the model's own", own), ("from where the library puts them", put), ("from these, moved", changed)):
        gaps = np.linalg.norm(found - points[..., :2], axis=2) / interocular[:, None]
        shares = (gaps, gaps[:, 17:], gaps[:, :17], gaps[turned, :17])
        print(f"  {name}: " + ", ".join(f"{100 * np.median(share):.2f}" for share in shares))
    if options.out:
        write(options.out, table + change, len(portraits))


if __name__ == "__main__":
    main()
