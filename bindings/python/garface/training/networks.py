"""The Generative Adversarial Renderer and its training partners, with the published parameter names.

Normals arrive as a pyramid {resolution: [B,3,r,r]}; `pyramid` makes one by 2x2 averaging (area sampling).
"""
import json
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open

from . import runs

GAIN = math.sqrt(2)


def channels_last(module):
    """Stores the convolution weights with their channels last, the faster order on CPU and GPU; returns the module."""
    for p in module.parameters():
        if p.ndim == 4:
            p.data = p.data.contiguous(memory_format=torch.channels_last)
    return module


def fir_kernel(gain):
    k = torch.tensor([1.0, 3.0, 3.0, 1.0])
    k = k[:, None] * k[None]
    return k / k.sum() * gain


def blur(x, kernel, pad):
    channels = x.shape[1]
    x = F.pad(x, [pad[0], pad[1], pad[0], pad[1]])
    if x.is_cuda:      # 1 3 3 1 is the mean of two neighbours three times over, and GPUs are slow at depthwise convolution
        for _ in range(3):
            x = F.avg_pool2d(x, 2, 1)
        return x * kernel.sum().to(x.dtype)
    return F.conv2d(x, kernel[None, None].expand(channels, 1, -1, -1).to(x.dtype), groups=channels)


def upsample(x, kernel):
    n, c, h, w = x.shape
    z = x.new_zeros(n, c, 2 * h, 2 * w)
    z[:, :, ::2, ::2] = x
    return blur(z, kernel, (2, 1))


def pyramid(normals):
    """Finest normals [B,3,S,S] -> {4..S: maps}, each the 2x2 average of the next."""
    r = normals.shape[-1]
    levels = {r: normals}
    while r > 4:
        r //= 2
        normals = F.avg_pool2d(normals, 2)
        levels[r] = normals
    return levels


class EqualLinear(nn.Module):
    """Linear layer with equalised learning rate."""

    def __init__(self, inputs, outputs, bias=0.0, rate=1.0, activate=False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), float(bias)))
        self.scale, self.rate, self.activate = rate / math.sqrt(inputs), rate, activate

    def forward(self, x):
        y = F.linear(x, self.weight * self.scale, self.bias * self.rate)
        return F.leaky_relu(y, 0.2) * GAIN if self.activate else y


class PixelNorm(nn.Module):
    def forward(self, x):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-8)


class BiasActivation(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        return F.leaky_relu(x + self.bias[:, None, None].to(x.dtype), 0.2) * GAIN


class FIR(nn.Module):
    """Holder of a FIR kernel under the published name."""

    def __init__(self, gain):
        super().__init__()
        self.register_buffer("kernel", fir_kernel(gain))


class ModulatedConv(nn.Module):
    """Modulated, demodulated convolution: conv(x * s, W) * d, which equals convolving with the modulated weights."""

    def __init__(self, inputs, outputs, kernel, latent, up=False, demodulate=True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, outputs, inputs, kernel, kernel))
        self.modulation = EqualLinear(latent, inputs, 1.0)
        self.scale, self.up, self.demodulate, self.pad = 1 / math.sqrt(inputs * kernel * kernel), up, demodulate, kernel // 2
        if up:
            self.blur = FIR(4)

    def forward(self, x, w):
        style, weight = self.modulation(w), self.weight[0] * self.scale
        x = x * style[:, :, None, None].to(x.dtype)
        if self.up:
            y = blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), self.blur.kernel, (1, 1))
        else:
            y = F.conv2d(x, weight, padding=self.pad)
        if self.demodulate:
            y = y * torch.rsqrt((style * style) @ (weight * weight).sum((2, 3)).t() + 1e-8)[:, :, None, None].to(y.dtype)
        return y


