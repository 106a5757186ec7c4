"""The compact convolutional networks: inverse network, face detector, covering network.

Each begins with one sequence of 3x3 convolutions (padding 1, stride 1 or 2, leaky ReLU 0.2). While training every
convolution and hidden linear layer carries batch normalisation; `folded` merges it into the weights, so that a
weight file holds plain layers only.
"""
from dataclasses import asdict, astuple, dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

from . import runs
from .data import WHOLE, Field
from .shared_norm import BatchNorm1d, BatchNorm2d

SLOPE = 0.2
FEATURE_EPSILON = 1e-4


@dataclass(frozen=True)
class ConvSpec:
    """One 3x3 convolution. `level` marks an output whose statistics are features (and a perceptual-loss level)."""
    out: int
    stride: int = 1
    level: bool = False


INVERSE_LAYERS = (
    ConvSpec(32, 2, True),                                                       # 48 x 48
    ConvSpec(72, 2), ConvSpec(96, 1, True),                                      # 24 x 24
    ConvSpec(192, 2), ConvSpec(192, 1), ConvSpec(192, 1, True),                  # 12 x 12
    ConvSpec(336, 2), ConvSpec(336, 1), ConvSpec(336, 1), ConvSpec(144, 1, True),   # 6 x 6
)
INVERSE_SIZE = 96
INVERSE_TRUNK = (576, 384)
INVERSE_HEADS = {"identity": 80, "expression": 55, "pose": 6, "landmarks": 136, "landmark_log_sigma": 68, "face": 1}

PARTS = {"close_up": "close-up-network", "covering": "covering-network"}      # that an inverse network's file may hold, too

DETECTOR_LAYERS = (
    ConvSpec(12, 2), ConvSpec(16, 1),                             # 1/2
    ConvSpec(32, 2), ConvSpec(32, 1),                             # 1/4
    ConvSpec(64, 2), ConvSpec(64, 1), ConvSpec(64, 1), ConvSpec(64, 1),   # 1/8
)
DETECTOR_STRIDE = 8
DETECTOR_BASE = 48
DETECTOR_OUTPUTS = 6


class ConvStack(nn.Module):
    """image [B,3,H,W] in [-1,1] -> outputs of the marked levels and of the last layer."""

    def __init__(self, specs):
        super().__init__()
        self.specs = tuple(specs)
        channels = [3] + [s.out for s in specs]
        self.convs = nn.ModuleList(
            nn.Conv2d(i, s.out, 3, s.stride, 1, bias=False) for i, s in zip(channels, specs))
        self.norms = nn.ModuleList(BatchNorm2d(s.out) for s in specs)

    def forward(self, x):
        levels = []
        for spec, conv, norm in zip(self.specs, self.convs, self.norms):
            x = F.leaky_relu(norm(conv(x)), SLOPE)
            if spec.level:
                levels.append(x)
        return levels, x

    def folded(self):
        """Tensors `layers.{i}.weight` and `.bias` with the normalisation merged in."""
        tensors = {}
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            tensors[f"layers.{i}.weight"] = conv.weight * gain[:, None, None, None]
            tensors[f"layers.{i}.bias"] = norm.bias - norm.running_mean * gain
        return tensors

    def description(self):
        channels = [3] + [s.out for s in self.specs]
        return [{"in": i, "out": s.out, "stride": s.stride, "level": s.level} for i, s in zip(channels, self.specs)]


def statistics(level):
    """Per-channel mean and standard deviation over the picture: [B,C,h,w] -> [B,2C]."""
    mean = level.mean((2, 3))
    variance = (level - mean[:, :, None, None]).square().mean((2, 3))
    return torch.cat([mean, torch.sqrt(variance + FEATURE_EPSILON)], 1)


def features(levels, last):
    """[mean, std] of each level in order, then the last map flattened channel by channel; in float32."""
    return torch.cat([statistics(level.float()) for level in levels] + [last.float().flatten(1)], 1)


