"""Train the Generative Adversarial Renderer on (photo, fitted normals).

Non-saturating adversarial loss with a discriminator that sees photo and normals together, lazy R1, reconstruction of
the photo through an encoder (L1 and discriminator features), and normal consistency: a shape-from-shading network,
trained on the photos beside it, must read the normals off the renders. The normals of the fits are joined by stretched
and mixed ones and by identities, yaws and expressions beyond the photos. One GPU or the CPU.
Resumes from OUT/state.pt; OUT/ema.pt holds the averaged weights in half precision; OUT/sample.png shows photo, normals,
reconstruction, random z, one z, wide geometry, the same rendered, shape from shading. Stops after --minutes or when
OUT/stop appears.
"""
import argparse
import os
import time

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from .data import load_portraits, rotation_matrix, training_portraits
from .networks import Discriminator, Encoder, Generator, ShapeFromShading, channels_last, pyramid
from .normals import HeadModel
from .renders import GeometrySampler

FLIP_NORMALS = torch.tensor([-1.0, 1, 1])[:, None, None]


def normal_maps(head, identity, expression, yaw, pitch, size, batch=64):
    maps = [head.normal_maps(identity[i:i + batch], expression[i:i + batch],
                             rotation_matrix(yaw[i:i + batch], pitch[i:i + batch], 0.0), size)
            for i in range(0, len(identity), batch)]
    return np.concatenate(maps)


def prepare(a, path):
    """Photos and normal maps as uint8 and int8 arrays in `path`: x, n (fits), n2 (mixed fits), n3 (wide)."""
    head, rng = HeadModel(a.head), np.random.default_rng(0)
    faces = training_portraits(load_portraits(a.portraits, a.cache, max(a.size, 64)))
    sampler, n = GeometrySampler(np.load(os.path.join(a.portraits, "fits.npz")), head.expression_names), len(faces)
    x = np.stack([cv2.resize(p, (a.size, a.size), interpolation=cv2.INTER_AREA) for p in faces.images]).transpose(0, 3, 1, 2)
    fitted = normal_maps(head, faces.identity, faces.expression, faces.yaw, faces.pitch, a.size)
    i, j, k = rng.integers(0, n, (3, a.mixed))
    mixed = normal_maps(head, faces.identity[i] * rng.uniform(1, 1.8, (a.mixed, 1)).astype(np.float32),
                        np.clip(faces.expression[j] * rng.uniform(0.5, 1.4, (a.mixed, 1)), 0, 1).astype(np.float32),
                        faces.yaw[k] + np.radians(rng.normal(0, 6, a.mixed)), faces.pitch[k], a.size)
    identity, expression, yaw, pitch = (np.array(v, np.float32) for v in zip(*[sampler.sample(rng) for _ in range(a.wide)]))
    wide = normal_maps(head, identity, expression, yaw, pitch, a.size)
    np.savez(path, x=x, n=fitted, n2=mixed, n3=wide)


def masked_difference(predicted, normals):
    mask = (normals.abs().sum(1, keepdim=True) > 0).float()
    return (F.smooth_l1_loss(predicted, normals, reduction="none", beta=0.1) * mask).sum() / mask.sum() / 3


def tile(pictures):
    def row(x):
        return np.hstack([((p.float().cpu().numpy().transpose(1, 2, 0) + 1) * 127.5).clip(0, 255) for p in x])
    return np.vstack([row(x) for x in pictures]).astype(np.uint8)[:, :, ::-1]