class NoiseWeight(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


class RenderConv(nn.Module):
    """One conv of a Render Block: modulated conv, normal injection y * S + B, noise, bias and activation."""

    def __init__(self, inputs, outputs, latent, up=False):
        super().__init__()
        self.conv = ModulatedConv(inputs, outputs, 3, latent, up)
        self.noise = NoiseWeight()
        self.activate = BiasActivation(outputs)

    def forward(self, x, w, injection, noise=None):
        y = self.conv(x, w)
        y = y * injection[:, :1].to(y.dtype) + injection[:, 1:2].to(y.dtype)
        noise = torch.randn_like(y[:, :1]) if noise is None else noise
        return self.activate(y + (self.noise.weight * noise).to(y.dtype))


class ToRGB(nn.Module):
    def __init__(self, inputs, latent, up=True):
        super().__init__()
        self.conv = ModulatedConv(inputs, 3, 1, latent, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        if up:
            self.upsample = FIR(4)

    def forward(self, x, w, skip=None):
        y = self.conv(x, w) + self.bias
        return y if skip is None else y + upsample(skip, self.upsample.kernel)


class EqualConv(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride=1, padding=0, bias=True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale, self.stride, self.padding = 1 / math.sqrt(inputs * kernel * kernel), stride, padding

    def forward(self, x):
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, self.padding)


class DownsampleBlur(nn.Module):
    def __init__(self, pad):
        super().__init__()
        self.register_buffer("kernel", fir_kernel(1))
        self.pad = pad

    def forward(self, x):
        return blur(x, self.kernel, self.pad)


def conv_layer(inputs, outputs, kernel, down=False, activate=True, bias=True):
    layers = []
    if down:
        p = 2 + kernel - 1
        layers.append(DownsampleBlur(((p + 1) // 2, p // 2)))
    layers.append(EqualConv(inputs, outputs, kernel, 2 if down else 1, 0 if down else kernel // 2, bias))
    if activate:
        layers.append(BiasActivation(outputs))
    return nn.Sequential(*layers)


class ResBlock(nn.Module):
    def __init__(self, inputs, outputs, down=True):
        super().__init__()
        self.conv1 = conv_layer(inputs, inputs, 3)
        self.conv2 = conv_layer(inputs, outputs, 3, down)
        self.skip = conv_layer(inputs, outputs, 1, down, activate=False, bias=False)

    def forward(self, x):
        return (self.conv2(self.conv1(x)) + self.skip(x)) / GAIN


class Generator(nn.Module):
    """GAR: (w [B,L] or w+ [B,n,L], normals) -> image [B,3,S,S]. `style` maps z to w."""

    def __init__(self, size, channels, latent=512, depth=8, style_maps=3, mapping_rate=0.01):
        super().__init__()
        self.size, self.log, self.channels, self.latent, self.depth = size, int(math.log2(size)), dict(channels), latent, depth
        self.style = nn.Sequential(
            PixelNorm(), *[EqualLinear(latent, latent, rate=mapping_rate, activate=True) for _ in range(depth)])
        self.input = nn.Module()
        self.input.input = nn.Parameter(torch.randn(1, channels[4], 4, 4))
        self.to_rgb1 = ToRGB(channels[4], latent, False)
        self.convs, self.to_rgbs, self.norm_to_style = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        self.style_maps, self.rows = style_maps, 2 * self.log - 2
        wide = style_maps != 3
        self.norm1 = (nn.Sequential(conv_layer(3, style_maps, 3), ResBlock(style_maps, 2, False)) if wide
                      else ResBlock(3, 2, False))
        inputs = channels[4]
        self.conv1 = RenderConv(inputs, inputs, latent)
        for k in range(3, self.log + 1):
            outputs = channels[2 ** k]
            self.convs += [RenderConv(inputs, outputs, latent, True), RenderConv(outputs, outputs, latent)]
            self.to_rgbs.append(ToRGB(outputs, latent))
            inputs = outputs
            if wide:
                self.norm_to_style += [conv_layer(3, style_maps, 3), ResBlock(style_maps, 4, False)]
            else:
                self.norm_to_style.append(ResBlock(3, 4, False))
        self.noises = nn.Module()
        self.layer_count = 2 * (self.log - 2) + 1
        for k in range(self.layer_count):
            r = 2 ** ((k + 5) // 2)
            self.noises.register_buffer(f"noise_{k}", torch.randn(1, 1, r, r))

    def injection(self, k, normals):
        if self.style_maps == 3:
            return self.norm_to_style[k](normals)
        return self.norm_to_style[2 * k + 1](self.norm_to_style[2 * k](normals))

    def forward(self, w, normals, noise=None):
        return self.pictures(w, normals, noise)[-1]

    def pictures(self, w, normals, noise=None, size=None):
        """The picture at every level, 4, 8, ... `size` (default: all S) pixels: each adds its detail to the one before, enlarged."""
        if w.ndim == 2:
            w = w[:, None].expand(-1, self.rows, -1)
        noise = noise or [None] * self.layer_count
        x = self.input.input.expand(len(w), -1, -1, -1)
        x = self.conv1(x, w[:, 0], self.norm1(normals[4]), noise[0])
        pictures, i = [self.to_rgb1(x, w[:, 1])], 1
        for k, to_rgb in enumerate(self.to_rgbs[:int(math.log2(size)) - 2] if size else self.to_rgbs):
            maps = self.injection(k, normals[2 ** (k + 3)])
            x = self.convs[2 * k](x, w[:, i], maps[:, :2], noise[i])
            x = self.convs[2 * k + 1](x, w[:, i + 1], maps[:, 2:], noise[i + 1])
            pictures.append(to_rgb(x, w[:, i + 2], pictures[-1]))
            i += 2
        return pictures

    def description(self, normal_sampling="area", half_mm=115, centre_y_mm=5):
        """The `garface` metadata entry of a weight file."""
        return {"kind": "gar", "version": 1, "size": self.size, "latent_size": self.latent, "n_mlp": self.depth,
                "n_stylemap": self.style_maps, "channels": {str(r): c for r, c in self.channels.items() if r <= self.size},
                "half_mm": half_mm, "centre_y_mm": centre_y_mm, "normal_sampling": normal_sampling}

    def mean_w(self, count=10000, seed=0):
        with torch.no_grad():
            z = torch.randn(count, self.latent, generator=torch.Generator().manual_seed(seed))
            return self.style(z).mean(0)


def _levels(inputs, size, channels):
    layers, r = [conv_layer(inputs, channels[size], 1)], size
    while r > 4:
        layers.append(ResBlock(channels[r], channels[r // 2]))
        r //= 2
    return nn.Sequential(*layers)


class Discriminator(nn.Module):
    """Sees the photo and the normals together."""

    def __init__(self, size, channels, inputs=6):
        super().__init__()
        self.convs = _levels(inputs, size, channels)
        self.final_conv = conv_layer(channels[4] + 1, channels[4], 3)
        self.final_linear = nn.Sequential(
            EqualLinear(channels[4] * 16, channels[4], activate=True), EqualLinear(channels[4], 1))

    def forward(self, x):
        return self.judge(self.convs(x))

    def judge(self, y):
        """Scores from the last of the `features`."""
        b, c, h, w = y.shape
        group = next(g for g in (4, 2, 1) if b % g == 0)     # neighbours: processes that share a batch form the same groups
        spread = y.reshape(-1, group, c, h, w).var(1, unbiased=False).add(1e-8).sqrt().mean([1, 2, 3])
        spread = spread.repeat_interleave(group)[:, None, None, None].expand(-1, 1, h, w)
        return self.final_linear(self.final_conv(torch.cat([y, spread], 1)).flatten(1))

    def features(self, x):
        found = []
        for layer in self.convs:
            x = layer(x)
            found.append(x)
        return found


class Encoder(nn.Module):
    """(photo, normals) [B,6,S,S] -> w: the partner that makes reconstruction a training signal. Sees at most 64 px."""

    def __init__(self, size, channels, latent):
        super().__init__()
        self.size = min(size, 64)
        self.c = _levels(6, self.size, channels)
        self.l = EqualLinear(channels[4] * 16, latent)

    def forward(self, x):
        while x.shape[-1] > self.size:
            x = F.avg_pool2d(x, 2)
        return self.l(self.c(x).flatten(1))


class ShapeFromShading(nn.Module):
    """Picture -> normals, a small U-Net: renders must keep the normals they were made from readable."""

    def __init__(self):
        super().__init__()

        def conv(i, o, stride=1):
            return nn.Conv2d(i, o, 3, stride, 1)
        self.a, self.b, self.c, self.d, self.e = conv(3, 24), conv(24, 40, 2), conv(40, 64, 2), conv(64, 64, 2), conv(64, 64)
        self.u1, self.u2, self.u3, self.o = conv(128, 64), conv(104, 40), conv(64, 24), nn.Conv2d(24, 3, 1)

    def forward(self, x):
        def act(t):
            return F.leaky_relu(t, 0.1)

        def up(t):
            return F.interpolate(t, scale_factor=2, mode="nearest")
        a = act(self.a(x))
        b = act(self.b(a))
        c = act(self.c(b))
        y = act(self.e(act(self.d(c))))
        y = act(self.u1(torch.cat([up(y), c], 1)))
        y = act(self.u2(torch.cat([up(y), b], 1)))
        return self.o(act(self.u3(torch.cat([up(y), a], 1))))


def grow(generator, discriminator, small_generator, small_discriminator):
    """Start networks of a larger picture from the state dicts of a smaller one; the discriminator can be left as it is (None).

    The generator's new levels add nothing to the picture at first; the discriminator's new levels are untrained.
    """
    own = generator.state_dict()
    kept = {k: v for k, v in small_generator.items() if k in own and own[k].shape == v.shape}
    lost = [k for k in small_generator if k not in kept]
    if lost:
        raise ValueError(f"the smaller generator does not fit: {', '.join(lost[:4])}")
    generator.load_state_dict(own | kept)
    with torch.no_grad():
        for k, to_rgb in enumerate(generator.to_rgbs):
            if f"to_rgbs.{k}.bias" not in kept:
                to_rgb.conv.weight.zero_()
    if small_discriminator is None:
        return
    own = discriminator.state_dict()
    levels = [{int(k.split(".")[1]) for k in d if k.startswith("convs.")} for d in (own, small_discriminator)]
    added = len(levels[0]) - len(levels[1])
    for name, value in small_discriminator.items():
        part = name.split(".")
        if part[0] == "convs":
            if part[1] == "0":          # reads the picture at the smaller size
                continue
            name = ".".join(["convs", str(int(part[1]) + added), *part[2:]])
        if own[name].shape != value.shape:
            raise ValueError(f"the smaller discriminator does not fit: {name}")
        own[name] = value
    discriminator.load_state_dict(own)


def read_weight_file(path, *kinds):
    """(tensors, description) of a weight file of one of the kinds; ValueError says what it is instead."""
    expected = f"expected a weight file of kind {' or '.join(kinds)}"
    try:
        with safe_open(path, "pt") as f:
            about = json.loads((f.metadata() or {}).get("garface", "{}"))
            tensors = {k: f.get_tensor(k) for k in f.keys()}
    except SafetensorError as problem:
        raise ValueError(f"{path}: damaged, or no weight file ({problem}); {expected}") from None
    if about.get("kind") not in kinds:
        raise ValueError(f"{path}: holds {about.get('kind', 'no network of this library')}; {expected}")
    return tensors, about


def load_gar_file(path):
    """The generator of a weight file (.safetensors with the `garface` metadata entry)."""
    tensors, about = read_weight_file(path, "gar")
    tensors = {k: v.float() for k, v in tensors.items() if k != "mean_w"}
    channels = {int(r): c for r, c in about["channels"].items()}
    generator = Generator(about["size"], channels, about["latent_size"], about["n_mlp"], about["n_stylemap"])
    generator.load_state_dict(tensors)
    return generator.eval()


def load_gar(path):
    """(generator, encoder or None) from an averaged checkpoint of `train_gar` (half precision) or a weight file."""
    if path.endswith(".safetensors"):
        return load_gar_file(path), None
    state = runs.read(path, ("g", "channels", "latent"), "the ema.pt of train-gar")
    channels = {int(r): int(c) for r, c in state["channels"]}
    g, rows = state["g"], [k for k in state["g"] if k.startswith("noises.")]
    size = max(g[k].shape[-1] for k in rows)
    depth = sum(1 for k in g if k.startswith("style.") and k.endswith("weight"))
    maps = g["norm1.0.0.weight"].shape[0] if "norm1.0.0.weight" in g else 3
    generator = Generator(size, channels, int(state["latent"]), depth, maps)
    generator.load_state_dict({k: v.float() for k, v in g.items()})
    encoder = None
    if "e" in state:
        encoder = Encoder(size, {int(r): int(c) for r, c in state.get("partner_channels", state["channels"])}, int(state["latent"]))
        encoder.load_state_dict({k: v.float() for k, v in state["e"].items()})
        encoder.eval()
    return generator.eval(), encoder
