"""Test portraits with things drawn over them: what is seen of that, and what is found below.

    python -m garface.evaluation.covered PORTRAITS [--things hand,mask,sunglasses,microphone,thing] [--rows landmarks,gar] [--step 8]

PORTRAITS: a folder or packed set of portraits with fits (see ``portrait_fits``); the test split is used. Each portrait is reconstructed
as it is and once with each kind of thing over it, drawn as for the training of the covering network (``garface.training.covers``).

- covered: how much of the face the things cover, per cent;
- found: the covered portraits in which a face is found without help, per cent (the others are measured at their known place);
- union: overlap over union of what is said to be covered and what is, on the face, per cent, over all portraits together;
- bare: how much of the portraits with nothing over them is said to be covered, per cent;
- shape: distance of the neutral mesh to that of the bare portrait's own fit, mm (median; skin within 95 mm of the nose tip after rigid
  alignment without scale);
- points: mean distance of the 68 points to those of the bare portrait's fit, per cent of the interocular distance (median);
- below: PSNR of the render below the thing against the bare portrait, dB (median): is it this person's face that is made up?
- texture: the same of the colours at covered vertices against those of the bare portrait's texture, dB.
"""
from __future__ import annotations

import argparse
import json

import numpy as np

import garface
from garface.evaluation import metrics, weights
from garface.evaluation.arguments import at_least, output_file, some_of
from garface.evaluation.portrait_fits import Portrait, portraits_folder, read_portraits

FITS = ("landmarks", "sh", "gar")
THINGS = ("hand", "mask", "sunglasses", "microphone", "thing")


def drawers() -> dict:
    from garface.training import covers

    return {"hand": covers.hand, "mask": covers.cloth_mask, "sunglasses": covers.sunglasses, "microphone": covers.microphone,
            "thing": covers.thing}


def textures(folder_pictures):
    """A source of textures for ``covers``: pieces of the pictures."""
    import cv2

    def banked(rng: np.random.Generator, size: int) -> np.ndarray:
        picture = folder_pictures[rng.integers(len(folder_pictures))]
        picture = np.dstack([picture] * 3) if picture.ndim == 2 else picture
        side = min(picture.shape[:2]) // 2
        y, x = (int(rng.integers(0, n - side + 1)) for n in picture.shape[:2])
        return cv2.resize(picture[y:y + side, x:x + side], (size, size), interpolation=cv2.INTER_AREA)
    return banked


def reconstruct(models: garface.Models, row: str, picture: np.ndarray, points: np.ndarray):
    """(result, found without help)"""
    try:
        return garface.reconstruct(picture, models=models, renderer=row), True
    except garface.NoFaceError:
        return garface.reconstruct(picture, models=models, renderer=row, box=box_of(points)), False


def box_of(points: np.ndarray) -> tuple[float, float, float, float]:
    low, high = points.min(0), points.max(0)
    return (*low.tolist(), *(high - low).tolist())


def psnr(squares: np.ndarray) -> float:
    return float(-10 * np.log10(max(1e-12, squares.mean()))) if squares.size else float("nan")


def face_square(n: int) -> np.ndarray:
    """The middle of the aligned frame, which is face: an ellipse."""
    y, x = (np.mgrid[:n, :n] + 0.5) / n * 2 - 1
    return (x / 0.5) ** 2 + ((y - 0.12) / 0.68) ** 2 < 1


