"""Does z leave the geometry alone, and does a pose leave the person alone? Judged by dlib.

    python -m garface.evaluation.separation PORTRAITS [--geometries 40] [--latents 6] [--people 100]

PORTRAITS: a folder or packed set of portraits with fits (see ``portrait_fits``); geometries are those of the test
split. Printed:

1. How far landmarks move when the same geometry is rendered under another z: median over points, pairs of z and
   geometries, per cent of the distance of the outer eye corners in space (at most 2 wanted). Beside it how far dlib's
   points move when the same render is noisier, brighter or softer, and between portraits of different people after each
   one's own mesh is taken away: what dlib moves with no geometry moving, in renders and in photos.
2. Whether the same person (identity and z) under another pose or expression is nearer, by dlib's recognition network
   (which saw no render), than other people ahead of the camera: the share of others that are farther (95 % wanted).
   Once the others differ in identity and z; once in identity alone, which z cannot help.

Needs the extra ``[evaluate]``.
"""
from __future__ import annotations

import argparse
import itertools
import json

import numpy as np

import garface
from garface.evaluation import metrics, weights
from garface.evaluation.arguments import at_least, output_file
from garface.evaluation.known_faces import Geometry, Studio
from garface.evaluation.obedience import Judge
from garface.evaluation.portrait_fits import Portrait, portraits_folder, read_portraits


def disturbed(picture: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The picture as small changes would leave it that move nothing."""
    import cv2

    values = picture.astype(np.float32)
    pictures = {
        "noise of 3/255": values + rng.normal(0, 3, picture.shape), "15 % brighter": values * 1.15,
        "15 % darker": values * 0.85, "blur of 0.6 px": cv2.GaussianBlur(values, (0, 0), 0.6),
    }
    return {name: np.clip(np.rint(p), 0, 255).astype(np.uint8) for name, p in pictures.items()}


def moves(points: list[np.ndarray], interocular: float) -> list[np.ndarray]:
    """Per cent of the interocular distance between every two sets of points, (68,) each."""
    return [100 * np.linalg.norm(a - b, axis=1) / interocular for a, b in itertools.combinations(points, 2)]


def latent_rows(judge: Judge, portraits: list[Portrait], geometries: int, latents: int, seed: int) -> list[dict]:
    """Part 1."""
    rng, studio = np.random.default_rng(seed), judge.studio
    by_z: list[np.ndarray] = []
    by_disturbance: dict[str, list[np.ndarray]] = {}
    for k in range(geometries):
        geometry = portraits[k * len(portraits) // geometries].geometry
        box, interocular = judge.box(geometry), studio.interocular(geometry)
        pictures = [studio.picture(geometry, studio.w(seed + latents * k + j)) for j in range(latents)]
        found = [judge.detector.landmarks(picture, box) for picture in pictures]
        by_z += moves(found, interocular)
        for name, picture in disturbed(pictures[0], rng).items():
            pair = [found[0], judge.detector.landmarks(picture, box)]
            by_disturbance.setdefault(name, []).extend(moves(pair, interocular))
    seen = judge.portraits(portraits[: geometries * latents], studio.renderer.size)
    offset = judge.offset(seen)
    residuals = [(f - judge.expected(g, offset)) / studio.interocular(g) for g, f in zip(seen.geometries, seen.found)]
    between = [m for pair in zip(residuals[::2], residuals[1::2]) for m in moves(list(pair), 1.0)]

    def row(name: str, distances: list[np.ndarray]) -> dict:
        all_points = np.array(distances)
        return {
            "the same geometry": name, "pairs": len(all_points), "68 median %": float(np.median(all_points)),
            "inner 51 median %": float(np.median(all_points[:, 17:])),
            "90th percentile %": float(np.percentile(all_points, 90)),
        }
    return [
        row("renders, another z", by_z), *(row(f"one render, {name}", m) for name, m in by_disturbance.items()),
        row("portraits less their meshes", between)]


PROBES = {
    "yaw 25": lambda head, g: g.posed(25.0), "yaw -25": lambda head, g: g.posed(-25.0),
    "jawOpen 0.5": lambda head, g: g.expressing(head, jawOpen=0.5),
    "mouthSmile 0.8": lambda head, g: g.expressing(head, mouthSmile=0.8),
    "yaw 25, mouthSmile 0.8": lambda head, g: g.posed(25.0).expressing(head, mouthSmile=0.8),
}


def farther_share(probes: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """(n,) per cent of the other entries of a gallery (n, d) that lie farther from probe i than entry i does."""
    distance = np.linalg.norm(probes[:, None] - gallery[None], axis=2)
    own = np.diagonal(distance)[:, None]
    return 100 * (distance > own).sum(1) / (len(gallery) - 1)


def identity_rows(judge: Judge, portraits: list[Portrait], people: int, seed: int) -> list[dict]:
    """Part 2. Identities are those of portraits, at rest and looking ahead but for the probe."""
    studio, head = judge.studio, judge.studio.head
    still = np.zeros(head.expression_count, np.float32)
    chosen = [portraits[k * len(portraits) // people].geometry for k in range(people)]
    ahead = [Geometry(g.identity, still) for g in chosen]
    rows = []
    for others in ("identity and z", "identity"):
        ws = [studio.w(seed + (k if others == "identity and z" else 0)) for k in range(people)]

        def features(geometries: list[Geometry]) -> np.ndarray:
            return np.array([
                judge.detector.identity(studio.picture(g, w), judge.box(g)) for g, w in zip(geometries, ws)])
        gallery = features(ahead)
        for name, change in PROBES.items():
            share = farther_share(features([change(head, g) for g in ahead]), gallery)
            rows.append({
                "probe": name, "others differ in": others, "people": people, "others farther, mean %": float(share.mean()),
                "median %": float(np.median(share)),
                "probes nearer than 95 % of others, %": float(100 * (share >= 95).mean())})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portraits", type=portraits_folder)
    parser.add_argument("--geometries", type=at_least(1), default=40)
    parser.add_argument("--latents", type=at_least(2), default=6, help="z per geometry (default: 6)")
    parser.add_argument(
        "--people", type=at_least(2, or_zero=True), default=100,
        help="people in the gallery (default: 100); 0 leaves part 2 out")
    parser.add_argument("--seed", type=at_least(0), default=1)
    weights.add_arguments(parser)
    parser.add_argument("--json", type=output_file)
    options = parser.parse_args()
    studio = Studio(garface.Renderer(options.renderer), garface.HeadModel())
    judge = Judge(studio)
    portraits = read_portraits(options.portraits, studio.head)
    results = {"latents": latent_rows(judge, portraits, options.geometries, options.latents, options.seed)}
    print(metrics.table(results["latents"], list(results["latents"][0])), end="\n\n", flush=True)
    if options.people:
        results["identity"] = identity_rows(judge, portraits, options.people, options.seed)
        print(metrics.table(results["identity"], list(results["identity"][0])))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
