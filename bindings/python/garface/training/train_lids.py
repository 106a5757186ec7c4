"""Teach a trained renderer to shut eyes where the mesh does, and nothing else.

No portrait shows closed eyes, and lids are three pixels high: in all of `train-gar` they take part in a few per cent of a few
per cent of the losses, and renders keep a blur where the eye was. Here the renderer learns from itself. It draws a face with
open eyes; the picture, as a texture on the mesh, has its eyes shut (`eyelids`); the same code with the normals of shut eyes
must give that picture round the eyes, and elsewhere what the renderer drew before. Faces of open eyes stay what they were.

Writes OUT/ema.pt (with the encoder of the checkpoint), OUT/sample.png (rows: open, normals of shut eyes, drawn before, wanted,
drawn now) and OUT/losses.jsonl.
usage: python -m garface.training train-lids --gar EMA.pt --head HEAD.npz --portraits DIR --cache DIR --out DIR --minutes 20
"""
import argparse
import copy
import math
import os
import time

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from . import curves, eyelids, runs
from .data import load_portraits, rotation_matrix, training_portraits
from .networks import channels_last, load_gar, pyramid
from .normals import HeadModel
from .renders import GeometrySampler
from .textures import TexturedHead, to_pixels

LEAST_LEVEL = 32        # the smallest level whose picture is taught, too
REACH = 0.3             # of an eye's width, round the eye: where the lids are taught


def with_blinks(sampler, rng):
    """(identity, expression with open eyes, the same with eyes shut more or less, yaw, pitch); some wink."""
    identity, expression, yaw, pitch = sampler.sample(rng)
    left, right = (sampler.names.index("eyeBlink_" + side) for side in "LR")
    expression[[left, right]] = 0
    shut = expression.copy()
    shut[[left, right]] = rng.uniform(0.2, 1)
    if rng.random() < 0.1:
        shut[left if rng.random() < 0.5 else right] = 0
    return identity, expression, shut, yaw, pitch


def eye_mask(before, after, size):
    """1 round the eyes of both, 68 points [68,2] px each, softly 0 away from them: float [S,S]."""
    mask = np.zeros((size, size), np.uint8)
    for eye in eyelids.EYES:
        points = np.concatenate([before[eye], after[eye]])
        width = np.linalg.norm(before[eye][3] - before[eye][0])
        hull = cv2.convexHull(np.round(points).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, 1)
        cv2.polylines(mask, [hull], True, 1, max(1, int(round(2 * REACH * width))))
    return np.clip(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), size / 128), 0, 1)


def shut_eyes(textured, picture, awake, asleep):
    """(the picture [S,S,3] of the head `awake` with the eyes of `asleep`, how much of it to take [S,S])"""
    size = picture.shape[0]
    view = textured.view(picture, awake, asleep, mirrored=False)
    mask = eye_mask(to_pixels(awake[1], size), to_pixels(asleep[1], size), size)
    return view.skin, mask * (view.triangle >= 0)


