"""Renders of a trained GAR with exactly known parameters, as training material for the inverse network.

usage: python -m garface.training.renders --gar EMA.pt --head HEAD.npz --portraits DIR --cache DIR --out RENDERS.npz
"""
import argparse
import time

import cv2
import numpy as np
import torch

from .data import FaceSet, frame_to_picture, load_portraits, rotation_matrix, training_portraits
from .networks import load_gar, pyramid
from .normals import HeadModel


class GeometrySampler:
    """Random geometry, wider than the fits it starts from (a `FaceSet` of training photos).

    Identity: the fits' stretched, or unit-variance over all modes. Expression: the fits' mixed and scaled, any one
    expression alone, mouths wide open, eyes closed (`blinks`: how often). Yaw to +-60 degrees, pitch to +-25.
    """

    def __init__(self, faces, names, blinks=0.25):
        self.blinks = blinks
        self.identity, self.expression = faces.identity.astype(np.float32), faces.expression.astype(np.float32)
        self.names = list(names)

    def sample_expression(self, rng):
        b, n = self.expression, len(self.expression)
        out = np.clip(b[rng.integers(n)] * rng.uniform(0.5, 1.4), 0, 1)
        if rng.random() < 0.5:
            out = np.clip(out + 0.5 * b[rng.integers(n)], 0, 1)
        jaw, close = self.names.index("jawOpen"), self.names.index("mouthClose")
        if rng.random() < 0.15:
            out[jaw] = rng.uniform(0, 1)
        if rng.random() < 0.2:
            out[rng.integers(len(out))] = rng.uniform(0, 1)
        if rng.random() < self.blinks:
            out[self.names.index("eyeBlink_L")] = out[self.names.index("eyeBlink_R")] = rng.uniform(0.3, 1)
        out[close] = min(out[close], out[jaw])      # mouthClose corrects jawOpen and means nothing alone
        return out.astype(np.float32)

    def sample(self, rng):
        """(identity [80], expression [55], yaw, pitch)"""
        if rng.random() < 0.4:
            identity = np.zeros(80, np.float32)
            identity[:self.identity.shape[1]] = self.identity[rng.integers(len(self.identity))] * rng.uniform(1, 1.8)
        else:
            identity = rng.standard_normal(80).astype(np.float32) * rng.uniform(0.6, 1.1)
        yaw = rng.uniform(-60, 60) if rng.random() < 0.6 else np.clip(rng.normal(0, 15), -60, 60)
        pitch = rng.uniform(-25, 25) if rng.random() < 0.4 else np.clip(rng.normal(-4, 9), -25, 25)
        return identity, self.sample_expression(rng), np.radians(yaw), np.radians(pitch)


def render(gar, head, sampler, count, seed, batch=32):
    """Dictionary of arrays: image [N,S,S,3] uint8, w [N,L], identity, expression, yaw, pitch."""
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for at in range(0, count, batch):
        n = min(batch, count - at)
        identity, expression, yaw, pitch = (np.array(v, np.float32) for v in zip(*[sampler.sample(rng) for _ in range(n)]))
        normals = head.normal_maps(identity, expression, rotation_matrix(yaw, pitch, np.zeros(n)), gar.size)
        with torch.no_grad():
            w = gar.style(torch.randn(n, gar.latent, generator=generator))
            picture = gar(w, pyramid(torch.from_numpy(normals).float() / 127))
        picture = ((picture.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
        parts.append((picture, w.numpy().astype(np.float16), identity, expression, yaw, pitch))
    return dict(zip(("image", "w", "identity", "expression", "yaw", "pitch"), (np.concatenate(p) for p in zip(*parts))))


def _at_one_size(files):
    """Pictures of several files, enlarged to the size of the largest."""
    size = max(f.shape[1] for f in files)
    return np.concatenate([f if f.shape[1] == size else np.stack([cv2.resize(p, (size, size), interpolation=cv2.INTER_LINEAR) for p in f])
                           for f in files])


def load_renders(path, head):
    """(`FaceSet`, w [N,L] or None); `path` may name several files, joined by commas. w is NaN where a file does not know it.

    Files of `turned` know no w: they show photos, whose identity is a fit's.
    """
    files = [np.load(p) for p in path.split(",")]
    data = {k: np.concatenate([f[k] for f in files]) for k in ("identity", "expression", "yaw", "pitch")}
    data["image"] = _at_one_size([f["image"] for f in files])
    sizes = {f["w"].shape[1] for f in files if "w" in f.files}
    if len(sizes) > 1:
        raise ValueError(f"{path}: their w have {sorted(sizes)} numbers: they come from several renderers")
    if sizes:
        data["w"] = np.concatenate([f["w"] if "w" in f.files else np.full((len(f["yaw"]), *sizes), np.nan, np.float16)
                                    for f in files])
    n, size = data["image"].shape[:2]
    rotation = rotation_matrix(data["yaw"], data["pitch"], np.zeros(n)).astype(np.float32)
    points = np.einsum("nij,nlj->nli", rotation, head.landmarks(data["identity"], data["expression"]))[..., :2]
    frame = frame_to_picture(((size - 1) / 2,) * 2, size, 0.0)
    ndc = (points - [0, 5.0]) / 115.0
    landmarks = ndc @ frame[:, :2].T + frame[:, 2]
    faces = FaceSet(data["image"], np.broadcast_to(frame, (n, 2, 3)), np.zeros(n), np.full(n, float(size)), data["yaw"],
                    data["pitch"], data["identity"], data["expression"], landmarks.astype(np.float32),
                    np.zeros(n, int), np.arange(n))
    return faces, (data["w"].astype(np.float32) if "w" in data else None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gar", required=True, help="averaged checkpoint (ema.pt) of train_gar")
    parser.add_argument("--head", required=True, help="head model (.npz)")
    parser.add_argument("--portraits", required=True, help="aligned colour portraits with fits")
    parser.add_argument("--cache", required=True, help="folder for prepared arrays")
    parser.add_argument("--out", required=True)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    gar, _ = load_gar(a.gar)
    head = HeadModel(a.head)
    sampler = GeometrySampler(training_portraits(load_portraits(a.portraits, a.cache)), head.expression_names)
    start = time.time()
    data = render(gar, head, sampler, a.count, a.seed)
    np.savez(a.out, **data)
    print(f"{a.count} renders in {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
