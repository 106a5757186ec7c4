"""Error measures. All lengths in the unit of their input (pixels or millimetres)."""
from __future__ import annotations

import numpy as np


def interocular_nme(predicted: np.ndarray, truth: np.ndarray, points: slice | list[int] | None = None) -> float:
    """Mean distance of 68 points over the distance of the outer eye corners (36, 45), in per cent.

    predicted, truth: (68, 2) pixels. ``points`` restricts the mean (``slice(17, 68)``: the inner 51).
    """
    predicted, truth = np.asarray(predicted, float), np.asarray(truth, float)
    d = np.linalg.norm(predicted - truth, axis=1)
    if points is not None:
        d = d[points]
    return 100 * d.mean() / np.linalg.norm(truth[36] - truth[45])


def summary(errors: np.ndarray, failure: float = 10.0, missed: int = 0) -> dict[str, float]:
    """Median, mean, failure rate (> ``failure``) and area under the error curve up to it.

    ``missed`` faces count as failures: infinite error in the median and the rates, left out of the mean.
    """
    found = np.asarray(errors, float)
    every = np.concatenate([found, np.full(missed, np.inf)])
    grid = np.linspace(0, failure, 1001)
    share = (np.sort(every)[None, :] <= grid[:, None]).mean(1)
    return {
        "count": len(every), "missed": missed, "median": float(np.median(every)), "mean": float(found.mean()) if len(found) else np.inf,
        "failures_percent": float(100 * (every > failure).mean()), "auc": float(share.mean()),
    }


def rigid_alignment(source: np.ndarray, target: np.ndarray, scale: bool = False) -> tuple[np.ndarray, np.ndarray, float]:
    """R, t, s minimising |s R source + t - target|^2 over corresponding points (n, 2 or 3) (Umeyama); s = 1 unless ``scale``."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, d, vt = np.linalg.svd(b.T @ a)
    sign = np.eye(len(d))
    sign[-1, -1] = np.sign(np.linalg.det(u @ vt))
    r = u @ sign @ vt
    s = float((d * np.diag(sign)).sum() / (a * a).sum()) if scale else 1.0
    return r, target.mean(0) - s * r @ source.mean(0), s


def aligned_error(source: np.ndarray, target: np.ndarray, scale: bool = False) -> float:
    """Mean distance of corresponding points after the best rigid alignment."""
    r, t, s = rigid_alignment(source, target, scale)
    return float(np.linalg.norm(s * source @ r.T + t - target, axis=1).mean())


def face_region(mean: np.ndarray, part: np.ndarray, skin: int, nose_tip: np.ndarray, radius: float = 95.0) -> np.ndarray:
    """Indices of skin vertices within ``radius`` mm of the nose tip of the mean head."""
    return np.flatnonzero((part == skin) & (np.linalg.norm(mean - nose_tip, axis=1) < radius))


def pairwise_distance(shapes: np.ndarray) -> float:
    """Mean rms distance between all pairs of shapes (n, v, 3): how different a set of people is."""
    n = len(shapes)
    flat = shapes.reshape(n, -1)
    d = [np.sqrt(((flat[i] - flat[j]) ** 2).sum() / shapes.shape[1]) for i in range(n) for j in range(i)]
    return float(np.mean(d)) if d else 0.0


def psnr(a: np.ndarray, b: np.ndarray, mask: np.ndarray) -> float:
    """dB between uint8 pictures (S, S, 3) where ``mask`` (S, S) holds."""
    error = (a[mask].astype(float) - b[mask].astype(float)) ** 2
    return float(10 * np.log10(255**2 / max(error.mean(), 1e-6)))


def table(rows: list[dict], columns: list[str]) -> str:
    """Markdown."""
    def cell(v):
        return f"{v:.2f}" if isinstance(v, float) else str(v)
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(cell(r.get(c, "")) for c in columns) + " |" for r in rows])
