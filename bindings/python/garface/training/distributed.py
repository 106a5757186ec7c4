"""Several processes training one network: `torchrun --nproc_per_node=N -m garface.training ...`.

Every rank draws the same global batch and takes its slice, so that N processes compute what one would with the whole
batch. With one process every function here does nothing.
"""
import os
import sys

import numpy as np
import torch
import torch.distributed as dist

if dist.is_available():
    # Its functions take the group of the time it is first imported as a default and keep it for ever, with its threads, and one
    # of these that still lets go of a tensor while Python exits takes the process down. Importing it here, before there is a group.
    import torch.distributed.nn.functional  # noqa: F401


def start():
    """(rank, world): joins the group torchrun announces in the environment (nccl where each rank has a GPU, else gloo)."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return 0, 1
    if not dist.is_initialized():
        local = int(os.environ.get("LOCAL_RANK", os.environ["RANK"]))
        on_gpu = torch.cuda.device_count() > local
        if on_gpu:
            torch.cuda.set_device(local)
        dist.init_process_group("nccl" if on_gpu else "gloo")
    return dist.get_rank(), world


def device():
    """This rank's GPU, or the CPU."""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def stop():
    """Leave the group, if there is one; together, unless something went wrong: one that leaves early can take the others down."""
    if dist.is_available() and dist.is_initialized():
        if sys.exc_info()[0] is None:
            dist.barrier()
        dist.destroy_process_group()


def share(values, rank, world):
    """The rank's contiguous slice of a tensor or array along its first dimension.

    Raises ValueError where the length is no multiple of `world`.
    """
    if len(values) % world:
        raise ValueError(f"{len(values)} samples cannot be shared equally among {world} processes: "
                         f"take a multiple of {world} (--batch)")
    each = len(values) // world
    return values[rank * each:(rank + 1) * each]


def average_gradients(parameters, world):
    """Replace every gradient by its mean over the ranks. A missing gradient counts as zero."""
    if world == 1:
        return
    parameters = [p for p in parameters if p.requires_grad]
    for p in parameters:
        if p.grad is None:       # every rank has to send the same list
            p.grad = torch.zeros_like(p)
    flat = torch.cat([p.grad.reshape(-1) for p in parameters])
    dist.all_reduce(flat)
    flat /= world
    at = 0
    for p in parameters:
        p.grad.copy_(flat[at:at + p.numel()].view_as(p))
        at += p.numel()


def total(value, world):
    """Sum of a number or tensor over the ranks, without gradient; same type as given."""
    if world == 1:
        return value
    if isinstance(value, torch.Tensor):
        sent = value.detach().clone()
        dist.all_reduce(sent)
        return sent
    sent = torch.tensor(float(value), dtype=torch.float64, device=device() if dist.get_backend() == "nccl" else "cpu")
    dist.all_reduce(sent)
    return sent.item()


def mean(value, world):
    """Mean of a number (or one-element tensor) over the ranks, a float."""
    return total(float(value), world) / world


def agree(flag, world):
    """True on every rank as soon as it is on one: a file or a clock is not seen by all in the same step."""
    return bool(flag) if world == 1 else total(float(bool(flag)), world) > 0


def gather(values, world):
    """Arrays of the ranks, in order of rank, joined along the first dimension (the inverse of `share`)."""
    if world == 1:
        return values
    parts = [None] * world
    dist.all_gather_object(parts, np.asarray(values))
    return np.concatenate(parts)


def broadcast(module, world):
    """Give every rank the parameters and buffers of rank 0."""
    if world > 1:
        for value in list(module.parameters()) + list(module.buffers()):
            dist.broadcast(value.data, 0)


class SumOverRanks(torch.autograd.Function):
    """Sum of a tensor over the ranks; the gradient is summed likewise, as every rank's loss depends on the sum."""

    @staticmethod
    def forward(ctx, value):
        value = value.clone()
        dist.all_reduce(value)
        return value

    @staticmethod
    def backward(ctx, gradient):
        gradient = gradient.clone()
        dist.all_reduce(gradient)
        return gradient


def total_with_gradient(value, world):
    """Sum over the ranks of a tensor, differentiable."""
    return value if world == 1 else SumOverRanks.apply(value)
