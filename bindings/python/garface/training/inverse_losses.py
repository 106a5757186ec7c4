"""What the inverse network is trained for, and how its landmarks are measured."""
import numpy as np
import torch
import torch.nn.functional as F

from ..evaluation.openings import LIDS, LIPS
from .crops import FIELDS, NEGATIVE
from .data import CENTRE_Y_MM, HALF_MM
from .distributed import total

# How much more the identity of renders counts, which is known exactly and seen in their shading, than that of fits to points.
EXACT_IDENTITY = 3.0
# Three pixels of a crop tell open eyes from shut ones, and among the distances of 68 points they count for nothing.
ABOVE, BELOW = (list(side) for side in zip(*LIDS, *LIPS))
POSE_UNIT = torch.tensor([0.1, 0.1, 0.1, 0.05, 4.0, 4.0])


class Geometry:
    """Projects predicted coefficients and pose to the 68 model points in the crop's NDC."""

    def __init__(self, head, device="cpu"):
        self.mean, self.identity, self.expression = (
            torch.from_numpy(v).to(device) for v in (head.landmark_mean, head.landmark_identity, head.landmark_expression))
        self.identity_weight = torch.from_numpy(head.identity_rms ** 2 / (head.identity_rms ** 2).sum()).to(device)

    def project(self, identity, expression, pose):
        points = (self.mean + torch.einsum("nk,kld->nld", identity, self.identity)
                  + torch.einsum("nk,kld->nld", expression.clamp(0, 1), self.expression))
        yaw, pitch, roll, log_scale, tx, ty = pose.unbind(1)
        cy, sy, cp, sp = yaw.cos()[:, None], yaw.sin()[:, None], pitch.cos()[:, None], pitch.sin()[:, None]
        x, y, z = points.unbind(2)
        x, z = cy * x + sy * z, cy * z - sy * x            # Ry(yaw)
        y = cp * y + sp * z                                # Rx(-pitch), the row that is seen
        s = log_scale.exp()
        c, n = (s * roll.cos())[:, None], (s * roll.sin())[:, None]
        return torch.stack([(c * x - n * y + tx[:, None]) / HALF_MM,
                            (n * x + c * y + ty[:, None] - CENTRE_Y_MM) / HALF_MM], 2)


def weighted_mean(value, weight, world=1):
    """Mean of value [n] by weight [n] over the samples of all ranks, times what makes the mean over ranks that mean.

    A rank's own count would give each of its faces another weight than a single process does.
    """
    return (value * weight).sum() * world / total(weight.sum(), world).clamp(min=1)


def gaps(points):
    """From the upper lids and the inner upper lip to the lower ones; points [n,68,2] -> [n,7,2]."""
    return points[:, ABOVE] - points[:, BELOW]


def losses(out, labels, w_target, w_known, geometry, world=1):
    """Dictionary of scalar loss terms, weighted; their mean over the ranks is the loss of the whole batch.

    out: the network's outputs for this rank's samples; labels [n,LABELS]; w_target [n,L]; w_known [n], 0 or 1.
    """
    field = {k: labels[:, v] for k, v in FIELDS.items()}
    kind = field["kind"][:, 0]
    face, exact = (kind != NEGATIVE).float(), field["exact"][:, 0]

    def over_faces(value):
        return weighted_mean(value, face, world)
    target = field["landmarks"].reshape(-1, 68, 2)
    points = out["landmarks"].reshape(-1, 68, 2)
    distance = (points - target).abs().sum(2)
    log_sigma = out["landmark_log_sigma"].clamp(-6, 0)
    terms = {"landmarks": over_faces(distance.mean(1)) / 0.02,
             "sigma": 0.3 * over_faces((distance.detach() * (-log_sigma).exp() + 2 * log_sigma).mean(1))}
    projected = geometry.project(out["identity"], out["expression"], out["pose"])
    terms["geometry"] = 0.5 * over_faces((projected - target).abs().sum(2).mean(1)) / 0.02
    terms["openings"] = over_faces(sum((gaps(p) - gaps(target)).abs().sum(2).mean(1) for p in (points, projected))) / 0.02
    terms["pose"] = 0.3 * over_faces(((out["pose"] - field["pose"]) / POSE_UNIT.to(labels.device)).abs().mean(1))
    error = (out["identity"] - field["identity"]).square() * geometry.identity_weight
    known = torch.ones(80, device=labels.device)
    known[60:] = 0                           # the fits of photos say nothing about the last modes ...
    fits = ((error * known).sum(1) + 0.02 * (out["identity"].square() * (1 - known)).mean(1)) * (1 - exact)
    terms["identity"] = 2.0 * over_faces(EXACT_IDENTITY * error.sum(1) * exact + 0.5 * fits)
    terms["expression"] = 4.0 * over_faces((out["expression"] - field["expression"]).abs().mean(1))
    terms["w"] = 0.5 * weighted_mean((out["w"] - w_target).square().mean(1), w_known, world)
    terms["face"] = 0.3 * F.binary_cross_entropy_with_logits(out["face"][:, 0], face)
    return terms


def interocular(points, target):
    """Mean distance over the distance of the outer eye corners, per sample [N]; and over the inner 51 points."""
    distance = np.linalg.norm(points - target, axis=2)
    eyes = np.linalg.norm(target[:, 36] - target[:, 45], axis=1)
    return distance.mean(1) / eyes, distance[:, 17:].mean(1) / eyes
