"""Fit the mapping network of a trained renderer to portraits: faces of random z then look as varied as they do, and as real.

The codes w of portraits are found through the frozen renderer, and the mapping network becomes the affine map of z that has
their mean and covariance, the directions in which they vary most first. Nothing else of the renderer changes. Its mean w does,
and an inverse network says w as an offset from it: --network-out is --network with its w head moved the other way, so that it
says the same w as before. A renderer trained on starts from these weights as from any others.
"""
import argparse
import os

import numpy as np
import torch

from .data import load_portraits, training_portraits
from .export import export_gar_network, load_network, save
from .networks import load_gar
from .normals import HeadModel
from .portrait_codes import portrait_codes

SLOPE = 0.2         # of the leaky ReLU of the mapping network's layers, which also multiply by sqrt 2
OFFSET = 6.0        # deviations of z, whose elements pass the first layers where they are straight


def moments(codes):
    """Mean [L] of codes [N,L], and the matrix [L,L] whose product with unit Gaussian z has their covariance."""
    centred = codes.astype(np.float64) - codes.mean(0)
    _, deviations, directions = np.linalg.svd(centred / np.sqrt(max(len(codes) - 1, 1)), full_matrices=True)
    factor = np.zeros((codes.shape[1],) * 2)
    factor[:, :len(deviations)] = directions[:len(deviations)].T * deviations
    return torch.from_numpy(codes.mean(0)).float(), torch.from_numpy(factor).float()


@torch.no_grad()
def make_affine(style, mean, factor):
    """Set the layers of a mapping network so that z becomes mean + factor z (z of mean square 1, as its first layer makes it).

    All but the last two add an offset that keeps z where the leaky ReLU is straight. The last but one gives -w, bent; the bend
    of the last undoes it, as -relu(-w) / slope is bent once more to w. Rounding aside, the map is exact.
    """
    layers = list(style)[1:]
    if len(layers) < 2:
        raise ValueError("the mapping network has one layer; an affine map takes two")
    root, one = np.sqrt(2), torch.eye(len(mean))
    parts = [(one / root, torch.full_like(mean, OFFSET / root) if k == 0 else torch.zeros_like(mean)) for k in range(len(layers) - 2)]
    offset = OFFSET if parts else 0.0
    parts.append((-factor / root, (factor.sum(1) * offset - mean) / root))
    parts.append((-one / (root * SLOPE), torch.zeros_like(mean)))
    for layer, (weight, bias) in zip(layers, parts):
        layer.weight.copy_(weight / layer.scale)
        layer.bias.copy_(bias / layer.rate)


def energy_distance(a, b):
    """Of two sets of codes [N,L], [M,L]: 0 where both are of one distribution."""
    n, m = len(a), len(b)
    inner = torch.cdist(a, a).sum() / (n * (n - 1)) + torch.cdist(b, b).sum() / (m * (m - 1))
    return (2 * torch.cdist(a, b).mean() - inner).item()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gar", required=True, help="averaged checkpoint of train_gar, or a weight file")
    parser.add_argument("--head", required=True, help="head model (.npz)")
    parser.add_argument("--portraits", required=True, help="folder of the aligned colour portraits, or a packed set")
    parser.add_argument("--cache", required=True, help="folder for prepared arrays")
    parser.add_argument("--network", help="weight file of the inverse network that says where each code is looked for first")
    parser.add_argument("--codes", help="file of codes (.npz), read where it exists, else written")
    parser.add_argument("--out", required=True, help="weight file of the renderer to write")
    parser.add_argument("--network-out", help="weight file to write of the inverse network that goes with it")
    parser.add_argument("--normal-sampling", default="area", choices=("area", "point"), help="how normal maps are made for the renderer")
    parser.add_argument("--count", type=int, default=2400, help="portraits; a core takes about a second each")
    parser.add_argument("--level", type=int, default=64, help="pixels of the renderer's level compared with the portraits")
    parser.add_argument("--iterations", type=int, default=30)
    parser.add_argument("--rate", type=float, default=0.1, help="step of an element of w")
    parser.add_argument("--pull", type=float, default=1e-3, help="holds a code to where it was looked for first")
    parser.add_argument("--spread", type=float, default=1.0, help="times the codes' deviations: less is nearer to the mean face")
    parser.add_argument("--threads", type=int, default=1)
    a = parser.parse_args(argv)
    if a.network_out and not a.network:
        parser.error("--network-out needs --network")
    torch.set_num_threads(a.threads)
    gar, _ = load_gar(a.gar)
    gar.requires_grad_(False)
    network = load_network(a.network, "inverse-network") if a.network else None
    if network and len(network.tensors["heads.w.0.weight"]) != gar.latent:
        parser.error(f"{a.network}: its w has another size than the renderer's; see fit-w-head")
    if a.codes and os.path.exists(a.codes):
        codes = np.load(a.codes)["w"]
        if codes.ndim != 2 or codes.shape[1] != gar.latent or len(codes) < 2:
            parser.error(f"{a.codes}: holds no codes of {gar.latent} elements")
    else:
        faces = training_portraits(load_portraits(a.portraits, a.cache))
        chosen = np.sort(np.random.default_rng(3).permutation(len(faces))[:a.count])
        codes = portrait_codes(gar, network, HeadModel(a.head), faces.subset(chosen), min(a.level, gar.size), a.iterations, a.rate,
                               a.pull, lambda line: print(line, flush=True))
        if a.codes:
            np.savez(a.codes, w=codes)
    z, w = torch.randn(2000, gar.latent, generator=torch.Generator().manual_seed(1)), torch.from_numpy(codes)[:2000]
    old_mean, before = gar.mean_w(), energy_distance(gar.style(z), w)
    mean, factor = moments(codes)
    make_affine(gar.style, mean, a.spread * factor)
    print(f"energy distance of random codes and portraits': {before:.3f} -> {energy_distance(gar.style(z), w):.3f}", flush=True)
    export_gar_network(gar, a.out, a.normal_sampling)
    print(os.path.abspath(a.out))
    if a.network_out:
        bias = network.tensors["heads.w.0.bias"] + old_mean - gar.mean_w()
        save(network.tensors | {"heads.w.0.bias": bias}, network.description, a.network_out)
        print(os.path.abspath(a.network_out))


if __name__ == "__main__":
    main()
