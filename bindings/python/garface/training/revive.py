"""A trainable inverse network from a weight file, wider than it on request.

A weight file holds plain layers: normalisation is merged in. Here every layer gets normalisation back, set to what leaves
its output as it was on the crops given. A wider network copies channels and shares what reads them among the copies,
unequally, so that the copies part in training; it computes what the narrower one does.
"""
import numpy as np
import torch
import torch.nn.functional as F

from .convnets import SLOPE, ConvSpec, InverseNetwork, features
from .export import load_network


class _Copies:
    """Which channel of the file each new one copies, and the share of the reader's weight that falls to it."""

    def __init__(self, before, after, rng):
        self.source = np.r_[np.arange(before), rng.choice(before, after - before, replace=after > 2 * before)]
        raw = rng.uniform(0.5, 1.5, after)
        self.share = raw / np.bincount(self.source, raw, before)[self.source]

    def outputs(self, tensor):
        return tensor[torch.from_numpy(self.source)]

    def inputs(self, weight):
        """Columns (second axis) of a weight that reads these channels."""
        share = torch.from_numpy(self.share).float().reshape(1, -1, *[1] * (weight.ndim - 2))
        return weight[:, torch.from_numpy(self.source)] * share


class _Joined(_Copies):
    """Features side by side: each block's copies, columns counted on."""

    def __init__(self, blocks, repeat):
        """blocks: (copies, features of the block in the file per channel) each."""
        self.source, self.share, at = [], [], 0
        for copies, times in zip(blocks, repeat):
            inner = np.arange(times)
            self.source.append((copies.source[:, None] * times + inner).reshape(-1) + at)
            self.share.append(np.repeat(copies.share, times))
            at += (copies.source.max() + 1) * times
        self.source, self.share = np.concatenate(self.source), np.concatenate(self.share)


def _wider(channels, width):
    return max(channels, int(round(channels * width / 8)) * 8)


def revive(path, images, width=1.0, latent=None, seed=0, field=None):
    """The `InverseNetwork` of a weight file; `images` [n,3,S,S] in [-1,1] are crops of the kind that training shows.

    width: channels as a multiple of the file's. Another `latent` leaves the w head untrained, and crops of another size or field than
    the file's what reads the maps. The file may be of an inverse network or of a close-up.
    """
    plain = load_network(path, "inverse-network", "close-up-network")
    tensors, about = plain.tensors, plain.description
    rng = np.random.default_rng(seed)
    layers = about["layers"]
    specs = [ConvSpec(_wider(l["out"], width), l["stride"], l["level"]) for l in layers]
    trunk = [_wider(n, width) for n in about["trunk"]]
    size, field = images.shape[-1], field or plain.field
    network = InverseNetwork(latent or about.get("latent_size", 256), specs, size, trunk, field)
    channels = [_Copies(l["out"], s.out, rng) for l, s in zip(layers, specs)]
    side = about["input_size"]
    for l in layers:
        side = (side - 1) // l["stride"] + 1
    levels = [c for c, l in zip(channels, layers) if l["level"]]
    blocks = [c for c in levels for _ in range(2)] + [channels[-1]]
    read = _Joined(blocks, [1] * (2 * len(levels)) + [side * side])
    same = size == about["input_size"] and field == plain.field
    hidden = [_Copies(a, b, rng) for a, b in zip(about["trunk"], trunk)]
    with torch.no_grad():
        _set_stack(network, tensors, channels, images)
        _set_trunk(network, tensors, read if same else None, hidden, images)
        _set_heads(network, tensors, hidden[-1])
    return network


def _set_norm(norm, output, bias, axes):
    """Make the normalisation of `output` add `bias` and nothing else."""
    mean, variance = output.mean(axes), output.var(axes, unbiased=False)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_(torch.sqrt(variance + norm.eps))
    norm.bias.copy_(mean + bias)


def _set_stack(network, tensors, channels, images):
    x, inputs = images, None
    for i, (conv, norm, spec) in enumerate(zip(network.stack.convs, network.stack.norms, network.stack.specs)):
        weight = channels[i].outputs(tensors[f"layers.{i}.weight"])
        conv.weight.copy_(inputs.inputs(weight) if inputs else weight)
        bias, inputs = channels[i].outputs(tensors[f"layers.{i}.bias"]), channels[i]
        y = conv(x)
        _set_norm(norm, y, bias, (0, 2, 3))
        x = F.leaky_relu(y + bias[:, None, None], SLOPE)


def _set_trunk(network, tensors, read, hidden, images):
    network.eval()
    y = features(*network.stack(images))
    _set_norm(network.feature_norm, y, torch.zeros(y.shape[1]), 0)
    for j, (linear, norm) in enumerate(zip(network.trunk, network.trunk_norms)):
        if j or read:
            weight = hidden[j].outputs(tensors[f"trunk.{j}.weight"])
            linear.weight.copy_((hidden[j - 1] if j else read).inputs(weight))
        bias, y = hidden[j].outputs(tensors[f"trunk.{j}.bias"]), linear(y)
        _set_norm(norm, y, bias, 0)
        y = F.leaky_relu(y + bias, SLOPE)


def _set_heads(network, tensors, hidden):
    for name, head in network.heads.items():
        weight = tensors.get(f"heads.{name}.0.weight")
        if weight is not None and len(weight) == head.out_features:        # a w head of another size starts untrained
            head.weight.copy_(hidden.inputs(weight))
            head.bias.copy_(tensors[f"heads.{name}.0.bias"])


def express_landmarks(network, mean, basis):
    """Let the landmark head work in another basis, giving the same points."""
    with torch.no_grad():
        head = network.heads["landmarks"]
        weight, bias = network.landmark_basis @ head.weight, network.landmark_mean + network.landmark_basis @ head.bias
        network.landmark_mean.copy_(mean)
        network.landmark_basis.copy_(basis)
        head.weight.copy_(torch.linalg.solve(network.landmark_basis, weight))
        head.bias.copy_(torch.linalg.solve(network.landmark_basis, bias - network.landmark_mean))
