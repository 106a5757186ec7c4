"""Sheets of renders to look at, and the Frechet distance of renders from real portraits.

    python -m garface.evaluation.pictures PORTRAITS --sheets FOLDER [--rows start] [--count 2000]

PORTRAITS: a folder or packed set of portraits with fits (see ``portrait_fits``). Sheets: ``random.png`` (64 renders:
geometry of random portraits, random z), ``turning.png`` (one z: yaw from -60 to 60 degrees, expressions, other
identities), ``latents.png`` (one geometry under 16 z), ``portraits.png`` (16 test portraits, photo | render).

The distance is taken on the hidden features of the inverse network between ``count`` portraits and as many renders
with the geometry of portraits, beside that of two halves of the portraits, of ``count`` each; once with the photos
reduced to the renderer's size, once as they are. That network was trained on these portraits: it is blind where it
need not look, so compare distances with each other only; and only at one ``count``, as that of the halves is little
but the noise of sampling and falls as the count grows. Needs the extra ``[train]``.
"""
from __future__ import annotations

import argparse
import json
import pathlib

import numpy as np

import garface
from garface.evaluation import metrics, sheets, weights
from garface.evaluation.arguments import at_least, output_file, output_folder
from garface.evaluation.frechet import Features, frechet_distance
from garface.evaluation.known_faces import Geometry, Studio
from garface.evaluation.portrait_fits import Portrait, portraits_folder, read_portraits

EXPRESSIONS: list[dict[str, float]] = [
    {"jawOpen": 0.4}, {"jawOpen": 0.9}, {"eyeBlink": 1.0}, {"eyeWide": 1.0, "browInnerUp": 0.8, "browOuterUp": 0.8},
    {"mouthSmile": 0.9}, {"mouthPucker": 0.9}, {"browDown": 0.9, "noseSneer": 0.7},
]


def turning(studio: Studio) -> list[Geometry]:
    """Sixteen geometries: seven yaws, seven expressions, two other people."""
    head = studio.head
    mean = Geometry(np.zeros(head.identity_count, np.float32), np.zeros(head.expression_count, np.float32))
    poses = [mean.posed(float(yaw)) for yaw in range(-60, 61, 20)]
    faces = [mean.expressing(head, **values) for values in EXPRESSIONS]
    others = [Geometry(head.sample(seed)[0], mean.expression) for seed in (1, 2)]
    return poses + [others[0]] + faces + [others[1]]


def random_pictures(studio: Studio, portraits: list[Portrait], count: int, seed: int) -> list[np.ndarray]:
    """Renders with the geometry of random portraits and random z."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(portraits), size=count)
    return [studio.picture(portraits[i].geometry, studio.w(int(rng.integers(1 << 31)))) for i in chosen]


def reconstructed(models: garface.Models, portraits: list[Portrait], row: str) -> list[np.ndarray]:
    """Photo and render, in turn, in the aligned frame as the library found it."""
    pairs = []
    for portrait in portraits:
        try:
            result = garface.reconstruct(portrait.picture(), models=models, renderer=row)
            pairs += [result.crop, result.render]
        except garface.NoFaceError:
            pairs += [portrait.picture(), np.zeros((8, 8, 3), np.uint8)]
    return pairs


def write_sheets(
    folder: pathlib.Path, models: garface.Models, studio: Studio, portraits: list[Portrait], row: str, seed: int, tile: int,
) -> None:
    sheets.write(folder / "random.png", sheets.grid(random_pictures(studio, portraits, 64, seed), 8, tile))
    one = studio.w(seed)
    sheets.write(folder / "turning.png", sheets.grid([studio.picture(g, one) for g in turning(studio)], 8, tile))
    geometry = portraits[seed % len(portraits)].geometry
    many = [studio.picture(geometry, studio.w(1000 * seed + k)) for k in range(16)]
    sheets.write(folder / "latents.png", sheets.grid(many, 8, tile))
    chosen = portraits[:: max(1, len(portraits) // 16)][:16]
    sheets.write(folder / "portraits.png", sheets.grid(reconstructed(models, chosen, row), 8, tile))


def distances(studio: Studio, portraits: list[Portrait], features: Features, count: int, seed: int) -> list[dict]:
    """Renders against portraits, and two halves of the portraits, at the renderer's resolution and at the photos'."""
    size = studio.renderer.size
    count = min(count, len(portraits) // 2)
    order = np.random.default_rng(seed).permutation(len(portraits))[: 2 * count]
    renders = features(random_pictures(studio, portraits, count, seed))
    rows = []
    for name, side in (("the renderer's", size), ("the photos'", None)):
        real = features(portraits[i].picture(side) for i in order)
        halves = real[:count], real[count:]
        rows.append({
            "resolution": name, "count": count,
            "renders to photos x 1000": 1000 * float(np.mean([frechet_distance(renders, half) for half in halves])),
            "photos to photos x 1000": 1000 * frechet_distance(*halves),
        })
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portraits", type=portraits_folder)
    parser.add_argument("--sheets", type=output_folder, help="write the sheets into this folder")
    parser.add_argument("--rows", default="gar", choices=("gar", "start"), help="how the portraits are reconstructed")
    parser.add_argument(
        "--count", type=at_least(2, or_zero=True), default=2000, help="pictures per set of the distance; 0 leaves it out")
    parser.add_argument("--seed", type=at_least(0), default=1)
    parser.add_argument("--tile", type=at_least(1), default=192, help="pixels a side of a picture on a sheet")
    weights.add_arguments(parser)
    parser.add_argument("--json", type=output_file)
    options = parser.parse_args()
    studio = Studio(garface.Renderer(options.renderer), garface.HeadModel())
    if options.sheets:
        test = read_portraits(options.portraits, studio.head)
        write_sheets(options.sheets, weights.models(options), studio, test, options.rows, options.seed, options.tile)
    if options.count:
        everyone = read_portraits(options.portraits, studio.head, test_only=False)
        rows = distances(studio, everyone, Features(weights.inverse_file(options)), options.count, options.seed)
        print(metrics.table(rows, list(rows[0])))
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
