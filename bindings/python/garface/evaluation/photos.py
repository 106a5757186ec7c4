"""Landmark error on annotated photographs.

    python -m garface.evaluation.photos FOLDER [--given] [--rows mean,landmarks,sh,gar] [--limit N]

FOLDER holds the pictures and ``landmarks68.npz`` with ``names`` (n) and ``landmarks`` (n, 68, 2), photo pixels,
pixel centres at integers. Without ``--given`` the library gets the picture alone; with it, the 68 points too.
A face that is not found counts as a failure.
"""
from __future__ import annotations

import argparse
import json
import pathlib
import time

import numpy as np

import garface
from garface.evaluation import metrics, weights

ROWS = {"mean": "mean head", "start": "start", "landmarks": "landmarks only", "sh": "spherical harmonics", "gar": "GAR"}


def mean_head_landmarks(head: garface.HeadModel, points: np.ndarray) -> np.ndarray:
    """The mean head's 68 points under the similarity that fits the truth best: what no shape at all can reach."""
    mean = head.landmarks(head.evaluate())[:, :2] * [1, -1]
    r, t, s = metrics.rigid_alignment(mean, points, scale=True)
    return s * mean @ r.T + t


def measure(
    models: garface.Models, folder: pathlib.Path, row: str, given: bool, limit: int | None, step: int = 1,
    schedule: dict | None = None,
) -> dict:
    head = garface.HeadModel()
    data = np.load(folder / "landmarks68.npz")
    errors, inner, missed, seconds, worst = [], [], 0, [], []
    indices = range(0, len(data["names"]), step)
    for i in list(indices)[:limit]:
        name, truth = str(data["names"][i]), data["landmarks"][i].astype(float)
        if row == "mean":
            found = mean_head_landmarks(head, truth)
        else:
            began = time.perf_counter()
            try:
                result = garface.reconstruct(
                    str(folder / name), models=models, renderer=row, landmarks=truth if given else None,
                    schedule=schedule)
            except garface.NoFaceError:
                missed += 1
                worst.append((np.inf, name))
                continue
            seconds.append(time.perf_counter() - began)
            found = result.landmarks
        errors.append(metrics.interocular_nme(found, truth))
        inner.append(metrics.interocular_nme(found, truth, slice(17, 68)))
        worst.append((errors[-1], name))
    return {
        "row": ROWS[row], **metrics.summary(np.array(errors), missed=missed),
        "inner median": metrics.summary(np.array(inner), missed=missed)["median"],
        "seconds": float(np.median(seconds)) if seconds else 0.0,
        "worst": [n for _, n in sorted(worst, reverse=True)[:5]],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--given", action="store_true", help="give the 68 points to the library")
    parser.add_argument("--rows", default="mean,landmarks,sh,gar", help="which rows of the table (default: all four)")
    parser.add_argument("--limit", type=int, help="only so many photos")
    parser.add_argument("--step", type=int, default=1, help="every so many photos")
    parser.add_argument("--json", type=pathlib.Path, help="write the numbers here too")
    parser.add_argument("--schedule", type=pathlib.Path, help="stages of the fit as JSON (default: the standard ones)")
    weights.add_arguments(parser)
    options = parser.parse_args()
    schedule = json.loads(options.schedule.read_text()) if options.schedule else None
    models = weights.models(options)
    rows = [measure(models, options.folder, row, options.given, options.limit, options.step, schedule if row in ("gar", "sh") else None)
            for row in options.rows.split(",")]
    print(metrics.table(rows, ["row", "count", "missed", "median", "mean", "failures_percent", "auc", "inner median", "seconds"]))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
