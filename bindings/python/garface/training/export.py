"""Write trained networks as safetensors files that the library loads.

Every file carries a `garface` metadata entry (JSON): kind, version and sizes. GAR parameters keep the published
state_dict names; the compact networks are written as plain layers, normalisation merged in.
"""
import argparse
import json

import cv2
import numpy as np
import torch
from safetensors.torch import save_file

from . import runs
from .convnets import PARTS, FaceDetector, PlainNetwork, load_covering, load_inverse
from .data import WHOLE, warped
from .networks import load_gar, read_weight_file
from .normals import HeadModel
from .renders import load_renders
from .train_detector import to_input


def save(tensors, description, path, dtype=torch.float16):
    """Write `tensors` with `description` as the `garface` metadata entry."""
    data = {k: v.detach().to(dtype).contiguous().clone() for k, v in tensors.items()}
    for name, value in data.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"tensor {name} has values that {dtype} cannot hold")
    save_file(data, path, metadata={"garface": json.dumps(description)})


def save_network(network, path, dtype=torch.float16, **extra):
    """Write an `InverseNetwork` or `FaceDetector`; `extra` entries join the description."""
    network.eval()
    with torch.no_grad():
        save(network.folded(), {**network.description(), **extra}, path, dtype)


def load_network(path, *kinds):
    """Read a file written by `save_network` as a `PlainNetwork`; ValueError unless it is of one of the kinds (default: any)."""
    return PlainNetwork(*read_weight_file(path, *kinds or ("inverse-network", "close-up-network", "face-detector", "covering-network")))


def write_cases(path, out):
    """Inputs, outputs and gradients of the network in `path` (of the first, if there are two), to compare another implementation with."""
    network = load_network(path)
    generator = torch.Generator().manual_seed(3)
    shape = (1, 3, 96, 128) if network.description["kind"] == "face-detector" else (1, 3, *[network.description["input_size"]] * 2)
    x, other = (torch.rand(shape, generator=generator) * 2 - 1 for _ in range(2))
    data = {"input": x}
    with torch.no_grad():
        output = network(x)
    if isinstance(output, dict):
        data.update({f"output.{k}": v for k, v in output.items()})
        with torch.no_grad():
            targets = network.levels(other)[0]
        data["other_input"] = other
        for level in (1, 2):
            leaf = x.clone().requires_grad_(True)
            loss = (network.levels(leaf)[0][level] - targets[level]).square().sum()
            loss.backward()
            data[f"feature_loss.{level}"], data[f"feature_gradient.{level}"] = loss.detach()[None], leaf.grad
    elif network.description["kind"] == "covering-network":
        data["output"] = output
    else:
        data["output.cell"] = output
    note = "feature_loss.k = sum((level_k(input) - level_k(other_input))^2), levels counted from 0; gradient to input"
    save_file({k: v.contiguous() for k, v in data.items()}, out, metadata={"note": note})


def export_gar_network(gar, out, normal_sampling):
    """Write a `Generator` with the mean of its w."""
    save({**gar.state_dict(), "mean_w": gar.mean_w()}, gar.description(normal_sampling), out)


def export_gar(checkpoint, out, normal_sampling):
    export_gar_network(load_gar(checkpoint)[0], out, normal_sampling)


def _crops(faces, network):
    """What a network sees of renders, [N,S,S,3] uint8."""
    size = network.description["input_size"]
    if network.field == WHOLE:
        return np.stack([cv2.resize(p, (size,) * 2, interpolation=cv2.INTER_AREA) for p in faces.images])
    return np.stack([warped(p, f, size, field=network.field) for p, f in zip(faces.images, faces.frames)])


