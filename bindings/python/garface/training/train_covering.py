"""Train the covering network: close-up of a face -> where something covers it.

Faces of portraits and grey crops (and, with --renders, of a GAR) get hands, masks, sunglasses and other things drawn over them
(`covers`), so that the mask is known exactly; a third stay as they are. What covers faces in the photos themselves is not known and taken
for face: it is rare in the portraits, and in the crops such pixels count for less.

Resumes from OUT/state.pt; OUT/ema.pt holds the averaged weights, sample.png shows held-out faces, their masks and what was found. The
learning rate falls to zero over --steps.
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

from . import curves, runs
from .convnets import CoveringNetwork, load_covering
from .covers import OWN, covered, weights
from .crops import CLOSE_UP, CROP, FIELDS, PORTRAIT, RENDER, CropMaker
from .data import load_crops, load_portraits, training_crops, training_portraits, validation_crops
from .networks import channels_last
from .normals import HeadModel
from .photo_effects import photographed
from .renders import load_renders
from .train_detector import average, to_input
from .train_inverse import backgrounds, rate_at

MIX = {PORTRAIT: 0.45, CROP: 0.3, RENDER: 0.25}
BARE = 0.33            # share of faces that nothing is drawn over
OF_CROPS = 0.4         # what uncovered pixels of crops count


class CoveredFaces:
    """Makes samples: crops with things drawn over them, masks and weights at half the size."""

    def __init__(self, maker):
        self.maker = maker
        maker.clean = True

    def sample(self, rng, kind, bare=BARE):
        """(picture [S,S,3] uint8, mask and weights [S/2,S/2] uint8)"""
        maker = self.maker
        picture, row = maker.sample(rng, kind)
        points = maker.field.to_pixels(row[FIELDS["landmarks"]].reshape(68, 2), maker.size)
        mask = np.zeros(picture.shape[:2], np.float32)
        for share, effect in OWN:
            if rng.random() < share:
                picture = effect(rng, picture, points, maker.scenes.banked)
        if rng.random() >= bare:
            picture, mask = covered(rng, picture, points, maker.scenes.banked)
        weight = weights(points, maker.size)
        if kind == CROP:
            weight *= OF_CROPS + (1 - OF_CROPS) * (mask > 0.5)
        half = [cv2.resize(v, (maker.size // 2,) * 2, interpolation=cv2.INTER_AREA) for v in (mask, weight)]
        return photographed(rng, picture), *(np.round(255 * v).astype(np.uint8) for v in half)

    def chunk(self, rng, count, mix=MIX, bare=BARE):
        kinds = [k for k in mix if k in self.maker.sets]
        share = np.array([mix[k] for k in kinds])
        samples = [self.sample(rng, int(k), bare) for k in rng.choice(kinds, count, p=share / share.sum())]
        return tuple(np.stack(v) for v in zip(*samples))


def loss_of(logit, mask, weight):
    """Cross entropy per weighted pixel, and one less the overlap of what is found with what is there, over the batch."""
    cross = (weight * F.binary_cross_entropy_with_logits(logit, mask, reduction="none")).sum() / weight.sum()
    p = torch.sigmoid(logit)
    overlap = 2 * (weight * p * mask).sum() / (weight * (p + mask)).sum().clamp(min=1)
    return cross, 0.3 * (1 - overlap)


def measure(network, held_out, batch=64):
    """({what: number in per cent}, where the network sees something) of a held-out chunk.

    union: overlap over union of what is covered; bare: how much of the bare faces is taken for covered; wrong: how many of them by more
    than 3 %.
    """
    network.eval()
    images, mask, weight = held_out
    found = []
    with torch.no_grad():
        for k in range(0, len(images), batch):
            found.append((network(to_input(images[k:k + batch]))[:, 0] > 0).numpy())
    found, true, face = np.concatenate(found), mask > 127, weight > 80
    both, either = (found & true & face).sum(), ((found | true) & face).sum()
    bare = ~true.any((1, 2))
    false, free = (found & face)[bare].sum((1, 2)), face[bare].sum((1, 2))
    wrong = (false > 0.03 * free).mean() if bare.any() else 0.0
    return {"union": 100 * both / max(1, either), "bare": 100 * false.sum() / max(1, free.sum()), "wrong": 100 * wrong}, found


def sheet(path, held_out, found, count=48):
    images, mask, _ = held_out
    tiles = []
    for picture, true, seen in zip(images[:count], mask, found):
        layers = np.dstack([true, 255 * seen.astype(np.uint8), 0 * true])
        tiles.append(np.hstack([picture, cv2.resize(layers, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)]))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 8)
    rows = [np.hstack(tiles[k:k + 8]) for k in range(0, len(tiles), 8)]
    cv2.imwrite(path, np.vstack(rows)[:, :, ::-1])


def faces_of(arguments, head, keep_portraits, keep_crops, renders=None):
    portraits = keep_portraits(load_portraits(arguments.portraits, arguments.cache, CLOSE_UP.portrait_size))
    crops = keep_crops(load_crops(arguments.crops, arguments.cache))
    return CoveredFaces(CropMaker(portraits, crops, renders, backgrounds(arguments), head, CLOSE_UP))


def train(arguments):
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(arguments.seed)
    os.makedirs(arguments.out, exist_ok=True)
    head = HeadModel(arguments.head)
    renders = load_renders(arguments.renders, head)[0] if arguments.renders else None
    faces = faces_of(arguments, head, training_portraits, training_crops, renders)
    test = faces_of(arguments, head, lambda p: p.subset(np.flatnonzero(p.index % 15 == 7)), validation_crops)
    held_out = test.chunk(np.random.default_rng(7), arguments.held_out, {PORTRAIT: 0.6, CROP: 0.4})
    network = channels_last(CoveringNetwork(size=CLOSE_UP.size, field=CLOSE_UP.field))
    if arguments.initial:
        network.load_state_dict(load_covering(arguments.initial).state_dict())
    ema = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=arguments.rate, weight_decay=2e-2)
    parts, step = {"network": network, "ema": ema, "optimizer": optimizer}, 0
    state, settings = os.path.join(arguments.out, "state.pt"), runs.settings(arguments, 1, "cpu")
    if os.path.exists(state):
        step = runs.resume(state, parts, ["step"], settings, "train-covering")["step"]
    if runs.nothing_to_do(arguments.out, step, arguments.steps):
        return
    rng = np.random.default_rng([arguments.seed, step])
    pool = list(faces.chunk(rng, min(arguments.pool, 16 * arguments.batch)))
    limits = runs.Limits(arguments.out, arguments.steps, math.inf if arguments.minutes is None else arguments.minutes, 1)
    written, made, since, sums = 0, 0.0, time.time(), np.zeros(3)
    network.train()
    while True:
        made += arguments.batch / arguments.reuse
        if made >= 32:
            fresh, made = faces.chunk(rng, 32), made - 32
            if len(pool[0]) < arguments.pool:
                pool = [np.concatenate([a, b]) for a, b in zip(pool, fresh)]
            else:
                at = (written + np.arange(32)) % len(pool[0])
                for a, b in zip(pool, fresh):
                    a[at] = b
                written += 32
        picked = rng.integers(0, len(pool[0]), arguments.batch)
        x = to_input(pool[0][picked])
        mask, weight = (torch.from_numpy(v[picked])[:, None].float() / 255 for v in pool[1:])
        flip = torch.from_numpy(rng.random(len(picked)) < 0.5)[:, None, None, None]
        x, mask, weight = (torch.where(flip, v.flip(3), v) for v in (x, mask, weight))
        gain = torch.from_numpy(np.exp(rng.normal(0, 0.12, (len(picked), 3, 1, 1)))).float()
        x = (x * gain + torch.from_numpy(rng.normal(0, 0.1, (len(picked), 1, 1, 1))).float()).clamp(-1, 1)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, arguments.steps, arguments.rate)
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bf16):
            logit = network(x.contiguous(memory_format=torch.channels_last))
        cross, overlap = loss_of(logit.float(), mask, weight)
        optimizer.zero_grad()
        (cross + overlap).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        step += 1
        average(ema, network, min(0.998, step / (step + 20)))
        runs.check_losses({"cross": cross.item(), "overlap": overlap.item()}, step)
        sums += [cross.item(), overlap.item(), 1]
        done = limits.reached(step)
        if step % arguments.report == 0 or done:
            rate, (cross, overlap) = sums[2] * arguments.batch / (time.time() - since), sums[:2] / sums[2]
            print(f"{step} of {arguments.steps} {rate:.0f}/s cross {cross:.4f} overlap {overlap:.4f}", flush=True)
            curves.record(os.path.join(arguments.out, "curves.jsonl"), step, {"cross": cross, "overlap": overlap})
            since, sums = time.time(), np.zeros(3)
        if step % arguments.save == 0 or done:
            runs.write(os.path.join(arguments.out, "ema.pt"), ema.checkpoint())
            runs.write(state, {name: part.state_dict() for name, part in parts.items()} | {"step": step, "settings": settings})
            numbers, found = measure(ema, held_out)
            print(f"{step} held out: " + ", ".join(f"{k} {v:.2f}" for k, v in numbers.items()), flush=True)
            sheet(os.path.join(arguments.out, "sample.png"), held_out, found)
            curves.draw(os.path.join(arguments.out, "curves.jsonl"), os.path.join(arguments.out, "curves.png"))
            since = time.time()
        if done:
            break


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", required=True, help="head model (.npz)")
    parser.add_argument("--portraits", required=True, help="aligned colour portraits: a folder with fits or a packed set")
    parser.add_argument("--crops", required=True, help="crops of real photos: a folder with fits or a packed set")
    parser.add_argument("--cache", required=True, help="folder for prepared arrays")
    parser.add_argument("--out", required=True, help="folder for checkpoints")
    parser.add_argument("--renders", help="renders of a GAR and views of turned portraits (see renders, turned), files joined by commas")
    parser.add_argument("--initial", help="checkpoint (ema.pt) whose weights a new run starts from")
    parser.add_argument("--backgrounds", help="folder of pictures without faces; default: those inside scikit-image, -learn")
    parser.add_argument("--steps", type=int, default=10000, help="length of the run; the learning rate falls to zero over it")
    parser.add_argument("--minutes", type=float, help="stop and save after so long; the run can be resumed")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--bf16", action="store_true", help="bfloat16, where the processor is quick in it (AVX-512 BF16, AMX)")
    parser.add_argument("--pool", type=int, default=8192, help="samples kept in memory")
    parser.add_argument("--reuse", type=float, default=3, help="how often a sample is drawn on average")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--report", type=int, default=100, help="steps between lines and points of the curves")
    parser.add_argument("--save", type=int, default=500, help="steps between checkpoints and pictures")
    parser.add_argument("--held-out", type=int, default=400, help="held-out faces to validate on")
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args(argv))


if __name__ == "__main__":
    main()
