"""Landmark error on annotated photographs.

    python -m garface.evaluation.photos FOLDER [--given | --points FILE] [--rows mean,landmarks,sh,gar] [--limit N]

FOLDER holds the pictures and ``landmarks68.npz`` with ``names`` (n) and ``landmarks`` (n, 68, 2), photo pixels,
pixel centres at integers. Without ``--given`` the library gets the picture alone; with it, the 68 points too; with ``--points``
those of another detector: an .npz with ``points`` (n, 68, 468 or 478, 2), photo pixels, NaN where it found no face.
A face that is not found counts as a failure.
"""
from __future__ import annotations

import argparse
import json
import pathlib
import time
from typing import Collection, Iterator, NamedTuple

import numpy as np

import garface
from garface.evaluation import metrics, weights
from garface.evaluation.arguments import at_least, existing_file, folder_with, output_file, some_of, stages, stages_for

ROWS = {"mean": "mean head", "start": "start", "landmarks": "landmarks only", "sh": "spherical harmonics", "gar": "GAR"}
FITS = [row for row in ROWS if row != "mean"]       # those for which the library is asked
annotated_folder = folder_with("landmarks68.npz")


class Finding(NamedTuple):
    """A photo, its annotation and the 68 points that were found, photo pixels: (68, 2); None where no face was."""

    name: str
    truth: np.ndarray
    points: np.ndarray | None
    seconds: float | None = None


def mean_head_landmarks(mean: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The mean head's 68 points (68, 3) under the similarity that fits the truth best: what no shape at all can reach."""
    mean = mean[:, :2] * [1, -1]
    r, t, s = metrics.rigid_alignment(mean, points, scale=True)
    return s * mean @ r.T + t


def detected(file: pathlib.Path, count: int) -> np.ndarray:
    """The points of another detector, (count, n, 2); SystemExit says what is wrong with the file."""
    try:
        points = np.load(file)["points"].astype(float)
    except (KeyError, IndexError, ValueError, OSError):
        raise SystemExit(f"{file}: expected an .npz with \"points\" (n, 68, 468 or 478, 2)") from None
    if points.ndim != 3 or points.shape[2] != 2:
        raise SystemExit(f"{file}: points have shape {points.shape}, expected (n, 68, 468 or 478, 2)")
    if len(points) != count:
        raise SystemExit(f"{file}: points of {len(points)} photos, expected {count}")
    return points


def findings(models: garface.Models, options: argparse.Namespace, row: str) -> Iterator[Finding]:
    """The photos that the options choose, one by one, as a row of the table sees them."""
    head, data = garface.HeadModel(), np.load(options.folder / "landmarks68.npz")
    mean = head.landmarks_contour(head.evaluate(), 0, 0, 0)
    names, landmarks = data["names"], data["landmarks"].astype(float)
    given = landmarks if options.given else detected(options.points, len(names)) if options.points else [None] * len(names)
    names, landmarks, given = (field[:: options.step][: options.limit] for field in (names, landmarks, given))
    schedule = stages_for(row, options.schedule)
    for name, truth, points in zip(map(str, names), landmarks, given):
        if row == "mean":
            yield Finding(name, truth, mean_head_landmarks(mean, truth))
            continue
        if points is not None and not np.isfinite(points).all():
            yield Finding(name, truth, None)
            continue
        began = time.perf_counter()
        try:
            result = garface.reconstruct(
                str(options.folder / name), models=models, renderer=row, landmarks=points,
                schedule=schedule)
        except garface.NoFaceError:
            yield Finding(name, truth, None)
            continue
        yield Finding(name, truth, result.landmarks, time.perf_counter() - began)


def measure(models: garface.Models, options: argparse.Namespace, row: str) -> dict:
    errors, inner, missed, seconds, worst = [], [], 0, [], []
    for photo in findings(models, options, row):
        if photo.points is None:
            missed += 1
            worst.append((np.inf, photo.name))
            continue
        if photo.seconds is not None:
            seconds.append(photo.seconds)
        errors.append(metrics.interocular_nme(photo.points, photo.truth))
        inner.append(metrics.interocular_nme(photo.points, photo.truth, slice(17, 68)))
        worst.append((errors[-1], photo.name))
    return {
        "row": ROWS[row], **metrics.summary(np.array(errors), missed=missed),
        "inner median": metrics.summary(np.array(inner), missed=missed)["median"],
        "seconds": float(np.median(seconds)) if seconds else 0.0,
        "worst": [n for _, n in sorted(worst, reverse=True)[:5]],
    }


def add_arguments(parser: argparse.ArgumentParser, known: Collection[str], rows: str) -> None:
    """Those of every measurement on annotated photos, with the rows that it knows and those it shows unless told."""
    parser.add_argument("folder", type=annotated_folder)
    given = parser.add_mutually_exclusive_group()
    given.add_argument("--given", action="store_true", help="give the 68 points to the library")
    given.add_argument("--points", type=existing_file, help="give it those of another detector, from this .npz")
    parser.add_argument(
        "--rows", type=some_of(known), default=rows,
        help=f"which rows of the table, of {','.join(known)} (default: {rows})")
    parser.add_argument("--limit", type=at_least(1), help="only so many photos")
    parser.add_argument("--step", type=at_least(1), default=1, help="every so many photos")
    parser.add_argument("--json", type=output_file, help="write the numbers here too")
    parser.add_argument("--schedule", type=stages, help="stages of the fit as JSON (default: the standard ones)")
    weights.add_arguments(parser)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, ROWS, "mean,landmarks,sh,gar")
    options = parser.parse_args()
    models = weights.models(options)
    rows = [measure(models, options, row) for row in options.rows]
    print(metrics.table(rows, ["row", "count", "missed", "median", "mean", "failures_percent", "auc", "inner median", "seconds"]))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
