"""One entry for the programs of a package: python -m PACKAGE PROGRAM ..."""
from __future__ import annotations

import importlib
import sys


def run(package: str, about: str | None, noun: str, programs: dict[str, tuple[str, str]], argv: list[str] | None = None) -> int:
    """Exit status of the program that the first of ``argv`` names, run with the rest as its command line.

    ``programs``: {name: (module of ``package``, what it does)}; ``noun``: what such a program is called.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    listed = [f"  {name:20s} {what}" for name, (_, what) in programs.items()]
    usage = "\n".join([str(about), f"{noun.capitalize()}s (each has --help):", *listed])
    if not argv or argv[0] in ("-h", "--help"):
        print(usage)
        return 0 if argv else 2
    if argv[0] not in programs:
        print(f"no {noun} {argv[0]!r}\n{usage}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"{package}.{programs[argv[0]][0]}")
    before, sys.argv = sys.argv, [f"{package} {argv[0]}", *argv[1:]]
    try:
        return module.main() or 0
    except (ValueError, OSError, FloatingPointError) as problem:      # whoever gave the command can put it right
        print(f"{package} {argv[0]}: {problem}", file=sys.stderr)
        return 1
    finally:
        sys.argv = before
