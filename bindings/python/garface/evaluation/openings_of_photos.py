"""How far eyes and lips are open in reconstructions of annotated photographs, against the annotation.

    python -m garface.evaluation.openings_of_photos FOLDER [--given] [--rows start,landmarks,gar] [--limit N]

FOLDER as for ``garface.evaluation.photos``. Only photos whose 68 points are found within 10 % of the distance of the outer
eye corners count: elsewhere the fit went astray, and its lids say nothing. Rows may leave out different ones. Printed:

- eye aspect (height over width, mean of both eyes) and lip opening (gap of the inner lips over the distance of the outer
  eye corners): correlation and slope of what was found over what is annotated (1 wanted; a face that never blinks has
  0), both means, and the median absolute error;
- interocular NME, per cent, medians over the same photos: all 68 points, the inner 51, the 12 of the eyes. Points may lie
  near the truth while the lids between them do not move.
"""
from __future__ import annotations

import argparse
import json

import numpy as np

import garface
from garface.evaluation import metrics, weights
from garface.evaluation.openings import eye_aspect, lip_opening
from garface.evaluation.photos import FITS, ROWS, Finding, add_arguments, findings
from garface.evaluation.regression import line

MEASURES = {"eye aspect": eye_aspect, "lip opening": lip_opening}
ERRORS = {"NME": slice(0, 68), "inner": slice(17, 68), "eyes": slice(36, 48)}
ASTRAY = 10.0      # per cent


def is_near(photo: Finding) -> bool:
    return photo.points is not None and metrics.interocular_nme(photo.points, photo.truth) < ASTRAY


def opening_rows(photos: list[Finding]) -> list[dict]:
    """A row per measure; without a photo that counts nothing but how many there were."""
    near = [photo for photo in photos if is_near(photo)]
    counts = {"photos": len(near), "left out": len(photos) - len(near)}
    if not near:
        return [{"measure": name, **counts} for name in MEASURES]
    nme = {
        name: float(np.median([metrics.interocular_nme(p.points, p.truth, points) for p in near]))
        for name, points in ERRORS.items()}
    rows = []
    for name, measure in MEASURES.items():
        truth, found = (np.array([measure(points) for points in side]) for side in zip(*((p.truth, p.points) for p in near)))
        slope, correlation = line(truth, found)
        rows.append({
            "measure": name, **counts, "correlation": correlation, "slope": slope, "mean": float(found.mean()),
            "annotated mean": float(truth.mean()), "error": float(np.median(np.abs(found - truth))), **nme})
    return rows


def measure(models: garface.Models, options: argparse.Namespace, row: str) -> list[dict]:
    return [{"row": ROWS[row], **numbers} for numbers in opening_rows(list(findings(models, options, row)))]


def three_digits(value: object) -> object:
    """Openings are parts of one: two digits hide how they differ."""
    return f"{value:.3f}" if isinstance(value, float) else value


COLUMNS = [
    "row", "measure", "photos", "left out", "correlation", "slope", "mean", "annotated mean", "error", "NME", "inner", "eyes"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, FITS, "start,landmarks,gar")
    options = parser.parse_args()
    models = weights.models(options)
    rows = [numbers for row in options.rows for numbers in measure(models, options, row)]
    print(metrics.table([{k: three_digits(v) for k, v in row.items()} for row in rows], COLUMNS))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
