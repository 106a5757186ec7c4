"""Inversion of the test portraits, given the photo alone.

    python -m garface.evaluation.portraits PORTRAITS [--rows mean,start,landmarks,sh,gar] [--step 10] [--limit N]

PORTRAITS: a folder or packed set of portraits with fits (see ``portrait_fits``); the test split is used. Medians over
the photos:

- PSNR, dB, of the render from the photo in the aligned frame, at the renderer's size: inside the face (what lies within
  95 mm of the nose tip) and inside the whole head (where it has normals), hair and all. Which pixels these are says the
  portrait's own fit, the same for every row.
- identity: distance of the recognition features of dlib's network between photo and render, and the share below 0.6,
  which is meant to be the same person. Beside it the photo against itself at the renderer's size (the best to be had)
  and against the next portrait. Needs the extra ``[evaluate]``; ``--no-identity`` leaves it out.
- landmark NME: the 68 points fixed to the surface from the annotation moved to the model's own points, per cent of the
  distance of the outer eye corners; the inner 51 too. The mean head is placed on the annotation.
- distance from the fit: neutral mesh, skin within 95 mm of the nose tip, rigidly aligned, mm, from that of the
  portrait's fit, which comes from landmarks itself: not an error of geometry.
- seconds per photo on one thread, finding included.

The picture of the spherical-harmonics row is no prediction: its colours are free at every vertex, and beside the mesh
it is the photo. Its PSNR and identity are those of a copy of the photo; what the row is worth is told by its points and
meshes, here and in ``self_inversion``.

``--sheet FILE`` writes the photo and the renders of all rows side by side for the first 16 photos.
"""
from __future__ import annotations

import argparse
import dataclasses
import json
import time

import numpy as np

import garface
from garface.evaluation import metrics, sheets, weights
from garface.evaluation.arguments import at_least, output_file, some_of, stages, stages_for
from garface.evaluation.resize import resize
from garface.evaluation.face_masks import FACE_RADIUS, Masks, Placement
from garface.evaluation.known_faces import Studio
from garface.evaluation.photos import ROWS, mean_head_landmarks
from garface.evaluation.portrait_fits import Portrait, portraits_folder, read_portraits

SHOWN = 16             # photos on the sheet
EMPTY = np.zeros((8, 8, 3), np.uint8)
SAME_PERSON = 0.6      # dlib's threshold on the distance of its features


class Identity:
    """Distances of dlib's recognition features from a portrait's photo."""

    def __init__(self, studio: Studio) -> None:
        from garface.evaluation.dlib_detector import Detector, face_box

        self.studio, self.detector, self._box = studio, Detector(studio.frame), face_box

    def of_portrait(self, portrait: Portrait, size: int | None = None) -> np.ndarray:
        studio, geometry = self.studio, portrait.geometry
        box = self._box(studio.points(geometry), studio.rotation(geometry))
        return self.detector.identity(portrait.picture(size), box)

    def of_render(self, result: garface.Result) -> np.ndarray:
        """Of the library's render, the box by its own mesh."""
        yaw, pitch, roll, log_scale, right, up = result.parameters["aligned_frame"]["head_yaw_pitch_roll_logscale_tx_ty"]
        rotation = garface.pose_matrix(*np.degrees([yaw, pitch, roll])).astype(np.float64)
        points = np.exp(log_scale) * result.landmarks_3d @ rotation.T + [right, up, 0]
        return self.detector.identity(result.render, self._box(points, rotation))


@dataclasses.dataclass
class Row:
    """Measurements of one row of the table, a number per photo."""

    name: str
    missed: int = 0
    columns: dict[str, list[float]] = dataclasses.field(default_factory=dict)

    def add(self, **values: float) -> None:
        for name, value in values.items():
            self.columns.setdefault(name, []).append(value)

    def summary(self) -> dict:
        median = {name: float(np.median(values)) for name, values in self.columns.items()}
        numbers = {
            "row": self.name, "photos": max((len(v) for v in self.columns.values()), default=0) + self.missed,
            "missed": self.missed, **median}
        if "identity" in self.columns:
            numbers["same person %"] = float(100 * (np.array(self.columns["identity"]) < SAME_PERSON).mean())
        if "NME" in self.columns:
            numbers["NME mean"] = float(np.mean(self.columns["NME"]))
        return numbers


