"""Straight lines through measurements, with their uncertainty."""
from __future__ import annotations

from typing import Callable

import numpy as np


def slope_through_origin(x: np.ndarray, y: np.ndarray) -> float:
    """k minimising |y - k x|^2 over all entries: how much of a displacement x is seen in y. NaN where x is zero."""
    energy = float((x * x).sum())
    return float((x * y).sum()) / energy if energy > 0 else float("nan")


def line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope of y on x by least squares with an intercept, and the correlation."""
    x, y = x - x.mean(), y - y.mean()
    covariance = float((x * y).sum())
    energy = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return slope_through_origin(x, y), covariance / energy if energy > 0 else float("nan")


def bootstrap_error(measure: Callable[[np.ndarray], float], count: int, rounds: int = 200, seed: int = 0) -> float:
    """Standard error of ``measure(indices)`` when ``count`` cases are drawn anew with replacement."""
    rng = np.random.default_rng(seed)
    return float(np.std([measure(rng.integers(count, size=count)) for _ in range(rounds)]))
