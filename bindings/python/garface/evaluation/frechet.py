"""Frechet distance between two sets of pictures, on the hidden features of an inverse network."""
from __future__ import annotations

import itertools
import pathlib
from typing import Iterable

import numpy as np

from garface.evaluation.resize import resize


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """|mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)) of the Gaussians that fit features (n, d) and (m, d).

    Grows as samples get fewer: compare only between equal n and m.
    """
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # tr (A B)^(1/2) = tr (R B R)^(1/2) with R R = A: symmetric, so that eigenvalues are real.
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    shift = a.mean(0) - b.mean(0)
    return float(shift @ shift + np.trace(first) + np.trace(second) - 2 * cross)


class Features:
    """What an inverse network's heads read."""

    def __init__(self, file: pathlib.Path) -> None:
        from garface.training.export import load_network

        self._network = load_network(str(file), "inverse-network")
        self._size = self._network.description["input_size"]

    def __call__(self, pictures: Iterable[np.ndarray], batch: int = 50) -> np.ndarray:
        """(n, d) of uint8 pictures (S, S, 3) of the aligned frame."""
        import torch

        rows, remaining = [], iter(pictures)
        while some := [resize(picture, self._size) for picture in itertools.islice(remaining, batch)]:
            x = torch.from_numpy(np.stack(some)).permute(0, 3, 1, 2).float() / 127.5 - 1
            with torch.no_grad():
                rows.append(self._network.hidden(x).double().numpy())
        return np.concatenate(rows)
