"""A whole photo: the library beside the same schedule in PyTorch, in turns, one run, the same thread count.

usage: python bindings/python/benchmarks/whole_photo.py [--photo FILE] [--threads N] [--repeats N] [--json FILE]

The PyTorch side does what a careful port of the fit would do: this project's GAR module and the inverse network's
convolutions as perceptual loss (channels last), head, pose, vertex normals, priors, landmarks and losses as tensor
operations, Adam; z-buffer and triangle ids by numba, the normals interpolated from them and averaged 2x2 in PyTorch, with
gradients to the barycentric weights; the head upright and the photo sampled anew under it. Same stages, iterations, picture
sizes and step sizes as the library's standard schedule. In its favour: it begins where the library's start ends, for nothing
(finding, aligning, the inverse network), has no Gauss-Newton stage, no gradient of moving outlines (silhouettes), no
visible-contour landmarks, samples the photo once a pixel where the library has twice as many, and makes no result (texture, maps,
meshes). Not in its favour: it looks for the gradient of the photo's features as well, which the library takes to be that of the
picture's. Both sides' photometric difference at the end is printed, so that one can see that both did fit.
"""
import argparse
import json
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open

import garface
from garface.training.data import CENTRE_Y_MM, HALF_MM
from garface.training.networks import channels_last, load_gar_file, pyramid
from garface.training.normals import rasterise

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
MODELS = os.path.join(ROOT, "Sources", "CDefaultModels", "models")


def tensors(name):
    """Every tensor of a model file in float32 (integers as they are), and its description."""
    with safe_open(os.path.join(MODELS, name), "pt") as f:
        found = {k: f.get_tensor(k) for k in f.keys()}
        description = json.loads(f.metadata()["garface"])
    return {k: v.float() if v.is_floating_point() else v for k, v in found.items()}, description


class Head:
    """Coefficients and pose to normal maps and landmarks."""

    def __init__(self):
        data, _ = tensors("head.safetensors")
        self.mean, self.triangles = data["mean"], data["triangles"].long()
        self.basis = torch.cat([data["identity"], data["expression"]]).reshape(-1, self.mean.numel())
        self.identity_count = len(data["identity"])
        self.precision = data["expression_precision"]
        self.landmarks, self.weights = data["landmark_triangles"].long(), data["landmark_barycentrics"]
        self.numba_triangles = np.ascontiguousarray(data["triangles"].numpy())
        self.centre = torch.tensor([0.0, CENTRE_Y_MM, 0.0])

    def posed(self, identity, expression, rotation):
        """Vertices of the upright head, turned by yaw and pitch (radians), as NDC, and their normals."""
        v = self.mean + (torch.cat([identity, expression]) @ self.basis).reshape(-1, 3)
        zero, one = torch.zeros(()), torch.ones(())

        def turn(*rows):
            return torch.stack([torch.stack(r) for r in rows])
        cy, sy, cp, sp = rotation[0].cos(), rotation[0].sin(), rotation[1].cos(), rotation[1].sin()
        r = turn((one, zero, zero), (zero, cp, sp), (zero, -sp, cp)) @ turn((cy, zero, sy), (zero, one, zero), (-sy, zero, cy))
        ndc = (v @ r.T - self.centre) / HALF_MM
        a, b, c = (ndc[self.triangles[:, k]] for k in range(3))
        cross = torch.linalg.cross(b - a, c - a)
        normals = torch.zeros_like(ndc)
        for k in range(3):
            normals = normals.index_add(0, self.triangles[:, k], cross)
        return ndc, F.normalize(normals, dim=1)

    def maps(self, ndc, normals, size):
        """Area-sampled normal maps {4..size}, and where the finest shows a head."""
        fine = 2 * size
        ids, depth = np.empty((fine, fine), np.int64), np.empty((fine, fine), np.float32)
        rasterise(ndc.detach().numpy(), self.numba_triangles, fine, depth, ids, np.empty((fine, fine, 3)))
        rows, columns = np.nonzero(ids >= 0)
        rows, columns, shown = torch.from_numpy(rows), torch.from_numpy(columns), torch.from_numpy(ids[ids >= 0])
        corner = self.triangles[shown]
        p = ndc[corner][..., :2] * torch.tensor([fine / 2, -fine / 2]) + fine / 2 - 0.5
        a, b, c = p.unbind(1)
        x = torch.stack([columns, rows], 1).float()

        def area(u, w):
            return u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0]
        det = area(b - a, c - a)
        wb, wc = area(x - a, c - a) / det, area(b - a, x - a) / det
        weights = torch.stack([1 - wb - wc, wb, wc], 1)
        value = (weights[..., None] * normals[corner]).sum(1)
        image = torch.zeros(fine, fine, 3).index_put((rows, columns), value)
        return pyramid(F.avg_pool2d(image.permute(2, 0, 1)[None], 2))

    def points(self, ndc):
        """Landmarks of the upright head (68, 2), mm."""
        return ((ndc[self.landmarks] * self.weights[..., None]).sum(1) * HALF_MM + self.centre)[:, :2]


