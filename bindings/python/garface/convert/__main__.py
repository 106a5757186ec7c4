"""The command `python -m garface.convert`, which `garface model convert` starts too."""
from __future__ import annotations

import argparse
import dataclasses
import functools
import sys
from typing import Any, Callable

import numpy as np

from . import basel_2009, basel_h5, deep3d, facewarehouse, flame, ict_facekit, surrey
from .head_file import Head, write_head
from .landmark_mapping import read_mapping
from .problem import ConversionError

# Per kind of model its reader, the options of its own, and what SOURCE is.
READERS: dict[str, tuple[Callable[..., Head], tuple[str, ...], str]] = {
    "basel-2009": (basel_2009.read, ("expressions",), "01_MorphableModel.mat"),
    "basel-2017": (functools.partial(basel_h5.read, year="2017"), (), "model2017-1_bfm_nomouth.h5 and the like"),
    "basel-2019": (functools.partial(basel_h5.read, year="2019"), (), "model2019_bfm.h5 and the like"),
    "deep3d": (deep3d.read, (), "BFM_model_front.mat of Deep3DFaceRecon"),
    "surrey": (surrey.read, ("blendshapes",), "sfm_shape_3448.bin as eos has it"),
    "facewarehouse": (facewarehouse.read, ("mesh",), "a .mat file with the bilinear tensor"),
    "flame": (flame.read, ("embedding", "shapes"), "generic_model.pkl, flame2023.pkl, or a .npz of the same fields"),
    "ict-facekit": (ict_facekit.read, (), "the folder FaceXModel of ICT-FaceKit"),
}

OPTIONS = sorted({option for _, options, _ in READERS.values() for option in options})


def convert(
    kind: str, source: str, target: str, *, landmarks: str | None = None, identities: int | None = None,
    expressions_kept: int | None = None, millimetres: float | None = None, axes: str | None = None, **options: Any,
) -> list[int]:
    """Converts one model; returns the landmarks (0 to 67) that no mapping named and that were estimated.

    Args:
        kind: a key of READERS. source: its file or folder. target: the safetensors file to write.
        landmarks: a mapping file; None takes the mapping that is built in or in the file.
        identities, expressions_kept: how many modes to keep, the first ones; None keeps all.
        millimetres: the unit of the file, where it is not the one that the model is published in.
        axes: which of the file's axes go to the subject's left, up and out of the face, such as "x,-z,y".
        options: of the kind: `expressions` (a folder, basel-2009), `blendshapes` (a file, surrey), ...
    """
    places = None if landmarks is None else read_mapping(landmarks)
    # Numbers that are not finite, or too large, are refused with a sentence at the end: no warnings on the way.
    with np.errstate(all="ignore"):
        return _convert(READERS[kind][0](source, places, **options), target, identities, expressions_kept, millimetres, axes)


def _convert(
    head: Head, target: str, identities: int | None, expressions_kept: int | None, millimetres: float | None, axes: str | None
) -> list[int]:
    if millimetres is not None:
        head.millimetres = millimetres
    if axes is not None:
        if head.skin is not None or head.cross is not None:
            raise ConversionError("--axes is for linear models; this one has joints or products of coefficients")
        head = _turned(head, axes)
    head.identity, head.expression = head.identity[:identities], head.expression[:expressions_kept]
    head.expression_names = head.expression_names[:expressions_kept]
    if head.cross is not None:
        head.cross = head.cross[:identities, :expressions_kept]
    return write_head(head, target)


def _turned(head: Head, axes: str) -> Head:
    """The model with its axes in the library's order."""
    words = axes.split(",")
    columns = ["xyz".find(word.strip().lstrip("-+")) for word in words]
    if sorted(columns) != [0, 1, 2]:
        raise ConversionError(f"--axes is {axes!r}, expected x, y and z once each in the order left, up, out, such as x,-z,y")
    signs = np.array([-1.0 if word.strip().startswith("-") else 1.0 for word in words])
    turned = {name: getattr(head, name)[..., columns] * signs for name in ("mean", "identity", "expression")}
    return dataclasses.replace(head, **turned)


def main(arguments: list[str] | None = None) -> int:
    kinds = "\n".join(f"  {kind:<14}{source}" for kind, (_, _, source) in READERS.items())
    p = argparse.ArgumentParser(
        prog="garface model convert", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Converts a published face model into a head model for this library (safetensors).",
        epilog=f"kinds, and what SOURCE is:\n{kinds}\n\nNone of these models comes with the library; their licences are yours to keep.")
    p.add_argument("kind", choices=READERS, metavar="KIND")
    p.add_argument("source", metavar="SOURCE")
    p.add_argument("target", metavar="TARGET", help="the .safetensors file to write")
    p.add_argument("--landmarks", metavar="FILE", help="which vertices are the 68 landmarks: lines of landmark (0 to 67) and vertex")
    p.add_argument("--expressions", metavar="FOLDER", help="basel-2009: Exp_Pca.bin, std_exp.txt and BFM_exp_idx.mat")
    p.add_argument("--blendshapes", metavar="FILE", help="surrey: expression_blendshapes_3448.bin")
    p.add_argument("--embedding", metavar="FILE", action="append", help="flame: landmark embeddings, static and dynamic")
    p.add_argument("--shapes", type=int, metavar="N", help="flame: how many of shapedirs are shape, not expression (300)")
    p.add_argument("--mesh", metavar="FILE", help="facewarehouse: an OBJ file with the faces, where the .mat has none")
    p.add_argument("--identities", type=int, metavar="N", help="keep the first N identity modes")
    p.add_argument("--expressions-kept", type=int, metavar="N", help="keep the first N expressions")
    p.add_argument("--millimetres", type=float, metavar="X", help="the file's unit, where it is not the published one")
    p.add_argument("--axes", metavar="LEFT,UP,OUT", help="the file's axes, such as x,-z,y")
    a = p.parse_args(arguments)
    given = {name: value for name in OPTIONS if (value := getattr(a, name)) is not None}
    for name in given:
        if name not in READERS[a.kind][1]:
            p.error(f"--{name} does not go with {a.kind}")
    for name in ("identities", "expressions_kept", "shapes"):
        if getattr(a, name) is not None and getattr(a, name) < 1:
            p.error(f"--{name.replace('_', '-')} must be at least 1")
    if a.millimetres is not None and not 0 < a.millimetres < 1e9:
        p.error("--millimetres must be above 0")
    try:
        estimated = convert(
            a.kind, a.source, a.target, landmarks=a.landmarks, identities=a.identities, expressions_kept=a.expressions_kept,
            millimetres=a.millimetres, axes=a.axes, **given)
    except ConversionError as problem:
        print(f"garface: {problem}", file=sys.stderr)
        return 4
    except ImportError as problem:
        print(f"garface: {problem.name} is not installed: pip install 'garface[convert]'", file=sys.stderr)
        return 1
    except OSError as problem:
        print(f"garface: {a.target}: cannot be written: {problem.strerror}", file=sys.stderr)
        return 5
    if estimated:
        print(f"landmarks without a mapping, placed where the default head has them: {' '.join(map(str, estimated))}")
    print(f"written to {a.target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
