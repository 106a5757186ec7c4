"""One entry for the measurements: python -m garface.evaluation MEASUREMENT ..."""
from __future__ import annotations

import sys

from garface import _programs

MEASUREMENTS = {
    "photos": "landmark error on annotated photos",
    "openings_of_photos": "how far eyes and lips are open on annotated photos",
    "gaze": "where portraits look that look into the camera",
    "scenes": "finding annotated faces in larger scenes",
    "self_inversion": "faces that the renderer drew, reconstructed",
    "several_photos": "how much several photos of one person help",
    "tracking": "a made film of known motion",
    "pictures": "sheets of renders, their Frechet distance from portraits",
    "obedience": "is the face where the geometry says?",
    "annotation_offset": "where people mark the 68 points on the head model",
    "separation": "does z leave the geometry alone?",
    "covered": "test portraits with things drawn over them",
    "portraits": "inversion of test portraits",
}


def main(argv: list[str] | None = None) -> int:
    programs = {name: (name, what) for name, what in MEASUREMENTS.items()}
    return _programs.run("garface.evaluation", __doc__, "measurement", programs, argv)


if __name__ == "__main__":
    sys.exit(main())