def codes(gar, encoder, faces, head, count, generator):
    """[count,L]: half of random z, half of portraits where there is an encoder."""
    random = gar.style(torch.randn(count, gar.latent, generator=generator))
    if encoder is None:
        return random
    some = torch.randperm(len(faces), generator=generator)[:count // 2].numpy()
    found = []
    for at in range(0, len(some), 32):
        i = some[at:at + 32]
        normals = head.normal_maps(faces.identity[i], faces.expression[i], rotation_matrix(faces.yaw[i], faces.pitch[i], np.zeros(len(i))),
                                   gar.size)
        photos = np.stack([cv2.resize(faces.images[k], (gar.size,) * 2, interpolation=cv2.INTER_AREA) for k in i])
        photos = torch.from_numpy(photos.transpose(0, 3, 1, 2)).float() / 127.5 - 1
        found.append(encoder(torch.cat([photos, torch.from_numpy(normals).float() / 127], 1)))
    return torch.cat([torch.cat(found), random[len(some):]])[torch.randperm(count, generator=generator)]


@torch.no_grad()
def lessons(gar, encoder, faces, head, count, seed):
    """Dictionary of tensors: w [N,L], `opened` and `shut` normals int8 [N,3,S,S], `wanted` uint8 [N,3,S,S], `eyes` uint8 [N,1,S,S]."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    sampler, textured = GeometrySampler(faces, head.expression_names, blinks=0), TexturedHead(head)
    w = codes(gar, encoder, faces, head, count, generator)
    parts = []
    for at in range(0, count, 32):
        drawn = [with_blinks(sampler, rng) for _ in range(min(32, count - at))]
        identity, opened, shut, yaw, pitch = (np.array(v, np.float32) for v in zip(*drawn))
        rotation = rotation_matrix(yaw, pitch, np.zeros(len(yaw))).astype(np.float32)
        maps = [torch.from_numpy(head.normal_maps(identity, e, rotation, gar.size)) for e in (opened, shut)]
        pictures = [gar(w[at:at + 32], pyramid(m.float() / 127)) for m in maps]
        awake, before = (((p.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).numpy() for p in pictures)
        heads = zip(textured.posed(identity, opened, rotation), textured.posed(identity, shut, rotation))
        taught = [shut_eyes(textured, picture, *pair) for picture, pair in zip(awake.astype(np.uint8), heads)]
        views, masks = (np.stack(v) for v in zip(*taught))
        masks = masks[..., None]
        wanted = (before * (1 - masks) + views * masks).round().astype(np.uint8).transpose(0, 3, 1, 2)
        eyes = (255 * masks).astype(np.uint8).transpose(0, 3, 1, 2)
        parts.append((*maps, torch.from_numpy(wanted), torch.from_numpy(eyes)))
    return {"w": w, **dict(zip(("opened", "shut", "wanted", "eyes"), (torch.cat(p) for p in zip(*parts))))}


class Trainer:
    def __init__(self, a, gar, material, student=None):
        self.a, self.material = a, material
        self.teacher = channels_last(copy.deepcopy(gar))
        self.student, self.average = (channels_last(copy.deepcopy(student or gar)) for _ in range(2))
        for p in [*self.teacher.parameters(), *self.student.style.parameters()]:
            p.requires_grad_(False)
        self.parameters = [p for p in self.student.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(self.parameters, a.rate, betas=(0.9, 0.99))
        self.generator = torch.Generator().manual_seed(a.seed)

    def draw(self, count):
        i = torch.randint(len(self.material["w"]), (count,), generator=self.generator)
        m = {k: v[i] for k, v in self.material.items()}
        return (m["w"], pyramid(m["opened"].float() / 127), pyramid(m["shut"].float() / 127), m["wanted"].float() / 127.5 - 1,
                m["eyes"].float() / 255)

    def step(self, share):
        """One step at a share of all the time; the losses round the eyes, elsewhere and of open eyes."""
        a = self.a
        for group in self.optimiser.param_groups:
            group["lr"] = a.rate * (0.02 + 0.98 * (1 + math.cos(math.pi * min(1, share))) / 2)
        w, opened, shut, wanted, eyes = self.draw(a.batch)
        still = a.batch // 4
        normals = {r: torch.cat([shut[r], opened[r][:still]]) for r in shut}
        both = torch.cat([w, w[:still]])
        with torch.autocast("cpu", torch.bfloat16, enabled=a.bf16):
            with torch.no_grad():
                before = self.teacher.pictures(both, normals)
            after = self.student.pictures(both, normals)
        eyes = torch.cat([eyes, torch.zeros_like(eyes[:still])])
        wanted = torch.cat([wanted, wanted[:still]])
        losses = torch.zeros(3)
        for p, q in zip(reversed(before), reversed(after)):
            side = q.shape[-1]
            if side < LEAST_LEVEL:
                break
            mask, goal = (v if v.shape[-1] == side else F.adaptive_avg_pool2d(v, side) for v in (eyes, wanted))
            lid = ((q.float() - goal).abs() * mask).sum() / mask.sum().clamp(min=1) / 3
            rest = ((q.float() - p.float()).abs() * (1 - mask)).flatten(1).mean(1)
            losses = losses + torch.stack([lid, rest[:a.batch].mean(), rest[a.batch:].mean()])
        loss = losses[0] + a.keep * (losses[1] + losses[2])
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        with torch.no_grad():
            for u, v in zip(self.average.parameters(), self.student.parameters()):
                u.lerp_(v, 1 - 0.5 ** (a.batch / a.average))
        return dict(zip(("lids", "rest", "open"), losses.tolist()))

    @torch.no_grad()
    def sheet(self, columns=8):
        m = {k: v[:columns] for k, v in self.material.items()}
        shut, w = pyramid(m["shut"].float() / 127), m["w"]
        rows = [self.teacher(w, pyramid(m["opened"].float() / 127)), m["shut"].float() / 127, self.teacher(w, shut),
                m["wanted"].float() / 127.5 - 1, self.average(w, shut)]
        pictures = [np.hstack([((p.numpy().transpose(1, 2, 0) + 1) * 127.5).clip(0, 255) for p in row]) for row in rows]
        return np.vstack(pictures)[:, :, ::-1].astype(np.uint8)


def train(a):
    torch.set_num_threads(a.threads)
    cv2.setNumThreads(1)
    state = runs.read(a.gar, ("g", "channels", "latent"), "the ema.pt of train-gar (--gar)")
    os.makedirs(a.out, exist_ok=True)
    gar, encoder = load_gar(a.gar)
    head = HeadModel(a.head)
    faces = training_portraits(load_portraits(a.portraits, a.cache))
    start = time.time()
    student = load_gar(a.start_from)[0] if a.start_from else None
    trainer = Trainer(a, gar, lessons(gar, encoder, faces, head, a.count, a.seed), student)
    print(f"{a.count} lessons in {time.time() - start:.0f} s", flush=True)
    start, step, sums = time.time(), 0, {}
    while True:
        share = max((time.time() - start) / (60 * a.minutes) if a.minutes else 0, step / a.steps if a.steps else 0)
        losses = trainer.step(share)
        step += 1
        runs.check_losses(losses, step)
        for k, v in losses.items():
            sums[k] = sums.get(k, 0) + v
        done = share >= 1
        if step % a.report == 0 or done:
            means = {k: v / ((step - 1) % a.report + 1) for k, v in sums.items()}
            sums = {}
            print(step, " ".join(f"{k} {v:.4f}" for k, v in means.items()), flush=True)
            curves.record(os.path.join(a.out, "losses.jsonl"), step, means)
            averaged = {k: v.half() for k, v in trainer.average.state_dict().items()}
            runs.check_weights(averaged, step)
            runs.write(os.path.join(a.out, "ema.pt"), state | {"g": averaged})
            cv2.imwrite(os.path.join(a.out, "sample.png"), trainer.sheet())
        if done:
            return


def arguments(argv=None):
    parser = argparse.ArgumentParser(prog="train-lids", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gar", required=True, help="averaged checkpoint (ema.pt) of train-gar")
    parser.add_argument("--start-from", help="ema.pt of an earlier lesson to go on from; --gar stays the renderer before all of them")
    parser.add_argument("--head", required=True, help="head model (.npz)")
    parser.add_argument("--portraits", required=True, help="aligned colour portraits with fits")
    parser.add_argument("--cache", required=True, help="folder for prepared arrays")
    parser.add_argument("--out", required=True, help="folder for the checkpoint")
    parser.add_argument("--count", type=int, default=4000, help="faces to learn from")
    parser.add_argument("--minutes", type=float, default=0, help="train for this time")
    parser.add_argument("--steps", type=int, default=0, help="or for so many steps")
    parser.add_argument("--batch", type=int, default=12, help="faces with shut eyes a step; a quarter of them again with open ones")
    parser.add_argument("--rate", type=float, default=0.008, help="Adam's rate at the beginning; it falls as a cosine (at .002 "
                        "eyes stayed open)")
    parser.add_argument("--keep", type=float, default=1.5, help="weight of what must not change, relative to the lids")
    parser.add_argument("--average", type=float, default=1500, help="faces after which half of the averaged weights is renewed")
    parser.add_argument("--bf16", action="store_true", help="bfloat16 where it is quick")
    parser.add_argument("--report", type=int, default=50, help="steps between printed losses, checkpoints and pictures")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=5)
    a = parser.parse_args(argv)
    if not a.minutes and not a.steps:
        parser.error("say how long: --minutes or --steps")
    return a


def main(argv=None):
    train(arguments(argv))


if __name__ == "__main__":
    main()