def placed(points, roll, place):
    """Where points (..., 2) of the upright head, mm, are in the aligned frame; `place` is log scale and shift (mm)."""
    rotation = torch.stack([torch.stack([roll.cos(), -roll.sin()]), torch.stack([roll.sin(), roll.cos()])])
    return place[0].exp() * (points @ rotation.T) + place[1:]


def grid_of(size):
    """The centres of the picture's pixels (size, size, 2), mm, y up."""
    at = (torch.arange(size) + 0.5) * (2 * HALF_MM / size) - HALF_MM
    return torch.stack(torch.meshgrid(at, CENTRE_Y_MM - at, indexing="xy"), 2)


def sampled(photo, grid, roll, place):
    """The aligned photo (1, 3, S, S) under the upright head, and where it is known."""
    at = placed(grid, roll, place) / HALF_MM
    at = torch.stack([at[..., 0], CENTRE_Y_MM / HALF_MM - at[..., 1]], 2)
    return F.grid_sample(photo, at[None], padding_mode="border", align_corners=False), (at.abs().amax(2) <= 1).float()[None, None]


class Perceptual:
    """The inverse network's convolutions, levels compared as the library compares them."""

    def __init__(self):
        data, description = tensors("inverse.safetensors")
        self.layers = [
            (data[f"layers.{k}.weight"].contiguous(memory_format=torch.channels_last), data[f"layers.{k}.bias"], l["stride"],
             l["level"]) for k, l in enumerate(description["layers"])]
        self.slope, self.size = description["leaky_slope"], description["input_size"]

    def levels(self, x):
        while x.shape[-1] > self.size:
            x = F.avg_pool2d(x, 2)
        found = []
        for weight, bias, stride, level in self.layers:
            x = F.leaky_relu(F.conv2d(x, weight, bias, stride, 1), self.slope)
            if level:
                found.append(x)
        return found

    def __call__(self, x, target):
        targets = self.levels(target)
        norms = [((t - t.mean((2, 3), keepdim=True)) ** 2).sum().detach() + 1e-3 * t.numel() for t in targets]
        return sum(((a - b) ** 2).sum() / n for a, b, n in zip(self.levels(x), targets, norms)) / len(targets)


def photometric(difference, mask, epsilon=0.05, floor=0.02):
    total = 0
    for k in range(3):
        if k:
            difference, mask = F.avg_pool2d(difference, 2), F.avg_pool2d(mask, 2)
        total = total + (mask * (torch.sqrt(difference ** 2 + epsilon ** 2) - epsilon)).sum() / (3 * mask.sum())
    return torch.log(1 + total / floor)


