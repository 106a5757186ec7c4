"""What the trainers share: the settings of a run, its checkpoints, when it stops, and that a loss that breaks down ends it."""
import glob
import math
import os
import time

import torch

from . import distributed
from .data import fingerprint

# Arguments that decide nothing of what a run ends in, and those that name files, which are compared by contents.
FREE = {"out", "cache", "minutes", "until", "report", "save", "producers", "held_out", "start_from", "initial"}
FILES = {"head", "portraits", "crops", "turned", "renders", "gar", "detector", "backgrounds", "normals_network",
         "landmark_network", "identity_network"}
HIGHEST = 65504      # in half precision, that of weight files


def _contents(name, value):
    """The fingerprint of what an argument names: a file, several joined by commas, a folder; 0 of nothing."""
    if not value:
        return 0
    if name == "backgrounds":
        return fingerprint(*sorted(filter(os.path.isfile, glob.glob(os.path.join(value, "*")))))
    return fingerprint(*([value] if os.path.exists(value) else value.split(",")))


def settings(a, world, device, free=()):
    """{name: value} of all that decides, to the bit, what a run with the arguments `a` ends in; `free`: more that does not."""
    kept = {k: _contents(k, v) if k in FILES else v for k, v in vars(a).items() if k not in FREE and k not in free}
    return kept | {"processes": world, "device": torch.device(device).type}


def changes(before, now):
    """What differs in two settings, in words. What only one of them knows is passed over: it is of another version."""
    return ", ".join(f"other {k}" if k in FILES else f"{k.replace('_', '-')} {before[k]} -> {v}"
                     for k, v in now.items() if k in before and before[k] != v)


def write(path, state):
    """Save a checkpoint, whole or not at all."""
    torch.save(state, path + ".tmp")
    os.replace(path + ".tmp", path)


def read(path, names, expected, device="cpu"):
    """The checkpoint in `path`; ValueError says what was `expected` where it is damaged or lacks one of `names`."""
    with open(path, "rb"):      # what is missing is not damaged
        pass
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except torch.OutOfMemoryError:
        raise
    except Exception:      # of many types: cut off, a weight file, text
        raise ValueError(f"{path}: damaged, or no checkpoint; expected {expected}") from None
    lacking = [n for n in names if n not in state] if isinstance(state, dict) else list(names)
    if lacking:
        raise ValueError(f"{path}: holds no {', '.join(lacking[:3])}; expected {expected}")
    return state


def load_into(parts, state, path, why=""):
    """Load networks and optimisers from a state by name; ValueError where their sizes differ."""
    try:
        for name, part in parts.items():
            part.load_state_dict(state[name])
    except (RuntimeError, ValueError):
        raise ValueError(f"{path}: holds networks of other sizes than those asked for ({why or name}); give the sizes of that "
                         "run, or another --out") from None


def resume(path, parts, more, now, program, rank=0, device="cpu"):
    """Load the parts of a run from its state.pt and return it; `more`: other names that it holds, `now`: settings.

    One line says which settings have changed, as the run then does not end where an unbroken one would.
    """
    state = read(path, [*parts, *more], f"the state.pt of {program}: delete it to begin anew", device)
    changed = changes(state.get("settings", {}), now)
    load_into(parts, state, path, changed)
    if rank == 0 and changed:
        print(f"resumes with other settings, so not as an unbroken run would go on: {changed}", flush=True)
    elif rank == 0 and now and not state.get("settings"):
        print(f"{path} does not say under which settings it was trained: whether they are the same is not known", flush=True)
    return state


class Limits:
    """When a run stops: at step `last`, `minutes` from now, or when a file OUT/stop appears."""

    def __init__(self, out, last=math.inf, minutes=math.inf, world=1):
        self.stop, self.last, self.end, self.world = os.path.join(out, "stop"), last, time.time() + 60 * minutes, world

    def reached(self, step):
        over = step >= self.last or time.time() > self.end or os.path.exists(self.stop)
        return distributed.agree(over, self.world)


def nothing_to_do(out, step, last=math.inf, world=1, rank=0):
    """Is a run over before its first step? Says why."""
    over = Limits(out, last, world=world).reached(step)
    if over and rank == 0:
        why = f"step {step} was the last" if step >= last else f"delete {os.path.join(out, 'stop')} to go on"
        print(f"nothing to do: {why}", flush=True)
    return over


def check_losses(losses, step, world=1):
    """FloatingPointError unless every loss of a step is finite, on every process."""
    bad = [k for k, v in losses.items() if not math.isfinite(v)]
    if distributed.agree(bool(bad), world):
        raise FloatingPointError(f"step {step}: the loss {', '.join(bad) or 'of another process'} is not finite; checkpoints stay "
                                 "as they were: go on from them at a lower --rate")


def check_weights(tensors, step):
    """FloatingPointError unless half precision holds all tensors of a state dict: nothing else may replace a checkpoint.

    At the first step that goes wrong the losses are those of the weights before it.
    """
    bad = [k for k, v in tensors.items() if v.is_floating_point() and not (v.abs() <= HIGHEST).all()]
    if bad:
        raise FloatingPointError(f"step {step}: the weights {', '.join(bad[:3])} are not finite or above {HIGHEST}; checkpoints "
                                 "stay as they were: go on from them at a lower --rate")
