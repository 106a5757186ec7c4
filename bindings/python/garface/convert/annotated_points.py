"""Stores in a head model's file where people mark the 68 points.

    python -m garface.convert.annotated_points head.safetensors [offset.txt]

offset.txt: 68 lines of x, y and z in mm, what has to be added to the model's own points on its mean face (measured by `python -m
garface.evaluation annotation_offset`); without it the table for the 68 points of ICT-FaceKit, which the default head has. Each point
becomes a place of the mesh near its own (lips and lids are not changed for each other), and where that is not on the surface a
fourth vertex, far away in its direction or the opposite one, draws it off by a small weight. A file that has such places keeps them.
"""
from __future__ import annotations

import argparse
import heapq
import importlib.resources
import os
import pathlib
import sys

import numpy as np

from garface import GarfaceError, HeadModel

from .problem import ConversionError
from .safetensors_file import add_tensors, read_tensor, tensor_names

FARTHEST = 30.0         # mm that a point may move
REACH = 4.0             # mm along the surface farther than that it is looked for
DEPTH = 0.3             # how much a mm of z counts beside one of x or y
FINENESS = 6            # places tried along the edge of a triangle
OPENINGS = ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65))     # points above and below
DRAWING = 100.0         # mm at least to the vertex that draws a point off the surface


def read_offset(path: pathlib.Path) -> np.ndarray:
    """(68, 3) of a text file; lines that open with # are skipped."""
    try:
        rows = [[float(x) for x in line.split()] for line in path.read_text("utf-8").splitlines() if line and line[0] != "#"]
    except (UnicodeDecodeError, ValueError):
        raise ConversionError(f"{path}: expected lines of three numbers") from None
    if len(rows) != 68 or any(len(row) != 3 for row in rows):
        raise ConversionError(f"{path}: expected 68 lines of three numbers, x, y and z in mm; got {len(rows)} lines of "
                              f"{' or '.join(map(str, sorted({len(row) for row in rows}))) or 'no'} numbers")
    offset = np.array(rows)
    if not (np.abs(offset) <= FARTHEST).all():
        raise ConversionError(f"{path}: points may move by {FARTHEST:.0f} mm at most, and every number must be finite")
    return offset


def built_in_offset() -> np.ndarray:
    """(68, 3): the table for the 68 points of ICT-FaceKit."""
    with importlib.resources.as_file(importlib.resources.files(__package__).joinpath("data/ict_annotation_offset.txt")) as file:
        return read_offset(file)


def neighbours(vertices: np.ndarray, triangles: np.ndarray) -> list[dict[int, float]]:
    """Of each vertex those it is joined to, and how long the edges are."""
    joined: list[dict[int, float]] = [{} for _ in vertices]
    for a, b in np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]).tolist():
        joined[a][b] = joined[b][a] = float(np.linalg.norm(vertices[a] - vertices[b]))
    return joined


def within(joined: list[dict[int, float]], starts: dict[int, float], reach: float) -> set[int]:
    """Vertices that edges lead to in at most `reach`, from several with a distance each."""
    distance, queue = dict(starts), [(d, v) for v, d in starts.items()]
    heapq.heapify(queue)
    while queue:
        d, v = heapq.heappop(queue)
        if d > distance[v]:
            continue
        for other, length in joined[v].items():
            if d + length < min(reach, distance.get(other, np.inf)):
                distance[other] = d + length
                heapq.heappush(queue, (d + length, other))
    return set(distance)


def on_surface(vertices: np.ndarray, triangles: np.ndarray, corners: np.ndarray, weights: np.ndarray, wanted: np.ndarray):
    """(corners (68, 3), weights (68, 3)) near the model's own: of points on a fine grid in each triangle the nearest."""
    points = (vertices[corners] * weights[..., None]).sum(1)
    joined = neighbours(vertices, triangles)
    grid = np.array([(i, j, FINENESS - i - j) for i in range(FINENESS + 1) for j in range(FINENESS + 1 - i)]) / FINENESS
    new_corners, new_weights = corners.copy(), weights.copy()
    for k in range(68):
        move = np.linalg.norm((wanted[k] - points[k])[:2])
        if move < 1e-6:
            continue
        starts = {int(v): float(np.linalg.norm(vertices[v] - points[k])) for v in corners[k]}
        near = within(joined, starts, move + REACH)
        candidates = triangles[np.isin(triangles, list(near)).any(1)]
        samples = np.einsum("gc,tcd->tgd", grid, vertices[candidates])
        gap = (((samples - wanted[k]) * [1, 1, DEPTH]) ** 2).sum(2)
        t, g = np.unravel_index(gap.argmin(), gap.shape)
        new_corners[k], new_weights[k] = candidates[t], grid[g]
    return new_corners, new_weights


def targets(points: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """(68, 3): points moved; lids and lips that would pass each other meet."""
    moved = points + offset
    for above, below in OPENINGS:
        if moved[above, 1] < moved[below, 1]:
            moved[[above, below], 1] = moved[[above, below], 1].mean()
    return moved


def places(vertices: np.ndarray, triangles: np.ndarray, corners: np.ndarray, weights: np.ndarray, offset: np.ndarray):
    """(corners (68, 4), weights (68, 4)): a place on the surface, and the vertex that draws it to where it belongs."""
    wanted = targets((vertices[corners] * weights[..., None]).sum(1), offset)
    corners, weights = on_surface(vertices, triangles, corners, weights, wanted)
    used = np.unique(triangles)
    drawing, shares = np.empty(68, corners.dtype), np.empty(68)
    for k, place in enumerate((vertices[corners] * weights[..., None]).sum(1)):
        off, way = wanted[k] - place, vertices[used] - place
        length = np.linalg.norm(way, axis=1)
        alike = np.abs(way @ off) / np.maximum(length, 1e-9)
        best = np.where(length >= min(DRAWING, length.max()), alike, -1).argmax()
        drawing[k], shares[k] = used[best], way[best] @ off / length[best] ** 2
    return np.column_stack([corners, drawing]), np.column_stack([weights * (1 - shares[:, None]), shares])


def store(path: str | os.PathLike[str], offset: np.ndarray) -> bool:
    """True where places were added."""
    head = HeadModel(path)      # which says what is wrong with a file
    if "annotated_triangles" in tensor_names(path):
        return False
    skin = np.flatnonzero(head.parts == head.part_names.index("skin")) if "skin" in head.part_names else np.arange(head.vertex_count)
    triangles = head.triangles[np.isin(head.triangles, skin).all(1)]
    corners, weights = read_tensor(path, "landmark_triangles"), read_tensor(path, "landmark_barycentrics").astype(np.float64)
    corners, weights = places(head.evaluate().astype(np.float64), triangles, corners, weights, offset)
    add_tensors(path, {"annotated_triangles": corners.astype(np.int32), "annotated_barycentrics": weights.astype(np.float32)})
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("offset", nargs="?", type=pathlib.Path)
    a = parser.parse_args()
    try:
        offset = read_offset(a.offset) if a.offset else built_in_offset()
        print("stored" if store(a.file, offset) else "has such places already")
    except (ConversionError, GarfaceError, OSError) as problem:
        sys.exit(f"annotated_points: {problem}")


if __name__ == "__main__":
    main()