class InverseNetwork(nn.Module):
    """Aligned crop -> identity, expression, pose, w, landmarks: a start for the fit in one pass.

    The landmark head works in principal components of the training landmarks while training (`landmark_mean` [136],
    `landmark_basis` [136,k]); they are merged into the last linear layer on export.

    field: what of the aligned frame it is shown. One that sees less than the whole is a close-up, which reads the face again, larger,
    where another has found and placed it: w and whether it is a face stay with that.
    """

    def __init__(self, latent=256, specs=INVERSE_LAYERS, size=INVERSE_SIZE, trunk=INVERSE_TRUNK, field=WHOLE):
        super().__init__()
        self.size, self.latent, self.field = size, latent, field
        self.stack = ConvStack(specs)
        self.head_sizes = dict(INVERSE_HEADS, w=latent)
        side = size
        for s in specs:
            side = (side - 1) // s.stride + 1
        width = 2 * sum(s.out for s in specs if s.level) + specs[-1].out * side * side
        self.feature_norm = BatchNorm1d(width)
        self.trunk, self.trunk_norms = nn.ModuleList(), nn.ModuleList()
        for out in trunk:
            self.trunk.append(nn.Linear(width, out, bias=False))
            self.trunk_norms.append(BatchNorm1d(out))
            width = out
        self.heads = nn.ModuleDict({name: nn.Linear(width, n) for name, n in self.head_sizes.items()})
        for head in self.heads.values():
            nn.init.normal_(head.weight, std=0.1 / width ** 0.5)
            nn.init.zeros_(head.bias)
        self.register_buffer("landmark_mean", torch.zeros(136))
        self.register_buffer("landmark_basis", torch.eye(136))

    def hidden(self, x):
        """What the heads read: [B, trunk[-1]]."""
        levels, last = self.stack(x)
        y = self.feature_norm(features(levels, last))
        for linear, norm in zip(self.trunk, self.trunk_norms):
            y = F.leaky_relu(norm(linear(y)), SLOPE)
        return y

    def forward(self, x):
        y = self.hidden(x)
        out = {name: head(y) for name, head in self.heads.items()}
        out["landmarks"] = self.landmark_mean + out["landmarks"] @ self.landmark_basis.t()
        return out

    def checkpoint(self):
        """What `load_inverse` needs to make this network again."""
        return {"network": self.state_dict(), "latent": self.latent, "layers": [list(astuple(s)) for s in self.stack.specs],
                "size": self.size, "field": list(astuple(self.field))}

    def is_written(self, head):
        """Does a weight file hold that head? Those of a close-up do not hold what it leaves to another."""
        return self.field == WHOLE or head not in ("w", "face")

    def folded(self):
        """Every tensor of the weight file, in float32."""
        tensors = self.stack.folded()
        norm = self.feature_norm
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        shift = norm.bias - norm.running_mean * gain
        for j, (linear, norm) in enumerate(zip(self.trunk, self.trunk_norms)):
            weight, bias = linear.weight, torch.zeros(linear.out_features)
            if j == 0:
                weight, bias = weight * gain, weight @ shift
            after = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            tensors[f"trunk.{j}.weight"] = weight * after[:, None]
            tensors[f"trunk.{j}.bias"] = (bias - norm.running_mean) * after + norm.bias
        for name, head in self.heads.items():
            if not self.is_written(name):
                continue
            weight, bias = head.weight, head.bias
            if name == "landmarks":
                weight = self.landmark_basis @ weight
                bias = self.landmark_mean + self.landmark_basis @ bias
            tensors[f"heads.{name}.0.weight"], tensors[f"heads.{name}.0.bias"] = weight, bias
        return tensors

    def description(self):
        about = {"version": 1, "input_size": self.size, "leaky_slope": SLOPE, "feature_epsilon": FEATURE_EPSILON,
                 "layers": self.stack.description(), "trunk": [linear.out_features for linear in self.trunk],
                 "heads": {name: [n] for name, n in self.head_sizes.items() if self.is_written(name)}}
        if self.field == WHOLE:
            return {"kind": "inverse-network", "latent_size": self.latent, "w_rows": 1, **about}
        return {"kind": "close-up-network", "field": asdict(self.field), **about}


def load_inverse(path, latent=None):
    """The `InverseNetwork` of a checkpoint; another `latent` leaves its w head untrained."""
    state = runs.read(path, ("network", "latent", "layers"), "the ema.pt of train-inverse")
    tensors = state["network"]
    trunk = [tensors[f"trunk.{j}.weight"].shape[0] for j in range(sum(k.startswith("trunk.") for k in tensors))]
    size, field = int(state.get("size", INVERSE_SIZE)), Field(*state.get("field", ()))
    network = InverseNetwork(latent or int(state["latent"]), [ConvSpec(*s) for s in state["layers"]], size, trunk, field)
    if network.latent != int(state["latent"]):
        tensors = {k: v for k, v in tensors.items() if not k.startswith("heads.w.")}
    network.load_state_dict(tensors, strict=network.latent == int(state["latent"]))
    return network


class FaceDetector(nn.Module):
    """Fully convolutional: [B,3,H,W] -> [B,6,H/8,W/8] = logit, dx, dy, log(size/base), sin roll, cos roll."""

    def __init__(self, specs=DETECTOR_LAYERS):
        super().__init__()
        self.stack = ConvStack(specs)
        self.cell = nn.Conv2d(specs[-1].out, DETECTOR_OUTPUTS, 1)
        nn.init.normal_(self.cell.weight, std=0.01)
        with torch.no_grad():
            self.cell.bias.copy_(torch.tensor([-4.0, 0, 0, 0, 0, 1]))

    def forward(self, x):
        return self.cell(self.stack(x)[1])

    def folded(self):
        tensors = self.stack.folded()
        tensors["heads.cell.0.weight"], tensors["heads.cell.0.bias"] = self.cell.weight, self.cell.bias
        return tensors

    def description(self):
        return {"kind": "face-detector", "version": 1, "stride": DETECTOR_STRIDE, "base_size": DETECTOR_BASE,
                "leaky_slope": SLOPE, "layers": self.stack.description(), "heads": {"cell": [DETECTOR_OUTPUTS]},
                "threshold": 0.5}


