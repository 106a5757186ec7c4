"""Train the face detector on synthetic scenes.

One process makes scenes, the other trains on a rolling pool of them. Resumes from OUT/state.pt (not as an unbroken
run would go on: it sees other scenes, and the learning rate begins again over the new --minutes); OUT/ema.pt holds the averaged
weights. Stops after --minutes, or when a file OUT/stop appears.
"""
import argparse
import os
import queue
import time

import cv2
import numpy as np
import torch
import torch.multiprocessing as multiprocessing
import torch.nn.functional as F

from . import runs
from .convnets import FaceDetector
from .data import FaceSet, load_crops, load_portraits, training_crops, training_portraits
from .scenes import PATCH, TRAINING_PICTURES, SceneMaker, package_pictures, targets

CHUNK = 512


def make_chunk(maker, rng, count=CHUNK):
    scenes = [maker.scene(rng) for _ in range(count)]
    return np.stack([s for s, _ in scenes]), np.stack([targets(f) for _, f in scenes]).astype(np.float16)


def mine(maker, rng, path, count):
    """Pieces of face-free pictures at which the present detector fires, as scenes without faces."""
    network = FaceDetector()
    network.load_state_dict(torch.load(path, weights_only=True))
    network.eval()
    side, pieces = 288, []
    for _ in range(count):
        picture = maker.background(rng, side)
        if rng.random() < 0.5:
            picture = maker.distractor(rng, picture)
        with torch.no_grad():
            score = torch.sigmoid(network(to_input(picture[None]))[0, 0])
        for cell in score.flatten().topk(2).indices.tolist():
            i, j = divmod(cell, score.shape[1])
            if score[i, j] > 0.3:
                x, y = (int(np.clip(8 * k + 4 - PATCH / 2 + rng.integers(-24, 24), 0, side - PATCH)) for k in (j, i))
                pieces.append(picture[y:y + PATCH, x:x + PATCH])
    return pieces


def produce(arguments, seed, channel, stop):
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    os.nice(2)
    portraits = training_portraits(load_portraits(arguments.portraits, arguments.cache))
    if arguments.views:
        views = np.concatenate([np.load(path)["image"] for path in arguments.views.split(",")])
        portraits = FaceSet(np.concatenate([portraits.images, views]), *[None] * 10)
    crops = training_crops(load_crops(arguments.crops, arguments.cache))
    maker = SceneMaker(portraits, crops, package_pictures(TRAINING_PICTURES))
    rng, made, mined = np.random.default_rng(seed), 0, 0
    checkpoint = os.path.join(arguments.out, "ema.pt")
    while not stop.is_set():
        images, labels = make_chunk(maker, rng)
        made += 1
        if made % 4 == 0 and os.path.exists(checkpoint):
            hard = mine(maker, rng, checkpoint, 150)[:CHUNK]
            if hard:
                mined += len(hard)
                blank = targets(np.zeros((0, 4))).astype(np.float16)
                images[:len(hard)], labels[:len(hard)] = np.stack(hard), blank
        while not stop.is_set():
            try:
                channel.put((images, labels, mined), timeout=1)
                break
            except queue.Full:
                pass


def to_input(images, device="cpu"):
    return torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def losses(output, target):
    """(per-sample classification loss, regression loss, positives): focal loss on the logit, smooth L1 on the rest."""
    logit, label = output[:, 0], target[:, 0]
    known, face = (label >= 0).float(), (label > 0).float()
    probability = torch.sigmoid(logit)
    cross = F.binary_cross_entropy_with_logits(logit, face, reduction="none")
    focal = cross * (face * (1 - probability) + (1 - face) * probability).square() * known
    focal = focal * (1 + 1.0 * face)
    difference = F.smooth_l1_loss(output[:, 1:6], target[:, 1:6], reduction="none", beta=0.1)
    weight = torch.tensor([1.0, 1.0, 2.0, 1.0, 1.0])[:, None, None]
    regression = (difference * weight).sum(1) * face
    return focal.sum((1, 2)), regression.sum((1, 2)), face.sum((1, 2))


def average(ema, network, decay):
    with torch.no_grad():
        for a, b in zip(ema.state_dict().values(), network.state_dict().values()):
            if a.dtype.is_floating_point:
                a.lerp_(b, 1 - decay)
            else:
                a.copy_(b)


