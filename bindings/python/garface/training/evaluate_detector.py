"""Measure the face detector: recall against false alarms on composed scenes.

Photos with 68 annotated points are pasted at 5 to 60 % of the scene's side, turned by up to 45 degrees, off centre, on
backgrounds that training never saw; face-free scenes count the false alarms. A detection is right when its centre is
within 0.25 of the true size and its size within a factor 1.5. The true frame comes from the head model fitted to the
annotation (`--fits`: npz with R [N,3,3], s [N], t [N,2]).
"""
import argparse
import os

import cv2
import numpy as np
import torch

from .data import FRAME_MM, CENTRE_Y_MM, compose_affine, frame_to_picture, invert_affine, rotation_angles
from .detect import detect
from .evaluate_inverse import read
from .export import load_network
from .normals import HeadModel
from .inverse_losses import Geometry
from .scenes import HELD_OUT_PICTURES, degrade, gradient, noise_texture, package_pictures, shapes, stripes


def annotated_frames(fits):
    """(centre [N,2], size [N], roll [N]) of fitted cameras."""
    rotation, scale = fits["R"], fits["s"]
    yaw, _, roll = rotation_angles(rotation)
    up = np.stack([-np.sin(roll), -np.cos(roll)], 1) * CENTRE_Y_MM * scale[:, None]
    return fits["t"] + up, FRAME_MM * scale, roll, yaw


