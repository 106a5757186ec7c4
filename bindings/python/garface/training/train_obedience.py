"""Teach a trained renderer to do what the mesh does: follow its moves, shut its eyes; and to change nothing else.

Photos show people turned little, with open eyes, and know their geometry only by a fit; that a renderer obeys a mesh is in all of
`train-gar` a small part of its losses. Here it learns from itself (`lessons`): its own picture of a face, moved by the mesh to
another pose, shape or expression, is what the same code must give there, where both show the same skin; and eyes are shut in
its pictures of open ones. Elsewhere, and of the faces before, it must draw what it drew.

Writes OUT/ema.pt (with the encoder of the checkpoint), OUT/sample.png (rows: before, normals after, drawn of them before the lesson,
wanted, drawn now) and OUT/losses.jsonl.
usage: python -m garface.training train-obedience --gar EMA.pt --head HEAD.npz --portraits DIR --cache DIR --out DIR --minutes 60
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

from . import curves, distributed, runs
from .data import load_portraits, training_portraits
from .lessons import LEAST_LEVEL, made_by_processes
from .networks import channels_last, load_gar, pyramid
from .normals import HeadModel


def local_mean(values, weights):
    """Weighted means around each pixel, over a fifth of a side."""
    size = values.shape[-1] // 10 * 2 + 1

    def blur(x):
        return F.avg_pool2d(x, size, 1, size // 2)
    return blur(values * weights) / blur(weights).clamp(min=1)


class Trainer:
    """Trains `student`, whose averaged weights are `average`; material: of `lessons`. On a GPU where there is one."""

    def __init__(self, a, student, material):
        self.a, self.device = a, distributed.device()
        self.material = {name: value.to(self.device) for name, value in material.items()}
        self.student, self.average = (channels_last(copy.deepcopy(student)).to(self.device) for _ in range(2))
        for p in self.student.style.parameters():
            p.requires_grad_(False)
        self.parameters = [p for p in self.student.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(self.parameters, a.rate, betas=(0.9, 0.99))
        self.generator = torch.Generator().manual_seed(a.seed)

    def draw(self, count):
        i = torch.randint(len(self.material["w"]), (count,), generator=self.generator).to(self.device)
        return {k: v[i] if v.dtype not in (torch.uint8, torch.int8) else v[i].float() for k, v in self.material.items()}

    def step(self, share):
        """One step at a share of all the time; its losses: of lids and moves where taught, where held, and of the faces before."""
        a = self.a
        for group in self.optimiser.param_groups:
            group["lr"] = a.rate * (0.02 + 0.98 * (1 + math.cos(math.pi * min(1, share))) / 2)
        m = self.draw(a.batch)
        still = max(1, a.batch // 4)
        normals = pyramid(torch.cat([m["after"], m["before"][:still]]) / 127)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=a.bf16):
            pictures = self.student.pictures(torch.cat([m["w"], m["w"][:still]]), normals)
        is_move = m["is_move"].float()[:, None, None, None]
        taught, rest, before = 0, 0, 0
        for picture in reversed(pictures):
            side = picture.shape[-1]
            if side < LEAST_LEVEL:
                break
            mask, free, skin, goal = (m[k] if side == m[k].shape[-1] else F.adaptive_avg_pool2d(m[k], side)
                                      for k in ("taught", "held", "skin", "wanted"))
            picture = (picture.float() + 1) * 127.5
            after = picture[:a.batch]
            error, change = after - goal, after - m[f"drawn_after{side}"]
            # Light stays where it is when a face turns: of what has moved the detail is right, its light, told by skin, as it was drawn.
            light = is_move * local_mean(torch.cat([error, change], 1), skin)
            error = error - light[:, :3]
            taught = taught + (error.abs() * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp(min=255) / 3
            rest = rest + (change.abs() * free + light[:, 3:].abs() * skin).flatten(1).mean(1) / 255
            before = before + (picture[a.batch:] - m[f"drawn_before{side}"][:still]).abs().flatten(1).mean(1)
        moves = m["is_move"]
        weights = torch.where(moves, a.move_weight, 1.0)
        loss = ((taught * weights).mean() + a.keep * (rest.mean() + before.mean())) / 127.5
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        with torch.no_grad():
            for u, v in zip(self.average.parameters(), self.student.parameters()):
                u.lerp_(v, 1 - 0.5 ** (a.batch / a.average))
        taught = taught.detach() / 127.5
        means = {name: taught[which].mean().item() for name, which in (("lids", ~moves), ("moves", moves)) if which.any()}
        return means | {"rest": rest.mean().item() / 127.5, "before": before.mean().item() / 127.5}

    @torch.no_grad()
    def sheet(self, columns=10):
        m = {k: v[:columns] for k, v in self.material.items()}
        size = m["after"].shape[-1]
        now = self.average(m["w"], pyramid(m["after"].float() / 127))
        now = ((now + 1) * 127.5).clamp(0, 255).to(torch.uint8)
        after = (m["after"].float() + 127).to(torch.uint8)
        rows = [m[f"drawn_before{size}"], after, m[f"drawn_after{size}"], m["wanted"], now]
        return np.vstack([np.hstack(list(row.permute(0, 2, 3, 1).cpu().numpy())) for row in rows])[:, :, ::-1]


def checkpoint_of(path):
    """What OUT/ema.pt keeps of the renderer's file beside its weights."""
    if path.endswith(".safetensors"):
        gar, _ = load_gar(path)
        return {"channels": list(gar.channels.items()), "latent": gar.latent}
    return runs.read(path, ("g", "channels", "latent"), "the ema.pt of train-gar, or a weight file (--gar)")


