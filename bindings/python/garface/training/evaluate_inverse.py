"""Measure the inverse network on photos with 68 annotated points: interocular error of both kinds of landmarks.

Crops start from the box of the annotation, jittered (scale 10 %, shift 8 % of the frame, upright), or from the face
detector (`--detector`): the detection nearest to the face. Each pass reads the crop, moves the frame by the predicted
pose and reads again. Reported: median, mean and failures (> 10 %) of all 68 and of the inner 51 points, for the landmark
head and for the projected model points.
"""
import argparse
import os

import cv2
import numpy as np
import torch

from .crops import aligned_frame
from .data import compose_affine, frame_to_picture, warped
from .detect import detect
from .export import load_network
from .normals import HeadModel
from .inverse_losses import Geometry, interocular


def crop(photo, frame, network):
    """What the network looks at, [1,3,S,S] in [-1,1]; frame maps aligned NDC to photo pixels."""
    picture = warped(photo, frame, network.description["input_size"], field=network.field)
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1


def read(network, geometry, photo, frame, passes):
    """Per pass (landmarks, projected landmarks) in photo pixels and the face logit; if the file has a close-up network, its reading comes
    after, and the mean of the last two. (The library's projected points are those of the mean coefficients.)"""
    close_up = network.close_up
    found, readers = [], [network] * passes + [close_up] * bool(close_up)
    for reader in readers:
        with torch.no_grad():
            out = reader(crop(photo, frame, reader))
            projected = geometry.project(out["identity"], out["expression"], out["pose"])[0].numpy()
        direct = out["landmarks"][0].numpy().reshape(68, 2)
        found.append([p @ frame[:, :2].T + frame[:, 2] for p in (direct, projected)] + [float(out["face"]) if "face" in out else found[-1][2]])
        frame = compose_affine(frame, aligned_frame(out["pose"][0].numpy()))
    if close_up:
        found.append([(a + b) / 2 for a, b in zip(*found[-2:])])
    return found


def box_frame(points, head, rng):
    """The aligned frame guessed from the annotation's box, jittered, without roll."""
    mean = head.landmark_mean[:, :2]
    low, high = mean.min(0), mean.max(0)
    size = 230 * np.mean(np.ptp(points, axis=0) / (high - low))
    middle = (points.max(0) + points.min(0)) / 2
    offset = (np.array([0, 5.0]) - (low + high) / 2) * [1, -1] * size / 230
    size *= np.exp(rng.uniform(-0.1, 0.1))
    return frame_to_picture(middle + offset + rng.uniform(-0.08, 0.08, 2) * size, size, 0.0)


def summary(name, found, truth):
    for what, index in (("landmark head", 0), ("projected model", 1)):
        points = np.stack([f[index] for f in found])
        whole, inner = (100 * e for e in interocular(points, truth))
        print(f"{name:28s} {what:16s} 68: median {np.median(whole):5.2f} mean {whole.mean():5.2f} "
              f"failures {100 * (whole > 10).mean():4.1f} %   51: median {np.median(inner):5.2f} mean {inner.mean():5.2f} "
              f"failures {100 * (inner > 10).mean():4.1f} %")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", required=True, help="weight file of the inverse network")
    parser.add_argument("--head", required=True, help="head model (.npz)")
    parser.add_argument("--photos", required=True, help="folder with photos and landmarks68.npz")
    parser.add_argument("--detector", help="weight file of the face detector")
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--count", type=int, default=10 ** 6)
    parser.add_argument("--sheet", help="write a picture of results here")
    a = parser.parse_args(argv)
    torch.set_num_threads(1)
    network, head, rng = load_network(a.network, "inverse-network"), HeadModel(a.head), np.random.default_rng(0)
    geometry = Geometry(head)
    data = np.load(os.path.join(a.photos, "landmarks68.npz"))
    step = max(1, len(data["names"]) // a.count)
    photos, truth = [str(n) for n in data["names"]][::step], data["landmarks"][::step].astype(np.float64)
    detector = load_network(a.detector, "face-detector") if a.detector else None
    results, by_detector, matched, shown = [], [], [], []
    for name, points in zip(photos, truth):
        photo = np.ascontiguousarray(cv2.imread(os.path.join(a.photos, name))[:, :, ::-1])
        results.append(read(network, geometry, photo, box_frame(points, head, rng), a.passes))
        if len(shown) < 40:
            shown.append(draw(photo, points, *results[-1][-1][:2]))
        if detector is None:
            continue
        faces = detect(detector, photo, 0.3)
        middle, extent = points.mean(0), np.ptp(points, axis=0).mean()
        near = [f for f in faces if np.hypot(*(f[:2] - middle)) < 0.6 * extent and 0.6 < f[2] / (1.6 * extent) < 1.7]
        if near:
            best = max(near, key=lambda f: f[4])
            by_detector.append(read(network, geometry, photo, frame_to_picture(best[:2], best[2], best[3]), a.passes))
            matched.append(points)
    names = [f"pass {k + 1}" for k in range(a.passes)] + ["close-up", "mean"] * bool(network.close_up)
    for k, name in enumerate(names):
        summary(f"annotation box, {name}", [r[k] for r in results], truth)
    if detector is not None:
        print(f"detector finds {len(matched)} of {len(truth)} faces at threshold 0.3")
        for k, name in enumerate(names):
            summary(f"detector, {name}", [r[k] for r in by_detector], np.stack(matched))
    print(f"face logit positive: {100 * np.mean([r[-1][2] > 0 for r in results]):.1f} %")
    if a.sheet:
        shown = shown[:len(shown) // 8 * 8]
        cv2.imwrite(a.sheet, np.vstack([np.hstack(shown[k:k + 8]) for k in range(0, len(shown), 8)])[:, :, ::-1])


def draw(photo, truth, direct, projected, side=220):
    """Annotation green, landmark head yellow, projected model red, cropped to the face."""
    low, extent = truth.min(0), np.ptp(truth, axis=0).max()
    matrix = np.array([[side / (1.5 * extent), 0, 0], [0, side / (1.5 * extent), 0]])
    matrix[:, 2] = -matrix[:, :2] @ (low - 0.25 * extent)
    canvas = np.ascontiguousarray(cv2.warpAffine(photo, matrix, (side, side)))
    for points, colour in ((truth, (0, 255, 0)), (projected, (255, 0, 0)), (direct, (255, 255, 0))):
        for p in points @ matrix[:, :2].T + matrix[:, 2]:
            cv2.circle(canvas, [int(round(v)) for v in p], 1, colour, -1)
    return canvas


if __name__ == "__main__":
    main()
