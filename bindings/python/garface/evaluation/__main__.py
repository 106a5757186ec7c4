"""One entry for the measurements: python -m garface.evaluation MEASUREMENT ..."""
from __future__ import annotations

import importlib
import sys

MEASUREMENTS = {
    "photos": "landmark error on annotated photos",
    "openings_of_photos": "how far eyes and lips are open on annotated photos",
    "scenes": "finding annotated faces in larger scenes",
    "self_inversion": "faces that the renderer drew, reconstructed",
    "several_photos": "how much several photos of one person help",
    "tracking": "a made film of known motion",
    "pictures": "sheets of renders, their Frechet distance from portraits",
    "obedience": "is the face where the geometry says?",
    "separation": "does z leave the geometry alone?",
    "portraits": "inversion of test portraits",
}


def usage() -> str:
    lines = [str(__doc__), "Measurements (each has --help):"]
    return "\n".join(lines + [f"  {name:20s} {what}" for name, what in MEASUREMENTS.items()])


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else list(argv)
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0 if argv else 2
    if argv[0] not in MEASUREMENTS:
        print(f"no measurement {argv[0]!r}\n{usage()}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"garface.evaluation.{argv[0]}")
    before, sys.argv = sys.argv, [f"garface.evaluation {argv[0]}", *argv[1:]]
    try:
        module.main()
    except (ValueError, OSError) as problem:      # what can be put right by whoever gave the command
        print(f"garface.evaluation {argv[0]}: {problem}", file=sys.stderr)
        return 1
    finally:
        sys.argv = before
    return 0


if __name__ == "__main__":
    sys.exit(main())
