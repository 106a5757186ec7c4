"""Training photos and their fits.

They come from one of three kinds of folder, which `load_faces` tells apart:
- portraits: `fits.npz` and pictures aligned to the head model's frame (the whole picture is the frame);
- crops: `fits.npz` with a camera per picture (scale, translation);
- a packed set, as `python -m garface.training prepare` writes it: `images.npy` and a `fits.npz` that holds a `FaceSet`.
The first two have their pictures decoded once into uint8 arrays in a cache folder, memory-mapped from then on.
Command line: python -m garface.training.data --portraits DIR --crops DIR --cache DIR
"""
import argparse
import os
import zlib
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


@dataclass(frozen=True)
class Field:
    """The square part of the aligned frame that a network looks at, in the frame's NDC: half its side, and the height of its centre."""
    half: float = 1.0
    centre_y: float = 0.0

    def from_pixels(self, size):
        """2x3 affine from pixels of a picture of the field to the frame's NDC."""
        return compose_affine(np.array([[self.half, 0, 0], [0, self.half, self.centre_y]]), pixel_to_ndc(size))

    def to_pixels(self, points, size):
        """Points (x, y) [..., 2] in the frame's NDC -> pixels."""
        m = invert_affine(self.from_pixels(size))
        return points @ m[:, :2].T + m[:, 2]


WHOLE = Field()


def warped(picture, frame, size, border=cv2.BORDER_REPLICATE, field=WHOLE):
    """The field of the aligned frame of a picture, [size,size] or [size,size,3]; frame maps its NDC to pixels. Pre-filtered when it
    shrinks."""
    matrix = compose_affine(frame, field.from_pixels(size))
    shrink = np.hypot(matrix[0, 0], matrix[1, 0])
    if shrink > 1.2:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.4 * shrink)
    return cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border)


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
        raise FileNotFoundError(f"{path}: no such picture, or not readable as one")
    if size and picture.shape[0] != size:
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return picture if grey else picture[:, :, ::-1]


def fingerprint(*paths):
    """CRC-32 of the contents of files, one after the other; a folder counts as its fits.npz. 0 without any."""
    value = 0
    for path in paths:
        with open(fits_path(path) if os.path.isdir(path) else path, "rb") as f:
            while block := f.read(1 << 22):
                value = zlib.crc32(block, value)
    return value


def _cached(path, make, count):
    """The array in `path`, memory-mapped; `make()` gives it the first time."""
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = f"{path}.{os.getpid()}.tmp.npy"      # several processes may come here at once
        np.save(temporary, make())
        os.replace(temporary, path)
    pictures = np.load(path, mmap_mode="r")
    if len(pictures) != count:
        raise ValueError(f"{path} holds {len(pictures)} pictures, the fits are {count}: delete it or give another cache folder")
    return pictures


def _pictures(folder, count, size, grey, cache, name):
    """The decoded pictures of a folder, kept in the cache under a name that says whose they are."""
    path = os.path.join(cache, f"{name}_{fingerprint(folder):08x}.npy")
    inner = os.path.join(folder, "photos")
    inner = inner if os.path.isdir(inner) else folder
    return _cached(path, lambda: np.stack([_read(os.path.join(inner, f"{i:05d}.webp"), size, grey) for i in range(count)]),
                   count)


def _wide_identity(identity):
    return np.concatenate([identity, np.zeros((len(identity), 80 - identity.shape[1]))], 1).astype(np.float32)


def fits_path(folder):
    """Where the fits of a folder are; FileNotFoundError says what was expected there."""
    path = os.path.join(folder, "fits.npz")
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path} is missing: neither a folder of pictures with fits nor a packed set "
                                "(see python -m garface.training prepare)")
    return path


def is_packed(folder):
    return os.path.exists(os.path.join(folder, "images.npy"))


def save_packed(faces, folder, **more):
    """Write a `FaceSet` as a packed set; `more` arrays (a row per face, or settings) join its fits.npz."""
    os.makedirs(folder, exist_ok=True)
    fields = {k: getattr(faces, k) for k in faces.__dataclass_fields__ if k != "images"}
    rotation = rotation_matrix(faces.yaw, faces.pitch, np.zeros(len(faces))).astype(np.float32)
    np.savez(os.path.join(folder, "fits.npz"), rotation=rotation, half_mm=HALF_MM, centre_y_mm=CENTRE_Y_MM, **fields, **more)
    # The pictures come last: a folder with them is complete.
    temporary = os.path.join(folder, "images.tmp.npy")
    np.save(temporary, faces.images)
    os.replace(temporary, os.path.join(folder, "images.npy"))


