"""Training photos and their fits, prepared once into uint8 arrays.

A portrait folder holds `fits.npz` and pictures aligned to the head model's frame (the whole picture is the frame);
a crop folder holds `fits.npz` with a camera per picture. `prepare` writes memory-mappable arrays to a cache folder.
Command line: python -m garface.training.data --portraits DIR --crops DIR --cache DIR
"""
import argparse
import os
from dataclasses import dataclass

import cv2
import numpy as np

HALF_MM, CENTRE_Y_MM = 115.0, 5.0
FRAME_MM = 2 * HALF_MM
PORTRAIT_SIZE = 128


def rotation_angles(rotation):
    """yaw, pitch, roll [rad] of R = Rz(roll) Rx(-pitch) Ry(yaw); rotation [..., 3, 3]."""
    roll = np.arctan2(-rotation[..., 0, 1], rotation[..., 1, 1])
    pitch = np.arcsin(np.clip(-rotation[..., 2, 1], -1, 1))
    yaw = np.arctan2(-rotation[..., 2, 0], rotation[..., 2, 2])
    return yaw, pitch, roll


def rotation_matrix(yaw, pitch, roll):
    """R = Rz(roll) Rx(-pitch) Ry(yaw), [..., 3, 3]."""
    yaw, pitch, roll = np.broadcast_arrays(yaw, pitch, roll)
    zero, one = np.zeros_like(yaw, float), np.ones_like(yaw, float)

    def stack(*rows):
        return np.stack([np.stack(r, -1) for r in rows], -2)
    ry = stack((np.cos(yaw), zero, np.sin(yaw)), (zero, one, zero), (-np.sin(yaw), zero, np.cos(yaw)))
    rx = stack((one, zero, zero), (zero, np.cos(pitch), np.sin(pitch)), (zero, -np.sin(pitch), np.cos(pitch)))
    rz = stack((np.cos(roll), -np.sin(roll), zero), (np.sin(roll), np.cos(roll), zero), (zero, zero, one))
    return rz @ rx @ ry


def frame_to_picture(centre, size, roll):
    """2x3 affine from the aligned frame's NDC (x right, y up) to picture pixels (v down)."""
    c, s, h = np.cos(roll), np.sin(roll), size / 2
    return np.array([[h * c, -h * s, centre[0]], [-h * s, -h * c, centre[1]]], np.float64)


def invert_affine(m):
    a = np.linalg.inv(m[:, :2])
    return np.concatenate([a, -a @ m[:, 2:]], 1)


def compose_affine(outer, inner):
    """outer after inner."""
    return np.concatenate([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2:] + outer[:, 2:]], 1)


def pixel_to_ndc(size):
    """2x3 affine from pixels of a square picture (centres at integers) to its NDC."""
    return np.array([[2 / size, 0, 1 / size - 1], [0, -2 / size, 1 - 1 / size]], np.float64)


@dataclass
class FaceSet:
    """Pictures with what is known of the face in each. Geometry is in the aligned frame's NDC unless said otherwise."""
    images: np.ndarray          # [N,S,S,3] or [N,S,S] uint8
    frames: np.ndarray          # [N,2,3] aligned-frame NDC -> picture pixel (upright frame: roll in the matrix)
    roll: np.ndarray            # [N] rad
    size: np.ndarray            # [N] px of 230 mm
    yaw: np.ndarray
    pitch: np.ndarray
    identity: np.ndarray        # [N,80]
    expression: np.ndarray      # [N,55]
    landmarks: np.ndarray       # [N,68,2] picture pixels, moved to the model's own points
    person: np.ndarray          # [N] int
    index: np.ndarray           # [N] number of the source picture

    def subset(self, keep):
        return FaceSet(*(getattr(self, f)[keep] for f in self.__dataclass_fields__))

    def __len__(self):
        return len(self.images)


