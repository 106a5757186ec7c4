"""Does the renderer draw the face where the geometry says? Judged by dlib's landmark detector.

    python -m garface.evaluation.obedience PORTRAITS [--faces 200] [--bases 24]

PORTRAITS: a folder or packed set of portraits with fits (see ``portrait_fits``); the test split is used. dlib gets the
known face box. Its mean offset to the model's points is measured on the test portraits against their own fits and
added. Printed:

1. Distance of the points that dlib finds from the mesh's projected points, over the distance of the outer eye corners
   in space, per cent, median over points and faces: portraits as they are, portraits reduced to the renderer's size (what
   renders are compared with: ratio at most 1.5), renders with the geometry of portraits and random z, at several yaws;
   and the renders against the mesh of another portrait in the same pose, which is what no obedience at all would give.
   Portraits (of either split: dlib saw neither) turned beyond 25 degrees show how far dlib can be trusted there. With
   ``--head`` so do portraits turned as textures on their own fits (``garface.training.turned``), whose points lie exactly
   where the mesh says but for the photo's own fit: no renderer can be expected to do better.
2. Eye aspect and inner-lip opening that dlib sees against the mesh's own: correlation and slope over ``faces`` renders
   (half with random blinks, half with random jaws), and over the portraits.
3. Millimetres that landmarks move in renders per millimetre in the mesh (slope; 0.9 to 1.1 wanted) for yaw, jawOpen,
   eyeBlink and the first ten identity modes, over ``bases`` faces, with its standard error; beside it the same slope
   over the portraits against their fits, where dlib and the fits are at fault and no renderer is: moved from the
   portraits' mean of the parameter to each one's own. It means little where portraits hardly differ (small "rms mm").
   With ``--head`` also over the same changes of portraits as textures, which is what dlib sees of them at all, and the
   renders' slope as a share of that.

Needs the extra ``[evaluate]``.
"""
from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Callable, Sequence

import numpy as np

import garface
from garface.evaluation import metrics, weights
from garface.evaluation.arguments import at_least, existing_file, output_file, some_of
from garface.evaluation.dlib_detector import Detector, face_box
from garface.evaluation.known_faces import Geometry, Studio
from garface.evaluation.landmark_offset import mean_offset, moved
from garface.evaluation.openings import eye_aspect, lip_opening
from garface.evaluation.portrait_fits import Portrait, portraits_folder, read_portraits
from garface.evaluation.regression import bootstrap_error, line, slope_through_origin

YAWS = (0, 20, 40)
TURNED = 25     # degrees: portraits beyond show how dlib does on turned heads
INNER = slice(17, 68)


@dataclasses.dataclass(frozen=True)
class Sightings:
    """What dlib saw of faces of known geometry: points (68, 2) camera mm, one entry per face."""

    geometries: list[Geometry]
    found: np.ndarray


class Judge:
    """dlib and a studio: pictures of known geometry in, sightings out."""

    def __init__(self, studio: Studio, detector: Detector | None = None) -> None:
        self.studio, self.detector = studio, detector or Detector(studio.frame)

    def box(self, geometry: Geometry) -> np.ndarray:
        return face_box(self.studio.points(geometry), self.studio.rotation(geometry))

    def portraits(self, portraits: list[Portrait], size: int | None) -> Sightings:
        geometries = [p.geometry for p in portraits]
        found = [self.detector.landmarks(p.picture(size), self.box(p.geometry)) for p in portraits]
        return Sightings(geometries, np.array(found))

    def renders(self, geometries: list[Geometry], seed: int) -> Sightings:
        """Each under a z of its own."""
        found = []
        for k, geometry in enumerate(geometries):
            picture = self.studio.picture(geometry, self.studio.w(seed + k))
            found.append(self.detector.landmarks(picture, self.box(geometry)))
        return Sightings(geometries, np.array(found))

    def offset(self, seen: Sightings) -> np.ndarray:
        points = np.array([self.studio.points(g) for g in seen.geometries])
        return mean_offset(seen.found, points, np.array([self.studio.rotation(g) for g in seen.geometries]))

    def expected(self, geometry: Geometry, offset: np.ndarray) -> np.ndarray:
        """(68, 2) camera mm: where dlib should see the points of the mesh."""
        return moved(self.studio.points(geometry), self.studio.rotation(geometry), offset)

    def distances(self, seen: Sightings, offset: np.ndarray, meshes: list[Geometry] | None = None) -> np.ndarray:
        """(n, 68) per cent of the interocular distance; ``meshes`` instead of the geometries that were shown."""
        rows = []
        for found, geometry in zip(seen.found, meshes or seen.geometries):
            gap = np.linalg.norm(found - self.expected(geometry, offset), axis=1)
            rows.append(100 * gap / self.studio.interocular(geometry))
        return np.array(rows)