def deviations(network, renders, head):
    """Root mean square errors of identity and expression of a `PlainNetwork` on a file of renders, as entries of its description; of its
    mean with the close-up network of its file, if there is one."""
    faces, _ = load_renders(renders, HeadModel(head))
    readers = [r for r in (network, network.close_up) if r]
    pictures = [to_input(_crops(faces, r)) for r in readers]
    found = {"identity": [], "expression": []}
    with torch.no_grad():
        for i in range(0, len(faces), 64):
            outs = [r(x[i:i + 64]) for r, x in zip(readers, pictures)]
            identity, expression = (sum(v) / len(v) for v in ([o["identity"] for o in outs], [o["expression"].clamp(0, 1) for o in outs]))
            found["identity"].append(identity - torch.from_numpy(faces.identity[i:i + 64]))
            found["expression"].append(expression - torch.from_numpy(faces.expression[i:i + 64]))
    return {f"{k}_deviation": [round(float(d), 4) for d in torch.cat(v).square().mean(0).sqrt().clamp(0.01, 100)]
            for k, v in found.items()}


def with_part(network, name, other):
    """The `PlainNetwork` of an inverse network's file that holds another network, too, under that name."""
    tensors = {k: v for k, v in network.tensors.items() if not k.startswith(name + ".")}
    about = dict(network.description)
    if name == "close_up":      # the deviations of one are not the mean's
        about = {k: v for k, v in about.items() if not k.endswith("_deviation")}
    return PlainNetwork(tensors | {f"{name}.{k}": v for k, v in other.tensors.items()}, about | {name: other.description})


def export_inverse(checkpoint, out, renders=None, head=None, close_up=None, covering=None, w_limit=None):
    if checkpoint.endswith(".safetensors"):
        network = load_network(checkpoint, "inverse-network", *[] if close_up or covering else ["close-up-network"])
    else:
        trained = load_inverse(checkpoint).eval()
        with torch.no_grad():
            network = PlainNetwork(trained.folded(), trained.description())
    parts = {"close_up": close_up, "covering": covering}
    for name, path in parts.items():
        if not path:
            continue
        if network.field != WHOLE:
            raise ValueError(f"{checkpoint}: is a close-up itself; expected the network that sees the whole head")
        network = with_part(network, name, load_network(path, PARTS[name]))
    more = (deviations(network, renders, head) if renders else {}) | ({"w_limit": w_limit} if w_limit else {})
    save(network.tensors, network.description | more, out)


def export_detector(checkpoint, out, threshold):
    network = FaceDetector()
    network.load_state_dict(runs.read(checkpoint, network.state_dict(), "the ema.pt of train-detector"))
    save_network(network, out, threshold=threshold)


def export_covering(checkpoint, out):
    save_network(load_covering(checkpoint), out)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("gar", "inverse", "detector", "covering"))
    parser.add_argument("checkpoint", help="the averaged checkpoint, ema.pt; of an inverse network also a weight file, to give it deviations")
    parser.add_argument("out", help="the .safetensors to write")
    parser.add_argument("--normal-sampling", choices=("area", "point"), default="area", help="how a GAR's normals were sampled")
    parser.add_argument("--threshold", type=float, default=0.5, help="the detector's default score threshold")
    parser.add_argument("--renders", help="renders the inverse network was not trained on (see garface.training.renders): its errors "
                        "there tell the library how far to believe it")
    parser.add_argument("--head", help="head model (.npz) of the renders")
    parser.add_argument("--close-up", help="weight file of a close-up network (of train-inverse --close-up) that joins the inverse network's")
    parser.add_argument("--covering", help="weight file of a covering network (of train-covering) that joins the inverse network's")
    parser.add_argument("--w-limit", type=float, help="length of the longest offset of w that faces have: read of what "
                        "hardly shows a face it may be any, and the library shortens it")
    parser.add_argument("--cases", help="also write inputs, outputs and gradients to compare another implementation with")
    a = parser.parse_args(argv)
    if a.kind == "gar":
        export_gar(a.checkpoint, a.out, a.normal_sampling)
    elif a.kind == "inverse":
        if a.renders and not a.head:
            parser.error("--renders needs --head")
        export_inverse(a.checkpoint, a.out, a.renders, a.head, a.close_up, a.covering, a.w_limit)
    elif a.kind == "covering":
        export_covering(a.checkpoint, a.out)
    else:
        export_detector(a.checkpoint, a.out, a.threshold)
    if a.cases and a.kind != "gar":
        write_cases(a.out, a.cases)


if __name__ == "__main__":
    main()
