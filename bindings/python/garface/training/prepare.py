"""Make a packed set for training out of a folder of photos.

What FOLDER may hold, in this order:
- fits.npz (see garface.training.data): taken as they are;
- landmarks68.npz (names [n], landmarks [n,68,2] in photo pixels), or the file given with --landmarks;
- a .pts file with 68 points beside each photo;
- photos alone: the library finds the largest face of each.
Without fits the library fits the head model to the points (weak perspective), and the photos are warped to the aligned
frame: roll, scale and shift removed. A face keeps its number in the list (`index`) and that of its photo (`person`), whichever
others are left out: what is held out for tests stays held out. OUT gets images.npy, fits.npz and overlay.png, 64 fits on their
photos: look at it before any long training.
"""
import argparse
import os
import shutil

import cv2
import numpy as np

from .data import (FaceSet, compose_affine, frame_to_picture, invert_affine, is_aligned, load_faces, load_packed,
                   pixel_to_ndc, save_packed, warped)
from .overlay import report


def align(photo, frame, size):
    """(aligned picture [size,size,3], 2x3 map from its pixels to the photo's); continued by mirroring beside the photo."""
    matrix = compose_affine(frame, pixel_to_ndc(size))
    return warped(photo, frame, size, cv2.BORDER_REFLECT_101), matrix


def grey(picture):
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def _face_set(fits, images, frames, landmarks, size, roll):
    _, _, yaw, pitch, _ = zip(*(f.frame() for f in fits))
    return FaceSet(np.stack(images), np.stack(frames), np.array(roll), np.array(size, float), np.array(yaw), np.array(pitch),
                   np.stack([f.identity for f in fits]).astype(np.float32),
                   np.stack([f.expression for f in fits]).astype(np.float32), np.stack(landmarks).astype(np.float32),
                   np.array([f.person for f in fits]), np.array([f.index for f in fits]))


def aligned_set(fits, read, size, in_grey):
    """(`FaceSet` of pictures warped to the aligned frame, the maps to their photos [N,2,3], the photos' (h, w) [N,2])"""
    images, maps, landmarks, extents = [], [], [], []
    for fit in fits:
        photo = read(fit.photo)
        picture, to_photo = align(photo, fit.frame()[0], size)
        back = invert_affine(to_photo)
        images.append(grey(picture) if in_grey else picture)
        maps.append(to_photo)
        landmarks.append(fit.landmarks @ back[:, :2].T + back[:, 2])
        extents.append(photo.shape[:2])
    middle, n = ((size - 1) / 2,) * 2, len(fits)
    frames = [frame_to_picture(middle, size, 0.0)] * n
    return _face_set(fits, images, frames, landmarks, [size] * n, np.zeros(n)), np.stack(maps), np.array(extents)


def unaligned_set(fits, read, in_grey):
    """`FaceSet` of the pictures as they are, with a camera each; ValueError unless they are squares of one size."""
    images = [grey(read(f.photo)) if in_grey else read(f.photo) for f in fits]
    shapes = {i.shape[:2] for i in images}
    if len(shapes) > 1 or len(set(next(iter(shapes)))) > 1:
        raise ValueError(f"unaligned pictures have to be squares of one size, here they are (h, w) {sorted(shapes)[:5]}")
    frames, size, _, _, roll = zip(*(f.frame() for f in fits))
    return _face_set(fits, images, frames, [f.landmarks for f in fits], size, roll)


def from_fits(a):
    """The `FaceSet` of a folder with fits; its pictures are decoded into a folder in OUT that is removed afterwards."""
    scratch = os.path.join(a.out, "decoded")
    faces = load_faces(a.folder, scratch, a.size)
    if a.grey and faces.images.ndim == 4:
        faces.images = np.stack([grey(np.ascontiguousarray(p)) for p in faces.images])
    save_packed(faces.subset(slice(0, a.limit)), a.out)
    shutil.rmtree(scratch, ignore_errors=True)


def from_photos(a):
    from .photo_fits import fit_faces, list_faces, read_photo
    offset = np.load(a.landmark_offset)["landmark_offset_mm"].astype(np.float64) if a.landmark_offset else None
    if offset is not None and offset.shape != (68, 3):
        raise ValueError(f"{a.landmark_offset}: landmark_offset_mm has shape {offset.shape}, expected (68, 3)")
    listed = list_faces(a.folder, a.landmarks, a.landmarks_origin)[:a.limit]
    fits = fit_faces(listed, offset, a.threads)
    sound = [f for f in fits if not f.residual_mm > a.max_residual]      # nan: found by the library, kept
    print(f"{len(listed)} faces listed, {len(fits)} fitted, {len(fits) - len(sound)} left out because their points lie more "
          f"than {a.max_residual} mm (rms) off the model")
    if not sound:
        raise ValueError(f"{a.folder}: no face is left")
    more = {"names": np.array([os.path.basename(f.photo) for f in sound]),
            "residual_mm": np.array([f.residual_mm for f in sound], np.float32)}
    if a.unaligned:
        faces = unaligned_set(sound, read_photo, a.grey)
    else:
        faces, more["to_source"], more["source_size"] = aligned_set(sound, read_photo, a.size, a.grey)
    save_packed(faces, a.out, **more)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="the photos")
    parser.add_argument("--out", required=True, help="folder of the packed set")
    parser.add_argument("--landmarks", help=".npz with names and landmarks; default FOLDER/landmarks68.npz where it exists")
    parser.add_argument("--landmarks-origin", type=int, choices=(0, 1), default=0,
                        help="what the first pixel's centre is in the points: 0, or 1 as in 300-W")
    parser.add_argument("--landmark-offset", help=".npz with landmark_offset_mm [68,3]: where the detector that found the "
                                                  "points puts them relative to the model's own, mm in model space")
    parser.add_argument("--size", type=int, default=256, help="side of the aligned pictures")
    parser.add_argument("--grey", action="store_true", help="keep luminance only")
    parser.add_argument("--unaligned", action="store_true",
                        help="keep the pictures as they are, with a camera each: for tight square crops of one size, which "
                             "would leave the aligned frame half empty")
    parser.add_argument("--max-residual", type=float, default=4.0, help="leave out faces whose inner points fit worse, mm rms")
    parser.add_argument("--threads", type=int, default=1, help="faces fitted at a time")
    parser.add_argument("--limit", type=int, help="only the first so many faces")
    parser.add_argument("--head", help="head model (.npz) for the overlay; without it that of the C library")
    a = parser.parse_args(argv)
    if not os.path.isdir(a.folder):
        raise ValueError(f"{a.folder}: no such folder")
    if os.path.realpath(a.folder) == os.path.realpath(a.out):
        raise ValueError(f"{a.out}: the packed set needs a folder of its own")
    from_fits(a) if os.path.exists(os.path.join(a.folder, "fits.npz")) else from_photos(a)
    faces = load_packed(a.out)
    kind = "aligned" if is_aligned(faces) else "unaligned"
    print(f"{a.out}: {len(faces)} {kind} pictures {faces.images.shape[1:]}")
    report(faces, os.path.join(a.out, "overlay.png"), a.head)


if __name__ == "__main__":
    main()
