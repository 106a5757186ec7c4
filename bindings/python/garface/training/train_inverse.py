"""Train the inverse network: aligned crop -> identity, expression, pose, w and landmarks.

Material: portraits, real grey crops and (with --renders) renders of a trained GAR whose parameters are known exactly;
with --gar the GAR's encoder teaches w on the portraits. One process makes crops, the other trains on a rolling pool.
Resumes from OUT/state.pt; OUT/ema.pt holds the averaged weights. Stops after --minutes, or when OUT/stop appears.
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

from .convnets import INVERSE_SIZE, InverseNetwork
from .crops import CROP, FIELDS, LABELS, NEGATIVE, PORTRAIT, RENDER, CropMaker, mirror_labels
from .data import (CENTRE_Y_MM, HALF_MM, load_crops, load_portraits, rotation_matrix, training_crops, training_portraits,
                   validation_crops)
from .export import load_network
from .networks import channels_last, load_gar
from .normals import HeadModel
from .renders import load_renders
from .scenes import TRAINING_PICTURES, package_pictures
from .train_detector import average, to_input

CHUNK = 256
MIX = {PORTRAIT: 0.22, CROP: 0.40, RENDER: 0.29, NEGATIVE: 0.09}


def load_sets(arguments):
    head = HeadModel(arguments.head)
    portraits = load_portraits(arguments.portraits, arguments.cache)
    crops = load_crops(arguments.crops, arguments.cache)
    renders = load_renders(arguments.renders, head) if arguments.renders else (None, None)
    return head, portraits, crops, renders


def produce(arguments, seed, channel, stop):
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    os.nice(1)
    head, portraits, crops, (renders, _) = load_sets(arguments)
    maker = CropMaker(training_portraits(portraits), training_crops(crops), renders, package_pictures(TRAINING_PICTURES), head)
    rng = np.random.default_rng(seed)
    if arguments.detector:
        maker.mine(rng, load_network(arguments.detector), 300)
    while not stop.is_set():
        chunk = maker.chunk(rng, CHUNK, MIX)
        while not stop.is_set():
            try:
                channel.put(chunk, timeout=1)
                break
            except queue.Full:
                pass


def teacher_codes(gar_path, portraits, head, cache):
    """(w of each portrait as the GAR's encoder sees it [N,L], w of its mirror image [N,L], mean w [L])"""
    gar, encoder = load_gar(gar_path)
    size = gar.size
    path = os.path.join(cache, f"portrait_normals{size}_{len(portraits)}.npy")
    if not os.path.exists(path):
        maps = [head.normal_maps(portraits.identity[i:i + 64], portraits.expression[i:i + 64],
                                 rotation_matrix(portraits.yaw[i:i + 64], portraits.pitch[i:i + 64], 0.0), size)
                for i in range(0, len(portraits), 64)]
        np.save(path, np.concatenate(maps))
    normals, flip = np.load(path, mmap_mode="r"), torch.tensor([-1.0, 1, 1])[:, None, None]
    codes, mirrored = [], []
    with torch.no_grad():
        for i in range(0, len(portraits), 64):
            x = np.stack([cv2.resize(p, (size, size), interpolation=cv2.INTER_AREA) for p in portraits.images[i:i + 64]])
            x, n = to_input(x), torch.from_numpy(np.array(normals[i:i + 64])).float() / 127
            codes.append(encoder(torch.cat([x, n], 1)))
            mirrored.append(encoder(torch.cat([x, n * flip], 1).flip(3)))
    return torch.cat(codes).numpy(), torch.cat(mirrored).numpy(), gar.mean_w().numpy()


class Geometry:
    """Projects predicted coefficients and pose to the 68 model points in the crop's NDC."""

    def __init__(self, head):
        self.mean, self.identity, self.expression = (
            torch.from_numpy(v) for v in (head.landmark_mean, head.landmark_identity, head.landmark_expression))
        self.identity_weight = torch.from_numpy(head.identity_rms ** 2 / (head.identity_rms ** 2).sum())

    def project(self, identity, expression, pose):
        points = (self.mean + torch.einsum("nk,kld->nld", identity, self.identity)
                  + torch.einsum("nk,kld->nld", expression.clamp(0, 1), self.expression))
        yaw, pitch, roll, log_scale, tx, ty = pose.unbind(1)
        cy, sy, cp, sp = yaw.cos()[:, None], yaw.sin()[:, None], pitch.cos()[:, None], pitch.sin()[:, None]
        x, y, z = points.unbind(2)
        x, z = cy * x + sy * z, cy * z - sy * x            # Ry(yaw)
        y = cp * y + sp * z                                # Rx(-pitch), the row that is seen
        s = log_scale.exp()
        c, n = (s * roll.cos())[:, None], (s * roll.sin())[:, None]
        return torch.stack([(c * x - n * y + tx[:, None]) / HALF_MM,
                            (n * x + c * y + ty[:, None] - CENTRE_Y_MM) / HALF_MM], 2)


POSE_UNIT = torch.tensor([0.1, 0.1, 0.1, 0.05, 4.0, 4.0])


def losses(out, labels, w_target, w_known, geometry):
    """Dictionary of scalar loss terms, weighted."""
    field = {k: labels[:, v] for k, v in FIELDS.items()}
    kind = field["kind"][:, 0]
    face, exact = (kind != NEGATIVE).float(), (kind == RENDER).float()
    count = face.sum().clamp(min=1)

    def over_faces(value):
        return (value * face).sum() / count
    target = field["landmarks"].reshape(-1, 68, 2)
    points = out["landmarks"].reshape(-1, 68, 2)
    distance = (points - target).abs().sum(2)
    log_sigma = out["landmark_log_sigma"].clamp(-6, 0)
    terms = {"landmarks": over_faces(distance.mean(1)) / 0.02,
             "sigma": 0.3 * over_faces((distance.detach() * (-log_sigma).exp() + 2 * log_sigma).mean(1))}
    projected = geometry.project(out["identity"], out["expression"], out["pose"])
    terms["geometry"] = 0.5 * over_faces((projected - target).abs().sum(2).mean(1)) / 0.02
    terms["pose"] = 0.3 * over_faces(((out["pose"] - field["pose"]) / POSE_UNIT).abs().mean(1))
    error = (out["identity"] - field["identity"]).square() * geometry.identity_weight
    known = torch.ones(80)
    known[60:] = 0                           # the fits of photos say nothing about the last modes ...
    fits = ((error * known).sum(1) + 0.02 * (out["identity"].square() * (1 - known)).mean(1)) * (1 - exact)
    terms["identity"] = 2.0 * over_faces(error.sum(1) * exact + 0.5 * fits)
    terms["expression"] = 4.0 * over_faces((out["expression"] - field["expression"]).abs().mean(1))
    terms["w"] = 0.5 * ((out["w"] - w_target).square().mean(1) * w_known).sum() / w_known.sum().clamp(min=1)
    terms["face"] = 0.3 * F.binary_cross_entropy_with_logits(out["face"][:, 0], face)
    return terms


def interocular(points, target):
    """Mean distance over the distance of the outer eye corners, per sample [N]; and over the inner 51 points."""
    distance = np.linalg.norm(points - target, axis=2)
    eyes = np.linalg.norm(target[:, 36] - target[:, 45], axis=1)
    return distance.mean(1) / eyes, distance[:, 17:].mean(1) / eyes


def validate(network, images, labels, geometry):
    network.eval()
    with torch.no_grad():
        parts = [network(to_input(images[i:i + 64])) for i in range(0, len(images), 64)]
    out = {k: torch.cat([p[k] for p in parts]) for k in parts[0]}
    kind, result = labels[:, FIELDS["kind"]][:, 0], []
    target = labels[:, FIELDS["landmarks"]].reshape(-1, 68, 2)
    projected = geometry.project(out["identity"], out["expression"], out["pose"]).numpy()
    for k, name in ((PORTRAIT, "portraits"), (CROP, "crops")):
        m = kind == k
        direct = np.median(interocular(out["landmarks"].reshape(-1, 68, 2).numpy()[m], target[m])[0])
        model = np.median(interocular(projected[m], target[m])[0])
        yaw = np.degrees(np.median(np.abs(out["pose"].numpy()[m, 0] - labels[m, FIELDS["pose"]][:, 0])))
        result.append(f"{name} {100 * direct:.2f} % projected {100 * model:.2f} % yaw {yaw:.1f}")
    logit = out["face"][:, 0].numpy()
    wrong = ((logit > 0) != (kind != NEGATIVE)).mean()
    network.train()
    return "; ".join(result) + f"; face wrong {100 * wrong:.1f} %"


def principal_landmarks(network, labels):
    """Let the landmark head start at the mean, in units of the principal deviations."""
    known = labels[labels[:, FIELDS["kind"]][:, 0] != NEGATIVE][:, FIELDS["landmarks"]]
    mean = known.mean(0)
    _, s, vt = np.linalg.svd(known - mean, full_matrices=False)
    deviation = np.maximum(s / np.sqrt(len(known)), 0.003)
    network.landmark_mean.copy_(torch.from_numpy(mean))
    network.landmark_basis.copy_(torch.from_numpy(vt.T * deviation))


def train(arguments):
    torch.set_num_threads(arguments.threads)
    os.makedirs(arguments.out, exist_ok=True)
    head, portraits, crops, (renders, render_w) = load_sets(arguments)
    test = portraits.subset(np.flatnonzero(portraits.index % 15 == 7))
    held_out = CropMaker(test, validation_crops(crops), None, package_pictures(TRAINING_PICTURES), head)
    val_images, val_labels = held_out.chunk(np.random.default_rng(7), 500, {PORTRAIT: 0.45, CROP: 0.45, NEGATIVE: 0.1})
    train_portraits = training_portraits(portraits)
    geometry, identity_map, swap = Geometry(head), held_out.identity_map, head.expression_swap()

    context = multiprocessing.get_context("spawn")
    channel, stop = context.Queue(2), context.Event()
    state_path = os.path.join(arguments.out, "state.pt")
    step, state = 0, None
    if os.path.exists(state_path):
        state = torch.load(state_path, weights_only=True)
        step = state["step"]
    producers = [context.Process(target=produce, args=(arguments, arguments.seed + 1000 * k + step, channel, stop), daemon=True)
                 for k in range(arguments.producers)]
    for p in producers:
        p.start()
    images = np.zeros((arguments.pool, INVERSE_SIZE, INVERSE_SIZE, 3), np.uint8)
    labels = np.zeros((arguments.pool, LABELS), np.float32)
    filled = written = 0

    def receive(block):
        nonlocal filled, written
        try:
            chunk, rows = channel.get(block=block, timeout=600)
        except queue.Empty:
            return False
        at = (written + np.arange(len(chunk))) % arguments.pool
        images[at], labels[at] = chunk, rows
        written += len(chunk)
        filled = min(arguments.pool, written)
        return True

    codes = None
    if arguments.gar:
        codes, codes_mirrored, mean_w = teacher_codes(arguments.gar, train_portraits, head, arguments.cache)
        w_scale = np.std(np.concatenate([codes, render_w]) if render_w is not None else codes)
        latent = len(mean_w)
    else:
        latent = arguments.latent
    while filled < min(2048, arguments.pool):
        receive(True)
    network, ema = channels_last(InverseNetwork(latent)), channels_last(InverseNetwork(latent))
    if state is None:
        principal_landmarks(network, labels[:filled])
        ema.load_state_dict(network.state_dict())
    else:
        network.load_state_dict(state["network"])
        ema.load_state_dict(state["ema"])
    optimizer = torch.optim.AdamW(network.parameters(), lr=arguments.rate, weight_decay=2e-2)
    if state is not None:
        optimizer.load_state_dict(state["optimizer"])
    network.train()
    rng = np.random.default_rng(arguments.seed + step)
    start = last = time.time()
    sums, drawn, first = {}, 0, step
    while True:
        while drawn > arguments.reuse * (written - 2048) and receive(True):      # otherwise the producer waits
            pass
        elapsed = (time.time() - start) / 60
        progress = min(1.0, elapsed / arguments.minutes)
        warm = min(1.0, (step - first + 1) / 200)
        for group in optimizer.param_groups:
            group["lr"] = float(arguments.rate * warm * max(0.003, 0.5 + 0.5 * np.cos(np.pi * progress)))
        picked = rng.integers(0, filled, arguments.batch)
        drawn += arguments.batch
        x, rows = to_input(images[picked]), labels[picked]
        flip = rng.random(arguments.batch) < 0.5
        rows = np.where(flip[:, None], mirror_labels(rows, identity_map, swap), rows).astype(np.float32)
        x = torch.where(torch.from_numpy(flip)[:, None, None, None], x.flip(3), x)
        gain = torch.from_numpy(np.exp(rng.normal(0, 0.12, (arguments.batch, 1, 1, 1)))).float()
        x = (x * gain + torch.from_numpy(rng.normal(0, 0.1, (arguments.batch, 1, 1, 1))).float()).clamp(-1, 1)
        w_target, w_known = np.zeros((arguments.batch, latent), np.float32), np.zeros(arguments.batch, np.float32)
        if codes is not None:
            kind, source = rows[:, FIELDS["kind"]][:, 0], rows[:, FIELDS["source"]][:, 0].astype(int)
            is_mirror = rows[:, FIELDS["mirrored"]][:, 0] > 0.5
            for m, table in ((kind == PORTRAIT) & ~is_mirror, codes), ((kind == PORTRAIT) & is_mirror, codes_mirrored), \
                    ((kind == RENDER) & ~is_mirror, render_w):
                if m.any() and table is not None:
                    w_target[m], w_known[m] = (table[source[m]] - mean_w), 1
        out = network(x.contiguous(memory_format=torch.channels_last))
        w_out = dict(out)
        if codes is not None:
            w_out["w"], w_target = out["w"] / w_scale, w_target / w_scale
        terms = losses(w_out, torch.from_numpy(rows), torch.from_numpy(w_target).float(), torch.from_numpy(w_known), geometry)
        loss = sum(terms.values())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 20.0)
        optimizer.step()
        step += 1
        average(ema, network, min(0.998, (step - first) / (step - first + 20)) if first == 0 else 0.998)
        for k, v in terms.items():
            sums[k] = sums.get(k, 0.0) + v.item()
        done = progress >= 1 or os.path.exists(os.path.join(arguments.out, "stop"))
        if step % 200 == 0 or done:
            print(f"{step} {elapsed:.1f} min {200 * arguments.batch / (time.time() - last):.0f}/s made {written} "
                  + " ".join(f"{k} {v / 200:.3f}" for k, v in sums.items()), flush=True)
            sums, last = {}, time.time()
        if step % 1000 == 0 or done:
            print(step, validate(ema, val_images, val_labels, geometry), flush=True)
            torch.save(ema.checkpoint(), os.path.join(arguments.out, "ema.tmp"))
            os.replace(os.path.join(arguments.out, "ema.tmp"), os.path.join(arguments.out, "ema.pt"))
            torch.save({"network": network.state_dict(), "ema": ema.state_dict(), "optimizer": optimizer.state_dict(),
                        "step": step}, state_path)
            last = time.time()
        if done:
            break
    stop.set()
    for p in producers:
        p.terminate()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", required=True, help="head model (.npz)")
    parser.add_argument("--portraits", required=True, help="folder of the aligned colour portraits")
    parser.add_argument("--crops", required=True, help="folder of the grey crops")
    parser.add_argument("--cache", required=True, help="folder for prepared arrays")
    parser.add_argument("--out", required=True, help="folder for checkpoints")
    parser.add_argument("--renders", help="renders with known parameters (see garface.training.renders)")
    parser.add_argument("--gar", help="averaged checkpoint of train_gar: its encoder teaches w on the portraits")
    parser.add_argument("--detector", help="weight file of the face detector: its false alarms become negatives")
    parser.add_argument("--latent", type=int, default=256, help="size of w when no --gar is given")
    parser.add_argument("--minutes", type=float, default=50, help="training time; the learning rate falls to zero over it")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--pool", type=int, default=60000, help="crops kept in memory")
    parser.add_argument("--reuse", type=float, default=4, help="how often a crop is used on average before a new one is awaited")
    parser.add_argument("--producers", type=int, default=1, help="processes making crops")
    parser.add_argument("--threads", type=int, default=1, help="threads of the training process")
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
