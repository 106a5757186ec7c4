"""Self-inversion: faces that GAR itself rendered, reconstructed from the picture alone.

    python -m garface.evaluation.self_inversion [--faces 50] [--rows start,landmarks,sh,gar] [--mirrored]

Truth: identity ~ N(0, 1) over all modes, expression as real faces were fitted, yaw within +-30 degrees, random z.
Measured: the neutral mesh, skin within 95 mm of the nose tip, after rigid alignment without scale (mean distance of
corresponding vertices, mm); yaw; landmarks; and the spread of the recovered people beside the truth's, which a
system that returns the mean face cannot have.

``--mirrored`` shows the pictures' mirror images: they are as easy for a reader of photographs, but this renderer could
not have made them exactly, as it could no real photo.
"""
from __future__ import annotations

import argparse
import json

import numpy as np

import garface
from garface.evaluation import metrics, weights
from garface.evaluation.arguments import at_least, output_file, some_of, stages, stages_for
from garface.evaluation.photos import ROWS


def make_faces(renderer: garface.Renderer, head: garface.HeadModel, count: int, seed: int, picture_size: int) -> list[dict]:
    rng = np.random.default_rng(seed)
    faces = []
    for i in range(count):
        identity, expression = head.sample(seed=int(rng.integers(1 << 31)))
        yaw, pitch = float(rng.uniform(-30, 30)), float(rng.normal(0, 5))
        w = renderer.map(rng.standard_normal(renderer.latent).astype(np.float32))
        normals = renderer.rasterize(head, head.evaluate(identity, expression), yaw=yaw, pitch=pitch)
        picture = np.clip(renderer.render(w, normals).transpose(1, 2, 0) * 127.5 + 127.5, 0, 255)
        # Shown to the library as a photo: the frame's square, enlarged, so that it is found like any other.
        faces.append({
            "identity": identity, "expression": expression, "yaw": yaw, "pitch": pitch,
            "picture": enlarge(picture, picture_size),
        })
    return faces


def enlarge(picture: np.ndarray, size: int) -> np.ndarray:
    """Catmull-Rom, pixel centres at half-integers of the unit square."""
    n = picture.shape[0]
    at = (np.arange(size) + 0.5) * n / size - 0.5
    base = np.floor(at).astype(int)
    t = at - base
    weights = [
        ((-t + 2) * t - 1) * t / 2, ((3 * t - 5) * t * t + 2) / 2, ((-3 * t + 4) * t + 1) * t / 2, (t - 1) * t * t / 2]
    matrix = np.zeros((size, n))
    for k, w in enumerate(weights):
        np.add.at(matrix, (np.arange(size), np.clip(base + k - 1, 0, n - 1)), w)
    return np.clip(np.rint(np.einsum("ai,bj,ijc->abc", matrix, matrix, picture, optimize=True)), 0, 255).astype(np.uint8)


def measure(
    models: garface.Models, renderer: garface.Renderer, head: garface.HeadModel, faces: list[dict], row: str,
    schedule: dict | None = None, mirrored: bool = False,
) -> dict:
    mean = head.evaluate()
    tip = head.landmarks(mean)[30]
    region = metrics.face_region(mean, head.parts, head.part_names.index("skin"), tip)
    still = np.zeros(head.expression_count, np.float32)
    if mirrored:
        from garface.training.normals import mirror_partners
        partners = mirror_partners(mean)
    shapes, true_shapes = [], []
    errors, yaw, points, identities, truths, missed = [], [], [], [], [], 0
    for face in faces:
        truth = head.evaluate(face["identity"], still)[region]
        if row == "mean":
            identity, angle, landmarks = np.zeros(head.identity_count, np.float32), 0.0, None
        else:
            try:
                picture = np.ascontiguousarray(face["picture"][:, ::-1]) if mirrored else face["picture"]
                result = garface.reconstruct(picture, models=models, renderer=row, schedule=schedule)
            except garface.NoFaceError:
                missed += 1
                continue
            identity, angle, landmarks = result.identity, result.yaw, result.landmarks_static
            if mirrored:
                angle, landmarks = -angle, None
        found = head.evaluate(identity, still)
        if mirrored:        # what moved there on one side moves here on the other
            found = mean + (found - mean)[partners] * [-1, 1, 1]
        found = found[region]
        shapes.append(found)
        true_shapes.append(truth)
        errors.append(metrics.aligned_error(found, truth))
        yaw.append(abs(angle - face["yaw"]))
        if landmarks is not None:
            posed = head.landmarks(head.evaluate(face["identity"], face["expression"])) @ garface.pose_matrix(
                face["yaw"], face["pitch"], 0.0).T
            half, centre = renderer.configuration["half_mm"], renderer.configuration["centre_y_mm"]
            side = face["picture"].shape[0]
            u = ((posed[:, 0] / half + 1) * side - 1) / 2
            v = ((1 - (posed[:, 1] - centre) / half) * side - 1) / 2
            points.append(metrics.interocular_nme(landmarks, np.stack([u, v], 1)))
        identities.append(identity)
        truths.append(face["identity"])
    identities, truths = np.array(identities), np.array(truths)
    return {
        "row": ROWS[row], "faces": len(errors), "missed": missed, "mesh median mm": float(np.median(errors)),
        "mesh mean mm": float(np.mean(errors)), "yaw median deg": float(np.median(yaw)),
        "landmark NME %": float(np.median(points)) if points else float("nan"),
        "identity deviation": float(identities.std()), "true deviation": float(truths.std()),
        "pairwise mm": metrics.pairwise_distance(np.array(shapes)),
        "true pairwise mm": metrics.pairwise_distance(np.array(true_shapes)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=at_least(1), default=50)
    parser.add_argument("--seed", type=at_least(0), default=1)
    parser.add_argument("--picture", type=at_least(1), default=256, help="side of the picture shown to the library, pixels")
    parser.add_argument("--rows", type=some_of(ROWS), default="mean,start,landmarks,sh,gar")
    parser.add_argument("--json", type=output_file)
    parser.add_argument("--schedule", type=stages, help="stages of the fit as JSON (default: the standard ones)")
    parser.add_argument("--mirrored", action="store_true", help="show the pictures' mirror images")
    weights.add_arguments(parser)
    options = parser.parse_args()
    models, renderer, head = weights.models(options), garface.Renderer(options.renderer), garface.HeadModel()
    faces = make_faces(renderer, head, options.faces, options.seed, options.picture)
    rows = [measure(models, renderer, head, faces, row, stages_for(row, options.schedule), options.mirrored)
            for row in options.rows]
    mean = next((r["mesh median mm"] for r in rows if r["row"] == ROWS["mean"]), None)
    for r in rows:
        if mean:
            r["of mean head %"] = 100 * r["mesh median mm"] / mean
    print(metrics.table(rows, [
        "row", "faces", "missed", "mesh median mm", "of mean head %", "yaw median deg", "landmark NME %",
        "identity deviation", "true deviation", "pairwise mm", "true pairwise mm"]))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