def channel_table(base):
    return {4: base, 8: base, 16: base, 32: base // 2, 64: base // 4, 128: base // 4, 256: base // 8}


class Trainer:
    """Networks, optimisers and one training step."""

    def __init__(self, a, device):
        self.a, self.device = a, device
        channels = channel_table(a.base)
        self.g, self.average = (Generator(a.size, channels, a.latent, a.depth, a.style_maps).to(device) for _ in range(2))
        self.d = Discriminator(a.size, channels).to(device)
        self.e, self.p = Encoder(a.size, channels, a.latent).to(device), ShapeFromShading().to(device)
        for module in (self.g, self.average, self.d, self.e, self.p):
            channels_last(module)
        self.average.load_state_dict(self.g.state_dict())
        adam = torch.optim.Adam
        self.og = adam([*self.g.parameters(), *self.e.parameters()], lr=a.rate, betas=(0.0, 0.99))
        self.od = adam(self.d.parameters(), lr=a.rate, betas=(0.0, 0.99))
        self.op = adam(self.p.parameters(), lr=a.rate / 2, betas=(0.9, 0.99))
        self.parts = {"g": self.g, "ge": self.average, "d": self.d, "e": self.e, "p": self.p,
                      "og": self.og, "od": self.od, "op": self.op}
        self.step = self.seen = 0

    def load(self, path):
        state = torch.load(path, map_location=self.device, weights_only=True)
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        self.step, self.seen = state["it"], state["seen"]
        for optimiser in (self.og, self.od, self.op):      # the rate asked for now, not the one saved
            for group in optimiser.param_groups:
                group["lr"] = self.a.rate / 2 if optimiser is self.op else self.a.rate

    def save(self, folder):
        def half(module):
            return {k: v.half() for k, v in module.state_dict().items()}
        torch.save({"g": half(self.average), "e": half(self.e), "seen": self.seen, "channels": list(self.g.channels.items()),
                    "latent": self.a.latent}, os.path.join(folder, "ema.pt"))
        state = {n: p.state_dict() for n, p in self.parts.items()} | {"it": self.step, "seen": self.seen}
        torch.save(state, os.path.join(folder, "state.tmp"))
        os.replace(os.path.join(folder, "state.tmp"), os.path.join(folder, "state.pt"))

    def z(self, n):
        return torch.randn(n, self.a.latent, device=self.device)

    def discriminate(self, x, n, n2):
        with torch.no_grad():
            fake = self.g(self.g.style(self.z(len(x))), pyramid(n2))
        loss = (F.softplus(self.d(torch.cat([fake, n2], 1))).mean() + F.softplus(-self.d(torch.cat([x, n], 1))).mean())
        self.od.zero_grad()
        loss.backward()
        self.od.step()
        if self.step % 16 == 0:      # R1, lazily
            leaf = x[:max(4, len(x) // 2)].clone().requires_grad_(True)
            score = self.d(torch.cat([leaf, n[:len(leaf)]], 1)).sum()
            gradient, = torch.autograd.grad(score, leaf, create_graph=True)
            penalty = gradient.square().sum((1, 2, 3)).mean()
            self.od.zero_grad()
            (penalty * 8 * self.a.r1 * self.a.size ** 2 / 4).backward()
            self.od.step()
        return loss.item()

    def generate(self, x, n, n2, n3):
        """n2: near the photos, judged by the discriminator; n3: beyond them, held by normal consistency alone."""
        shape = masked_difference(self.p(x), n)
        self.op.zero_grad()
        shape.backward()
        self.op.step()
        for judge in (self.d, self.p):
            judge.requires_grad_(False)
        half, quarter = len(n2), len(n3)
        w = self.e(torch.cat([x, n], 1))
        normals = torch.cat([n2, n3, n])
        image = self.g(torch.cat([self.g.style(self.z(half + quarter)), w]), pyramid(normals))
        rebuilt, free = image[half + quarter:], image[:half + quarter]
        l1 = (rebuilt - x).abs().mean()
        with torch.no_grad():
            real = self.d.features(torch.cat([x, n], 1))
        fake = self.d.features(torch.cat([torch.cat([image[:half], rebuilt]), torch.cat([n2, n])], 1))
        match = sum((u - v[half:]).abs().mean() for u, v in zip(real[1:-1], fake[1:-1])) / (len(real) - 2)
        adversarial = F.softplus(-self.d.judge(fake[-1])).mean()
        consistency = masked_difference(self.p(free), normals[:half + quarter])
        loss = (adversarial + self.a.reconstruction * (l1 + match / 2) + 1e-3 * w.square().mean()
                + self.a.consistency * consistency)
        self.og.zero_grad()
        loss.backward()
        self.og.step()
        for judge in (self.d, self.p):
            judge.requires_grad_(True)
        return {"adv": adversarial.item(), "l1": l1.item(), "match": match.item(), "shape real": shape.item(),
                "shape fake": consistency.item()}

    def ema(self):
        with torch.no_grad():
            for u, v in zip(self.average.parameters(), self.g.parameters()):
                u.lerp_(v, 1 - 0.5 ** (self.a.batch / self.a.average))


def train(a):
    os.makedirs(a.out, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(a.seed)
    torch.set_num_threads(a.threads)
    cache = os.path.join(a.out, f"data{a.size}.npz")
    if not os.path.exists(cache):
        prepare(a, cache)
    stored = np.load(cache)
    photos, fitted, mixed, wide = (torch.from_numpy(stored[k]).to(device, memory_format=torch.channels_last)
                                   for k in ("x", "n", "n2", "n3"))
    trainer, flip = Trainer(a, device), FLIP_NORMALS.to(device)
    if os.path.exists(os.path.join(a.out, "state.pt")):
        trainer.load(os.path.join(a.out, "state.pt"))

    def mirrored(count):
        return (torch.rand(count, device=device) < 0.5)[:, None, None, None]

    def take(count, source):
        n = source[torch.randint(len(source), (count,), device=device)].float() / 127
        return torch.where(mirrored(count), n.flip(3) * flip, n)
    start, losses = time.time(), {}
    while True:
        i, m = torch.randint(len(photos), (a.batch,), device=device), mirrored(a.batch)
        x, n = photos[i].float() / 127.5 - 1, fitted[i].float() / 127
        x, n = torch.where(m, x.flip(3), x), torch.where(m, n.flip(3) * flip, n)
        n2 = torch.cat([take(a.batch // 2, mixed), n[:a.batch - a.batch // 2].flip(0)])
        d_loss = trainer.discriminate(x, n, n2)
        losses = trainer.generate(x, n, n2[:a.batch // 2], take(max(1, a.batch // 4), wide)) | {"D": d_loss}
        trainer.ema()
        trainer.step += 1
        trainer.seen += a.batch
        done = time.time() - start > a.minutes * 60 or os.path.exists(os.path.join(a.out, "stop"))
        if trainer.step % 100 == 0 or done:
            print(trainer.step, "seen", trainer.seen, " ".join(f"{k} {v:.3f}" for k, v in losses.items()), flush=True)
        if trainer.step % 500 == 0 or done:
            trainer.save(a.out)
            with torch.no_grad():
                g, k = trainer.average, min(8, len(photos))
                z = torch.randn(k, a.latent, generator=torch.Generator().manual_seed(1)).to(device)
                x, n, o = photos[:k].float() / 127.5 - 1, fitted[:k].float() / 127, wide[:k].float() / 127
                rows = [x, n, g(trainer.e(torch.cat([x, n], 1)), pyramid(n)), g(g.style(z), pyramid(n)),
                        g(g.style(z[:1].expand(k, -1)), pyramid(n)), o, g(g.style(z[:len(o)]), pyramid(o)), trainer.p(x)]
                cv2.imwrite(os.path.join(a.out, "sample.png"), tile(rows))
        if done:
            break


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", required=True, help="head model (.npz)")
    parser.add_argument("--portraits", required=True, help="folder of the aligned colour portraits and fits.npz")
    parser.add_argument("--cache", required=True, help="folder for prepared arrays")
    parser.add_argument("--out", required=True, help="folder for checkpoints")
    parser.add_argument("--size", type=int, default=64, help="side of the rendered picture")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--base", type=int, default=128, help="channels at 4x4; halved from 32x32 on")
    parser.add_argument("--latent", type=int, default=256)
    parser.add_argument("--depth", type=int, default=4, help="layers of the mapping network")
    parser.add_argument("--style-maps", type=int, default=8, help="channels of the normal injection's first layer (3: none)")
    parser.add_argument("--rate", type=float, default=0.002)
    parser.add_argument("--r1", type=float, default=1e-4, help="R1 weight at 1 px, times size squared")
    parser.add_argument("--consistency", type=float, default=3.0, help="weight of normal consistency")
    parser.add_argument("--average", type=float, default=5000, help="photos after which half of the averaged weights is renewed")
    parser.add_argument("--reconstruction", type=float, default=4.0, help="weight of the photo's reconstruction")
    parser.add_argument("--mixed", type=int, default=3000, help="normal maps mixed from the fits")
    parser.add_argument("--wide", type=int, default=4000, help="normal maps beyond the fits")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