def train(arguments):
    torch.set_num_threads(arguments.threads)
    os.makedirs(arguments.out, exist_ok=True)
    state_path = os.path.join(arguments.out, "state.pt")
    network, ema = FaceDetector(), FaceDetector()
    optimizer = torch.optim.AdamW(network.parameters(), lr=arguments.rate, weight_decay=1e-2)
    parts, step = {"network": network, "ema": ema, "optimizer": optimizer}, 0
    if os.path.exists(state_path):
        step = runs.resume(state_path, parts, ["step"], {}, "train-detector")["step"]
    else:
        ema.load_state_dict(network.state_dict())
    if runs.nothing_to_do(arguments.out, step):
        return

    context = multiprocessing.get_context("spawn")
    channel, stop = context.Queue(2), context.Event()
    producers = [context.Process(target=produce, args=(arguments, arguments.seed + 1000 * k + step, channel, stop), daemon=True)
                 for k in range(arguments.producers)]
    for p in producers:
        p.start()
    images = np.zeros((arguments.pool, PATCH, PATCH, 3), np.uint8)
    labels = np.zeros((arguments.pool, 7, PATCH // 8, PATCH // 8), np.float16)
    hardness = np.full(arguments.pool, np.inf)
    filled = written = mined = 0
    rng = np.random.default_rng(arguments.seed + step)
    start = last = time.time()
    report = np.zeros(3)
    network.train()
    while True:
        while True:
            try:
                chunk, chunk_labels, mined = channel.get(block=filled < 4 * CHUNK, timeout=300)
            except queue.Empty:
                break
            at = (written + np.arange(len(chunk))) % arguments.pool
            images[at], labels[at], hardness[at] = chunk, chunk_labels, np.inf
            written += len(chunk)
            filled = min(arguments.pool, written)
        elapsed = (time.time() - start) / 60
        progress = min(1.0, elapsed / arguments.minutes)
        for group in optimizer.param_groups:
            group["lr"] = float(arguments.rate * max(0.002, min(1.0, (step + 1) / 200, 0.5 + 0.5 * np.cos(np.pi * progress))))
        # three quarters at random, one quarter the hardest of a random handful
        hard = arguments.batch // 4
        picked = rng.integers(0, filled, arguments.batch - hard)
        handful = rng.integers(0, filled, 6 * hard)
        picked = np.concatenate([picked, handful[np.argsort(-hardness[handful])[:hard]]])
        x, y = to_input(images[picked]), torch.from_numpy(labels[picked]).float()
        flip = torch.from_numpy(rng.random(len(picked)) < 0.5)[:, None, None, None]
        mirrored = y.flip(3).clone()
        mirrored[:, 1] *= -1
        mirrored[:, 4] *= -1
        x, y = torch.where(flip, x.flip(3), x), torch.where(flip, mirrored, y)
        gain = torch.from_numpy(np.exp(rng.normal(0, 0.15, (len(picked), 3, 1, 1)))).float()
        x = (x * gain + torch.from_numpy(rng.normal(0, 0.12, (len(picked), 1, 1, 1))).float()).clamp(-1, 1)
        classification, regression, positives = losses(network(x), y)
        hardness[picked] = (classification + 0.2 * regression).detach().numpy()
        count = positives.sum().clamp(min=8)
        loss = classification.sum() / count + regression.sum() / count
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        step += 1
        average(ema, network, min(0.998, step / (step + 20)))
        found = {"class": classification.sum().item() / count.item(), "box": regression.sum().item() / count.item()}
        runs.check_losses(found, step)
        report += [*found.values(), 1]
        done = progress >= 1 or os.path.exists(os.path.join(arguments.out, "stop"))
        if step % 200 == 0 or done:
            rate = 200 * arguments.batch / (time.time() - last)
            last = time.time()
            print(f"{step} {elapsed:.1f} min {rate:.0f}/s pool {filled} made {written} mined {mined} "
                  f"class {report[0] / report[2]:.4f} box {report[1] / report[2]:.4f}", flush=True)
            report[:] = 0
        if step % 1000 == 0 or done:
            for trained in (network, ema):
                runs.check_weights(trained.state_dict(), step)
            runs.write(os.path.join(arguments.out, "ema.pt"), ema.state_dict())
            runs.write(state_path, {name: part.state_dict() for name, part in parts.items()} | {"step": step})
        if done:
            break
    stop.set()
    for p in producers:
        p.terminate()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--portraits", required=True, help="folder of the aligned colour portraits")
    parser.add_argument("--crops", required=True, help="folder of the grey crops")
    parser.add_argument("--cache", required=True, help="folder for prepared arrays")
    parser.add_argument("--out", required=True, help="folder for checkpoints")
    parser.add_argument("--views", help="more aligned faces, files of garface.training.turned joined by commas")
    parser.add_argument("--minutes", type=float, default=20, help="training time; the learning rate falls to zero over it")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--pool", type=int, default=40000, help="scenes kept in memory")
    parser.add_argument("--producers", type=int, default=1, help="processes making scenes")
    parser.add_argument("--threads", type=int, default=1, help="threads of the training process")
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args(argv))


if __name__ == "__main__":
    main()