def distance_row(name: str, distances: np.ndarray, reference: np.ndarray) -> dict:
    return {
        "picture": name, "faces": len(distances), "68 median %": float(np.median(distances)),
        "ratio": float(np.median(distances) / np.median(reference)),
        "inner 51 median %": float(np.median(distances[:, INNER])),
        "ratio inner": float(np.median(distances[:, INNER]) / np.median(reference[:, INNER])),
    }


def distance_rows(judge: Judge, sharp: Sightings, reduced: Sightings, turned: Sightings, seed: int) -> list[dict]:
    """Part 1. Portraits as they are have an offset of their own, as dlib sees small pictures a little differently."""
    offset = judge.offset(reduced)
    reference = judge.distances(reduced, offset)

    def row(name: str, distances: np.ndarray) -> dict:
        return distance_row(name, distances, reference)
    rows = [row("portraits", judge.distances(sharp, judge.offset(sharp))), row("portraits, reduced", reference)]
    if turned.geometries:
        rows.append(row(f"portraits, reduced, yaw over {TURNED}", judge.distances(turned, offset)))
    rows.append(row("renders, the portraits' yaw", judge.distances(judge.renders(reduced.geometries, seed), offset)))
    for yaw in YAWS:
        geometries = [g.posed(yaw if k % 2 else -yaw) for k, g in enumerate(reduced.geometries)]
        seen = judge.renders(geometries, seed + 100_000 * (yaw + 1))
        rows.append(row(f"renders, yaw {yaw}", judge.distances(seen, offset)))
        others = geometries[2:] + geometries[:2]      # two on: turned to the same side
        rows.append(row(f"renders, yaw {yaw}, another mesh", judge.distances(seen, offset, others)))
    return rows


