"""The same annotated faces in larger scenes, and scenes without a face: finding and landmark error of the library.

    python -m garface.evaluation.scenes FOLDER [--scenes 337] [--empty 200]

FOLDER as for ``garface.evaluation.photos``. Each photo is pasted on a background that training never saw: the face 5
to 60 % of the scene's side, off centre, turned by up to 45 degrees. A missed face counts as a failure. Needs the extra
``[train]`` and the packages scikit-image and scikit-learn, whose sample pictures serve as backgrounds.
"""
from __future__ import annotations

import argparse
import json

import numpy as np

import garface
from garface.evaluation import metrics
from garface.evaluation.arguments import at_least, output_file
from garface.evaluation.photos import FITS, annotated_folder


def face_frame(head: garface.HeadModel, points: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Centre, side (px of the 230 mm square) and roll of the mean head placed on 68 points by least squares."""
    mean = head.landmarks_contour(head.evaluate(), 0, 0, 0)[:, :2] * [1, -1]
    r, t, s = metrics.rigid_alignment(mean, points, scale=True)
    return s * r @ np.array([0.0, -5.0]) + t, 230 * s, -float(np.arctan2(r[1, 0], r[0, 0]))


def place(points: np.ndarray, source: tuple, target: np.ndarray) -> np.ndarray:
    """Points moved from one face frame (centre, size, roll) to another."""
    centre, size, roll = source
    turn, k = target[3] - roll, target[2] / size
    # Roll is counter-clockwise as seen, v points down.
    r = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return k * (points - centre) @ r.T + target[:2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=annotated_folder)
    parser.add_argument("--scenes", type=at_least(1), default=337)
    parser.add_argument("--empty", type=at_least(0), default=200)
    parser.add_argument("--renderer", default="landmarks", choices=FITS, help="default: landmarks (quick)")
    parser.add_argument("--seed", type=at_least(0), default=6)
    parser.add_argument("--json", type=output_file)
    options = parser.parse_args()
    import cv2
    from garface.training import evaluate_detector, scenes

    models, head, rng = garface.Models(), garface.HeadModel(), np.random.default_rng(options.seed)
    data = np.load(options.folder / "landmarks68.npz")
    pictures = scenes.package_pictures(scenes.HELD_OUT_PICTURES)
    sizes = [(480, 640), (480, 480), (600, 450), (960, 1280)]
    errors, missed, wrong, alarms = [], 0, 0, 0
    for k in range(options.scenes):
        i = k * 7 % len(data["names"])
        photo = np.ascontiguousarray(cv2.imread(str(options.folder / str(data["names"][i])))[:, :, ::-1])
        points = data["landmarks"][i].astype(float)
        frame = face_frame(head, points)
        h, w = sizes[rng.integers(len(sizes))]
        scene, truth = evaluate_detector.compose(rng, evaluate_detector.background(rng, pictures, h, w), photo, *frame)
        if rng.random() < 0.5:
            scene = scenes.degrade(rng, scene, 0.6)
        target = place(points, frame, truth)
        try:
            result = garface.reconstruct(np.ascontiguousarray(scene), models=models, renderer=options.renderer)
        except garface.NoFaceError:
            missed += 1
            continue
        error = metrics.interocular_nme(result.landmarks, target)
        wrong += error > 100
        errors.append(error)
    for _ in range(options.empty):
        h, w = sizes[rng.integers(len(sizes))]
        scene = evaluate_detector.background(rng, pictures, h, w)
        try:
            garface.reconstruct(np.ascontiguousarray(scene), models=models, renderer="start")
            alarms += 1
        except garface.NoFaceError:
            pass
    row = {
        "row": options.renderer, **metrics.summary(np.array(errors), missed=missed), "elsewhere": int(wrong),
        "recall %": 100 * (1 - (missed + wrong) / options.scenes), "false alarms %": 100 * alarms / max(1, options.empty),
    }
    print(metrics.table([row], [
        "row", "count", "missed", "elsewhere", "recall %", "false alarms %", "median", "mean", "failures_percent"]))
    if options.json:
        options.json.write_text(json.dumps(row, indent=1))


if __name__ == "__main__":
    main()
