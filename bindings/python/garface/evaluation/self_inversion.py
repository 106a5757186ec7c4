"""Self-inversion: faces that GAR itself rendered, reconstructed from the picture alone.

    python -m garface.evaluation.self_inversion [--faces 50] [--rows start,landmarks,sh,gar]

Truth: identity ~ N(0, 1) over all modes, expression as real faces were fitted, yaw within +-30 degrees, random z.
Measured: the neutral mesh, skin within 95 mm of the nose tip, after rigid alignment without scale (mean distance of
corresponding vertices, mm); yaw; landmarks; and the spread of the recovered people beside the truth's, which a
system that returns the mean face cannot have.
"""
from __future__ import annotations

import argparse
import json
import pathlib

import numpy as np

import garface
from garface.evaluation import metrics

ROWS = {"mean": "mean head", "start": "start", "landmarks": "landmarks only", "sh": "spherical harmonics", "gar": "GAR"}


def make_faces(models: garface.Models, count: int, seed: int, picture_size: int) -> list[dict]:
    rng = np.random.default_rng(seed)
    head, renderer = models.head, models.renderer()
    faces = []
    for i in range(count):
        identity, expression = head.sample(seed=int(rng.integers(1 << 31)))
        yaw, pitch = float(rng.uniform(-30, 30)), float(rng.normal(0, 5))
        z = rng.standard_normal(renderer.latent_size).astype(np.float32)
        w_plus = renderer.map(z)
        picture = renderer.render(w_plus, identity=identity, expression=expression, yaw=yaw, pitch=pitch)
        # Shown to the library as a photo: the frame's square, enlarged, so that it is found like any other.
        faces.append({
            "identity": identity, "expression": expression, "yaw": yaw, "pitch": pitch,
            "picture": enlarge(picture, picture_size),
        })
    return faces


def enlarge(picture: np.ndarray, size: int) -> np.ndarray:
    """Bilinear, pixel centres at half-integers of the unit square."""
    n = picture.shape[0]
    at = (np.arange(size) + 0.5) * n / size - 0.5
    low = np.clip(np.floor(at).astype(int), 0, n - 2)
    t = np.clip(at - low, 0, 1)[:, None, None]
    rows = picture[low] * (1 - t) + picture[low + 1] * t
    t = t[:, 0][None]
    return np.clip(np.rint(rows[:, low] * (1 - t) + rows[:, low + 1] * t), 0, 255).astype(np.uint8)


def measure(models: garface.Models, faces: list[dict], row: str) -> dict:
    head = models.head
    tip = head.landmarks(head.mean)[30]
    region = metrics.face_region(head.mean, head.parts, head.part_names.index("skin"), tip)
    still = np.zeros(head.expression_count, np.float32)
    scale = models.renderer().size
    errors, yaw, points, identities, truths, missed = [], [], [], [], [], 0
    for face in faces:
        truth = head.vertices(face["identity"], still)[region]
        if row == "mean":
            identity, angle, landmarks = np.zeros(head.identity_count, np.float32), 0.0, None
        else:
            try:
                result = garface.reconstruct(face["picture"], models=models, renderer=row)
            except garface.NoFaceError:
                missed += 1
                continue
            identity, angle, landmarks = result.identity, result.yaw, result.landmarks
        found = head.vertices(identity, still)[region]
        errors.append(metrics.aligned_error(found, truth))
        yaw.append(abs(angle - face["yaw"]))
        if landmarks is not None:
            posed = head.landmarks(head.vertices(face["identity"], face["expression"])) @ garface.pose_matrix(
                face["yaw"], face["pitch"], 0.0).T
            half, centre = models.renderer().half_mm, models.renderer().centre_y_mm
            side = face["picture"].shape[0]
            u = ((posed[:, 0] / half + 1) * side - 1) / 2
            v = ((1 - (posed[:, 1] - centre) / half) * side - 1) / 2
            points.append(metrics.interocular_nme(landmarks, np.stack([u, v], 1)))
        identities.append(identity)
        truths.append(face["identity"])
    identities, truths = np.array(identities), np.array(truths)
    shapes = np.array([head.vertices(a, still)[region] for a in identities])
    true_shapes = np.array([head.vertices(a, still)[region] for a in truths])
    return {
        "row": ROWS[row], "faces": len(errors), "missed": missed, "mesh median mm": float(np.median(errors)),
        "mesh mean mm": float(np.mean(errors)), "yaw median deg": float(np.median(yaw)),
        "landmark NME %": float(np.median(points)) if points else float("nan"),
        "identity deviation": float(identities.std()), "true deviation": float(truths.std()),
        "pairwise mm": metrics.pairwise_distance(shapes), "true pairwise mm": metrics.pairwise_distance(true_shapes),
        "size": scale,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--picture", type=int, default=256, help="side of the picture shown to the library, pixels")
    parser.add_argument("--rows", default="mean,start,landmarks,sh,gar")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    models = garface.Models()
    faces = make_faces(models, options.faces, options.seed, options.picture)
    rows = [measure(models, faces, row) for row in options.rows.split(",")]
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