COVERING_LAYERS = (
    ConvSpec(16, 2, True),                                          # 56 x 56
    ConvSpec(32, 2), ConvSpec(32, 1, True),                         # 28 x 28
    ConvSpec(64, 2), ConvSpec(64, 1, True),                         # 14 x 14
    ConvSpec(96, 2), ConvSpec(96, 1), ConvSpec(96, 1),              # 7 x 7
)


class CoveringNetwork(nn.Module):
    """A close-up of a face -> log-odds that something covers it, [B,1,s,s], s the side of the first level.

    A U-Net: the last map is enlarged (each pixel to 2 x 2), joined with the level of that size and convolved, down to the first level.
    """

    def __init__(self, specs=COVERING_LAYERS, size=112, field=WHOLE):
        super().__init__()
        self.size, self.field = size, field
        self.stack = ConvStack(specs)
        widths = [s.out for s in specs if s.level][::-1]
        below = [specs[-1].out] + widths[:-1]
        self.joins = nn.ModuleList(nn.Conv2d(b + w, w, 3, 1, 1, bias=False) for b, w in zip(below, widths))
        self.norms = nn.ModuleList(BatchNorm2d(w) for w in widths)
        self.last = nn.Conv2d(widths[-1], 1, 3, 1, 1)
        nn.init.constant_(self.last.bias, -2.0)

    def forward(self, x):
        levels, y = self.stack(x)
        for level, join, norm in zip(levels[::-1], self.joins, self.norms):
            y = torch.cat([F.interpolate(y, scale_factor=2, mode="nearest"), level], 1)
            y = F.leaky_relu(norm(join(y)), SLOPE)
        return self.last(y)

    def checkpoint(self):
        """What `load_covering` needs to make this network again."""
        return {"network": self.state_dict(), "layers": [list(astuple(s)) for s in self.stack.specs], "size": self.size,
                "field": list(astuple(self.field))}

    def folded(self):
        tensors = self.stack.folded()
        for i, (join, norm) in enumerate(zip(self.joins, self.norms)):
            gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            tensors[f"joins.{i}.weight"] = join.weight * gain[:, None, None, None]
            tensors[f"joins.{i}.bias"] = norm.bias - norm.running_mean * gain
        tensors["last.weight"], tensors["last.bias"] = self.last.weight, self.last.bias
        return tensors

    def description(self):
        return {"kind": "covering-network", "version": 1, "input_size": self.size, "field": asdict(self.field), "leaky_slope": SLOPE,
                "layers": self.stack.description()}


def load_covering(path):
    """The `CoveringNetwork` of a checkpoint."""
    state = runs.read(path, ("network", "layers", "size", "field"), "the ema.pt of train-covering")
    network = CoveringNetwork([ConvSpec(*s) for s in state["layers"]], int(state["size"]), Field(*state["field"]))
    network.load_state_dict(state["network"])
    return network


class PlainNetwork:
    """The network as a weight file states it, run without normalisation layers: what the library computes."""

    def __init__(self, tensors, description):
        self.tensors = {k: v.float() for k, v in tensors.items()}
        self.description = description

    @property
    def field(self):
        return Field(**self.description.get("field", {}))

    def part(self, name):
        """The network of that name (see PARTS) in the same file, or None."""
        about = self.description.get(name)
        return about and PlainNetwork({k.removeprefix(name + "."): v for k, v in self.tensors.items() if k.startswith(name + ".")}, about)

    @property
    def close_up(self):
        return self.part("close_up")

    def levels(self, x):
        t, slope, levels = self.tensors, self.description["leaky_slope"], []
        for i, layer in enumerate(self.description["layers"]):
            x = F.leaky_relu(F.conv2d(x, t[f"layers.{i}.weight"], t[f"layers.{i}.bias"], layer["stride"], 1), slope)
            if layer["level"]:
                levels.append(x)
        return levels, x

    def hidden(self, x):
        """What the heads of an inverse network read."""
        y = features(*self.levels(x))
        for j in range(len(self.description["trunk"])):
            weight, bias = self.tensors[f"trunk.{j}.weight"], self.tensors[f"trunk.{j}.bias"]
            y = F.leaky_relu(F.linear(y, weight, bias), self.description["leaky_slope"])
        return y

    def __call__(self, x):
        t = self.tensors
        if self.description["kind"] == "face-detector":
            return F.conv2d(self.levels(x)[1], t["heads.cell.0.weight"], t["heads.cell.0.bias"])
        if self.description["kind"] == "covering-network":
            levels, y = self.levels(x)
            for i, level in enumerate(levels[::-1]):
                y = torch.cat([F.interpolate(y, scale_factor=2, mode="nearest"), level], 1)
                y = F.leaky_relu(F.conv2d(y, t[f"joins.{i}.weight"], t[f"joins.{i}.bias"], 1, 1), self.description["leaky_slope"])
            return F.conv2d(y, t["last.weight"], t["last.bias"], 1, 1)
        y = self.hidden(x)
        return {n: F.linear(y, t[f"heads.{n}.0.weight"], t[f"heads.{n}.0.bias"]) for n in self.description["heads"]}
