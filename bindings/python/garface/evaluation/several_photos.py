"""Several photos of one person: how much they help.

    python -m garface.evaluation.several_photos [--persons 12]           renders of known people
    python -m garface.evaluation.several_photos --photos FOLDER          photographs, persons of which have several

Renders: a random identity, each time in another pose (yaw within +-30 degrees), expression and look (z); measured as in
self_inversion (neutral mesh, mm). Rows: one photo; the mean of the identities of four photos fitted one by one; two and
four photos fitted together.

Photographs (FOLDER has photos144.zip and fits.npz with `person`): how far apart the neutral meshes are that two halves of
a person's photos give, beside how far apart those of different people are. Nothing is known of the true shape.
"""
from __future__ import annotations

import argparse
import json
import zipfile

import numpy as np

import garface
from garface.evaluation import metrics, self_inversion, weights
from garface.evaluation.arguments import at_least, folder_with, output_file, stages


def make_person(renderer: garface.Renderer, head: garface.HeadModel, rng: np.random.Generator, count: int, size: int) -> dict:
    identity, _ = head.sample(seed=int(rng.integers(1 << 31)))
    pictures = []
    for _ in range(count):
        _, expression = head.sample(seed=int(rng.integers(1 << 31)))
        w = renderer.map(rng.standard_normal(renderer.latent).astype(np.float32))
        normals = renderer.rasterize(
            head, head.evaluate(identity, expression), yaw=float(rng.uniform(-30, 30)), pitch=float(rng.normal(0, 5)))
        picture = np.clip(renderer.render(w, normals).transpose(1, 2, 0) * 127.5 + 127.5, 0, 255)
        pictures.append(self_inversion.enlarge(picture, size))
    return {"identity": identity, "pictures": pictures}


def first(results: list[garface.Result | None]) -> np.ndarray | None:
    return next((r.identity for r in results if r is not None), None)


def renders(options: argparse.Namespace) -> None:
    models, renderer, head = weights.models(options), garface.Renderer(options.renderer), garface.HeadModel()
    mean = head.evaluate()
    region = metrics.face_region(mean, head.parts, head.part_names.index("skin"), head.landmarks(mean)[30])
    rng = np.random.default_rng(options.seed)
    how = {"renderer": options.fit, "schedule": options.schedule}
    errors: dict[str, list[float]] = {name: [] for name in ("mean head", "1", "mean of 4", "2", "4")}
    for k in range(options.persons):
        person = make_person(renderer, head, rng, 4, options.picture)
        truth = head.evaluate(person["identity"])[region]

        def error(identity: np.ndarray | None) -> float:
            return metrics.aligned_error(head.evaluate(identity)[region], truth)

        def together(count: int) -> np.ndarray | None:
            try:
                return first(garface.reconstruct_person(person["pictures"][:count], models=models, **how))
            except garface.NoFaceError:
                return None

        singles = []
        for picture in person["pictures"]:
            try:
                singles.append(garface.reconstruct(picture, models=models, **how).identity)
            except garface.NoFaceError:
                pass
        found = {"1": singles, "mean of 4": [np.mean(singles, 0)] if singles else [], "2": [together(2)], "4": [together(4)]}
        errors["mean head"].append(error(None))
        for name, identities in found.items():
            seen = [error(a) for a in identities if a is not None]
            if seen:
                errors[name].append(float(np.mean(seen)))
        print(f"person {k + 1}: " + ", ".join(f"{name} {e[-1]:.2f}" for name, e in errors.items() if e), flush=True)
        if options.json:
            options.json.write_text(json.dumps(errors, indent=1))
    rows = [{"photos": name, "persons": len(e), "mesh median mm": float(np.median(e)), "mesh mean mm": float(np.mean(e))}
            for name, e in errors.items() if e]
    print(metrics.table(rows, ["photos", "persons", "mesh median mm", "mesh mean mm"]))


def photographs(options: argparse.Namespace) -> None:
    import cv2

    models, head = weights.models(options), garface.HeadModel()
    mean = head.evaluate()
    region = metrics.face_region(mean, head.parts, head.part_names.index("skin"), head.landmarks(mean)[30])
    archive, fits = zipfile.ZipFile(options.photos / "photos144.zip"), np.load(options.photos / "fits.npz")
    numbers, counts = np.unique(fits["person"], return_counts=True)
    chosen = np.random.default_rng(options.seed).permutation(numbers[counts >= 2])[: options.persons]
    halves: dict[int, list[list[np.ndarray]]] = {1: [], 2: []}
    for person in chosen:
        pictures, faces = [], []
        for i in np.flatnonzero(fits["person"] == person)[:4]:
            picture = cv2.imdecode(np.frombuffer(archive.read(f"{i:05}.webp"), np.uint8), cv2.IMREAD_COLOR)
            pictures.append(np.ascontiguousarray(picture[:, :, ::-1]))
            # The crops cut into the face, where the detector was not meant to find it: FOLDER says where it is.
            scale, (u, v) = float(fits["scale"][i]), fits["translation"][i]
            roll = garface.pose_angles(fits["rotation"][i])[2]
            up = np.radians(roll)
            faces.append(garface.Face((u - 5 * scale * np.sin(up), v - 5 * scale * np.cos(up)), 230 * scale, roll))
        for count in (c for c in halves if 2 * c <= len(pictures)):
            results = [
                garface.reconstruct_person(
                    pictures[part], faces=faces[part], models=models, renderer=options.fit, schedule=options.schedule)
                for part in (slice(count), slice(count, 2 * count))]
            halves[count].append([head.evaluate(first(side))[region] for side in results])
    rows = []
    for count, shapes in ((c, s) for c, s in halves.items() if s):
        same = [metrics.aligned_error(a, b) for a, b in shapes]
        others = [metrics.aligned_error(shapes[i][0], shapes[k][1]) for i in range(len(shapes)) for k in range(len(shapes)) if i != k]
        rows.append({
            "photos in each half": count, "persons": len(shapes), "same person mm": float(np.median(same)),
            "other people mm": float(np.median(others)),
            "same person nearer %": 100 * float(np.mean([s < o for s in same for o in others])),
        })
    print(metrics.table(rows, list(rows[0])))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=at_least(1), default=12)
    parser.add_argument("--seed", type=at_least(0), default=1)
    parser.add_argument("--picture", type=at_least(1), default=256, help="side of the rendered pictures, pixels")
    parser.add_argument("--fit", default="gar", choices=["gar", "sh", "landmarks", "start"], help="what refines the face")
    parser.add_argument("--photos", type=folder_with("photos144.zip", "fits.npz"), help="photographs instead of renders")
    parser.add_argument("--schedule", type=stages, help="stages of the fit as JSON (default: the standard ones)")
    parser.add_argument("--json", type=output_file)
    weights.add_arguments(parser)
    options = parser.parse_args()
    (photographs if options.photos else renders)(options)


if __name__ == "__main__":
    main()