def _read(path, size, grey):
    picture = cv2.imread(path, cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(path)
    if size and picture.shape[0] != size:
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return picture if grey else picture[:, :, ::-1]


def _pictures(folder, count, size, grey, cache):
    if not os.path.exists(cache):
        inner = os.path.join(folder, "photos")
        inner = inner if os.path.isdir(inner) else folder
        pictures = np.stack([_read(os.path.join(inner, f"{i:05d}.webp"), size, grey) for i in range(count)])
        os.makedirs(os.path.dirname(cache), exist_ok=True)
        np.save(cache + ".tmp.npy", pictures)
        os.replace(cache + ".tmp.npy", cache)
    return np.load(cache, mmap_mode="r")


def _wide_identity(identity):
    return np.concatenate([identity, np.zeros((len(identity), 80 - identity.shape[1]))], 1).astype(np.float32)


def load_portraits(folder, cache, size=PORTRAIT_SIZE):
    """Colour portraits whose whole picture is the aligned frame (230 mm)."""
    fits = np.load(os.path.join(folder, "fits.npz"))
    n = len(fits["rotation"])
    images = _pictures(folder, n, size, False, os.path.join(cache, f"portraits{size}.npy"))
    scale = size / FRAME_MM
    offset = np.einsum("nij,lj->nli", fits["rotation"], fits["landmark_offset_mm"])[..., :2] * [scale, -scale]
    landmarks = (fits["landmarks68"].astype(np.float64) + 0.5) * (size / 256) - 0.5 - offset
    yaw, pitch, roll = rotation_angles(fits["rotation"])
    middle = np.array([(size - 1) / 2] * 2)
    frames = np.broadcast_to(frame_to_picture(middle, size, 0.0), (n, 2, 3))
    return FaceSet(images, frames, np.zeros(n), np.full(n, float(size)), yaw, pitch, _wide_identity(fits["identity"]),
                   fits["expression"].astype(np.float32), landmarks.astype(np.float32), -1 - np.arange(n), np.arange(n))


def load_crops(folder, cache):
    """Grey crops with a weak-perspective camera each: pixel = s ((R p).x, -(R p).y) + t."""
    fits = np.load(os.path.join(folder, "fits.npz"))
    n = len(fits["rotation"])
    images = _pictures(folder, n, None, True, os.path.join(cache, "crops144.npy"))
    rotation, scale = fits["rotation"].astype(np.float64), fits["scale"].astype(np.float64)
    offset = np.einsum("nij,lj->nli", rotation, fits["landmark_offset_mm"])[..., :2] * [1, -1] * scale[:, None, None]
    landmarks = fits["landmarks68"].astype(np.float64) - offset
    yaw, pitch, roll = rotation_angles(rotation)
    # The frame's centre lies 5 mm above the model's origin along the head's own (rolled) upright.
    up = np.stack([-np.sin(roll), -np.cos(roll)], 1) * CENTRE_Y_MM * scale[:, None]
    centre, size = fits["translation"] + up, FRAME_MM * scale
    frames = np.stack([frame_to_picture(c, s, r) for c, s, r in zip(centre, size, roll)])
    return FaceSet(images, frames, roll, size, yaw, pitch, _wide_identity(fits["identity"]),
                   fits["expression"].astype(np.float32), landmarks.astype(np.float32), fits["person"], np.arange(n))


def training_portraits(faces):
    """Every portrait but the test split (index % 15 == 7)."""
    return faces.subset(np.flatnonzero(faces.index % 15 != 7))


def training_crops(faces):
    """Every crop but the people held out for validation."""
    return faces.subset(np.flatnonzero(faces.person % 20 != 3))


def validation_crops(faces):
    return faces.subset(np.flatnonzero(faces.person % 20 == 3))


def main():
    parser = argparse.ArgumentParser(description="Prepare the training pictures as uint8 arrays.")
    parser.add_argument("--portraits", required=True, help="folder with fits.npz and the aligned portraits")
    parser.add_argument("--crops", required=True, help="folder with fits.npz and the grey crops")
    parser.add_argument("--cache", required=True, help="folder for the arrays")
    arguments = parser.parse_args()
    print(load_portraits(arguments.portraits, arguments.cache).images.shape)
    print(load_crops(arguments.crops, arguments.cache).images.shape)


if __name__ == "__main__":
    main()
