"""The head model fitted to the landmarks of photos by the library (weak perspective, no renderer).

The only module of the training that needs the C library.
"""
import concurrent.futures
import glob
import os
import sys
from dataclasses import dataclass

import cv2
import numpy as np

import garface

from .data import CENTRE_Y_MM, FRAME_MM, frame_to_picture, rotation_angles

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
INNER = slice(17, 68)


@dataclass
class PhotoFit:
    """One face of a photo: pixel = scale ((R p).x, -(R p).y) + translation for a model point p in mm."""
    photo: str
    rotation: np.ndarray        # [3,3], roll included
    scale: float                # px / mm
    translation: np.ndarray     # [2] px
    identity: np.ndarray        # [80]
    expression: np.ndarray      # [55]
    landmarks: np.ndarray       # [68,2] px, the model's own points
    residual_mm: float          # rms of the inner 51 points; nan where the library found the face
    index: int = 0              # number of the face in the list it comes from
    person: int = 0             # number of its photo among the list's

    def frame(self):
        """(2x3 map from the aligned frame's NDC to photo pixels, size [px of 230 mm], yaw, pitch, roll [rad])"""
        yaw, pitch, roll = rotation_angles(self.rotation)
        # The frame's centre lies 5 mm above the model's origin along the head's own (rolled) upright.
        centre = self.translation - np.array([np.sin(roll), np.cos(roll)]) * CENTRE_Y_MM * self.scale
        size = FRAME_MM * self.scale
        return frame_to_picture(centre, size, roll), size, yaw, pitch, roll


def read_points(path, first_pixel=0):
    """The 68 points of a .pts file, photo pixels with centres at integers from 0; ValueError says what is wrong."""
    with open(path) as f:
        text = f.read()
    inside = text.partition("{")[2].partition("}")[0]
    try:
        points = np.array(inside.split(), float).reshape(-1, 2)
    except ValueError:
        raise ValueError(f"{path}: expected pairs of numbers between {{ and }}") from None
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise ValueError(f"{path}: has {len(points)} points, expected 68 that are finite")
    return points - first_pixel


def read_photo(path):
    """uint8 [H,W,3] RGB; FileNotFoundError if there is none, ValueError if it cannot be decoded."""
    if not os.path.exists(path):
        raise FileNotFoundError(path)
    picture = cv2.imread(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)    # the points belong to the pixels as stored
    if picture is None:
        raise ValueError(f"{path}: cannot be read as a picture")
    return np.ascontiguousarray(picture[:, :, ::-1])


def list_faces(folder, landmarks=None, first_pixel=0):
    """[(path, points [68,2] or None)] of a folder.

    `landmarks` names an .npz with names [n] and landmarks [n,68,2]; without it FOLDER/landmarks68.npz, or else a .pts
    beside each photo. A photo without either is to be searched. ValueError where the folder holds no picture.
    """
    landmarks = landmarks or os.path.join(folder, "landmarks68.npz")
    if os.path.exists(landmarks):
        data = np.load(landmarks)
        names, points = [str(n) for n in data["names"]], data["landmarks"].astype(np.float64)
        if points.shape != (len(names), 68, 2):
            raise ValueError(f"{landmarks}: landmarks have shape {points.shape}, expected ({len(names)}, 68, 2)")
        return [(os.path.join(folder, n), p - first_pixel) for n, p in zip(names, points)]
    inner = os.path.join(folder, "photos")
    photos = sorted(p for p in glob.glob(os.path.join(inner if os.path.isdir(inner) else folder, "*"))
                    if p.lower().endswith(PICTURES))
    if not photos:
        raise ValueError(f"{folder}: holds no pictures ({', '.join(PICTURES)})")
    beside = [os.path.splitext(p)[0] + ".pts" for p in photos]
    return [(p, read_points(b, first_pixel) if os.path.exists(b) else None) for p, b in zip(photos, beside)]


def _camera(result):
    """(R [3,3], scale, translation [2]) of a result's weak-perspective camera."""
    camera = result.camera.astype(np.float64)
    scale = np.linalg.norm(camera[0, :3])
    x, y = camera[0, :3] / scale, -camera[1, :3] / scale
    return np.stack([x, y, np.cross(x, y)]), scale, camera[:2, 3]


def fit_face(path, points=None, offset=None, models=None):
    """Fit one face. `offset` [68,3] mm: where the detector that found `points` puts them, relative to the model's own; without
    it they are where people mark them."""
    photo = read_photo(path)
    result = garface.reconstruct(photo, models=models, renderer="landmarks", landmarks=points)
    rotation, scale, translation = _camera(result)
    if points is not None and offset is not None:
        own = points - (offset @ rotation.T)[:, :2] * [scale, -scale]
        # The library takes points as people mark them, and knows how far those are from its own on this face.
        result = garface.reconstruct(photo, models=models, renderer="landmarks", landmarks=own + result.landmarks - result.landmarks_static)
        rotation, scale, translation = _camera(result)
    fitted = result.landmarks_static.astype(np.float64)
    if points is None:
        own, residual = fitted, np.nan
    else:
        if offset is None:      # annotated jaws follow the visible contour, which is not fixed to the head
            own = np.concatenate([fitted[:17], (points + fitted - result.landmarks)[INNER]])
        residual = float(np.sqrt(np.square(own[INNER] - fitted[INNER]).sum(1).mean()) / scale)
    return PhotoFit(path, rotation, scale, translation, result.identity.copy(), result.expression.copy(), own, residual)


def fit_faces(faces, offset=None, threads=1, report=print):
    """The fits of [(path, points or None)], in order; what cannot be fitted is reported and left out."""
    models = garface.Models.default()
    photos = {path: k for k, path in enumerate(dict.fromkeys(path for path, _ in faces))}

    def one(face):
        try:
            return fit_face(*face, offset, models)
        except (garface.GarfaceError, OSError, ValueError) as problem:
            return problem
    fits = []
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for k, (face, found) in enumerate(zip(faces, pool.map(one, faces))):
            if isinstance(found, PhotoFit):
                found.index, found.person = k, photos[found.photo]
                fits.append(found)
            else:
                report(f"left out {os.path.basename(face[0])}: {found}", file=sys.stderr)
            if (k + 1) % 200 == 0:
                report(f"{k + 1} of {len(faces)} faces fitted", file=sys.stderr)
    return fits
