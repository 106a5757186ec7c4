"""The three readers of the published objective: normals, 68 landmarks and identity from a picture.

The published training takes them pretrained; here each is trained beside the renderer: normals and landmarks on photos
with fits, identity on renders that share identity and z. A TorchScript network of your own can take the place of any:
pictures [B,3,S,S], RGB in [-1,1], aligned frame ->
- normals [B,3,s,s], camera space, s a power of two, at most S;
- landmarks [B,68,2], NDC of the frame (x right, y up);
- identity features [B,F].
"""
import torch
import torch.nn as nn
import torch.nn.functional as F

from .networks import ShapeFromShading, channels_last, pyramid

READER_SIZE = 64
LANDMARK_UNIT = 0.02        # NDC: 2.3 mm


class Reader(nn.Module):
    """Picture of `size` px -> `outputs` numbers."""

    def __init__(self, outputs, size=READER_SIZE, widths=(16, 32, 64, 96)):
        super().__init__()
        layers, inputs = [], 3
        for width in widths:
            layers += [nn.Conv2d(inputs, width, 3, 2, 1), nn.LeakyReLU(0.1), nn.Conv2d(width, width, 3, 1, 1), nn.LeakyReLU(0.1)]
            inputs = width
        self.convs = nn.Sequential(*layers)
        side = size >> len(widths)
        self.out = nn.Linear(inputs * side * side, outputs)
        nn.init.normal_(self.out.weight, std=0.01)

    def forward(self, x):
        return self.out(self.convs(x).flatten(1))


def shrunk(picture, size=READER_SIZE):
    """Averaged down to at most `size` px."""
    while picture.shape[-1] > size:
        picture = F.avg_pool2d(picture, 2)
    return picture


def masked_difference(predicted, normals):
    """Smooth L1 of normal maps inside the head, a mean over the samples; normals [B,3,S,S], predicted [B,3,s,s]."""
    normals = pyramid(normals)[predicted.shape[-1]] if normals.shape[-1] != predicted.shape[-1] else normals
    mask = (normals.abs().sum(1, keepdim=True) > 0).float()
    difference = F.smooth_l1_loss(predicted, normals, reduction="none", beta=0.1) * mask
    return (difference.sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp(min=1) / 3).mean()


def landmark_difference(predicted, landmarks):
    return F.smooth_l1_loss(predicted / LANDMARK_UNIT, landmarks / LANDMARK_UNIT)


def identity_contrast(features, temperature=0.1):
    """Neighbours 2k, 2k + 1 are one person: they must be nearer than the other pair of each four. features [B,F] -> scalar."""
    f = F.normalize(features, dim=1).view(-1, 2, 2, features.shape[1])      # fours, pairs, members
    same = (f[:, :, 0] * f[:, :, 1]).sum(2)                                 # [fours, pairs]
    other = torch.einsum("gif,gjf->gij", f[:, 0], f[:, 1])                  # across the two pairs
    return F.softplus((other[:, None] - same[:, :, None, None]) / temperature).mean()


class Judges(nn.Module):
    """The three readers; `files` {"normals" | "landmarks" | "identity": TorchScript path} replaces some.

    `size` of the pictures; our own readers see at most 64 px of it. `landmark_mean` [68,2]: where their points start.
    """

    def __init__(self, size, files=None, landmark_mean=None):
        super().__init__()
        size = min(size, READER_SIZE)
        files = {k: v for k, v in (files or {}).items() if v}
        self.given = nn.ModuleDict({k: torch.jit.load(v, map_location="cpu").eval() for k, v in files.items()})
        for p in self.given.parameters():
            p.requires_grad = False
        own = {"normals": ShapeFromShading, "landmarks": lambda: Reader(136, size), "identity": lambda: Reader(64, size)}
        self.own = nn.ModuleDict({k: channels_last(make()) for k, make in own.items() if k not in files})
        self.register_buffer("landmark_mean", torch.zeros(68, 2) if landmark_mean is None else landmark_mean)

    def normals(self, x):
        return self.given["normals"](x) if "normals" in self.given else self.own["normals"](shrunk(x))

    def landmarks(self, x):
        if "landmarks" in self.given:
            return self.given["landmarks"](x)
        return self.landmark_mean + self.own["landmarks"](shrunk(x)).view(-1, 68, 2) * LANDMARK_UNIT

    def identity(self, x):
        return self.given["identity"](x) if "identity" in self.given else self.own["identity"](shrunk(x))

    def lessons(self, photo, normals, landmarks, inside, pairs, shape=True):
        """Losses that train the readers of our own.

        photo, normals [B,3,S,S], landmarks [B,68,2]: real pictures with fits; inside [B,1,S,S]: where the picture is
        known; pairs: renders whose neighbours 2k, 2k + 1 share identity and z; shape: whether the normals' reader, the dearest of the three, has its lesson.
        """
        losses = {}
        if shape and "normals" in self.own:
            losses["shape real"] = masked_difference(self.normals(photo), normals * inside)
        if "landmarks" in self.own:
            losses["points real"] = landmark_difference(self.landmarks(photo), landmarks)
        if "identity" in self.own:
            losses["same person"] = identity_contrast(self.identity(pairs))
        return losses