class Faces:
    """The portraits that take part, with their own reconstructions."""

    def __init__(self, models: garface.Models, row: str, portraits: list[Portrait], size: int):
        self.models, self.row = models, row
        head = garface.HeadModel()
        mean = head.evaluate()
        self.region = metrics.face_region(mean, head.parts, head.part_names.index("skin"), head.landmarks(mean)[30])
        self.kept, self.bare_area = [], []
        for portrait in portraits:
            picture = portrait.picture(size)
            try:
                bare = garface.reconstruct(picture, models=models, renderer=row)
            except garface.NoFaceError:
                continue
            self.kept.append((portrait.index, picture, bare))
            self.bare_area.append(100 * bare.covered_share)

    def measure(self, thing: str, draw, banked) -> dict:
        rows = {k: [] for k in ("covered", "found", "shape", "points", "below", "texture")}
        both = either = 0
        for index, picture, bare in self.kept:
            rng = np.random.default_rng([index, THINGS.index(thing)])
            covered_picture, mask = draw(rng, picture.copy(), bare.landmarks_static.astype(np.float64), banked)
            face = face_of(bare)
            if (mask[face] > 0.5).mean() < 0.01:
                continue
            result, found = reconstruct(self.models, self.row, covered_picture, bare.landmarks)
            true, seen = (mask > 0.5) & face, (result.covered_map > 0.5) & face
            both, either = both + (true & seen).sum(), either + (true | seen).sum()
            rows["covered"].append(100 * true.sum() / face.sum())
            rows["found"].append(100 * found)
            rows["shape"].append(metrics.aligned_error(result.vertices_neutral[self.region], bare.vertices_neutral[self.region]))
            rows["points"].append(metrics.interocular_nme(result.landmarks, bare.landmarks))
            if result.render is not None:
                rows["below"].append(render_below(result, picture, mask))
            hidden = vertex_mask(bare, mask)
            if hidden.sum() > 20:
                rows["texture"].append(psnr((result.colours[hidden] - bare.colours[hidden]) ** 2))
        mean = {k: float(np.mean(rows[k])) if rows[k] else float("nan") for k in ("covered", "found")}
        median = {k: float(np.nanmedian(rows[k])) if rows[k] else float("nan") for k in ("shape", "points", "below", "texture")}
        return {"thing": thing, "row": self.row, "faces": len(rows["found"]), **mean, "union": 100 * both / max(1, either),
                "bare": float(np.mean(self.bare_area)), **median}


def face_of(result) -> np.ndarray:
    """Pixels of the photo that show the head within the radius of the nose tip."""
    nose = result.landmarks_3d[30]
    return np.linalg.norm(np.nan_to_num(result.position_map, nan=1e6) - nose, axis=2) < 85


def vertex_mask(bare, mask: np.ndarray) -> np.ndarray:
    """Which vertices the photo shows and the thing covers."""
    h = np.c_[bare.vertices, np.ones(len(bare.vertices))] @ bare.camera.T
    x, y = (np.clip(np.rint(h[:, k]).astype(int), 0, mask.shape[1 - k] - 1) for k in (0, 1))
    return (bare.visibility > 0.8) & (mask[y, x] > 0.9)


def render_below(result, picture: np.ndarray, mask: np.ndarray) -> float:
    """PSNR of the render where the thing is, on the face, against the bare photo in the result's frame."""
    from garface.training.data import frame_to_picture, warped

    about, n = result.parameters["aligned_frame"], result.render.shape[0]
    frame = frame_to_picture(about["centre_px"], about["size_px"], np.radians(about["roll_degrees"]))
    bare = warped(picture, frame, n) / 255.0
    where = (warped(mask, frame, n) > 0.5) & face_square(n)
    return psnr(((result.render / 255.0 - bare) ** 2)[where]) if where.sum() > 20 else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portraits", type=portraits_folder)
    parser.add_argument("--things", type=some_of(THINGS), default=",".join(THINGS), help="which kinds (default: all)")
    parser.add_argument("--rows", type=some_of(FITS), default="gar", help=f"how far the faces are fitted, of {','.join(FITS)} (default: gar)")
    parser.add_argument("--step", type=at_least(1), default=8, help="every so many portraits")
    parser.add_argument("--limit", type=at_least(1), help="only so many portraits")
    parser.add_argument("--size", type=at_least(64), default=256, help="pixels a side of the portraits")
    weights.add_arguments(parser)
    parser.add_argument("--json", type=output_file)
    options = parser.parse_args()
    from garface.training.scenes import HELD_OUT_PICTURES, package_pictures

    models, banked = weights.models(options), textures(package_pictures(HELD_OUT_PICTURES))
    portraits = read_portraits(options.portraits, garface.HeadModel())[:: options.step][: options.limit]
    rows = []
    for row in options.rows:
        faces = Faces(models, row, portraits, options.size)
        rows += [faces.measure(thing, drawers()[thing], banked) for thing in options.things]
    print(metrics.table(rows, ["thing", "row", "faces", "covered", "found", "union", "bare", "shape", "points", "below", "texture"]))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
