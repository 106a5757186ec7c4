"""The library beside PyTorch and numpy: the same renderer, the same head model, one run, the same thread count.

usage: python bindings/python/benchmarks/against_pytorch.py [--gar FILE] [--head FILE] [--threads N] [--json FILE]

Renderers: the weights given, and random ones of the published 256 px configuration (channel multiplier 2). PyTorch runs
this project's module in its quicker memory format. Both sides take turns, so that a busy machine slows both; the median
and the least of the repeats are printed, and their ratio.
"""
import argparse
import json
import os
import tempfile
import time

import numpy as np
import torch

import garface
from garface.training.export import save
from garface.training.networks import Generator, channels_last, load_gar_file, pyramid

PUBLISHED = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128}
MODELS = os.path.join(os.path.dirname(__file__), "..", "..", "..", "Sources", "CDefaultModels", "models")


def take_turns(works, seconds, repeats):
    """Seconds of every repeat of each of the works {name: function}, in turns."""
    times = {name: [] for name in works}
    for work in works.values():
        work()
    start = time.perf_counter()
    while time.perf_counter() - start < seconds or len(next(iter(times.values()))) < repeats:
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - begun)
    return times


class Table:
    """Prints a line per comparison and keeps them."""

    def __init__(self):
        self.rows = []

    def add(self, what, times, ours="garface"):
        median = {k: float(np.median(v)) for k, v in times.items()}
        least = {k: min(v) for k, v in times.items()}
        other = min((k for k in times if k != ours), key=median.get)
        self.rows.append({"what": what, "median": median, "least": least, "ratio": median[other] / median[ours],
                          "ratio_of_least": least[other] / least[ours], "best_other": other})
        print(f"{what:46} garface {1e3 * median[ours]:9.2f} ms   {other:22} {1e3 * median[other]:9.2f} ms   "
              f"{median[other] / median[ours]:5.1f} times (least: {least[other] / least[ours]:.1f})", flush=True)


def renderers(table, label, path, a):
    """Forward, and forward with all gradients to w+, normals and noise."""
    ours, theirs = garface.Renderer(path), load_gar_file(path)
    theirs.requires_grad_(False)
    formats = {"PyTorch": theirs, "PyTorch channels last": channels_last(load_gar_file(path)).requires_grad_(False)}
    rng = np.random.default_rng(0)
    w_plus = np.stack([ours.map(ours.sample_z(1))] * ours.rows)
    finest = torch.from_numpy(rng.normal(size=(1, 3, ours.size, ours.size)).astype(np.float32))
    levels = pyramid(finest)
    normals = np.concatenate([levels[r].numpy().ravel() for r in sorted(levels)])
    noise = ours.sample_noise(1)
    noise_maps = [torch.from_numpy(v.copy())[None, None] for v in ours.split_noise(noise)]
    d_picture = rng.normal(size=(3, ours.size, ours.size)).astype(np.float32)
    w, d = torch.from_numpy(w_plus)[None], torch.from_numpy(d_picture)[None]

    def forward(module):
        with torch.no_grad():
            return module(w, levels, noise_maps)

    def both(module):
        leaves = [w.clone().requires_grad_(), {r: v.clone().requires_grad_() for r, v in levels.items()},
                  [v.clone().requires_grad_() for v in noise_maps]]
        (module(*leaves) * d).sum().backward()

    difference = np.abs(ours.render(w_plus, normals, noise) - forward(theirs)[0].numpy()).max()
    print(f"{label}: largest difference of the two pictures {difference:.1e}")
    works = {"garface": lambda: ours.render(w_plus, normals, noise)}
    table.add(f"{label}, forward", take_turns(
        works | {k: lambda m=m: forward(m) for k, m in formats.items()}, a.seconds, a.repeats))

    def ours_both():
        ours.render(w_plus, normals, noise)
        ours.render_backward(d_picture)
    table.add(f"{label}, forward and backward", take_turns(
        {"garface": ours_both} | {k: lambda m=m: both(m) for k, m in formats.items()}, a.seconds, a.repeats))


def published(folder):
    """Random weights of the published configuration as a file."""
    torch.manual_seed(0)
    generator = Generator(256, PUBLISHED, latent=512, depth=8)
    path = os.path.join(folder, "published.safetensors")
    save(generator.state_dict() | {"mean_w": generator.mean_w(1000)}, generator.description(), path, torch.float32)
    return path


def head(table, path, a):
    """Vertices, normals and landmarks, and their gradients, against numpy."""
    model = garface.HeadModel(path)
    rng = np.random.default_rng(0)
    identity = rng.normal(size=80).astype(np.float32)
    expression = rng.uniform(0, 0.5, len(model.expression_names)).astype(np.float32)
    mean, tri = model.evaluate(), model.triangles.astype(np.int64)
    units = [model.evaluate(identity=np.eye(80, dtype=np.float32)[k]) - mean for k in range(80)]
    units += [model.evaluate(expression=np.eye(len(expression), dtype=np.float32)[k]) - mean for k in range(len(expression))]
    basis = np.stack(units).reshape(len(units), -1)
    coefficients = np.concatenate([identity, expression])
    g = rng.normal(size=mean.shape).astype(np.float32)

    def normals_of(v):
        a_, b_, c_ = v[tri[:, 0]], v[tri[:, 1]], v[tri[:, 2]]
        face = np.cross(b_ - a_, c_ - a_)
        total = np.stack([sum(np.bincount(tri[:, k], face[:, c], len(v)) for k in range(3)) for c in range(3)], 1)
        return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-30)

    def plain():
        v = mean + (coefficients @ basis).reshape(-1, 3)
        return v, normals_of(v)

    def ours():
        v = model.evaluate(identity, expression)
        return v, model.normals(v), model.landmarks(v)
    assert np.abs(plain()[0] - ours()[0]).max() < 1e-2 and np.abs(plain()[1] - ours()[1]).max() < 1e-2
    table.add("head: vertices", take_turns(
        {"garface": lambda: model.evaluate(identity, expression),
         "numpy": lambda: mean + (coefficients @ basis).reshape(-1, 3)}, a.seconds, a.repeats))
    table.add("head: vertices, normals, landmarks", take_turns({"garface": ours, "numpy": plain}, a.seconds, a.repeats))
    table.add("head: gradient to the coefficients", take_turns(
        {"garface": lambda: model.evaluate_backward(g), "numpy": lambda: basis @ g.ravel()}, a.seconds, a.repeats))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gar", default=os.path.join(MODELS, "gar.safetensors"), help="renderer (safetensors)")
    parser.add_argument("--head", help="head model (safetensors); default: the one inside the library")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3, help="time for each comparison")
    parser.add_argument("--repeats", type=int, default=5, help="at least so many repeats")
    parser.add_argument("--json", help="file for the results")
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    garface.set_thread_count(a.threads)
    table = Table()
    with tempfile.TemporaryDirectory() as folder:
        renderers(table, "default renderer", a.gar, a)
        renderers(table, "published 256 px renderer", published(folder), a)
    head(table, a.head, a)
    if a.json:
        with open(a.json, "w") as f:
            json.dump({"threads": a.threads, "torch": torch.__version__, "rows": table.rows}, f, indent=1)


if __name__ == "__main__":
    main()
