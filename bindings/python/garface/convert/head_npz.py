"""Converts a head model from .npz to the project's safetensors format (kind "head-model").

    python -m garface.convert.head_npz head.npz head.safetensors --fits fits.npz [more fits.npz]

The .npz holds mean (V,3) mm, identity (K,V,3) for unit-variance coefficients, expression (E,V,3), triangles (F,3),
part (V), landmark_triangles and landmark_bary (68,3), and the names. Bases are kept in half precision as given.
The fits (arrays `expression` (N,E) and `residual_mm` (N)) shrink to a table of quantised expression vectors, from
which the library draws new expressions.
"""
import argparse
import json

import numpy as np

from .safetensors_file import write_safetensors

# Expressions that, seen in one picture, pass for the shape of another face; or move the jaw where few faces do. The prior
# holds them back by this factor (precision) against the others.
PRIOR_PRECISION = {"cheekPuff": 200.0, "jawLeft": 2.0, "jawRight": 2.0, "jawForward": 3.0, "mouthClose": 3.0}


def expression_table(paths, rows, seed=0):
    """(rows,E) uint8 in 1/255: fitted expressions drawn at random from the better nine tenths of each file's fits."""
    rng, kept = np.random.default_rng(seed), []
    for path in paths:
        fits = np.load(path)
        good = np.flatnonzero(fits["residual_mm"] <= np.quantile(fits["residual_mm"], 0.9))
        pick = rng.choice(good, rows // len(paths), replace=False)
        kept.append(fits["expression"][pick].astype(np.float64))
    return np.rint(np.concatenate(kept).clip(0, 1) * 255).astype(np.uint8)


def convert(source, target, fits=(), rows=512):
    d = np.load(source)
    names = [str(n) for n in d["expression_names"]]
    precision = [next((p for n, p in PRIOR_PRECISION.items() if name.startswith(n)), 1.0) for name in names]
    tensors = {
        "mean": d["mean"].astype(np.float32),
        "triangles": d["triangles"].astype(np.int32),
        "landmark_triangles": d["landmark_triangles"].astype(np.int32),
        "landmark_barycentrics": d["landmark_bary"].astype(np.float32),
        "expression_precision": np.array(precision, np.float32),
        "identity": d["identity"].astype(np.float16),
        "expression": d["expression"].astype(np.float16),
        "part": d["part"].astype(np.uint8),
    }
    if fits:
        tensors["expression_samples"] = expression_table(fits, rows)
    description = {
        "kind": "head-model", "version": 1, "units": "mm", "expression_prior": "unit-interval",
        "expression_names": names, "part_names": [str(n) for n in d["part_names"]],
        "source": "ICT Face Model Light (USC Institute for Creative Technologies, MIT licence), re-triangulated",
    }
    write_safetensors(target, tensors, {"garface": json.dumps(description, separators=(",", ":"))})


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("source"), p.add_argument("target")
    p.add_argument("--fits", nargs="*", default=[], help=".npz files with fitted expressions")
    p.add_argument("--rows", type=int, default=512, help="rows of the expression table")
    a = p.parse_args()
    convert(a.source, a.target, a.fits, a.rows)


if __name__ == "__main__":
    main()
