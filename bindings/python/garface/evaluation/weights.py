"""Which weights are measured: those inside the library, or files given on the command line."""
from __future__ import annotations

import argparse
import pathlib

import garface
from garface.evaluation.arguments import existing_file

# Where a checkout keeps what it builds into the library.
EMBEDDED = pathlib.Path(__file__).resolve().parents[4] / "Sources/CDefaultModels/models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--renderer", type=existing_file, help="weight file of a GAR (default: the one inside the library)")
    parser.add_argument("--inverse", type=existing_file, help="weight file of an inverse network (default: likewise)")


def models(options: argparse.Namespace) -> garface.Models:
    return garface.Models(renderer=options.renderer, inverse_network=options.inverse)


def inverse_file(options: argparse.Namespace) -> pathlib.Path:
    """The inverse network as a file: the one given, or the one of the checkout that holds this package."""
    return options.inverse or EMBEDDED / "inverse.safetensors"