def load_packed(folder, cache=None, size=None):
    """The `FaceSet` of a packed set; another `size` has its pictures resized once, into the cache folder (beside them
    without one)."""
    path = fits_path(folder)
    fits = np.load(path)
    images = np.load(os.path.join(folder, "images.npy"), mmap_mode="r")
    fields = {k: fits[k] for k in FaceSet.__dataclass_fields__ if k != "images"}
    if len(images) != len(fields["frames"]):
        raise ValueError(f"{folder}: {len(images)} pictures and {len(fields['frames'])} fits do not belong together")
    before = images.shape[1]
    if size and size != before:
        name = f"packed{size}_{fingerprint(path):08x}.npy"
        kind, source = cv2.INTER_AREA if size < before else cv2.INTER_LINEAR, images
        images = _cached(os.path.join(cache or folder, name),
                         lambda: np.stack([cv2.resize(p, (size, size), interpolation=kind) for p in source]), len(images))
        k = size / before
        fields["frames"] = k * fields["frames"] + np.array([[0, 0, (k - 1) / 2]] * 2)
        fields["landmarks"] = (k * fields["landmarks"] + (k - 1) / 2).astype(np.float32)
        fields["size"] = k * fields["size"]
    return FaceSet(images, **fields)


def is_aligned(faces):
    """Is every picture the aligned frame, as portraits are?"""
    side = faces.images.shape[1]
    middle = frame_to_picture(((side - 1) / 2,) * 2, side, 0.0)
    return bool(np.abs(faces.frames - middle).max() < 1e-3 * side)


def load_faces(folder, cache, size=PORTRAIT_SIZE):
    """The `FaceSet` of a folder of portraits, of crops, or of a packed set, by what is there.

    `size` [px] is that of aligned pictures; crops keep theirs. FileNotFoundError where there are no fits.
    """
    if is_packed(folder):
        faces = load_packed(folder)
        return load_packed(folder, cache, size) if is_aligned(faces) else faces
    return load_crops(folder, cache) if "scale" in np.load(fits_path(folder)).files else load_portraits(folder, cache, size)


def load_portraits(folder, cache, size=PORTRAIT_SIZE):
    """Colour portraits whose whole picture is the aligned frame (230 mm): a folder or a packed set of them."""
    if is_packed(folder):
        faces = load_packed(folder, cache, size)
        if not is_aligned(faces) or faces.images.ndim != 4:
            raise ValueError(f"{folder}: portraits are needed here, aligned and in colour")
        return faces
    fits = np.load(fits_path(folder))
    n = len(fits["rotation"])
    images = _pictures(folder, n, size, False, cache, f"portraits{size}")
    scale = size / FRAME_MM
    offset = np.einsum("nij,lj->nli", fits["rotation"], fits["landmark_offset_mm"])[..., :2] * [scale, -scale]
    landmarks = (fits["landmarks68"].astype(np.float64) + 0.5) * (size / 256) - 0.5 - offset
    yaw, pitch, roll = rotation_angles(fits["rotation"])
    middle = np.array([(size - 1) / 2] * 2)
    frames = np.broadcast_to(frame_to_picture(middle, size, 0.0), (n, 2, 3))
    return FaceSet(images, frames, np.zeros(n), np.full(n, float(size)), yaw, pitch, _wide_identity(fits["identity"]),
                   fits["expression"].astype(np.float32), landmarks.astype(np.float32), -1 - np.arange(n), np.arange(n))


def load_crops(folder, cache):
    """Crops with a weak-perspective camera each, pixel = s ((R p).x, -(R p).y) + t, grey in a folder; or a packed set."""
    if is_packed(folder):
        return load_packed(folder)
    fits = np.load(fits_path(folder))
    n = len(fits["rotation"])
    images = _pictures(folder, n, None, True, cache, "crops")
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


def main(argv=None):
    parser = argparse.ArgumentParser(description="Prepare the training pictures as uint8 arrays.")
    parser.add_argument("--portraits", required=True, help="folder with fits.npz and the aligned portraits")
    parser.add_argument("--crops", required=True, help="folder with fits.npz and the grey crops")
    parser.add_argument("--cache", required=True, help="folder for the arrays")
    arguments = parser.parse_args(argv)
    print(load_portraits(arguments.portraits, arguments.cache).images.shape)
    print(load_crops(arguments.crops, arguments.cache).images.shape)


if __name__ == "__main__":
    main()
