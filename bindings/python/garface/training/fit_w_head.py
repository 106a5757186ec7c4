"""Fit the w head of a trained inverse network to a (new) GAR through the frozen renderer, leaving the rest as it is.

The head is linear. It starts as it is, or as the ridge regression of known codes where that shows held-out portraits better,
and is trained so that the GAR, given the portrait's fitted normals and the predicted w, shows the portrait (L1, zero noise).
Codes are known of --renders, the GAR's own pictures of random z, and, where --gar is a checkpoint with its encoder, of
portraits. A GAR trained further needs this instead of a new inverse network, which may be given as its weight file.
"""
import copy
import argparse
import os
import time

import cv2
import numpy as np
import torch

from . import runs
from .convnets import load_inverse
from .data import WHOLE, load_portraits, rotation_matrix, training_portraits
from .export import load_network, save
from .networks import load_gar, pyramid
from .normals import HeadModel
from .renders import load_renders
from .train_detector import to_input


LARGEST = 128      # pixels of the renders compared: a larger renderer stops at that level


class WeightFile:
    """The inverse network of a weight file, of which the w head alone is new."""

    def __init__(self, path, latent):
        self.plain = load_network(path, "inverse-network")
        self.size, tensors = self.plain.description["input_size"], self.plain.tensors
        self.hidden = self.plain.hidden
        self.head = torch.nn.Linear(tensors["heads.w.0.weight"].shape[1], latent)
        if len(tensors["heads.w.0.weight"]) == latent:
            self.head.load_state_dict({k: tensors[f"heads.w.0.{k}"] for k in ("weight", "bias")})

    def save(self, path):
        about = dict(self.plain.description, latent_size=self.head.out_features)
        if "heads" in about and "w" in about["heads"]:
            about["heads"] = dict(about["heads"], w=[self.head.out_features])
        new = {f"heads.w.0.{k}": v for k, v in self.head.state_dict().items()}
        save(self.plain.tensors | new, about, path)


class Checkpoint:
    """That of a checkpoint of `train_inverse`."""

    def __init__(self, path, latent):
        self.network = load_inverse(path, latent).eval()
        if self.network.field != WHOLE:
            raise ValueError(f"{path}: is a close-up's, which leaves w to the network before it")
        self.size, self.hidden, self.head = self.network.size, self.network.hidden, self.network.heads["w"]

    def save(self, path):
        runs.write(path, self.network.checkpoint())


def resized(portraits, size):
    return to_input(np.stack([cv2.resize(p, (size, size), interpolation=cv2.INTER_AREA) for p in portraits]))


