"""Batch normalisation over the samples of all processes of a training run."""
import torch
import torch.distributed as dist
import torch.nn as nn

from .distributed import total_with_gradient


def _shared(norm, x):
    """Normalise x [N,C,...] with the mean and variance of every rank's samples; updates the running statistics."""
    world = dist.get_world_size()
    axes = [0, *range(2, x.ndim)]
    shape = [1, -1] + [1] * (x.ndim - 2)
    y = x.float()
    count = world * y.numel() / y.shape[1]          # `distributed.share` gives every rank as many samples
    mean = total_with_gradient(y.sum(axes), world) / count
    centred = y - mean.view(shape)
    variance = total_with_gradient(centred.square().sum(axes), world) / count
    with torch.no_grad():
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * count / (count - 1), norm.momentum)
    y = centred * ((variance + norm.eps).rsqrt() * norm.weight).view(shape) + norm.bias.view(shape)
    return y.to(x.dtype)


class BatchNorm1d(nn.BatchNorm1d):
    """torch's, except that several processes in training share their statistics."""

    def forward(self, x):
        return _shared(self, x) if self.training and dist.is_available() and dist.is_initialized() else super().forward(x)


class BatchNorm2d(nn.BatchNorm2d):
    """torch's, except that several processes in training share their statistics."""

    def forward(self, x):
        return _shared(self, x) if self.training and dist.is_available() and dist.is_initialized() else super().forward(x)
