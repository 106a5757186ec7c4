"""The arrays that GAR is trained on, made once into a folder of .npy files.

x, n, l      portraits: photo uint8 [N,3,S,S], fitted normals int8 [N,3,S,S] (127 = 1), model's landmarks NDC [N,68,2]
t, tn, tl, ts  portraits and crops turned, reshaped and re-expressed (`turned`): yaw, mouths and eyes beyond the photos;
             ts int64 [N]: of which portrait, or -1 - that of the crop
c, cn, cl, cm  grey crops in the aligned frame: luminance uint8 [N,1,S,S], and where the crop is uint8 [N,1,S,S] (0 or 1)
n2, l2       normals mixed from the fits: near enough to the photos for the discriminator to judge the render
n3, l3       normals beyond the photos; neighbours 2k, 2k + 1 share identity
A file made_of.json beside them keeps, for each group, size, counts and fingerprints of what it was made of.
"""
import functools
import json
import multiprocessing
import os

import cv2
import numpy as np
import torch

from .._landmarks import LANDMARK_SWAP
from .data import (CENTRE_Y_MM, HALF_MM, compose_affine, fingerprint, load_crops, load_portraits, pixel_to_ndc, rotation_matrix,
                   training_crops, training_portraits, warped)
from .eyelids import shut_eyes_repeated
from .normals import HeadModel
from .renders import GeometrySampler

NAMES = {"portraits": ("x", "n", "l"), "turned": ("t", "tn", "tl", "ts"), "crops": ("c", "cn", "cl", "cm"),
         "mixed": ("n2", "l2"), "wide": ("n3", "l3")}


@functools.lru_cache(maxsize=1)
def head_model(file):
    """The head model of a file, read once in a process."""
    return HeadModel(file)


def _maps(task):
    head_file, identity, expression, rotation, size = task
    return head_model(head_file).normal_maps(identity, expression, rotation, size)


def geometry_maps(head_file, identity, expression, yaw, pitch, size, batch=64):
    """(normal maps int8 [N,3,S,S], landmarks float32 [N,68,2] in NDC) of posed heads; made on all cores."""
    identity, expression = np.asarray(identity, np.float32), np.asarray(expression, np.float32)
    rotation, head = rotation_matrix(yaw, pitch, np.zeros(len(identity))), head_model(head_file)
    tasks = [(head_file, *(v[i:i + batch] for v in (identity, expression, rotation)), size) for i in range(0, len(identity), batch)]
    with multiprocessing.get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
        maps = pool.map(_maps, tasks, chunksize=1)
    points = np.einsum("nij,nlj->nli", rotation, head.landmarks(identity, expression))[..., :2]
    return np.concatenate(maps), ((points - [0, CENTRE_Y_MM]) / HALF_MM).astype(np.float32)


def shrink(pictures, size):
    """[N,s,s,3] -> [N,3,size,size]"""
    return np.stack([cv2.resize(p, (size, size), interpolation=cv2.INTER_AREA) for p in pictures]).transpose(0, 3, 1, 2)