class TorchFit:
    """The library's stages in PyTorch, from where its start stands."""

    def __init__(self, gar, head, start, crop, mean_w):
        self.gar, self.head = gar, head
        self.photo = torch.from_numpy(crop.astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
        self.mean_w = torch.from_numpy(mean_w)
        self.start = start
        self.ids = None

    def picture(self, w_plus, maps, size):
        """GAR up to the level of `size`: what `Generator.pictures` does, no further than needed."""
        g, w = self.gar, w_plus[None]
        x = g.conv1(g.input.input, w[:, 0], g.norm1(maps[4]), None)
        rgb, i = g.to_rgb1(x, w[:, 1]), 1
        for k, to_rgb in enumerate(g.to_rgbs):
            side = 2 ** (k + 3)
            if side > size:
                break
            m = g.injection(k, maps[side])
            x = g.convs[2 * k](x, w[:, i], m[:, :2], None)
            x = g.convs[2 * k + 1](x, w[:, i + 1], m[:, 2:], None)
            rgb = to_rgb(x, w[:, i + 2], rgb)
            i += 2
        return rgb

    def run(self, stages):
        start = self.start
        p = {"identity": torch.from_numpy(start.identity.copy()), "expression": torch.from_numpy(start.expression.copy()),
             "rotation": torch.tensor([start.yaw, start.pitch]) * (np.pi / 180), "roll": torch.tensor(start.roll * np.pi / 180),
             "place": torch.zeros(3), "w_plus": self.mean_w.repeat(self.gar.rows, 1)}
        identity_start, expression_start = p["identity"].clone(), p["expression"].clone()
        with torch.no_grad():
            upright = self.head.points(self.head.posed(p["identity"], p["expression"], p["rotation"])[0])
            seen = placed(upright, p["roll"], p["place"])
        perceptual = Perceptual()
        for stage in stages:
            if stage["optimiser"] != "adam":
                continue
            size = min(self.gar.size, stage.get("picture_limit") or self.gar.size)
            photo, grid = self.photo, grid_of(size)
            while photo.shape[-1] > size:
                photo = F.avg_pool2d(photo, 2)
            blocks, steps, weight = stage["blocks"], stage["steps"], stage["weights"]
            names = {"w_plus": ["w_plus"], "identity": ["identity"], "expression": ["expression"], "rotation": ["rotation", "roll"],
                     "similarity": ["place"]}
            rate = {n: steps.get(b, 0.03) for b in blocks for n in names.get(b, [])}
            moving = list(rate)
            for name in p:
                p[name] = p[name].detach().requires_grad_(name in moving)
            optimiser = torch.optim.Adam([{"params": [p[n]], "lr": rate[n]} for n in moving])
            # A step of the log scale is a hundredth of the shift's; Adam would undo a factor at the gradient.
            parts = torch.tensor([0.01, 1, 1])
            geometry = any(n != "w_plus" for n in moving)
            maps = target = None
            for _ in range(stage["iterations"]):
                optimiser.zero_grad(set_to_none=True)
                if geometry or maps is None:
                    with torch.set_grad_enabled(geometry):
                        ndc, normals = self.head.posed(p["identity"], p["expression"], p["rotation"])
                        maps = self.head.maps(ndc, normals, size)
                        place = parts * p["place"]
                        target, mask = sampled(photo, grid, p["roll"], place)
                picture = self.picture(p["w_plus"], maps, size)
                difference = picture - target
                loss = weight["photometric"] * photometric(difference, mask) + weight["perceptual"] * perceptual(picture, target)
                w = p["w_plus"]
                loss = loss + weight["w_mean"] * ((w - self.mean_w) ** 2).mean() + weight["w_spread"] * w.var(0).mean()
                if geometry:
                    points = placed(self.head.points(ndc), p["roll"], place) - seen
                    loss = loss + weight["landmarks"] * (points ** 2).sum()
                    loss = loss + weight["identity"] * (p["identity"] ** 2).sum()
                    loss = loss + weight["identity_start"] * ((p["identity"] - identity_start) ** 2).sum()
                    e = p["expression"]
                    loss = loss + (weight["expression"] * self.head.precision * e ** 2).sum()
                    loss = loss + weight["expression_start"] * ((e - expression_start) ** 2).sum() + F.relu(-e).sum()
                loss.backward()
                optimiser.step()
        return picture.detach(), target.detach()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", default=os.path.join(ROOT, "examples", "data", "astronaut.png"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--share", type=float, default=1, help="of each stage's iterations, for a quick look")
    parser.add_argument("--json", help="file for the results")
    a = parser.parse_args()
    if a.threads < 1 or a.repeats < 1:
        parser.error("--threads and --repeats are at least 1")
    torch.set_num_threads(a.threads)
    garface.set_thread_count(a.threads)
    models = garface.Models()
    stages = garface.standard_schedule("gar")["stages"]
    for stage in stages:
        if stage["optimiser"] == "adam":
            stage["iterations"] = max(1, round(a.share * stage["iterations"]))
    photo = garface.Image.load(a.photo) if hasattr(garface.Image, "load") else a.photo
    start = garface.reconstruct(photo, models=models, renderer="start")
    gar = channels_last(load_gar_file(os.path.join(MODELS, "gar.safetensors"))).requires_grad_(False)
    fit = TorchFit(gar, Head(), start, start.crop, garface.Renderer().mean_w)

    def whole():
        return garface.reconstruct(photo, models=models, schedule=stages)

    def stages_alone():
        library = garface.Fit(photo, models=models)
        begun = time.perf_counter(), time.process_time()
        library.run(stages)
        return begun

    times = {"library, photo to result": [], "library, stages alone": [], "PyTorch, stages alone": []}
    cpu = {k: [] for k in times}
    fit.run([dict(s, iterations=1) for s in stages])      # compiles numba's part, warms up
    whole()
    for _ in range(a.repeats):
        for name, work in zip(times, (whole, stages_alone, lambda: fit.run(stages))):
            begun = time.perf_counter(), time.process_time()
            result = work()
            if name == "library, stages alone":
                begun = result
            times[name].append(time.perf_counter() - begun[0])
            cpu[name].append(time.process_time() - begun[1])
            if name == "library, photo to result":
                ours = [torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
                        for image in (result.render, result.crop)]
            elif name == "PyTorch, stages alone":
                theirs = result
    print(f"{a.threads} thread(s), PyTorch {torch.__version__}; stages: "
          + ", ".join(f"{s['iterations']} {s['name']}" for s in stages))
    print(f"mean difference of picture and photo: library {(ours[0] - ours[1]).abs().mean():.3f}, "
          f"PyTorch {(theirs[0] - theirs[1]).abs().mean():.3f}, the mean face before {(fit.photo - fit.photo.mean()).abs().mean():.3f}")
    for name in times:
        print(f"{name:28} median {np.median(times[name]):7.2f} s   least {min(times[name]):7.2f} s   cpu {min(cpu[name]):7.2f} s")
    for name in ("library, photo to result", "library, stages alone"):
        print(f"PyTorch's stages take {np.median(times['PyTorch, stages alone']) / np.median(times[name]):.1f} times as long as "
              f"the {name} (least {min(times['PyTorch, stages alone']) / min(times[name]):.1f}, "
              f"cpu {min(cpu['PyTorch, stages alone']) / min(cpu[name]):.1f})")
    if a.json:
        with open(a.json, "w") as f:
            json.dump({"threads": a.threads, "torch": torch.__version__, "seconds": times, "cpu_seconds": cpu}, f, indent=1)


if __name__ == "__main__":
    main()