def background(rng, pictures, height, width):
    r = rng.random()
    if r < 0.6:
        picture = pictures[rng.integers(len(pictures))]
        picture = np.repeat(picture[:, :, None], 3, 2) if picture.ndim == 2 else picture
        side = int(min(picture.shape[:2]) * rng.uniform(0.4, 1))
        y, x = (int(rng.integers(0, n - side + 1)) for n in picture.shape[:2])
        piece = cv2.resize(picture[y:y + side, x:x + side], (width, height), interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(piece[:, ::-1] if rng.random() < 0.5 else piece)
    side = max(height, width)
    made = [noise_texture, gradient, stripes][rng.integers(3)](rng, side)
    if rng.random() < 0.5:
        made = shapes(rng, side, made)
    return np.ascontiguousarray(made[:height, :width])


def compose(rng, canvas, photo, centre, size, roll):
    """Paste a whole photo so that its face covers 5 to 60 % of the scene: (scene, face frame)."""
    h, w = canvas.shape[:2]
    target = min(h, w) * np.exp(rng.uniform(np.log(0.05), np.log(0.6))) * 230 / 150      # a face is about 150 mm wide
    turn = np.radians(rng.uniform(-45, 45))
    place = np.array([rng.uniform(0.15, 0.85) * w, rng.uniform(0.15, 0.85) * h])
    goal = frame_to_picture(place, target, turn)
    matrix = compose_affine(goal, invert_affine(frame_to_picture(centre, size, roll)))
    shrink = size / target
    source = cv2.GaussianBlur(photo, (0, 0), 0.4 * shrink) if shrink > 1.3 else photo
    warped = cv2.warpAffine(source, matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(np.full(photo.shape[:2], 255, np.uint8), matrix, (w, h)).astype(np.float32)[..., None] / 255
    return (canvas * (1 - mask) + warped * mask).astype(np.uint8), np.array([*place, target, turn])


def right(face, truth):
    return (np.hypot(*(face[:2] - truth[:2])) < 0.25 * truth[2]) and abs(np.log(face[2] / truth[2])) < np.log(1.5)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", required=True, help="weight file (.safetensors)")
    parser.add_argument("--photos", required=True, help="folder with photos and landmarks68.npz")
    parser.add_argument("--fits", required=True, help="fits to the annotation (.npz)")
    parser.add_argument("--network", help="inverse network: its face logit, after two passes, confirms each detection")
    parser.add_argument("--head", help="head model (.npz), with --network")
    parser.add_argument("--least", type=float, default=0.8, help="least face probability, with --network")
    parser.add_argument("--scenes", type=int, default=337)
    parser.add_argument("--empty", type=int, default=200, help="face-free scenes")
    parser.add_argument("--sheet", help="write a picture of detections here")
    parser.add_argument("--seed", type=int, default=5)
    a = parser.parse_args(argv)
    torch.set_num_threads(1)
    network, rng = load_network(a.detector, "face-detector"), np.random.default_rng(a.seed)
    names = [str(n) for n in np.load(os.path.join(a.photos, "landmarks68.npz"))["names"]]
    centre, size, roll, yaw = annotated_frames(np.load(a.fits))
    pictures = package_pictures(HELD_OUT_PICTURES)
    inverse = load_network(a.network, "inverse-network") if a.network else None
    geometry = Geometry(HeadModel(a.head)) if a.network else None

    least = np.log(a.least / (1 - a.least))

    def confirmed(scene, faces):
        if inverse is None:
            return faces
        kept = [f for f in faces if read(inverse, geometry, scene, frame_to_picture(f[:2], f[2], f[3]), 2)[-1][2] > least]
        return np.array(kept).reshape(-1, 5)
    low, hits, others, shown, errors = 0.2, [], [], [], []
    for k in range(a.scenes):
        i = k % len(names)
        photo = cv2.imread(os.path.join(a.photos, names[i]))[:, :, ::-1]
        h, w = [(480, 640), (480, 480), (600, 450)][rng.integers(3)]
        scene, truth = compose(rng, background(rng, pictures, h, w), np.ascontiguousarray(photo), centre[i], size[i], roll[i])
        if rng.random() < 0.5:
            scene = degrade(rng, scene, 0.6)
        faces = confirmed(scene, detect(network, scene, low))
        good = [f for f in faces if right(f, truth)]
        best = max(good, key=lambda f: f[4]) if good else None
        hits.append((best[4] if good else 0.0, abs(np.degrees(yaw[i])), truth[2] / min(h, w)))
        if good:
            turn = (best[3] - truth[3] + np.pi) % (2 * np.pi) - np.pi
            errors.append((np.hypot(*(best[:2] - truth[:2])) / truth[2], abs(np.log(best[2] / truth[2])), abs(np.degrees(turn))))
        # a face beside the annotated one is no false alarm: count only what lies outside the pasted photo's face region
        others += [f[4] for f in faces if np.hypot(*(f[:2] - truth[:2])) > 1.6 * truth[2]]
        if k % 14 == 0 and len(shown) < 24:
            shown.append(draw(scene, faces, truth))
    alarms = []
    for k in range(a.empty):
        h, w = [(480, 640), (480, 480), (600, 450)][rng.integers(3)]
        scene = background(rng, pictures, h, w)
        if rng.random() < 0.5:
            scene = degrade(rng, scene, 0.6)
        faces = confirmed(scene, detect(network, scene, low))
        alarms += [f[4] for f in faces]
        if len(faces) and faces[0, 4] > 0.3 and len(shown) < 32:
            shown.append(draw(scene, faces, None))
    hits, alarms, others = np.array(hits), np.array(alarms), np.array(others)
    print("threshold  recall %   false alarms per empty scene   detections far from the face per scene")
    for t in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        print(f"{t:9.1f} {100 * (hits[:, 0] > t).mean():9.1f} {(alarms > t).sum() / a.empty:17.3f} "
              f"{(others > t).sum() / a.scenes:25.3f}")
    for name, mask in (("yaw < 30", hits[:, 1] < 30), ("yaw >= 30", hits[:, 1] >= 30), ("size < 15 %", hits[:, 2] < 0.15),
                       ("size 15-40 %", (hits[:, 2] >= 0.15) & (hits[:, 2] < 0.4)), ("size >= 40 %", hits[:, 2] >= 0.4)):
        print(f"recall at 0.5, {name}: {100 * (hits[mask, 0] > 0.5).mean():.1f} % of {mask.sum()}")
    e = np.array(errors)
    print("median errors of right detections: centre %.3f sizes, size %.1f %%, roll %.1f deg" % (
        np.median(e[:, 0]), 100 * np.median(e[:, 1]), np.median(e[:, 2])))
    if a.sheet:
        while len(shown) % 8:
            shown.append(np.zeros((240, 240, 3), np.uint8))
        cv2.imwrite(a.sheet, np.vstack([np.hstack(shown[k:k + 8]) for k in range(0, len(shown), 8)])[:, :, ::-1])


def draw(scene, faces, truth, side=240):
    """The scene with the true frame (green) and detections (yellow above one half, red below), top edge thick."""
    canvas, k = np.ascontiguousarray(scene), side / max(scene.shape[:2])
    boxes = ([(truth, (0, 255, 0))] if truth is not None else []) + [
        (f, (255, 255, 0) if f[4] > 0.5 else (255, 0, 0)) for f in faces if f[4] > 0.2]
    for box, colour in boxes:
        m = frame_to_picture(box[:2], box[2], box[3])
        q = [(m[:, :2] @ np.array(c) + m[:, 2]).round().astype(int).tolist() for c in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        cv2.polylines(canvas, [np.array(q, np.int32)], True, colour, 2)
        cv2.line(canvas, q[2], q[3], colour, 5)
    small = cv2.resize(canvas, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
    out = np.zeros((side, side, 3), np.uint8)
    out[:small.shape[0], :small.shape[1]] = small[:side, :side]
    return out


if __name__ == "__main__":
    main()
