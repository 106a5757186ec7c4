"""Tracking measured on a made film of known motion.

    python -m garface.evaluation.tracking [--frames 150] [--noise 6]

GAR renders one person who turns, nods, speaks, blinks and moves in the picture, with noise in every pixel; in the middle
the face is gone for half a second. Compared with the truth, found frames only, constant offsets taken off:

    rms       of the error
    jitter    rms of the error's second difference: what trembles
    lag       by how many frames the curve comes late (the delay of the truth that explains it best)

Rows: every frame reconstructed on its own (landmarks), and the tracker with several lags.
"""
from __future__ import annotations

import argparse
import json
import time

import numpy as np

import garface
from garface.evaluation import metrics, weights
from garface.evaluation.arguments import at_least, list_of, output_file

SIDE = (320, 240)
SPEED = 25.0


class Film:
    """The frames and what is true of them."""

    def __init__(self, renderer: garface.Renderer, head: garface.HeadModel, count: int, noise: float, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.identity, _ = head.sample(seed=seed)
        w = renderer.map(renderer.sample_z(seed))
        t = np.arange(count) / SPEED
        self.yaw, self.pitch = 25 * np.sin(2 * np.pi * t / 4), 6 * np.sin(2 * np.pi * t / 3 + 1)
        self.jaw = 0.35 * (1 - np.cos(2 * np.pi * t / 1.2))
        blink = np.clip(1 - np.abs(((t + 0.4) % 2.5) - 0.4) / 0.12, 0, 1)
        self.scale = 0.85 * (1 + 0.06 * np.sin(2 * np.pi * t / 5))          # pixels per mm
        self.tx, self.ty = 160 + 18 * np.sin(2 * np.pi * t / 2.5), 118 + 6 * np.sin(2 * np.pi * t / 1.7)
        self.there = (t < t[-1] / 2) | (t > t[-1] / 2 + 0.5)
        names = head.expression_names
        half, centre = renderer.configuration["half_mm"], renderer.configuration["centre_y_mm"]
        self.frames = []
        for k in range(count):
            expression = np.zeros(head.expression_count, np.float32)
            expression[names.index("jawOpen")] = self.jaw[k]
            for side in "LR":
                expression[names.index(f"eyeBlink_{side}")] = blink[k]
            if self.there[k]:
                normals = renderer.rasterize(head, head.evaluate(self.identity, expression), yaw=self.yaw[k], pitch=self.pitch[k])
                picture = renderer.render(w, normals).transpose(1, 2, 0) * 127.5 + 127.5
                # Where in the render each pixel of the frame lies: the model's origin goes to (tx, ty).
                u = (np.arange(SIDE[0]) - self.tx[k]) / self.scale[k]
                v = -(np.arange(SIDE[1]) - self.ty[k]) / self.scale[k]
                frame = sampled(picture, ((u / half + 1) * renderer.size - 1) / 2, ((1 - (v - centre) / half) * renderer.size - 1) / 2)
            else:
                frame = np.full((SIDE[1], SIDE[0], 3), 110.0)
            self.frames.append(np.clip(np.rint(frame + rng.normal(0, noise, frame.shape)), 0, 255).astype(np.uint8))

    def curves(self) -> dict[str, np.ndarray]:
        return {"yaw deg": self.yaw, "pitch deg": self.pitch, "place px": self.tx, "jawOpen": self.jaw}


def sampled(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear at all (x, y), the edge carried on."""
    def weights_of(at: np.ndarray, n: int) -> np.ndarray:
        at = np.clip(at, 0, n - 1)
        base = np.minimum(at.astype(int), n - 2)
        m = np.zeros((len(at), n))
        m[np.arange(len(at)), base] = 1 - (at - base)
        m[np.arange(len(at)), base + 1] = at - base
        return m
    return np.einsum("ai,bj,ijc->abc", weights_of(y, picture.shape[0]), weights_of(x, picture.shape[1]), picture, optimize=True)


def measure(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """`found` has NaN where there is nothing."""
    seen = np.isfinite(found)
    error = np.where(seen, found - truth, np.nan)
    error = error - np.nanmean(error)
    second = np.diff(error, 2)
    # The delay of the truth, to a tenth of a frame, that leaves least, scale and offset free: what is flattened is not late.
    at, best = np.arange(len(truth)), (np.inf, 0.0)
    for delay in np.arange(-6, 6.05, 0.1):
        shifted = np.interp(at - delay, at, truth)
        inner = seen & (at >= 6) & (at < len(at) - 6)
        a = np.stack([shifted[inner], np.ones(inner.sum())], 1)
        rest = found[inner] - a @ np.linalg.lstsq(a, found[inner], rcond=None)[0]
        best = min(best, (float((rest**2).sum()), float(delay)))
    return {"rms": float(np.sqrt(np.nanmean(error**2))), "jitter": float(np.sqrt(np.nanmean(second**2))), "lag": best[1]}


def curves_of(frames: list, jaw: int) -> dict[str, np.ndarray]:
    return {
        "yaw deg": np.array([f.yaw for f in frames]), "pitch deg": np.array([f.pitch for f in frames]),
        "place px": np.array([f.tx for f in frames]), "jawOpen": np.array([f.expression[jaw] for f in frames])}


class Alone:
    """A frame reconstructed on its own, with the names that a tracked one has."""

    def __init__(self, frame: np.ndarray, models: garface.Models, count: int) -> None:
        try:
            result = garface.reconstruct(frame, models=models, renderer="landmarks")
            self.yaw, self.pitch, self.tx, self.expression = result.yaw, result.pitch, float(result.camera[0, 3]), result.expression
        except garface.NoFaceError:
            self.yaw = self.pitch = self.tx = np.nan
            self.expression = np.full(count, np.nan)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=at_least(25), default=150, help="25 a second")
    parser.add_argument("--noise", type=at_least(0.0), default=6.0, help="deviation of every pixel, of 255")
    parser.add_argument("--seed", type=at_least(0), default=1)
    parser.add_argument("--lags", type=list_of(at_least(0)), default="0,1,3,6")
    parser.add_argument("--smoothing", type=at_least(0.0), default=1.0)
    parser.add_argument("--json", type=output_file)
    weights.add_arguments(parser)
    options = parser.parse_args()
    models, renderer, head = weights.models(options), garface.Renderer(options.renderer), garface.HeadModel()
    film = Film(renderer, head, options.frames, options.noise, options.seed)
    jaw = head.expression_names.index("jawOpen")
    rows = []

    def add(name: str, frames: list, seconds: float) -> None:
        row = {"row": name, "ms a frame": 1000 * seconds / len(film.frames),
               "missed": int((film.there & ~np.isfinite(curves_of(frames, jaw)["yaw deg"])).sum()),
               "false": int((~film.there & np.isfinite(curves_of(frames, jaw)["yaw deg"])).sum())}
        for curve, found in curves_of(frames, jaw).items():
            row |= {f"{curve} {kind}": value for kind, value in measure(found, film.curves()[curve]).items()}
        rows.append(row)

    start = time.process_time()
    add("each alone", [Alone(frame, models, head.expression_count) for frame in film.frames], time.process_time() - start)
    for lag in [None, *options.lags]:
        start = time.process_time()
        smoothing = options.smoothing if lag is not None else 0.0
        frames = list(garface.track(film.frames, models=models, lag=lag or 0, smoothing=smoothing, frames_per_second=SPEED))
        add("tracked, not smoothed" if lag is None else f"tracked, lag {lag}", frames, time.process_time() - start)
    for curve in film.curves():
        print(metrics.table(
            [{k.replace(curve + " ", ""): (f"{v:.3f}" if isinstance(v, float) else v) for k, v in r.items()} | {"curve": curve}
             for r in rows], ["curve", "row", "missed", "false", "rms", "jitter", "lag", "ms a frame"]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