class Textures:
    """Portraits as textures on their own fits, seen with another geometry. Needs the extra ``[train]``."""

    def __init__(self, judge: Judge, head_file: str) -> None:
        from garface.training.normals import HeadModel
        from garface.training.textures import TexturedHead

        self.judge, self.textured = judge, TexturedHead(HeadModel(head_file))

    def _posed(self, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
        rotation = self.judge.studio.rotation(geometry)
        return self.textured.posed(geometry.identity[None], geometry.expression[None], [rotation])[0]

    def found(self, portrait: Portrait, geometries: Sequence[Geometry], box: np.ndarray) -> list[np.ndarray]:
        """(68, 2) camera mm each: what dlib sees in the portrait moved to ``geometries``."""
        picture, own = portrait.picture(self.judge.studio.renderer.size), self._posed(portrait.geometry)
        views = (self.textured.view(picture, own, self._posed(geometry)) for geometry in geometries)
        return [self.judge.detector.landmarks(view.skin, box) for view in views]


def texture_rows(judge: Judge, textures: Textures, portraits: list[Portrait], reduced: Sightings) -> list[dict]:
    """Portraits as textures, at the yaws of part 1."""
    offset = judge.offset(reduced)
    reference = judge.distances(reduced, offset)
    rows = []
    for yaw in YAWS:
        geometries = [p.geometry.posed(yaw if k % 2 else -yaw) for k, p in enumerate(portraits)]
        found = [textures.found(p, [g], judge.box(g))[0] for p, g in zip(portraits, geometries)]
        distances = judge.distances(Sightings(geometries, np.array(found)), offset)
        rows.append(distance_row(f"portraits as textures, yaw {yaw}", distances, reference))
    return rows


def opening_rows(judge: Judge, reduced: Sightings, faces: int, seed: int) -> list[dict]:
    """Part 2."""
    rng, head = np.random.default_rng(seed), judge.studio.head
    base = [reduced.geometries[k % len(reduced.geometries)] for k in range(faces)]
    blinking = judge.renders([g.expressing(head, eyeBlink=rng.uniform()) for g in base], seed)
    talking = judge.renders([g.expressing(head, jawOpen=rng.uniform(0, 0.8)) for g in base], seed + faces)
    offset = judge.offset(reduced)
    rows = []
    for name, measure, renders in (("eye aspect", eye_aspect, blinking), ("lip opening", lip_opening, talking)):
        for where, seen in (("renders", renders), ("portraits, reduced", reduced)):
            mesh = np.array([measure(judge.expected(g, offset)) for g in seen.geometries])
            found = np.array([measure(points) for points in seen.found])
            slope, correlation = line(mesh, found)
            rows.append({
                "measure": name, "picture": where, "faces": len(found), "correlation": correlation, "slope": slope,
                "mesh deviation": float(mesh.std()), "seen deviation": float(found.std())})
    return rows


@dataclasses.dataclass(frozen=True)
class Change:
    """A parameter of the geometry: what it moves, how far in renders, and how to bring a portrait to its mean."""

    name: str
    pair: Callable[[Geometry], tuple[Geometry, Geometry]]
    value: Callable[[Geometry], float]
    set_to: Callable[[Geometry, float], Geometry]


def changes(head: garface.HeadModel, modes: int = 10) -> list[Change]:
    """Yaw by +-10 degrees, jawOpen and eyeBlink from closed, identity modes by +-1.5 deviations."""
    def expression(name: str, change: float, coefficient: str) -> Change:
        index = head.expression_names.index(coefficient)
        return Change(
            name, lambda g: (g.expressing(head, **{name: 0.0}), g.expressing(head, **{name: change})),
            lambda g: float(g.expression[index]), lambda g, value: g.expressing(head, **{name: value}))

    def mode(k: int) -> Change:
        return Change(
            f"identity {k}", lambda g: (g.reshaped(k, -1.5), g.reshaped(k, 1.5)), lambda g: float(g.identity[k]),
            lambda g, value: g.reshaped(k, value - float(g.identity[k])))
    yaw = Change(
        "yaw", lambda g: (g.posed(g.yaw - 10), g.posed(g.yaw + 10)), lambda g: g.yaw, lambda g, value: g.posed(value))
    return [yaw, expression("jawOpen", 0.5, "jawOpen"), expression("eyeBlink", 0.8, "eyeBlink_L"), *map(mode, range(modes))]


def moving(displacement: np.ndarray) -> np.ndarray:
    """(n, 68, 2) -> (68,) whether a point moves at all: at least a quarter as far as the one that moves most."""
    length = np.sqrt((displacement**2).sum(2).mean(0))
    return length >= 0.25 * length.max()


def displacement_rows(
    judge: Judge, portraits: list[Portrait], reduced: Sightings, bases: int, seed: int, textures: Textures | None,
) -> list[dict]:
    """Part 3. ``reduced``: what was seen of ``portraits``."""
    studio, offset = judge.studio, judge.offset(reduced)
    chosen = [portraits[k * len(portraits) // bases] for k in range(bases)]
    rows = []
    for change in changes(studio.head):
        mesh, seen, textured = [], [], []
        for k, portrait in enumerate(chosen):
            w, box = studio.w(seed + k), judge.box(portrait.geometry)      # the same box for both: it must not tell
            pair = change.pair(portrait.geometry)
            low, high = (judge.expected(g, offset) for g in pair)
            mesh.append(high - low)
            low, high = (judge.detector.landmarks(studio.picture(g, w), box) for g in pair)
            seen.append(high - low)
            if textures:
                low, high = textures.found(portrait, pair, box)
                textured.append(high - low)
        row = {"parameter": change.name, **slope_columns(np.array(mesh), np.array(seen), "")}
        if textures:
            row |= slope_columns(np.array(mesh), np.array(textured), "textures: ")
            row["of textures"] = row["slope"] / row["textures: slope"]
        middle = float(np.mean([change.value(g) for g in reduced.geometries]))
        # From the mean of the parameter to the portrait's own value: the mesh by its points, the photo by dlib's.
        still = np.array([judge.expected(change.set_to(g, middle), offset) for g in reduced.geometries])
        own = np.array([judge.expected(g, offset) for g in reduced.geometries])
        rows.append({**row, **slope_columns(own - still, reduced.found - still, "portraits: ")})
    return rows


def slope_columns(mesh: np.ndarray, seen: np.ndarray, prefix: str) -> dict:
    """Slopes over the points that move, of all 68 and of the inner 51, from displacements (n, 68, 2)."""
    points = moving(mesh)
    inner = points & (np.arange(68) >= 17)

    def slope(which: np.ndarray, faces: np.ndarray | slice = slice(None)) -> float:
        return slope_through_origin(mesh[faces][:, which], seen[faces][:, which])
    return {
        prefix + "slope": slope(points), prefix + "error": bootstrap_error(lambda i: slope(points, i), len(mesh)),
        prefix + "inner": slope(inner), prefix + "inner error": bootstrap_error(lambda i: slope(inner, i), len(mesh)),
        prefix + "rms mm": float(np.sqrt((mesh[:, points] ** 2).sum(2).mean())),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portraits", type=portraits_folder)
    parser.add_argument("--faces", type=at_least(1), default=200, help="renders per measure of part 2 (default: 200)")
    parser.add_argument("--bases", type=at_least(1), default=24, help="faces per parameter of part 3 (default: 24)")
    parser.add_argument("--limit", type=at_least(1), help="only so many portraits")
    parser.add_argument("--step", type=at_least(1), default=1, help="every so many portraits")
    parser.add_argument("--parts", type=some_of(("1", "2", "3")), default="1,2,3")
    parser.add_argument("--head", type=existing_file, help="the head model as .npz: portraits moved as textures join parts 1 and 3")
    parser.add_argument("--seed", type=at_least(0), default=1)
    weights.add_arguments(parser)
    parser.add_argument("--json", type=output_file)
    options = parser.parse_args()
    studio = Studio(garface.Renderer(options.renderer), garface.HeadModel())
    judge = Judge(studio)
    portraits = read_portraits(options.portraits, studio.head)[:: options.step][: options.limit]
    everyone = read_portraits(options.portraits, studio.head, test_only=False)
    turned = [p for p in everyone if abs(p.geometry.yaw) > TURNED][: len(portraits)]
    size = studio.renderer.size
    reduced = judge.portraits(portraits, size)
    textures = Textures(judge, str(options.head)) if options.head else None
    parts: dict[str, Callable[[], list[dict]]] = {
        "1": lambda: distance_rows(
            judge, judge.portraits(portraits, None), reduced, judge.portraits(turned, size), options.seed)
        + (texture_rows(judge, textures, portraits, reduced) if textures else []),
        "2": lambda: opening_rows(judge, reduced, options.faces, options.seed),
        "3": lambda: displacement_rows(judge, portraits, reduced, options.bases, options.seed, textures),
    }
    results = {}
    for part in options.parts:
        results[part] = parts[part]()
        print(metrics.table(results[part], list(results[part][0])), end="\n\n", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