def train(a):
    torch.set_num_threads(a.threads)
    cv2.setNumThreads(1)
    state, student = checkpoint_of(a.gar), load_gar(a.start_from or a.gar)[0]
    HeadModel(a.head)       # what is wrong with them is said before processes read them
    training_portraits(load_portraits(a.portraits, a.cache))
    os.makedirs(a.out, exist_ok=True)
    start = time.time()
    material = made_by_processes(a.gar, a.head, a.portraits, a.cache, a.count, a.seed, a.moves, a.threads)
    print(f"{a.count} lessons in {time.time() - start:.0f} s", flush=True)
    trainer = Trainer(a, student, material)
    start, step, sums = time.time(), 0, {}

    def share():
        return max((time.time() - start) / (60 * a.minutes) if a.minutes else 0, step / a.steps if a.steps else 0)
    while True:
        losses = trainer.step(share())
        step += 1
        runs.check_losses(losses, step)
        for k, v in losses.items():
            sums.setdefault(k, []).append(v)
        done = share() >= 1
        if step % a.report == 0 or done:
            means = {k: sum(v) / len(v) for k, v in sums.items()}
            sums = {}
            print(step, " ".join(f"{k} {v:.4f}" for k, v in means.items()), flush=True)
            curves.record(os.path.join(a.out, "losses.jsonl"), step, means)
            averaged = {k: v.half().cpu() for k, v in trainer.average.state_dict().items()}
            runs.check_weights(averaged, step)
            runs.write(os.path.join(a.out, "ema.pt"), state | {"g": averaged})
            cv2.imwrite(os.path.join(a.out, "sample.png"), trainer.sheet())
        if done:
            return


def arguments(argv=None):
    parser = argparse.ArgumentParser(prog="train-obedience", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gar", required=True, help="averaged checkpoint (ema.pt) of train-gar, or a weight file")
    parser.add_argument("--start-from", help="ema.pt of an earlier lesson to go on from; --gar stays the renderer before all of them")
    parser.add_argument("--head", required=True, help="head model (.npz)")
    parser.add_argument("--portraits", required=True, help="aligned colour portraits with fits")
    parser.add_argument("--cache", required=True, help="folder for prepared arrays")
    parser.add_argument("--out", required=True, help="folder for the checkpoint")
    parser.add_argument("--count", type=int, default=4000, help="lessons to learn from")
    parser.add_argument("--minutes", type=float, default=0, help="train for this time")
    parser.add_argument("--steps", type=int, default=0, help="or for so many steps")
    parser.add_argument("--moves", type=float, default=0.7, help="share of the lessons that are moves; the others are lids")
    parser.add_argument("--move-weight", type=float, default=2, help="weight of what moves teach, relative to the lids")
    parser.add_argument("--batch", type=int, default=12, help="lessons a step; a quarter of them also with the face before")
    parser.add_argument("--rate", type=float, default=0.008, help="Adam's rate at the beginning; it falls as a cosine (at .002 "
                        "eyes stayed open)")
    parser.add_argument("--keep", type=float, default=1.5, help="weight of what must not change, relative to the lids")
    parser.add_argument("--average", type=float, default=1500, help="faces after which half of the averaged weights is renewed")
    parser.add_argument("--bf16", action="store_true", help="bfloat16 where it is quick")
    parser.add_argument("--report", type=int, default=50, help="steps between printed losses, checkpoints and pictures")
    parser.add_argument("--threads", type=int, default=1, help="and processes that make lessons")
    parser.add_argument("--seed", type=int, default=5)
    a = parser.parse_args(argv)
    if not a.minutes and not a.steps:
        parser.error("say how long: --minutes or --steps")
    for name in ("count", "batch", "report", "threads"):
        if getattr(a, name) < 1:
            parser.error(f"--{name} is {getattr(a, name)}, expected at least 1")
    if not 0 <= a.moves <= 1:
        parser.error(f"--moves is {a.moves}, expected a share from 0 to 1")
    return a


def main(argv=None):
    train(arguments(argv))


if __name__ == "__main__":
    main()
