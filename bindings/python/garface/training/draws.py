"""Random numbers of a training step that depend on the seed and the step alone.

A run that is resumed draws what an uninterrupted one would have drawn; processes that share a batch draw the whole batch
and keep their part of it.
"""
import torch

from .distributed import share


class Draw:
    """Draws for step `step`; every method takes the count over all processes and returns this process's part of it."""

    def __init__(self, seed, step, device="cpu", rank=0, world=1, rows=0):
        self.device, self.rank, self.world, self.rows = torch.device(device), rank, world, rows
        self.source = self.device if self.device.type == "cuda" else torch.device("cpu")      # noise maps are many numbers
        self.generator = torch.Generator(self.source).manual_seed((seed * 1_000_003 + step) % 2 ** 63)

    def count(self, local):
        """The count over all processes that gives `local` here."""
        return local * self.world

    def _part(self, values):
        return share(values, self.rank, self.world).to(self.device, non_blocking=True)

    def normal(self, n, *shape):
        return self._part(torch.randn(n, *shape, generator=self.generator, device=self.source))

    def everywhere(self, n, *shape):
        """Gaussian numbers, all `n` of them in every process."""
        return torch.randn(n, *shape, generator=self.generator, device=self.source).to(self.device)

    def uniform(self, n, *shape):
        return self._part(torch.rand(n, *shape, generator=self.generator, device=self.source))

    def integers(self, n, high):
        return self._part(torch.randint(high, (n,), generator=self.generator, device=self.source))

    def noise(self, n, layers):
        """One noise map per generator layer: `layers` are their resolutions."""
        return [self.normal(n, 1, r, r) for r in layers]