class Measurement:
    """The test portraits through the library, row by row."""

    def __init__(self, models: garface.Models, studio: Studio, identity: bool, schedule: dict | None = None) -> None:
        self.models, self.studio, self.masks, self.schedule = models, studio, Masks(studio), schedule
        self.identity = Identity(studio) if identity else None
        head = studio.head
        mean = head.evaluate()
        self.mean_points = head.landmarks(mean)
        self.region = metrics.face_region(
            mean, head.parts, head.part_names.index("skin"), self.mean_points[30], FACE_RADIUS)
        self.features: dict[int, np.ndarray] = {}

    def neutral(self, identity: np.ndarray) -> np.ndarray:
        return self.studio.head.evaluate(identity)[self.region]

    def photo_features(self, portrait: Portrait) -> np.ndarray:
        if portrait.index not in self.features:
            self.features[portrait.index] = self.identity.of_portrait(portrait)
        return self.features[portrait.index]

    def row(self, name: str, portraits: list[Portrait]) -> tuple[Row, list[np.ndarray | None]]:
        """The measurements, and for every photo the render where there is one."""
        row = Row(ROWS[name])
        renders: list[np.ndarray | None] = []
        for portrait in portraits:
            photo = portrait.picture()
            truth = self.studio.frame.pixels(portrait.points, len(photo))
            fit = self.neutral(portrait.geometry.identity)
            if name == "mean":
                points = mean_head_landmarks(self.mean_points, truth)
                row.add(fit=metrics.aligned_error(self.neutral(np.zeros_like(portrait.geometry.identity)), fit))
            else:
                began = time.perf_counter()
                try:
                    result = garface.reconstruct(
                        photo, models=self.models, renderer=name, schedule=stages_for(name, self.schedule))
                except garface.NoFaceError:
                    row.missed += 1
                    renders.append(None)
                    continue
                row.add(seconds=time.perf_counter() - began)
                points = result.landmarks_static
                row.add(fit=metrics.aligned_error(self.neutral(result.identity), fit))
                renders.append(result.render)
                if result.render is not None:
                    row.add(**self.picture(portrait, result, len(photo)))
            row.add(NME=metrics.interocular_nme(points, truth), inner=metrics.interocular_nme(points, truth, slice(17, 68)))
        return row, renders

    def picture(self, portrait: Portrait, result: garface.Result, photo_size: int) -> dict[str, float]:
        face, head = self.masks(portrait, Placement.of(result, photo_size, self.studio.frame))
        target = resize(result.crop, len(result.render))
        values = {
            "PSNR face": metrics.psnr(result.render, target, face), "PSNR head": metrics.psnr(result.render, target, head)}
        if self.identity:
            values["identity"] = float(np.linalg.norm(self.identity.of_render(result) - self.photo_features(portrait)))
        return values

    def bounds(self, portraits: list[Portrait]) -> list[Row]:
        """The photo itself at the renderer's size, and another person's photo."""
        reduced, other = Row("the photo, reduced"), Row("the next portrait")
        for portrait, following in zip(portraits, portraits[1:] + portraits[:1]):
            own = self.photo_features(portrait)
            small = self.identity.of_portrait(portrait, self.studio.renderer.size)
            reduced.add(identity=float(np.linalg.norm(own - small)))
            other.add(identity=float(np.linalg.norm(own - self.photo_features(following))))
        return [reduced, other]


COLUMNS = [
    "row", "photos", "missed", "PSNR face", "PSNR head", "identity", "same person %", "NME", "NME mean", "inner", "fit",
    "seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portraits", type=portraits_folder)
    parser.add_argument("--rows", type=some_of(ROWS), default="mean,start,landmarks,sh,gar")
    parser.add_argument("--limit", type=at_least(1), help="only so many photos")
    parser.add_argument("--step", type=at_least(1), default=1, help="every so many photos")
    parser.add_argument("--no-identity", action="store_true", help="without dlib")
    parser.add_argument("--sheet", type=sheets.picture_file, help="write photos and renders here")
    parser.add_argument("--schedule", type=stages, help="stages of the fit as JSON (default: the standard ones)")
    weights.add_arguments(parser)
    parser.add_argument("--json", type=output_file)
    options = parser.parse_args()
    studio = Studio(garface.Renderer(options.renderer), garface.HeadModel())
    portraits = read_portraits(options.portraits, studio.head)[:: options.step][: options.limit]
    measurement = Measurement(weights.models(options), studio, not options.no_identity, options.schedule)
    rows, columns = [], [[p.picture() for p in portraits[:SHOWN]]]
    for name in options.rows:
        row, renders = measurement.row(name, portraits)
        rows.append(row)
        if any(render is not None for render in renders):
            columns.append([EMPTY if render is None else render for render in renders[:SHOWN]])
    if measurement.identity:
        rows += measurement.bounds(portraits)
    table = [row.summary() for row in rows]
    print(metrics.table(table, COLUMNS))
    if options.sheet:
        lines = [picture for line in zip(*columns) for picture in line]
        sheets.write(options.sheet, sheets.grid(lines, 4 * len(columns), 160))
    if options.json:
        options.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