class Renderings:
    """Faces, the trunk's reading of them, their w and their renders under a frozen GAR."""

    def __init__(self, network, gar, encoder, faces, head):
        """faces: (`FaceSet`, w [N,L] or None where the encoder is to tell it, if there is one) each."""
        self.gar, self.mean_w, self.picture = gar, gar.mean_w(), min(gar.size, LARGEST)
        parts = [self.read(network, encoder, f, w, head) for f, w in faces]
        self.photo, self.normals, self.hidden, self.w = (torch.cat([p[k] for p in parts]) for k in range(4))

    def read(self, network, encoder, faces, w, head):
        maps = [head.normal_maps(faces.identity[i:i + 64], faces.expression[i:i + 64],
                                 rotation_matrix(faces.yaw[i:i + 64], faces.pitch[i:i + 64], 0.0), self.picture)
                for i in range(0, len(faces), 64)]
        photo, normals = resized(faces.images, self.picture), torch.from_numpy(np.concatenate(maps)).float() / 127
        x, blocks = resized(faces.images, network.size), range(0, len(faces), 64)
        with torch.no_grad():
            hidden = torch.cat([network.hidden(x[i:i + 64]) for i in blocks])
            if w is None and encoder is not None:
                w = torch.cat([encoder(torch.cat([photo[i:i + 64], normals[i:i + 64]], 1)) for i in blocks])
            if w is None:
                w = torch.full((len(faces), self.gar.latent), torch.nan)
        return photo, normals, hidden, torch.as_tensor(w)

    def regress(self, linear, penalty):
        """Set the linear layer to the ridge regression of w - mean w; `penalty` as a share of the inputs' variance."""
        known = torch.isfinite(self.w[:, 0])
        hidden, target = self.hidden[known], self.w[known] - self.mean_w
        middle = hidden.mean(0)
        h = (hidden - middle).double()
        covariance = h.t() @ h / len(h)
        covariance += penalty * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=torch.double)
        weight = torch.linalg.solve(covariance, h.t() @ (target - target.mean(0)).double() / len(h)).float()
        linear.weight.copy_(weight.t())
        linear.bias.copy_(target.mean(0) - middle @ weight)

    def difference(self, head, index):
        """Mean absolute difference of render and photo for the head's w (None: the mean w)."""
        photo, normals = self.photo[index], self.normals[index]
        w = self.mean_w.expand(len(photo), -1)
        if head is not None:
            w = w + head(self.hidden[index])
        levels = pyramid(normals)
        noise = [torch.zeros(len(photo), 1, 2 ** ((k + 5) // 2), 2 ** ((k + 5) // 2)) for k in range(self.gar.layer_count)]
        return (self.gar.pictures(w, levels, noise, self.picture)[-1] - photo).abs().mean(), w


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", required=True, help="averaged checkpoint of train_inverse, or a weight file (.safetensors)")
    parser.add_argument("--gar", required=True, help="averaged checkpoint of train_gar")
    parser.add_argument("--head", required=True, help="head model (.npz)")
    parser.add_argument("--portraits", required=True, help="folder of the aligned colour portraits")
    parser.add_argument("--cache", required=True, help="folder for prepared arrays")
    parser.add_argument("--renders", help="renders of the GAR (see garface.training.renders)")
    parser.add_argument("--out", required=True, help="checkpoint, or weight file, to write")
    parser.add_argument("--count", type=int, default=1500, help="portraits used, and as many renders")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    a = parser.parse_args(argv)
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    head = HeadModel(a.head)
    portraits = load_portraits(a.portraits, a.cache)
    held_out = portraits.subset(np.flatnonzero(portraits.index % 15 == 7)[:64])
    gar, encoder = load_gar(a.gar)
    gar.requires_grad_(False)
    network = (WeightFile if a.network.endswith(".safetensors") else Checkpoint)(a.network, gar.latent)
    faces = [(training_portraits(portraits).subset(slice(0, a.count)), None)]
    if a.renders:
        renders, w = load_renders(a.renders, head)
        known = np.flatnonzero(np.isfinite(w[:, 0]))[:a.count] if w is not None else np.arange(min(a.count, len(renders)))
        faces.append((renders.subset(known), None if w is None else w[known]))
    material = Renderings(network, gar, encoder, faces, head)
    test, everything = Renderings(network, gar, encoder, [(held_out, None)], head), slice(0, 64)
    linear = network.head
    with torch.no_grad():
        print(f"held-out L1 at the mean w: {test.difference(None, everything)[0]:.4f}", flush=True)
        starts = [(test.difference(linear, everything)[0].item(), "as it is", copy.deepcopy(linear.state_dict()))]
        for penalty in (1e-3, 1e-2, 1e-1, 1.0) if torch.isfinite(material.w).any() else ():
            material.regress(linear, penalty)
            starts.append((test.difference(linear, everything)[0].item(), f"ridge {penalty:g}", copy.deepcopy(linear.state_dict())))
        print("starts: " + ", ".join(f"{name} {value:.4f}" for value, name, _ in starts), flush=True)
        linear.load_state_dict(min(starts, key=lambda s: s[0])[2])
    optimizer, start, step = torch.optim.Adam(linear.parameters(), lr=a.rate), time.time(), 0
    while time.time() - start < a.minutes * 60:
        for group in optimizer.param_groups:
            group["lr"] = a.rate * (1 - (time.time() - start) / (a.minutes * 60)) ** 0.5
        loss, w = material.difference(linear, torch.randint(len(material.photo), (a.batch,)))
        optimizer.zero_grad()
        (loss + 1e-3 * (w - material.mean_w).square().mean()).backward()
        optimizer.step()
        step += 1
        runs.check_losses({"L1": loss.item()}, step)
        if step % 20 == 0:
            with torch.no_grad():
                print(f"{step} held-out L1 {test.difference(linear, everything)[0]:.4f}", flush=True)
    runs.check_weights(linear.state_dict(), step)
    network.save(a.out)
    print(os.path.abspath(a.out))


if __name__ == "__main__":
    main()
