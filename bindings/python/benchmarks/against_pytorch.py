"""The library beside PyTorch and numpy: the same renderer, the same head model, one run, the same thread count.

usage: python bindings/python/benchmarks/against_pytorch.py [--gar FILE] [--head FILE] [--threads N] [--json FILE]

Renderers: the weights given, and random ones of the published 256 px configuration (channel multiplier 2). PyTorch runs
this project's module in its quicker memory format. Head: the same work by numpy, checked to give the same first. Both
sides take turns, so that a busy machine slows both; the median and the least of the repeats are printed, and their ratio.
"""
import argparse
import json
import os
import sys
import tempfile
import time

import numpy as np
import torch
from safetensors import safe_open

import garface
from garface.training.export import save
from garface.training.networks import Generator, channels_last, load_gar_file, pyramid

PUBLISHED = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128}
MODELS = os.path.join(os.path.dirname(__file__), "..", "..", "..", "Sources", "CDefaultModels", "models")


def fix_threads(count):
    """Starts the program anew where BLAS and OpenMP would take another number of threads: they read it when they are loaded."""
    wanted = {k: str(count) for k in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "OMP_NUM_THREADS")}
    if any(os.environ.get(k) != v for k, v in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | wanted)


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


class NumpyHead:
    """Vertices, normals and landmarks, and their gradients to the coefficients, by plain numpy in single precision."""

    def __init__(self, path):
        with safe_open(path, "np") as f:
            data = {k: f.get_tensor(k) for k in f.keys()}
        self.mean, self.triangles = data["mean"].astype(np.float32), data["triangles"].astype(np.int64)
        self.basis = np.concatenate([data["identity"], data["expression"]]).astype(np.float32)
        self.basis = self.basis.reshape(len(self.basis), -1)
        self.corners, self.weights = data["landmark_triangles"].astype(np.int64), data["landmark_barycentrics"][..., None]
        self.weights = self.weights.astype(np.float32)

    def vertices(self, coefficients):
        return self.mean + (coefficients @ self.basis).reshape(-1, 3)

    def to_vertices(self, indices, values):
        """Sums of the rows of `values` (N, 3) at the vertices `indices` (N)."""
        return np.stack([np.bincount(indices, values[:, c], len(self.mean)) for c in range(3)], 1).astype(np.float32)

    def sides(self, v):
        a, b, c = (v[self.triangles[:, k]] for k in range(3))
        return b - a, c - a

    def normals(self, v):
        """Unit normals (V, 3), and the lengths they had before."""
        cross = np.cross(*self.sides(v))
        total = sum(self.to_vertices(self.triangles[:, k], cross) for k in range(3))
        length = np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-30)
        return total / length, length

    def normals_backward(self, v, n, length, d_normals):
        first, second = self.sides(v)
        d_total = (d_normals - n * (n * d_normals).sum(1, keepdims=True)) / length
        d_cross = sum(d_total[self.triangles[:, k]] for k in range(3))
        d_first, d_second = np.cross(second, d_cross), np.cross(d_cross, first)
        return sum(self.to_vertices(self.triangles[:, k], d) for k, d in enumerate((-d_first - d_second, d_first, d_second)))

    def landmarks(self, v):
        return (v[self.corners] * self.weights).sum(1)

    def landmarks_backward(self, d_points):
        return self.to_vertices(self.corners.ravel(), (d_points[:, None] * self.weights).reshape(-1, 3))

    def forward(self, coefficients):
        v = self.vertices(coefficients)
        return v, *self.normals(v), self.landmarks(v)

    def both(self, coefficients, d_vertices, d_normals, d_points):
        v, n, length, points = self.forward(coefficients)
        d = d_vertices + self.normals_backward(v, n, length, d_normals) + self.landmarks_backward(d_points)
        return v, n, points, self.basis @ d.ravel()


def head(table, path, a):
    """Vertices, normals and landmarks, and their gradients, against numpy."""
    model, theirs = garface.HeadModel(path), NumpyHead(path)
    rng = np.random.default_rng(0)
    identity = rng.normal(size=model.identity_count).astype(np.float32)
    expression = rng.uniform(0, 0.5, len(model.expression_names)).astype(np.float32)
    coefficients = np.concatenate([identity, expression])
    d_vertices, d_normals = rng.normal(size=(2, *theirs.mean.shape)).astype(np.float32)
    d_points = rng.normal(size=(68, 3)).astype(np.float32)

    def ours_forward():
        v = model.evaluate(identity, expression)
        return v, model.normals(v), model.landmarks(v)

    def ours_both():
        v, n, points = ours_forward()
        d = d_vertices + model.normals_backward(v, d_normals) + model.landmarks_backward(d_points)
        return v, n, points, np.concatenate(model.evaluate_backward(d))

    def theirs_both():
        return theirs.both(coefficients, d_vertices, d_normals, d_points)
    for name, mine, other in zip(("vertices", "normals", "landmarks", "gradients"), ours_both(), theirs_both()):
        off = np.linalg.norm(mine - other) / np.linalg.norm(other)
        print(f"head: {name} differ by {off:.1e} of their norm")
        assert off < 1e-4, name
    table.add("head: vertices", take_turns(
        {"garface": lambda: model.evaluate(identity, expression), "numpy": lambda: theirs.vertices(coefficients)},
        a.seconds, a.repeats))
    table.add("head: vertices, normals, landmarks", take_turns(
        {"garface": ours_forward, "numpy": lambda: theirs.forward(coefficients)}, a.seconds, a.repeats))
    table.add("head: the same and their gradients", take_turns({"garface": ours_both, "numpy": theirs_both}, a.seconds, a.repeats))
    table.add("head: gradient to the coefficients", take_turns(
        {"garface": lambda: model.evaluate_backward(d_vertices), "numpy": lambda: theirs.basis @ d_vertices.ravel()},
        a.seconds, a.repeats))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gar", default=os.path.join(MODELS, "gar.safetensors"), help="renderer (safetensors)")
    parser.add_argument("--head", default=os.path.join(MODELS, "head.safetensors"), help="head model (safetensors), a linear one")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3, help="time for each comparison")
    parser.add_argument("--repeats", type=int, default=5, help="at least so many repeats")
    parser.add_argument("--json", help="file for the results")
    a = parser.parse_args()
    if a.threads < 1 or a.repeats < 1:
        parser.error("--threads and --repeats are at least 1")
    fix_threads(a.threads)
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
