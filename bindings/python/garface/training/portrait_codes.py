"""The codes w under which a frozen renderer shows portraits, found by descent from what an inverse network says."""
import numpy as np
import torch
import torch.nn.functional as F

from . import runs
from .data import rotation_matrix
from .fit_w_head import resized
from .networks import pyramid

BATCH = 16
SCALES = (2, 4, 8)      # pictures reduced this much count too, half as much each: large differences first


def silence(gar, count):
    """Noise maps of zeros."""
    return [torch.zeros(count, 1, 2 ** ((k + 5) // 2), 2 ** ((k + 5) // 2)) for k in range(gar.layer_count)]


def differences(picture, photo):
    """Mean absolute differences of pictures [B,3,S,S], at several scales: [B]."""
    found = (picture - photo).abs().mean((1, 2, 3))
    for scale in SCALES:
        found = found + 0.5 * (F.avg_pool2d(picture, scale) - F.avg_pool2d(photo, scale)).abs().mean((1, 2, 3))
    return found


def started(network, mean_w, faces):
    """[B,L]: what the w head of a `PlainNetwork` says of upright pictures; the mean w without a network."""
    if network is None:
        return mean_w.expand(len(faces), -1)
    with torch.no_grad():
        hidden = network.hidden(resized(faces.images, network.description["input_size"]))
        return mean_w + F.linear(hidden, network.tensors["heads.w.0.weight"], network.tensors["heads.w.0.bias"])


def descend(gar, start, photo, normals, iterations, rate, pull):
    """Codes [B,L] that show `photo` [B,3,S,S] under `normals` [B,3,S,S], S a level of the renderer; `pull` holds them to the start."""
    levels, noise, size = pyramid(normals), silence(gar, len(photo)), photo.shape[-1]
    w = start.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([w], lr=rate)
    for step in range(iterations):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (iterations - step) / (0.3 * iterations))      # rest at the end
        loss = differences(gar.pictures(w, levels, noise, size)[-1], photo).sum()
        optimizer.zero_grad()
        (loss + pull * (w - start).square().sum()).backward()
        optimizer.step()
        runs.check_losses({"picture": loss.item() / len(photo)}, step)
    return w.detach()


def portrait_codes(gar, network, head, faces, size=64, iterations=30, rate=0.1, pull=1e-3, report=print):
    """Codes [N,L] of the portraits of a `FaceSet`, seen at `size` pixels."""
    mean_w, codes, before, after = gar.mean_w(), [], [], []
    for i in range(0, len(faces), BATCH):
        some = faces.subset(slice(i, i + BATCH))
        maps = head.normal_maps(some.identity, some.expression, rotation_matrix(some.yaw, some.pitch, 0.0), size)
        photo, normals = resized(some.images, size), torch.from_numpy(maps).float() / 127
        start = started(network, mean_w, some)
        codes.append(descend(gar, start, photo, normals, iterations, rate, pull))
        with torch.no_grad():
            for w, differ in ((start, before), (codes[-1], after)):
                picture = gar.pictures(w, pyramid(normals), silence(gar, len(some)), size)[-1]
                differ += (picture - photo).abs().mean((1, 2, 3)).tolist()
        if i // BATCH % 10 == 9 or i + BATCH >= len(faces):
            report(f"{len(after)} portraits, L1 at {size} px {np.mean(before):.4f} -> {np.mean(after):.4f}")
    return torch.cat(codes).numpy()
