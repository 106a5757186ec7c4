"""Solve the w head of a trained inverse network for a (new) GAR, leaving everything else as it is.

The head is linear: ridge regression from the trunk's output to w less the mean w, on portraits (w as the GAR's encoder
sees them) and renders (w known exactly). A GAR trained further needs this instead of a new inverse network.
"""
import argparse
import os

import cv2
import numpy as np
import torch

from .convnets import InverseNetwork
from .crops import FIELDS, PORTRAIT, RENDER, CropMaker
from .data import training_portraits
from .scenes import TRAINING_PICTURES, package_pictures
from .train_detector import to_input
from .train_inverse import load_sets, teacher_codes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", required=True, help="averaged checkpoint of train_inverse")
    parser.add_argument("--gar", required=True, help="averaged checkpoint of train_gar")
    parser.add_argument("--renders", help="renders of that GAR (see garface.training.renders)")
    parser.add_argument("--head", required=True)
    parser.add_argument("--portraits", required=True)
    parser.add_argument("--crops", required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("--out", required=True, help="checkpoint to write")
    parser.add_argument("--samples", type=int, default=8000)
    parser.add_argument("--count", type=int, default=10 ** 6, help="portraits used")
    parser.add_argument("--ridge", type=float, default=30.0)
    parser.add_argument("--threads", type=int, default=1)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    cv2.setNumThreads(1)
    head, portraits, crops, (renders, render_w) = load_sets(a)
    portraits = training_portraits(portraits).subset(slice(0, a.count))
    codes, mirrored, mean_w = teacher_codes(a.gar, portraits, head, a.cache)
    state = torch.load(a.network, map_location="cpu", weights_only=True)
    latent = len(mean_w)
    network = InverseNetwork(latent)
    kept = {k: v for k, v in state["network"].items() if not k.startswith("heads.w.")}
    network.load_state_dict(kept, strict=False)
    network.eval()
    maker = CropMaker(portraits, crops, renders, package_pictures(TRAINING_PICTURES), head)
    maker.clean = True      # w holds colours and light: those of the picture the encoder saw
    images, rows = maker.chunk(np.random.default_rng(3), a.samples, {PORTRAIT: 0.65, RENDER: 0.35})
    kind, source = rows[:, FIELDS["kind"]][:, 0], rows[:, FIELDS["source"]][:, 0].astype(int)
    flipped = rows[:, FIELDS["mirrored"]][:, 0] > 0.5
    known = (kind == PORTRAIT) | (~flipped & (render_w is not None))      # the w of a mirrored render is unknown
    target = np.zeros((len(rows), latent), np.float32)
    for mask, table in (((kind == PORTRAIT) & ~flipped, codes), ((kind == PORTRAIT) & flipped, mirrored),
                        ((kind == RENDER) & ~flipped, render_w)):
        if mask.any() and table is not None:
            target[mask] = table[source[mask]] - mean_w
    with torch.no_grad():
        hidden = torch.cat([network.hidden(to_input(images[i:i + 64])) for i in range(0, len(images), 64)]).numpy()
    x = np.concatenate([hidden, np.ones((len(hidden), 1))], 1)[known].astype(np.float64)
    y = target[known].astype(np.float64)
    fit = np.arange(len(x)) % 10 != 0
    penalty = np.diag(np.r_[np.full(x.shape[1] - 1, a.ridge), 0.0])
    solution = np.linalg.solve(x[fit].T @ x[fit] + penalty, x[fit].T @ y[fit])
    left = ((y[~fit] - x[~fit] @ solution) ** 2).sum() / ((y[~fit] - y[fit].mean(0)) ** 2).sum()
    print(f"unexplained share of w on held-out samples: {left:.3f}")
    with torch.no_grad():
        network.heads["w"].weight.copy_(torch.from_numpy(solution[:-1].T))
        network.heads["w"].bias.copy_(torch.from_numpy(solution[-1]))
    torch.save({"network": network.state_dict(), "latent": latent}, a.out)
    print(os.path.abspath(a.out))


if __name__ == "__main__":
    main()
