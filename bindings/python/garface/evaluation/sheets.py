"""Sheets of pictures to look at."""
from __future__ import annotations

import argparse
import pathlib

import numpy as np

from garface.evaluation.arguments import output_file
from garface.evaluation.resize import resize


def grid(pictures: list[np.ndarray], columns: int, tile: int) -> np.ndarray:
    """uint8 pictures, square and of any size, in rows of ``columns`` tiles; what is left of the last row stays grey."""
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * tile, columns * tile, 3), 128, np.uint8)
    for k, picture in enumerate(pictures):
        v, u = k // columns * tile, k % columns * tile
        sheet[v : v + tile, u : u + tile] = resize(picture, tile)
    return sheet


def picture_file(text: str) -> pathlib.Path:
    """A picture to write, for argparse."""
    import cv2

    if not cv2.haveImageWriter(text):
        raise argparse.ArgumentTypeError(f"{text} is no name of a picture: end it in .png")
    return output_file(text)


def write(file: pathlib.Path, sheet: np.ndarray) -> None:
    import cv2

    file.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(file), sheet[:, :, ::-1]):
        raise OSError(f"cannot write {file}")
    print(f"wrote {file}")
