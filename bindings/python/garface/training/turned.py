"""Photos seen anew: the picture as a texture on its fitted head, posed, shaped and expressed differently.

Gives crops with exactly known parameters, wide yaw, closed eyes and open mouths before any renderer is trained. Parts of
the head that the photo does not show borrow the mirror image's texture. Each view says which training photo it shows.
Portraits, or with --crops the grey crops, which are shown as far as they reach.
usage: python -m garface.training.turned --head HEAD.npz --portraits DIR --cache DIR --out TURNED.npz
"""
import argparse
import dataclasses
import multiprocessing
import os
import time

import cv2
import numpy as np

from .data import PORTRAIT_SIZE, load_crops, load_portraits, rotation_matrix, training_crops, training_portraits
from .material import aligned_crops
from .normals import HeadModel
from .renders import GeometrySampler
from .scenes import TRAINING_PICTURES, noise_texture, gradient, package_pictures
from .textures import TexturedHead

INSIDE_MOUTH = {"mouth_socket": (45, 22, 22), "gums_tongue": (125, 62, 62), "teeth_upper": (205, 195, 182),
                "teeth_lower": (195, 185, 172)}


class Turner:
    """Makes new views of aligned photos.

    portraits: a `FaceSet` whose pictures [N,S,S,3] are the aligned frame; inside: where each shows its photo [N,S,S], 0 or 1
    (None: everywhere). outward: keep to the side the photo shows, from where it stands outwards.
    """

    def __init__(self, head, portraits, sampler, pictures, inside=None, outward=False):
        self.head, self.portraits, self.sampler, self.pictures = head, portraits, sampler, pictures
        self.inside, self.outward = inside, outward
        self.textured = TexturedHead(head)
        self.jaw = head.expression_names.index("jawOpen")
        part = head.part[head.triangles[:, 0]]
        self.mouth = {n: np.flatnonzero(part == head.part_names.index(n)) for n in INSIDE_MOUTH}

    def draw(self, rng):
        """(portrait number, identity [80], expression [55], yaw, pitch)"""
        i = int(rng.integers(len(self.portraits)))
        identity, expression = self.portraits.identity[i].copy(), self.portraits.expression[i].copy()
        r = rng.random()
        if r < 0.3:
            identity = rng.standard_normal(80).astype(np.float32) * rng.uniform(0.4, 1.0)
        elif r < 0.6:
            identity = identity * rng.uniform(1, 1.8) + rng.standard_normal(80).astype(np.float32) * 0.2
        if rng.random() < 0.7:
            expression = self.sampler.sample_expression(rng)
        yaw = np.radians(rng.uniform(-58, 58) if rng.random() < 0.65 else rng.normal(0, 15))
        if self.outward:
            yaw = np.copysign(yaw, self.portraits.yaw[i])
        return i, identity.astype(np.float32), expression, yaw, self.portraits.pitch[i] * 0.5 + np.radians(rng.normal(-2, 10))

    def batch(self, rng, count):
        drawn = [self.draw(rng) for _ in range(count)]
        index = [d[0] for d in drawn]
        identity, expression = (np.stack([d[k] for d in drawn]) for k in (1, 2))
        yaw, pitch = (np.array([d[k] for d in drawn], np.float32) for k in (3, 4))
        p = self.portraits
        old = rotation_matrix(p.yaw[index], p.pitch[index], 0.0).astype(np.float32)
        new = rotation_matrix(yaw, pitch, 0.0).astype(np.float32)
        before = self.textured.posed(p.identity[index], p.expression[index], old)
        after = self.textured.posed(identity, expression, new)
        pictures = np.stack([self._view(rng, i, b, a, e[self.jaw] - p.expression[i][self.jaw])
                             for i, b, a, e in zip(index, before, after, expression)])
        return pictures, identity, expression, yaw, pitch, np.array(index, np.int32)

    def _view(self, rng, i, before, after, opened):
        photo = self.portraits.images[i]
        view = self.textured.view(photo, before, after, rng)
        size, skin, triangle = photo.shape[0], view.skin, view.triangle
        if opened > 0.08:      # the photo's mouth was more closed: it shows nothing of the inside
            middle = slice(size * 5 // 16, size * 11 // 16)
            light = float(np.clip(photo[middle, middle].mean() / 140, 0.3, 1.3))
            for name, colour in INSIDE_MOUTH.items():
                shade = np.array(colour) if self.inside is None else np.full(3, np.mean(colour))      # crops are grey
                skin[np.isin(triangle, self.mouth[name])] = np.clip(shade * light, 0, 255).astype(np.uint8)
        canvas = photo
        if rng.random() < (0.4 if self.inside is None else 0.7):
            piece = self.pictures[rng.integers(len(self.pictures))]
            if rng.random() < 0.5:
                canvas = noise_texture(rng, size) if rng.random() < 0.5 else gradient(rng, size)
            else:
                piece = np.repeat(piece[:, :, None], 3, 2) if piece.ndim == 2 else piece
                canvas = cv2.resize(piece, (size, size), interpolation=cv2.INTER_AREA)
        mask = cv2.GaussianBlur((triangle >= 0).astype(np.float32), (0, 0), 0.8)
        mask = np.where(triangle >= 0, mask, 0)
        if self.inside is not None:
            mask *= cv2.remap(self.inside[i].astype(np.float32), *view.place, cv2.INTER_LINEAR)
        mask = mask[..., None]
        return (skin * mask + canvas * (1 - mask)).astype(np.uint8)


_turner = None


def _start(head_file, portraits, crops, cache, size, blinks):
    global _turner
    cv2.setNumThreads(1)
    head, faces, inside = HeadModel(head_file), training_portraits(load_portraits(portraits, cache, size)), None
    sampler = GeometrySampler(faces, head.expression_names, blinks)
    if crops:
        faces = training_crops(load_crops(crops, cache))
        pictures, inside = (v[:, 0] for v in aligned_crops(faces, size))
        faces = dataclasses.replace(faces, images=np.repeat(pictures[..., None], 3, 3))
    _turner = Turner(head, faces, sampler, package_pictures(TRAINING_PICTURES), inside, outward=bool(crops))


def _batch(task):
    seed, count = task
    return _turner.batch(np.random.default_rng(seed), count)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", required=True, help="head model (.npz)")
    parser.add_argument("--portraits", required=True, help="folder of the aligned colour portraits")
    parser.add_argument("--crops", help="turn the grey crops of this folder instead")
    parser.add_argument("--cache", required=True, help="folder for prepared arrays")
    parser.add_argument("--out", required=True)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--size", type=int, default=PORTRAIT_SIZE, help="side of a view")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--blinks", type=float, default=0.25, help="share of drawn expressions with eyes closed")
    parser.add_argument("--seed", type=int, default=2)
    a = parser.parse_args(argv)
    start = time.time()
    load_portraits(a.portraits, a.cache, a.size)      # decoded once, not by every process
    tasks = [((a.seed, k), min(32, a.count - k)) for k in range(0, a.count, 32)]
    with multiprocessing.get_context("spawn").Pool(a.processes, _start, (a.head, a.portraits, a.crops, a.cache, a.size, a.blinks)) as pool:
        parts = pool.map(_batch, tasks, chunksize=1)
    data = dict(zip(("image", "identity", "expression", "yaw", "pitch", "source"), (np.concatenate(p) for p in zip(*parts))))
    np.savez(a.out, grey=bool(a.crops), **data)
    print(f"{a.count} views in {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
