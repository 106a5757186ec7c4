"""Where portraits look that look into the camera: there gaze and turn of the head cancel.

    python -m garface.evaluation.gaze PORTRAITS [--row landmarks] [--step 1] [--limit N]

PORTRAITS: a folder or packed set of portraits with fits (see ``portrait_fits``); the test split is used. Some of them look
beside the camera, so this is no error of the gaze alone, and one from above. For yaw and for pitch, degrees:

- told: the share of the portraits found of which a gaze is told at all, per cent;
- error: median of |gaze + angle of the head|, and its ninth decile;
- mean: of gaze + angle of the head (0 wanted);
- slope: of the gaze over the head's turn the other way, and their correlation (1 wanted; what is not told from the head, and a
  gaze that does not leave the middle of the eye, have 0).
"""
from __future__ import annotations

import argparse
import json

import numpy as np

import garface
from garface.evaluation import metrics, weights
from garface.evaluation.arguments import at_least, output_file
from garface.evaluation.portrait_fits import portraits_folder, read_portraits
from garface.evaluation.regression import line

FITS = ("start", "landmarks", "gar")


def gaze_rows(head: np.ndarray, gaze: np.ndarray) -> list[dict]:
    """Of angles (N, 2), yaw and pitch in degrees; a gaze that is not told is NaN."""
    told = np.isfinite(gaze[:, 0])
    counts = {"portraits": len(gaze), "told": 100 * float(told.mean()) if len(gaze) else float("nan")}
    rows = []
    for k, name in enumerate(("yaw", "pitch")):
        away, seen = -head[told, k], gaze[told, k]
        if not len(seen):
            rows.append({"angle": name, **counts})
            continue
        slope, correlation = line(away, seen)
        error = np.abs(seen - away)
        rows.append({
            "angle": name, **counts, "error": float(np.median(error)), "ninth decile": float(np.quantile(error, 0.9)),
            "mean": float((seen - away).mean()), "slope": slope, "correlation": correlation})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portraits", type=portraits_folder)
    parser.add_argument("--row", choices=FITS, default="landmarks", help="how far the faces are fitted")
    parser.add_argument("--limit", type=at_least(1), help="only so many photos")
    parser.add_argument("--step", type=at_least(1), default=1, help="every so many photos")
    weights.add_arguments(parser)
    parser.add_argument("--json", type=output_file)
    options = parser.parse_args()
    models, head, gaze = weights.models(options), [], []
    for portrait in read_portraits(options.portraits, garface.HeadModel())[:: options.step][: options.limit]:
        try:
            result = garface.reconstruct(portrait.picture(), models=models, renderer=options.row)
        except garface.NoFaceError:
            continue
        head.append((result.yaw, result.pitch))
        gaze.append(result.gaze or (np.nan, np.nan))
    rows = gaze_rows(np.reshape(head, (-1, 2)), np.reshape(gaze, (-1, 2)))
    print(metrics.table(rows, ["angle", "portraits", "told", "error", "ninth decile", "mean", "slope", "correlation"]))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
