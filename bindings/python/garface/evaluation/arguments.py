"""Types of arguments that argparse checks before anything is measured."""
from __future__ import annotations

import argparse
import json
import os
import pathlib
from typing import Callable, Collection, TypeVar

Number = TypeVar("Number", int, float)


def at_least(least: Number, or_zero: bool = False) -> Callable[[str], Number]:
    """A number of the kind of ``least``, not below it; ``or_zero`` allows 0 besides."""
    kind = type(least)

    def number(text: str) -> Number:
        try:
            value = kind(text)
            if value >= least or (or_zero and value == 0):
                return value
        except ValueError:
            pass
        what = "a whole number" if kind is int else "a number"
        raise argparse.ArgumentTypeError(f"{text!r} is not {'0 or ' if or_zero else ''}{what} of at least {least}")
    return number


def list_of(one: Callable[[str], Number]) -> Callable[[str], list[Number]]:
    """Numbers parted by commas."""
    return lambda text: [one(part) for part in text.split(",")]


def some_of(known: Collection[str]) -> Callable[[str], list[str]]:
    """Names parted by commas."""
    def names(text: str) -> list[str]:
        given = text.split(",")
        for name in given:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return given
    return names


def existing_file(text: str) -> pathlib.Path:
    if not os.path.isfile(text):
        raise argparse.ArgumentTypeError(f"{text}: no such file")
    return pathlib.Path(text)


def folder_with(*names: str) -> Callable[[str], pathlib.Path]:
    """A folder that holds files of these names."""
    def folder(text: str) -> pathlib.Path:
        for name in names:
            if not os.path.isfile(os.path.join(text, name)):
                raise argparse.ArgumentTypeError(f"{text} holds no {name}: --help says what is expected there")
        return pathlib.Path(text)
    return folder


def stages(text: str) -> dict:
    """What a JSON file says of the stages of a fit."""
    try:
        return json.loads(existing_file(text).read_text())
    except ValueError as problem:
        raise argparse.ArgumentTypeError(f"{text} is no JSON: {problem}") from None


def stages_for(row: str, schedule: dict | None) -> dict | None:
    """Stages that were given are of a fit through a renderer; other rows keep their own."""
    return schedule if row in ("gar", "sh") else None


def output_file(text: str) -> pathlib.Path:
    """A file to write once all is measured."""
    file = pathlib.Path(text)
    if file.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder: give the name of a file")
    if not file.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text} cannot be written: make the folder {file.parent} first")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written: no permission")
    return file


def output_folder(text: str) -> pathlib.Path:
    """A folder to write into, made where it is missing."""
    folder = pathlib.Path(text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise argparse.ArgumentTypeError(f"{text} cannot be made: {problem.strerror}") from None
    return folder