def aligned_crops(faces, size):
    """Grey crops warped to the aligned frame, and where the crop reaches: [N,1,S,S] each."""
    pictures, inside = (np.empty((len(faces), 1, size, size), np.uint8) for _ in range(2))
    for i, (picture, frame) in enumerate(zip(faces.images, faces.frames)):
        matrix = compose_affine(frame, pixel_to_ndc(size))
        pictures[i, 0] = warped(picture, frame, size)
        inside[i, 0] = cv2.warpAffine(np.ones_like(picture), matrix, (size, size), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    return pictures, inside


def wanted_groups(crops, turned):
    return ["portraits", "mixed", "wide"] + ["turned"] * bool(turned) + ["crops"] * bool(crops)


class Record:
    """What the groups of a folder were made of: {group: {what: number}} in made_of.json."""

    def __init__(self, folder):
        self.folder, self.path, self.groups = folder, os.path.join(folder, "made_of.json"), {}
        if os.path.exists(self.path):
            with open(self.path) as f:
                self.groups = json.load(f)

    def missing(self, group, inputs):
        """Is the group still to be made? ValueError where it is there, but was made of anything else."""
        if not all(os.path.exists(os.path.join(self.folder, f"{name}.npy")) for name in NAMES[group]):
            return True
        before = self.groups.get(group)
        if before != inputs:
            why = "does not say what it was made of" if before is None else (
                f"was made of other inputs ({', '.join(k for k in inputs | before if inputs.get(k) != before.get(k))})")
            raise ValueError(f"{self.folder} {why}: delete this folder or give another --out")
        return False

    def write(self, group, inputs, *arrays):
        paths = [os.path.join(self.folder, f"{name}.npy") for name in NAMES[group]]
        for path in filter(os.path.exists, paths):      # the rest of an earlier attempt
            os.remove(path)
        for path, array in zip(paths, arrays):
            np.save(path + ".part.npy", array)
            os.replace(path + ".part.npy", path)
        self.groups[group] = inputs
        with open(self.path + ".part", "w") as f:
            json.dump(self.groups, f, indent=1)
        os.replace(self.path + ".part", self.path)


def inputs_of(size, head_file, portraits, crops, turned, views_of_crops, mixed, wide):
    """{group: what it is made of}: size, counts and the fingerprints of files."""
    head, photos = {"size": size, "head": fingerprint(head_file)}, {"portraits": fingerprint(portraits)}
    grey = {"crops": fingerprint(crops)} if crops else {}
    return {"portraits": head | photos, "mixed": head | photos | {"mixed": mixed}, "wide": head | photos | {"wide": wide},
            "turned": head | photos | {"turned": fingerprint(*turned)} | (grey if views_of_crops else {}), "crops": head | grey}


def prepare(folder, size, head_file, portraits, cache, crops=None, turned=(), mixed=3000, wide=4000):
    """Write the arrays that `folder` lacks; `portraits`, `crops`: see `data`; `turned`: files of `turned`.

    ValueError where the folder holds arrays made of anything else.
    """
    files = [np.load(path) for path in turned]
    if not all("source" in f.files for f in files):
        raise ValueError(f"{', '.join(turned)}: made before views said which photo they show: make them anew (`turned`)")
    views_of_crops = any(f["grey"] for f in files)
    if views_of_crops and not crops:
        raise ValueError(f"{', '.join(turned)}: views of grey crops need the crops as well (--crops)")
    inputs = inputs_of(size, head_file, portraits, crops, turned, views_of_crops, mixed, wide)
    record = Record(folder)
    lacking = [group for group in wanted_groups(crops, turned) if record.missing(group, inputs[group])]
    if not lacking:
        return
    os.makedirs(folder, exist_ok=True)

    def write(group, *arrays):
        record.write(group, inputs[group], *arrays)
    head, rng = head_model(head_file), np.random.default_rng(0)
    faces = training_portraits(load_portraits(portraits, cache, max(size, 64)))
    sampler, count = GeometrySampler(faces, head.expression_names), len(faces)
    if "portraits" in lacking:
        write("portraits", shrink(faces.images, size),
              *geometry_maps(head_file, faces.identity, faces.expression, faces.yaw, faces.pitch, size))
    if "mixed" in lacking:
        i, j, k = rng.integers(0, count, (3, mixed))
        expression = np.clip(faces.expression[j] * rng.uniform(0.5, 1.4, (mixed, 1)), 0, 1)
        write("mixed", *geometry_maps(head_file, faces.identity[i] * rng.uniform(1, 1.8, (mixed, 1)), expression,
                                      faces.yaw[k] + np.radians(rng.normal(0, 6, mixed)), faces.pitch[k], size))
    if "wide" in lacking:
        drawn = [sampler.sample(rng) for _ in range(wide)]
        identity, expression, yaw, pitch = (np.array(v, np.float32) for v in zip(*drawn))
        identity[1::2] = identity[0::2]
        write("wide", *geometry_maps(head_file, identity, expression, yaw, pitch, size))
    if "turned" in lacking:
        views = {k: np.concatenate([f[k] for f in files]) for k in ("image", "identity", "expression", "yaw", "pitch")}
        write("turned", shrink(views["image"], size),
              *geometry_maps(head_file, views["identity"], views["expression"], views["yaw"], views["pitch"], size),
              np.concatenate([-1 - f["source"].astype(np.int64) if f["grey"] else f["source"].astype(np.int64) for f in files]))
    if "crops" in lacking:
        grey = training_crops(load_crops(crops, cache))
        grey = grey.subset(shut_eyes_repeated(head.landmarks(grey.identity, grey.expression)))
        pictures, inside = aligned_crops(grey, size)
        write("crops", pictures, *geometry_maps(head_file, grey.identity, grey.expression, grey.yaw, grey.pitch, size), inside)


class Material:
    """The arrays of a folder's groups as batches of tensors, each sample mirrored or not. On a GPU they lie in its memory."""

    def __init__(self, folder, device, groups=tuple(NAMES)):
        self.device = torch.device(device)
        self.store = self.device if self.device.type == "cuda" else torch.device("cpu")
        self.arrays = {name: torch.from_numpy(np.load(os.path.join(folder, f"{name}.npy"), mmap_mode="c")).to(self.store)
                       for group in groups for name in NAMES[group] if os.path.exists(os.path.join(folder, f"{name}.npy"))}

    def has(self, group):
        return NAMES[group][0] in self.arrays

    def batch(self, group, index, mirrored):
        """The samples `index` of a group in the order of `NAMES`, mirrored where `mirrored` is true; floats, photos in [-1,1]."""
        out = []
        for name in NAMES[group]:
            values, flip = self.arrays[name][index.to(self.store)].to(self.device), mirrored[(...,) + (None,) * 3]
            if name == "ts":
                out.append(values)
                continue
            if name in ("l", "tl", "cl", "l2", "l3"):
                other = values[:, torch.from_numpy(LANDMARK_SWAP).to(values.device)] * values.new_tensor([-1, 1])
                out.append(torch.where(flip[..., 0], other, values))
                continue
            if name in ("x", "t", "c"):
                values = values.float() / 127.5 - 1
                other = values.flip(3)
            elif name == "cm":
                values = values.float()
                other = values.flip(3)
            else:
                values = values.float() / 127
                other = values.flip(3) * values.new_tensor([-1, 1, 1])[:, None, None]
            out.append(torch.where(flip, other, values).contiguous(memory_format=torch.channels_last))
        return out

    def draw_turned(self, count, draw):
        """A random batch of turned views and the photos that they show: view, normals, landmarks, photo, the photo's normals."""
        index, mirrored = draw.integers(count, len(self.arrays["ts"])), draw.uniform(count) < 0.5
        view, normals, landmarks, source = self.batch("turned", index, mirrored)
        photo, own = torch.empty_like(view), torch.empty_like(normals)
        portraits = source >= 0
        if portraits.any():
            photo[portraits], own[portraits], _ = self.batch("portraits", source[portraits], mirrored[portraits])
        if not portraits.all():
            crop, crop_normals, _, inside = self.batch("crops", -1 - source[~portraits], mirrored[~portraits])
            photo[~portraits], own[~portraits] = (crop * inside).expand(-1, 3, -1, -1), crop_normals
        return view, normals, landmarks, photo, own

    def draw(self, group, count, draw, pairs=False):
        """A random batch; `pairs`: neighbours 2k, 2k + 1 of the arrays stay neighbours and are mirrored together."""
        size = len(self.arrays[NAMES[group][0]])
        if not pairs:
            return self.batch(group, draw.integers(count, size), draw.uniform(count) < 0.5)
        first, mirrored = draw.integers(count // 2, size // 2), draw.uniform(count // 2) < 0.5
        index = torch.stack([2 * first, 2 * first + 1], 1).flatten()
        return self.batch(group, index, mirrored.repeat_interleave(2))
